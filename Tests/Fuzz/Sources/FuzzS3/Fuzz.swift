import Residency

@testable import S3

/// A method's letter, a target, then fields, one a line: `name: value`. What follows an empty line is an aws-chunked body.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let input = Array(UnsafeBufferPointer(start: start, count: count))
    body(input)
    var lines = input.split(separator: 0x0A, omittingEmptySubsequences: false).map(Array.init)[...]
    guard let first = lines.popFirst(), let letter = first.first else { return 0 }
    let target = Array(first.dropFirst())
    let fields = RequestFields()
    while let line = lines.popFirst(), let colon = line.firstIndex(of: UInt8(ascii: ":")) {
        fields.add(name: Array(line[..<colon]).span, value: Array(line[(colon + 1)...]).span)
    }
    let rest = Array(lines.joined(separator: [0x0A]))
    body(rest)
    let methods: [S3Method] = [.get, .head, .put, .post, .delete, .other]
    let length: Int64? = letter & 0x20 == 0 ? nil : Int64(rest.count)
    guard
        let request = try? S3Request(
            method: methods[Int(letter) % methods.count], target: target.span, fields: fields, declaredLength: length)
    else { return 0 }
    if let key = request.key {
        precondition((1...ObjectKey.bytesMax).contains(key.utf8.count) && !key.utf8.contains(0))
        precondition(
            Percent.decode(Percent.encode(key.utf8).span) == key.utf8, "a key is encoded otherwise than decoded")
    }
    if let listing = request.listing {
        precondition((0...ListingRequest.pageKeysMax).contains(listing.keysMax))
        if let token = listing.continuationToken, let key = listing.continuation {
            precondition(
                String(decoding: ListingRequest.token(for: key), as: UTF8.self)
                    == String(decoding: token, as: UTF8.self).lowercased(), "a token stands for another key")
        }
    }
    if let range = request.selection?.range?.resolve(size: 1000) {
        precondition(range.lowerBound >= 0 && range.upperBound <= 1000)
    }
    _ = request.selection?.conditions.evaluate(etag: "a", lastModifiedSeconds: 1) { _ in 1 }
    if let put = request.put {
        var body = PutBody(put)
        do {
            try body.take(rest.span) { _ in }
            _ = try body.finish()
        } catch {}
    }
    return 0
}

/// Whole, and byte by byte, with the same bytes and the same end.
private func body(_ input: [UInt8]) {
    let whole = decode([input[...]])
    precondition(whole == decode(input.indices.map { input[$0...$0] }), "byte by byte")
}

private struct Body: Equatable {
    var bytes: [UInt8] = []
    var isRefused = false
    var isDone = false
    var trailer: [UInt8]?
}

private func decode(_ pieces: [ArraySlice<UInt8>]) -> Body {
    var decoder = AWSChunkedDecoder()
    var body = Body()
    for piece in pieces where !body.isRefused {
        do {
            try decoder.decode(Array(piece).span) { run in for index in run.indices { body.bytes.append(run[index]) } }
        } catch { body.isRefused = true }
    }
    precondition(decoder.decodedByteCount == Int64(body.bytes.count))
    body.isDone = decoder.isDone
    body.trailer = decoder.trailer.map { Array($0.name.utf8) + [0] + $0.value }
    return body
}
