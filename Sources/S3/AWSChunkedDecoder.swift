/// Decodes `aws-chunked` with unsigned chunks: `SIZE CRLF data CRLF … 0 CRLF [trailer CRLF…] CRLF` (Amazon S3 API Reference, "Transferring
/// payload in multiple chunks", STREAMING-UNSIGNED-PAYLOAD-TRAILER), in pieces of any size.
package struct AWSChunkedDecoder: Sendable {
    private enum State {
        case size
        case data(remaining: Int64)
        case dataEnd
        case trailer
        case done
    }

    /// The longest size line or trailer line.
    static let lineBytesMax = 1024

    private var state = State.size
    private var line: [UInt8] = []
    /// Bytes decoded so far.
    package private(set) var decodedByteCount: Int64 = 0
    /// The trailer's lower-case name and value, where there was one.
    package private(set) var trailer: (name: String, value: [UInt8])?

    package init() {}

    /// The last chunk and its empty line were seen.
    package var isDone: Bool { if case .done = state { true } else { false } }

    /// Calls `emit` with each run of decoded bytes.
    package mutating func decode(_ bytes: Span<UInt8>, emit: (Span<UInt8>) -> Void) throws(S3Error) {
        var at = 0
        while at < bytes.count {
            switch state {
            case .data(let remaining):
                let count = Int(min(remaining, Int64(bytes.count - at)))
                emit(bytes.extracting(at..<at + count))
                decodedByteCount += Int64(count)
                at += count
                state = remaining == Int64(count) ? .dataEnd : .data(remaining: remaining - Int64(count))
            case .size, .dataEnd, .trailer:
                line.append(bytes[at])
                at += 1
                guard line.count <= Self.lineBytesMax else { throw Self.malformed }
                if line.last == 0x0A { try endLine() }
            case .done: throw Self.malformed
            }
        }
    }

    private mutating func endLine() throws(S3Error) {
        guard line.count >= 2, line[line.count - 2] == 0x0D else { throw Self.malformed }
        let text = line.dropLast(2)
        defer { line.removeAll(keepingCapacity: true) }
        switch state {
        case .size:
            guard (1...15).contains(text.count), let size = Int64(String(decoding: text, as: UTF8.self), radix: 16),
                size >= 0,
                text.first != UInt8(ascii: "+"), text.first != UInt8(ascii: "-")
            else { throw Self.malformed }
            state = size == 0 ? .trailer : .data(remaining: size)
        case .dataEnd:
            guard text.isEmpty else { throw Self.malformed }
            state = .size
        case .trailer:
            guard !text.isEmpty else {
                state = .done
                return
            }
            guard trailer == nil, let colon = text.firstIndex(of: UInt8(ascii: ":")) else { throw Self.malformed }
            let value = text[(colon + 1)...].drop { $0 == 0x20 || $0 == 0x09 }
            trailer = (String(decoding: text[..<colon], as: UTF8.self).lowercased(), Array(value))
        case .data, .done: throw Self.malformed
        }
    }

    private static let malformed = S3Error(.incompleteBody, "The aws-chunked body is malformed.")
}

/// Takes a PutObject's body as HTTP delivers it, and gives the object's bytes with all that was declared of them verified.
package struct PutBody: ~Copyable {
    private let size: Int64?
    private var decoder: AWSChunkedDecoder?
    private var checksum: Checksum?
    private let trailer: ChecksumAlgorithm?
    /// Of the header, where no trailer is announced.
    private let declared: [UInt8]?
    private var byteCount: Int64 = 0

    package init(_ put: PutRequest) {
        size = put.size
        switch put.coding {
        case .plain: (decoder, trailer) = (nil, nil)
        case .awsChunked(let algorithm): (decoder, trailer) = (AWSChunkedDecoder(), algorithm)
        }
        declared = put.checksum?.value
        let algorithm = trailer ?? put.checksum?.algorithm
        if let algorithm { checksum = Checksum(algorithm) } else { checksum = nil }
    }

    /// Is the body the object, byte for byte?
    package var isPlain: Bool { decoder == nil && checksum == nil }

    /// Calls `emit` with each run of the object's bytes.
    package mutating func take(_ bytes: Span<UInt8>, emit: (Span<UInt8>) -> Void) throws(S3Error) {
        if decoder == nil {
            checksum?.update(bytes)
            byteCount += Int64(bytes.count)
            emit(bytes)
        } else {
            var sum = checksum.take()
            try decoder?.decode(bytes) { run in
                sum?.update(run)
                emit(run)
            }
            checksum = sum
            byteCount = decoder?.decodedByteCount ?? 0
        }
        if let size, byteCount > size { throw S3Error(.incompleteBody) }
        if byteCount > PutRequest.bytesMax { throw S3Error(.entityTooLarge) }
    }

    /// The verified checksum, to be stored; throws when what was declared does not hold.
    package consuming func finish() throws(S3Error) -> (algorithm: ChecksumAlgorithm, value: [UInt8])? {
        if let decoder, !decoder.isDone { throw S3Error(.incompleteBody) }
        if let size, byteCount != size { throw S3Error(.incompleteBody) }
        guard trailer != nil || decoder?.trailer == nil else {
            throw S3Error(.invalidRequest, "The body has a trailer that x-amz-trailer did not announce.")
        }
        guard var checksum = checksum.take() else { return nil }
        let algorithm = checksum.algorithm
        let value = checksum.finish()
        if let trailer {
            guard let sent = decoder?.trailer, sent.name == "x-amz-checksum-\(trailer.rawValue)",
                let expected = ChecksumAlgorithm.decodeBase64(sent.value)
            else { throw S3Error(.invalidRequest, "The checksum announced in x-amz-trailer did not come.") }
            guard expected == value else { throw S3Error(.badDigest) }
        } else if let declared {
            guard declared == value else { throw S3Error(.badDigest) }
        }
        return (algorithm, value)
    }
}
