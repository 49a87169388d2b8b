package import NIOCore

/// Turns a connection's bytes into requests, strictly (RFC 9112; DESIGN section 6). The caller stops asking while a request is in
/// hand, and stops reading the socket while enough is buffered: that is the back-pressure.
package struct RequestDecoder {
    package enum Event {
        case head(RequestHead)
        /// A piece of the body, never empty, without the chunked coding.
        case body(ByteBuffer)
        /// The end of the request; `trailers` is nil unless the body was chunked and had some.
        case end(trailers: Trailers?)
    }

    private enum State {
        /// Before a head. `scanned` bytes of the buffer hold no end of one.
        case head(scanned: Int)
        case body(remaining: UInt64)
        case chunkSize
        case chunk(remaining: UInt64)
        case chunkEnd
        case trailers(scanned: Int)
        case end(trailers: Trailers?)
        case failed(FramingError)
    }

    private let limits: Limits
    private var buffer = ByteBuffer()
    private var state = State.head(scanned: 0)

    package init(limits: Limits = Limits()) { self.limits = limits }

    /// Bytes that were appended and not yet made into an event.
    package var bufferedByteCount: Int { buffer.readableBytes }

    /// Takes what the socket gave.
    package mutating func append(_ bytes: inout ByteBuffer) {
        if buffer.readableBytes == 0 {
            buffer = bytes
        } else {
            buffer.writeBuffer(&bytes)
        }
    }

    /// The next event; nil when more bytes are needed. After an error every further call throws it again.
    package mutating func next() throws(FramingError) -> Event? {
        do throws(FramingError) {
            while true {
                switch try step() {
                case .event(let event): return event
                case .again: continue
                case .starved: return nil
                }
            }
        } catch {
            state = .failed(error)
            throw error
        }
    }

    private enum Step {
        case event(Event)
        case again, starved
    }

    private mutating func step() throws(FramingError) -> Step {
        switch state {
        case .head(let scanned): return try head(scanned: scanned)
        case .body(let remaining):
            guard let piece = take(remaining) else { return .starved }
            let rest = remaining - UInt64(piece.readableBytes)
            state = rest == 0 ? .end(trailers: nil) : .body(remaining: rest)
            return .event(.body(piece))
        case .chunkSize: return try chunkSize()
        case .chunk(let remaining):
            guard let piece = take(remaining) else { return .starved }
            let rest = remaining - UInt64(piece.readableBytes)
            state = rest == 0 ? .chunkEnd : .chunk(remaining: rest)
            return .event(.body(piece))
        case .chunkEnd:
            guard try Self.isChunkEnd(buffer.readableBytesUInt8Span) else { return .starved }
            buffer.moveReaderIndex(forwardBy: 2)
            state = .chunkSize
            return .again
        case .trailers(let scanned): return try trailers(scanned: scanned)
        case .end(let trailers):
            state = .head(scanned: 0)
            return .event(.end(trailers: trailers))
        case .failed(let error): throw error
        }
    }

    /// Up to `count` bytes of what is there; nil when nothing is.
    private mutating func take(_ count: UInt64) -> ByteBuffer? {
        guard buffer.readableBytes > 0 else { return nil }
        return buffer.readSlice(length: Int(min(count, UInt64(buffer.readableBytes))))
    }

    private mutating func head(scanned: Int) throws(FramingError) -> Step {
        guard let length = blockLength(scanned: scanned) else {
            try refuseHopelessHead()
            state = .head(scanned: max(0, buffer.readableBytes - 3))
            return .starved
        }
        guard length <= limits.headBytesMax else { throw .headTooLarge }
        guard let bytes = buffer.readSlice(length: length) else { return .starved }
        let head = try HeadParser(limits: limits).parse(bytes)
        switch head.body {
        case .none: state = .end(trailers: nil)
        case .length(let count): state = .body(remaining: count)
        case .chunked: state = .chunkSize
        }
        return .event(.head(head))
    }

    /// The length of a block that ends in an empty line; nil when its end has not come. A bare LF never ends one.
    private func blockLength(scanned: Int) -> Int? {
        let span = buffer.readableBytesUInt8Span
        var at = scanned
        while at + 4 <= span.count {
            if span[at + 3] == Byte.lineFeed, span[at + 2] == Byte.carriageReturn, span[at + 1] == Byte.lineFeed,
                span[at] == Byte.carriageReturn
            {
                return at + 4
            }
            at += 1
        }
        return nil
    }

    /// A head that cannot become a good one is refused before it is whole, so that a client that speaks something else is answered
    /// and a large one is not kept.
    private func refuseHopelessHead() throws(FramingError) {
        let span = buffer.readableBytesUInt8Span
        guard span.count <= limits.headBytesMax else { throw .headTooLarge }
        guard span.count > 0 else { return }
        guard Byte.isToken(span[0]) else { throw .malformedRequestLine }
        var at = 0
        let end = min(span.count, limits.requestLineBytesMax + 1)
        while at < end, span[at] != Byte.lineFeed { at += 1 }
        guard at <= limits.requestLineBytesMax else { throw .requestLineTooLong }
    }

    private mutating func chunkSize() throws(FramingError) -> Step {
        guard let line = try Self.chunkLine(buffer.readableBytesUInt8Span) else { return .starved }
        buffer.moveReaderIndex(forwardBy: line.byteCount)
        state = line.size == 0 ? .trailers(scanned: 0) : .chunk(remaining: line.size)
        return .again
    }

    /// `chunk-size CRLF` (RFC 9112, section 7.1); nil when its end has not come. A chunk extension says nothing here and is a place
    /// to hide a line end in: it is refused.
    private static func chunkLine(_ span: Span<UInt8>) throws(FramingError) -> (size: UInt64, byteCount: Int)? {
        var size: UInt64 = 0
        var at = 0
        while at < span.count, let digit = Byte.hexValue(span[at]) {
            guard at < 15 else { throw .badChunk }
            size = size << 4 | digit
            at += 1
        }
        guard at < span.count else { return nil }
        guard at > 0, span[at] == Byte.carriageReturn else { throw .badChunk }
        guard at + 1 < span.count else { return nil }
        guard span[at + 1] == Byte.lineFeed else { throw .badChunk }
        return (size, at + 2)
    }

    /// The CRLF after a chunk's data; false when it has not come.
    private static func isChunkEnd(_ span: Span<UInt8>) throws(FramingError) -> Bool {
        guard span.count > 0 else { return false }
        guard span[0] == Byte.carriageReturn else { throw .badChunk }
        guard span.count > 1 else { return false }
        guard span[1] == Byte.lineFeed else { throw .badChunk }
        return true
    }

    private mutating func trailers(scanned: Int) throws(FramingError) -> Step {
        let available = buffer.readableBytes
        if available >= 2, buffer.getInteger(at: buffer.readerIndex, as: UInt8.self) == Byte.carriageReturn {
            guard buffer.getInteger(at: buffer.readerIndex + 1, as: UInt8.self) == Byte.lineFeed else {
                throw .badTrailer
            }
            buffer.moveReaderIndex(forwardBy: 2)
            state = .end(trailers: nil)
            return .again
        }
        guard let length = blockLength(scanned: scanned) else {
            guard available <= limits.trailerBytesMax else { throw .badTrailer }
            state = .trailers(scanned: max(0, available - 3))
            return .starved
        }
        guard length <= limits.trailerBytesMax, let bytes = buffer.readSlice(length: length) else { throw .badTrailer }
        state = .end(trailers: try Trailers(bytes, limits: limits))
        return .again
    }
}
