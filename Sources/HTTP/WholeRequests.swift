package import NIOCore
internal import Synchronization

/// An answer that is whole in memory.
package struct WholeAnswer: Sendable {
    package var status: Int
    package var contentType: String?
    package var cacheControl: String?
    package var contentEncoding: String?
    /// The request's fields that the answer depends on.
    package var vary: String?
    package var body: [UInt8]

    package init(
        status: Int, contentType: String? = "text/plain; charset=utf-8", cacheControl: String? = nil,
        contentEncoding: String? = nil, body: [UInt8]
    ) {
        self.status = status
        self.contentType = contentType
        self.cacheControl = cacheControl
        self.contentEncoding = contentEncoding
        self.body = body
    }

    package static func text(_ status: Int, _ text: String) -> WholeAnswer {
        WholeAnswer(status: status, body: Array(text.utf8))
    }
}

/// Whoever asked, for an answer that takes long.
package final class Asker: Sendable {
    private let hasLeft = Atomic(false)

    package init() {}

    /// The connection has ended: nobody takes the answer.
    package var isGone: Bool { hasLeft.load(ordering: .relaxed) }

    func leave() { hasLeft.store(true, ordering: .relaxed) }
}

/// Serves requests that are small and few: each one is taken whole, answered whole, and only when the socket has the answer the next one is
/// looked at. What comes meanwhile waits in the socket, of which the channel must not read by itself. However many are pipelined, the stack holds one, and the memory what NIO reads
/// in one turn.
package final class WholeRequestHandler: ChannelInboundHandler {
    package typealias InboundIn = ByteBuffer
    package typealias OutboundOut = ByteBuffer

    /// Called once for each request; calls back on the loop, once.
    package typealias Responder = (
        RequestHead, [UInt8], Asker, any EventLoop, @escaping @Sendable (WholeAnswer) -> Void
    ) -> Void

    private enum State {
        case reading
        /// One request is with the responder.
        case answering
        /// Its answer is on the way to the socket.
        case writing
        case closed
    }

    private let bodyBytesMax: Int
    private let idleSecondsMax: Int64
    private let nowSeconds: () -> Int64
    private let respond: Responder
    private let asker = Asker()
    private let decoder = RequestDecoder()
    private var state = State.reading
    private var isPumping = false
    private var head: RequestHead?
    private var body: [UInt8] = []
    private var date = HTTPDateCache()
    /// When a client that sends nothing, or takes nothing, is let go.
    private var deadline: Scheduled<Void>?

    /// - Parameters:
    ///   - bodyBytesMax: a longer body is answered 413.
    ///   - idleSecondsMax: for one request to come, and for one answer to be taken.
    ///   - nowSeconds: the time for `Date`, POSIX.
    package init(
        bodyBytesMax: Int, idleSecondsMax: Int64 = 120, nowSeconds: @escaping () -> Int64, respond: @escaping Responder
    ) {
        self.bodyBytesMax = bodyBytesMax
        self.idleSecondsMax = idleSecondsMax
        self.nowSeconds = nowSeconds
        self.respond = respond
    }

    package func handlerAdded(context: ChannelHandlerContext) { beginWaiting(context) }

    package func handlerRemoved(context: ChannelHandlerContext) { end() }

    package func channelActive(context: ChannelHandlerContext) {
        context.fireChannelActive()
        context.read()
    }

    package func channelInactive(context: ChannelHandlerContext) {
        end()
        context.fireChannelInactive()
    }

    package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard state != .closed else { return }
        decoder.append(unwrapInboundIn(data))
        pump(context)
    }

    package func channelReadComplete(context: ChannelHandlerContext) {
        if state == .reading { context.read() }
    }

    package func errorCaught(context: ChannelHandlerContext, error: any Error) { close(context) }

    private func end() {
        state = .closed
        asker.leave()
        deadline?.cancel()
        deadline = nil
    }

    private func close(_ context: ChannelHandlerContext) {
        guard state != .closed else { return }
        end()
        context.close(mode: .all, promise: nil)
    }

    private func beginWaiting(_ context: ChannelHandlerContext) {
        deadline?.cancel()
        let (handler, bound) = bound(context)
        deadline = context.eventLoop.scheduleTask(in: .seconds(idleSecondsMax)) { handler.value.close(bound.value) }
    }

    private func bound(
        _ context: ChannelHandlerContext
    ) -> (NIOLoopBound<WholeRequestHandler>, NIOLoopBound<ChannelHandlerContext>) {
        (NIOLoopBound(self, eventLoop: context.eventLoop), NIOLoopBound(context, eventLoop: context.eventLoop))
    }

    /// Takes request after request for as long as each is answered, and its answer taken, at once.
    private func pump(_ context: ChannelHandlerContext) {
        guard !isPumping else { return }
        isPumping = true
        defer { isPumping = false }
        do throws(FramingError) {
            while state == .reading, let event = try decoder.next() { take(event, context) }
        } catch {
            // Where the next request would begin is not known.
            head = nil
            answer(.text(error.status, "malformed request\n"), context)
        }
    }

    private func take(_ event: RequestDecoder.Event, _ context: ChannelHandlerContext) {
        switch event {
        case .head(let head):
            self.head = head
            body = []
            if head.expectsContinue {
                context.writeAndFlush(
                    wrapOutboundOut(ByteBuffer(bytes: ResponseEncoder.continueBytes)), promise: nil)
            }
        case .body(let piece):
            guard body.count + piece.readableBytes <= bodyBytesMax else {
                return answer(.text(413, "the body is larger than \(bodyBytesMax) bytes\n"), context)
            }
            body.append(contentsOf: piece.readableBytesView)
        case .end:
            guard let head else { return }
            state = .answering
            deadline?.cancel()
            let (handler, bound) = bound(context)
            respond(head, body, asker, context.eventLoop) { answer in handler.value.answer(answer, bound.value) }
        }
    }

    private func answer(_ answer: WholeAnswer, _ context: ChannelHandlerContext) {
        guard state != .closed else { return }
        let isKeepAlive = (head?.isKeepAlive ?? false) && answer.status < 500 && answer.status != 413
        let bytes = encode(answer, isKeepAlive: isKeepAlive)
        head = nil
        state = .writing
        beginWaiting(context)
        let (handler, bound) = bound(context)
        let isWritten = context.eventLoop.makePromise(of: Void.self)
        isWritten.futureResult.whenComplete { result in
            var isGoingOn = isKeepAlive
            if case .failure = result { isGoingOn = false }
            handler.value.written(bound.value, isGoingOn: isGoingOn)
        }
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: bytes)), promise: isWritten)
    }

    /// The socket has the answer, or never will.
    private func written(_ context: ChannelHandlerContext, isGoingOn: Bool) {
        guard state == .writing else { return }
        guard isGoingOn else { return close(context) }
        state = .reading
        beginWaiting(context)
        // Where this is called by `pump` itself, `pump` goes on. More is read when what is here has been answered.
        guard !isPumping else { return }
        pump(context)
        if state == .reading { context.read() }
    }

    private func encode(_ answer: WholeAnswer, isKeepAlive: Bool) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(512 + answer.body.count)
        ResponseEncoder.beginHead(status: answer.status, into: &bytes)
        for (name, value) in [
            ("Content-Type", answer.contentType), ("Cache-Control", answer.cacheControl),
            ("Content-Encoding", answer.contentEncoding), ("Vary", answer.vary),
        ] {
            guard let value else { continue }
            bytes.append(contentsOf: "\(name): \(value)\r\n".utf8)
        }
        ResponseEncoder.writeField("Content-Length", integer: UInt64(answer.body.count), into: &bytes)
        bytes.append("Date: ")
        bytes.append(contentsOf: date.value(unixSeconds: nowSeconds()))
        bytes.append("\r\n")
        if !isKeepAlive { ResponseEncoder.writeField("Connection", "close", into: &bytes) }
        ResponseEncoder.endHead(into: &bytes)
        if head?.method != .head { bytes.append(contentsOf: answer.body) }
        return bytes
    }
}
