package import NIOCore
internal import OpenSSL

/// Turns a connection's bytes into requests, strictly (RFC 9112; DESIGN section 6). The caller stops asking while a request is in
/// hand, and stops reading the socket while enough is buffered: that is the back-pressure. A class, so that whoever has one needs no check
/// to ask it.
package final class RequestDecoder {
    package enum Event {
        case head(RequestHead)
        /// A piece of the body, never empty, without the chunked coding.
        case body(ByteBuffer)
        /// The end of the request; `trailers` is nil unless the body was chunked and had some.
        case end(trailers: Trailers?)
    }

    private enum State {
        case head(BlockScan)
        case body(remaining: UInt64)
        case chunkSize
        case chunk(remaining: UInt64)
        case chunkEnd
        case trailers(BlockScan)
        case end(trailers: Trailers?)
        case failed(FramingError)
    }

    private let limits: Limits
    /// What was appended; before `start` it is decoded. Its memory is used again, while it is little.
    private var buffer: [UInt8] = []
    private var start = 0
    private var state: State

    package init(limits: Limits = Limits()) {
        self.limits = limits
        state = .head(BlockScan(bytesMax: limits.headBytesMax, firstLineBytesMax: limits.requestLineBytesMax))
    }

    /// Bytes that were appended and not yet made into an event.
    package var bufferedByteCount: Int { buffer.count - start }

    /// Memory that is held for bytes to come.
    var capacity: Int { buffer.capacity }

    /// What is kept of an idle connection's memory.
    private static let idleBytesMax = 4 << 10

    /// Takes what the socket gave.
    package func append(_ bytes: Span<UInt8>) {
        // Taken out and put back: changed where it lies, each look at it would be checked.
        var buffer = buffer
        self.buffer = []
        // What was decoded goes, or a client that always has a piece of something under way would fill the memory with it.
        if start == buffer.count {
            buffer.removeAll(keepingCapacity: true)
        } else if start > 0 {
            buffer.removeSubrange(..<start)
        }
        start = 0
        buffer.append(copying: bytes)
        self.buffer = buffer
    }

    /// The same.
    package func append(_ bytes: ByteBuffer) { append(bytes.readableBytesUInt8Span) }

    /// The next event; nil when more bytes are needed. After an error every further call throws it again.
    package func next() throws(FramingError) -> Event? {
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

    /// Takes what the socket gave where a head is due, and gives that head where all of it is there and nothing is wrong with it; else `nextHead`
    /// is to be asked. What is not held need not be copied.
    /// - Parameter take: called with each of the head's fields, in order; and with some before nil is returned, which then are none.
    package func nextHead(
        appending bytes: Span<UInt8>, _ take: (_ name: Span<UInt8>, _ value: Span<UInt8>) -> Void
    ) -> RequestHead? {
        guard start == buffer.count, case .head(let scan) = state, scan.isFresh, let head = wholeHead(bytes, take)
        else {
            append(bytes)
            return nil
        }
        expectBody(of: head)
        if head.byteCount < bytes.count { append(bytes.extracting(head.byteCount...)) }
        if case .end = state { endRequest() }
        return head
    }

    /// The next request's head; nil when more bytes are needed. Asked for only where a head is due. A request without a body has ended
    /// with it: its end is no event.
    package func nextHead() throws(FramingError) -> RequestHead? {
        do throws(FramingError) {
            switch state {
            case .head(let scan):
                guard let head = try head(scan) else { return nil }
                if case .end = state { endRequest() }
                return head
            case .failed(let error): throw error
            case .body, .chunkSize, .chunk, .chunkEnd, .trailers, .end: preconditionFailure("a head inside a body")
            }
        } catch {
            state = .failed(error)
            throw error
        }
    }

    private func endRequest() {
        if start == buffer.count, buffer.capacity > Self.idleBytesMax { (buffer, start) = ([], 0) }
        state = .head(BlockScan(bytesMax: limits.headBytesMax, firstLineBytesMax: limits.requestLineBytesMax))
    }

    private enum Step {
        case event(Event)
        case again, starved
    }

    private func step() throws(FramingError) -> Step {
        switch state {
        case .head(let scan): return try head(scan).map { .event(.head($0)) } ?? .starved
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
            guard try withRest(Self.isChunkEnd) else { return .starved }
            start += 2
            state = .chunkSize
            return .again
        case .trailers(let scan): return try trailers(scan)
        case .end(let trailers):
            endRequest()
            return .event(.end(trailers: trailers))
        case .failed(let error): throw error
        }
    }

    /// Calls `body` with what is not decoded.
    private func withRest<Result, Failure: Error>(
        _ body: (Span<UInt8>) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let buffer = buffer
        return try body(buffer.span.extracting(start...))
    }

    /// Up to `count` bytes of what is there; nil when nothing is.
    private func take(_ count: UInt64) -> ByteBuffer? {
        guard start < buffer.count else { return nil }
        let count = Int(min(count, UInt64(buffer.count - start)))
        defer { start += count }
        return ByteBuffer(bytes: buffer[start..<start + count])
    }

    private func takeBlock(_ count: Int) -> [UInt8] {
        defer { start += count }
        return withRest { [UInt8](copying: $0.extracting(..<count)) }
    }

    private func head(_ scan: BlockScan) throws(FramingError) -> RequestHead? {
        guard start < buffer.count else { return nil }
        // A client that speaks something else is answered at once.
        guard Byte.isToken(buffer[start]) else { throw .malformedRequestLine }
        if scan.isFresh, let head = withRest({ wholeHead($0) }) { return take(head) }
        var scan = scan
        switch withRest({ scan.advance(over: $0) }) {
        case .more:
            state = .head(scan)
            return nil
        case .tooLarge: throw .headTooLarge
        case .firstLineTooLong: throw .requestLineTooLong
        case .badLineEnd(let count):
            // What stands before it may be wrong already, and is then what the client is told.
            _ = try parse(..<count)
            throw .malformedField
        case .end(let count): return take(try parse(..<count))
        }
    }

    private func parse(_ part: PartialRangeUpTo<Int>) throws(FramingError) -> RequestHead {
        try withRest { rest throws(FramingError) in try HeadParser(limits: limits).parse(rest.extracting(part)) }
    }

    /// The head that begins there, where all of it is there and nothing is wrong with it, as with most. What is wrong with any other, and how
    /// much of it is there, its lines tell, one by one.
    private func wholeHead(
        _ bytes: Span<UInt8>, _ take: (_ name: Span<UInt8>, _ value: Span<UInt8>) -> Void = { _, _ in }
    ) -> RequestHead? {
        guard let head = try? HeadParser(limits: limits).parse(bytes, take), head.byteCount <= limits.headBytesMax,
            head.requestLineBytes <= limits.requestLineBytesMax
        else { return nil }
        return head
    }

    private func take(_ head: RequestHead) -> RequestHead {
        start += head.byteCount
        expectBody(of: head)
        return head
    }

    private func expectBody(of head: RequestHead) {
        switch head.body {
        case .none: state = .end(trailers: nil)
        case .length(let count): state = .body(remaining: count)
        case .chunked: state = .chunkSize
        }
    }

    private func chunkSize() throws(FramingError) -> Step {
        guard let line = try withRest(Self.chunkLine) else { return .starved }
        start += line.byteCount
        state =
            line.size == 0
            ? .trailers(BlockScan(bytesMax: limits.trailerBytesMax, firstLineBytesMax: limits.trailerBytesMax))
            : .chunk(remaining: line.size)
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

    private func trailers(_ scan: BlockScan) throws(FramingError) -> Step {
        var scan = scan
        switch withRest({ scan.advance(over: $0) }) {
        case .more:
            state = .trailers(scan)
            return .starved
        case .tooLarge, .firstLineTooLong, .badLineEnd: throw .badTrailer
        case .end(let count):
            let bytes = takeBlock(count)
            // The empty line alone is none.
            state = .end(trailers: count == 2 ? nil : try Trailers(bytes, limits: limits))
            return .again
        }
    }
}
