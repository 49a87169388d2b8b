internal import DecisionLog
internal import HTTP
internal import NIOCore
internal import Residency
internal import TLS

/// One connection to the operators' listener, or to its Unix socket. Requests are small and few, and every answer is whole in
/// memory: what it may ask is in `OperatorsDesk`.
final class OperatorsConnection: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let desk: OperatorsDesk
    private let worker: Worker
    private var caller: Caller?
    private var decoder = RequestDecoder()
    private var head: RequestHead?
    private var body: [UInt8] = []
    private var isAnswering = false
    private var date = HTTPDateCache()

    /// - Parameter caller: nil on the Unix socket, where nobody is named and only health is told.
    init(desk: OperatorsDesk, worker: Worker, caller: Caller?) {
        self.desk = desk
        self.worker = worker
        self.caller = caller
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let handshake = event as? TLSHandshakeCompleted {
            caller?.present(handshake.peer)
            context.read()
        }
        context.fireUserInboundEventTriggered(event)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        decoder.append(&bytes)
        pump(context)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        if !isAnswering { context.read() }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
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
                    guard body.count + piece.readableBytes <= Limits.operatorBodyBytesMax else {
                        return answer(
                            .text(413, "the body is larger than \(Limits.operatorBodyBytesMax) bytes\n"), context)
                    }
                    body.append(contentsOf: piece.readableBytesView)
                case .end:
                    guard let head else { return }
                    isAnswering = true
                    let channel = NIOLoopBound(context, eventLoop: context.eventLoop)
                    let connection = NIOLoopBound(self, eventLoop: context.eventLoop)
                    desk.answer(head, body: body, principal: principal(), on: context.eventLoop) { answer in
                        connection.value.answer(answer, channel.value)
                    }
                    return
                }
            }
        } catch {
            answer(.text(error.status, "malformed request\n"), context)
        }
    }

    private func principal() -> Principal? {
        guard case .principal(let principal) = caller?.authenticate(worker.service, worker.tls, at: worker.log.now())
        else {
            return nil
        }
        return principal
    }

    private func answer(_ answer: OperatorsAnswer, _ context: ChannelHandlerContext) {
        let isKeepAlive = (head?.isKeepAlive ?? false) && answer.status < 500 && answer.status != 413
        var buffer = context.channel.allocator.buffer(capacity: 512 + answer.body.count)
        ResponseEncoder.beginHead(status: answer.status, into: &buffer)
        for (name, value) in [("Content-Type", answer.contentType), ("Cache-Control", answer.cacheControl)] {
            guard let value else { continue }
            buffer.writeString("\(name): \(value)\r\n")
        }
        if answer.isGzip { ResponseEncoder.writeField("Content-Encoding", "gzip", into: &buffer) }
        ResponseEncoder.writeField("Content-Length", integer: answer.body.count, into: &buffer)
        buffer.writeStaticString("Date: ")
        buffer.writeBytes(date.value(unixSeconds: desk.nowSeconds()))
        buffer.writeStaticString("\r\n")
        if !isKeepAlive { ResponseEncoder.writeField("Connection", "close", into: &buffer) }
        ResponseEncoder.endHead(into: &buffer)
        if head?.method != .head { buffer.writeBytes(answer.body) }
        context.writeAndFlush(wrapOutboundOut(buffer), promise: nil)
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

/// An answer of the operators' listener, whole.
struct OperatorsAnswer: Sendable {
    var status: Int
    var contentType: String? = "text/plain; charset=utf-8"
    var cacheControl: String?
    var isGzip = false
    var body: [UInt8]

    static func text(_ status: Int, _ text: String) -> OperatorsAnswer {
        OperatorsAnswer(status: status, body: Array(text.utf8))
    }

    static func json(_ status: Int, _ text: String) -> OperatorsAnswer {
        OperatorsAnswer(status: status, contentType: "application/json", body: Array(text.utf8))
    }
}
