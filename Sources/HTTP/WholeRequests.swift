package import NIOCore

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

/// Serves requests that are small and few: each one is taken whole, answered whole, and only then the next one is looked at. What comes
/// meanwhile waits in the socket.
package final class WholeRequestHandler: ChannelInboundHandler {
    package typealias InboundIn = ByteBuffer
    package typealias OutboundOut = ByteBuffer

    /// Called once for each request; calls back on the loop, once.
    package typealias Responder = (RequestHead, [UInt8], any EventLoop, @escaping @Sendable (WholeAnswer) -> Void) ->
        Void

    private let bodyBytesMax: Int
    private let nowSeconds: () -> Int64
    private let respond: Responder
    private var decoder = RequestDecoder()
    private var head: RequestHead?
    private var body: [UInt8] = []
    private var isAnswering = false
    private var date = HTTPDateCache()

    /// - Parameters:
    ///   - bodyBytesMax: a longer body is answered 413.
    ///   - nowSeconds: the time for `Date`, POSIX.
    package init(bodyBytesMax: Int, nowSeconds: @escaping () -> Int64, respond: @escaping Responder) {
        self.bodyBytesMax = bodyBytesMax
        self.nowSeconds = nowSeconds
        self.respond = respond
    }

    package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        decoder.append(unwrapInboundIn(data))
        pump(context)
    }

    package func channelReadComplete(context: ChannelHandlerContext) {
        if !isAnswering { context.read() }
    }

    package func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(mode: .all, promise: nil)
    }

    private func pump(_ context: ChannelHandlerContext) {
        guard !isAnswering else { return }
        do throws(FramingError) {
            while let event = try decoder.next() {
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
                    isAnswering = true
                    let channel = NIOLoopBound(context, eventLoop: context.eventLoop)
                    let handler = NIOLoopBound(self, eventLoop: context.eventLoop)
                    respond(head, body, context.eventLoop) { answer in handler.value.answer(answer, channel.value) }
                    return
                }
            }
        } catch {
            answer(.text(error.status, "malformed request\n"), context)
        }
    }

    private func answer(_ answer: WholeAnswer, _ context: ChannelHandlerContext) {
        let isKeepAlive = (head?.isKeepAlive ?? false) && answer.status < 500 && answer.status != 413
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
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: bytes)), promise: nil)
        head = nil
        isAnswering = false
        if isKeepAlive {
            context.read()
            pump(context)
        } else {
            context.close(mode: .all, promise: nil)
        }
    }
}
