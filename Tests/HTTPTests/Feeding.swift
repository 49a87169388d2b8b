import NIOCore

@testable import HTTP

/// One request as the decoder told it, its body joined.
struct DecodedRequest: Hashable, Sendable {
    var method: RequestHead.Method
    var target: String
    var host: String
    var fields: [[String]]
    var framing: RequestHead.Body
    var isKeepAlive: Bool
    var expectsContinue: Bool
    var body: [UInt8] = []
    /// The value of the trailer `x-amz-checksum-sha256`, "" when there were trailers without it.
    var checksumTrailer: String?
    var isComplete = false
}

/// All that came of a connection's bytes.
struct Outcome: Hashable, Sendable {
    var requests: [DecodedRequest] = []
    var error: FramingError?
    /// Bytes that were taken and told nothing yet; 0 after an error.
    var waitingByteCount = 0

    var complete: [DecodedRequest] { requests.filter(\.isComplete) }
}

/// Feeds one decoder the pieces in turn, and asks for all that it has after each. What a connection asks for, heads apart, comes out alike.
func decode(_ pieces: [ArraySlice<UInt8>], limits: Limits = Limits()) -> Outcome {
    let outcome = decodeEvents(pieces, limits: limits)
    precondition(decodeHeads(pieces, limits: limits) == outcome, "heads that are asked for come out otherwise")
    return outcome
}

/// The same as a connection does it: a head is taken where the bytes lie, its fields while it is parsed.
private func decodeHeads(_ pieces: [ArraySlice<UInt8>], limits: Limits) -> Outcome {
    let decoder = RequestDecoder(limits: limits)
    var outcome = Outcome()
    var isHeadDue = true
    func take(_ head: RequestHead) {
        outcome.take(.head(head))
        if case .none = head.body { outcome.take(.end(trailers: nil)) } else { isHeadDue = false }
    }
    for piece in pieces {
        if isHeadDue {
            var fields: [[String]] = []
            if let head = decoder.nextHead(
                appending: piece.span, { name, value in fields.append([text(name), text(value)]) })
            {
                take(head)
                precondition(outcome.requests.last?.fields == fields, "other fields than the head has")
            }
        } else {
            decoder.append(piece.span)
        }
        do throws(FramingError) {
            while true {
                if isHeadDue {
                    guard let head = try decoder.nextHead() else { break }
                    take(head)
                } else {
                    guard let event = try decoder.next() else { break }
                    outcome.take(event)
                    if case .end = event { isHeadDue = true }
                }
            }
        } catch {
            outcome.error = error
            return outcome
        }
    }
    outcome.waitingByteCount = decoder.bufferedByteCount
    return outcome
}

private func decodeEvents(_ pieces: [ArraySlice<UInt8>], limits: Limits) -> Outcome {
    let decoder = RequestDecoder(limits: limits)
    var outcome = Outcome()
    for piece in pieces {
        let bytes = ByteBuffer(bytes: piece)
        decoder.append(bytes)
        do throws(FramingError) {
            while let event = try decoder.next() { outcome.take(event) }
        } catch {
            outcome.error = error
            return outcome
        }
    }
    outcome.waitingByteCount = decoder.bufferedByteCount
    return outcome
}

func decode(_ bytes: [UInt8], limits: Limits = Limits()) -> Outcome { decode([bytes[...]], limits: limits) }

/// The first way to cut the bytes that comes out otherwise than feeding them whole; nil when there is none.
func differentCut(_ bytes: [UInt8], limits: Limits = Limits()) -> String? {
    let whole = decode(bytes, limits: limits)
    if decode(bytes.indices.map { bytes[$0...$0] }, limits: limits) != whole { return "byte by byte" }
    for at in bytes.indices.dropFirst() where decode([bytes[..<at], bytes[at...]], limits: limits) != whole {
        return "cut at \(at)"
    }
    return nil
}

extension Outcome {
    fileprivate mutating func take(_ event: RequestDecoder.Event) {
        switch event {
        case .head(let head):
            var fields: [[String]] = []
            head.forEachField { name, value in fields.append([text(name), text(value)]) }
            requests.append(
                DecodedRequest(
                    method: head.method, target: text(head.target), host: text(head.host), fields: fields,
                    framing: head.body, isKeepAlive: head.isKeepAlive, expectsContinue: head.expectsContinue))
        case .body(let piece): requests[requests.count - 1].body += Array(piece.readableBytesView)
        case .end(let trailers):
            if let trailers {
                requests[requests.count - 1].checksumTrailer = text(
                    trailers.value(of: "x-amz-checksum-sha256") ?? [])
            }
            requests[requests.count - 1].isComplete = true
        }
    }
}

/// Bytes as Latin-1, so that nothing is repaired on the way into a comparison.
func text(_ bytes: some Sequence<UInt8>) -> String {
    var text = String.UnicodeScalarView()
    for byte in bytes { text.append(Unicode.Scalar(byte)) }
    return String(text)
}

private func text(_ span: borrowing Span<UInt8>) -> String {
    var bytes: [UInt8] = []
    for index in span.indices { bytes.append(span[index]) }
    return text(bytes)
}

/// Text whose scalars stand for bytes: `"\u{80}"` is the byte 0x80.
func bytes(_ text: String) -> [UInt8] { text.unicodeScalars.map { UInt8($0.value) } }
