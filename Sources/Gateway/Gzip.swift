internal import CZlib

/// gzip (RFC 1952) by zlib: a bundle of entries is six times smaller by it, and whoever mirrors a log takes every one.
enum Gzip {
    /// The best that costs little: a bundle of 200 KB takes 1.5 ms.
    private static let level: Int32 = 6

    /// nil where zlib has no memory for it.
    static func compress(_ bytes: [UInt8]) -> [UInt8]? {
        var stream = unsafe z_stream()
        guard unsafe bailiwick_deflate_init_gzip(&stream, level) == Z_OK else { return nil }
        defer { unsafe deflateEnd(&stream) }
        var bytes = bytes
        var packed = [UInt8](repeating: 0, count: Int(unsafe deflateBound(&stream, UInt(bytes.count))))
        let count = unsafe bytes.withUnsafeMutableBufferPointer { input in
            unsafe packed.withUnsafeMutableBufferPointer { output -> Int? in
                unsafe stream.next_in = input.baseAddress
                unsafe stream.avail_in = UInt32(input.count)
                unsafe stream.next_out = output.baseAddress
                unsafe stream.avail_out = UInt32(output.count)
                // The room is what deflateBound says: one call is all.
                guard unsafe deflate(&stream, Z_FINISH) == Z_STREAM_END else { return nil }
                return unsafe output.count - Int(stream.avail_out)
            }
        }
        guard let count else { return nil }
        packed.removeLast(packed.count - count)
        return packed
    }

    /// Does an `Accept-Encoding` take gzip? (RFC 9110, section 12.5.3: a list of codings, each perhaps with a weight; 0 is a no,
    /// and what is named counts before `*`.)
    static func isAccepted(_ values: [String]) -> Bool {
        var byStar = false
        for coding in values.flatMap({ $0.split(separator: ",") }) {
            let parts = coding.split(separator: ";").map { $0.filter { $0 != " " && $0 != "\t" }.lowercased() }
            guard let name = parts.first else { continue }
            let isWanted = !parts.dropFirst().contains { weight in
                weight.hasPrefix("q=0") && weight.dropFirst(3).allSatisfy { $0 == "0" || $0 == "." }
            }
            if name == "gzip" || name == "x-gzip" { return isWanted }
            if name == "*" { byStar = isWanted }
        }
        return byStar
    }
}
