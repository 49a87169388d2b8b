internal import DecisionLog
internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix
internal import OpenSSL
internal import Sockets
internal import TLS

/// Asks one witness for its cosignature (C2SP tlog-witness).
struct WitnessClient: Sendable {
    /// What became of one question.
    enum Outcome: Sendable {
        /// The signature line, without its line end, that verifies by the witness's key.
        case cosigned(String)
        /// Somebody showed it more of the log than is here, or another history. Not to be gone on from.
        case contradicts(String)
        case unavailable(String)
    }

    static let secondsMax: Int64 = 3
    private static let answerBytesMax = 64 << 10

    let url: WitnessURL
    let verifier: NoteVerifier
    let tls: TLSContext?

    /// Sends one request.
    /// - Returns: status and body. Fails when there is no whole answer in time.
    func post(_ body: [UInt8], on group: any EventLoopGroup) -> EventLoopFuture<(status: Int, body: [UInt8])> {
        let loop = group.next()
        let answer = loop.makePromise(of: (status: Int, body: [UInt8]).self)
        let (url, tls) = (url, tls)
        let deadline = loop.scheduleTask(in: .seconds(Self.secondsMax)) {
            answer.fail(WitnessError("no answer within \(Self.secondsMax) s"))
        }
        let connected = ClientBootstrap(group: loop)
            .connectTimeout(.seconds(Self.secondsMax))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    if let tls { try pipeline.addHandler(TLSHandler(tls)) }
                    try pipeline.addHTTPClientHandlers()
                    try pipeline.addHandler(
                        WitnessExchange(url: url, body: body, answer: answer, bytesMax: Self.answerBytesMax))
                }
            }
            .connect(host: url.host, port: url.port)
        connected.whenFailure { answer.fail($0) }
        return answer.futureResult.always { _ in
            deadline.cancel()
            connected.whenSuccess { $0.close(promise: nil) }
        }
    }
}

struct WitnessError: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }

    /// As an operator reads it in `/ready`.
    static func words(_ error: any Error) -> String {
        switch error {
        case let error as NIOConnectionError:
            guard let first = error.connectionErrors.first?.error else { return "there is no such host" }
            return words(first)
        case let error as IOError: return "\(SocketError(error.errnoCode, "connection"))"
        case ChannelError.connectTimeout: return "nothing answers there"
        default: return "\(error)"
        }
    }
}

/// One request and its answer.
private final class WitnessExchange: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    private let url: WitnessURL
    private let request: [UInt8]
    private let answer: EventLoopPromise<(status: Int, body: [UInt8])>
    private let bytesMax: Int
    private var status = 0
    private var body: [UInt8] = []

    init(
        url: WitnessURL, body: [UInt8], answer: EventLoopPromise<(status: Int, body: [UInt8])>, bytesMax: Int
    ) {
        self.url = url
        request = body
        self.answer = answer
        self.bytesMax = bytesMax
    }

    func channelActive(context: ChannelHandlerContext) {
        if !url.isTLS { send(context) }
        context.fireChannelActive()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case is TLSHandshakeCompleted: send(context)
        case let failure as TLSHandshakeFailed: answer.fail(failure.error)
        default: break
        }
        context.fireUserInboundEventTriggered(event)
    }

    private func send(_ context: ChannelHandlerContext) {
        let port = url.port == (url.isTLS ? 443 : 80) ? "" : ":\(url.port)"
        let host = url.host.contains(":") ? "[\(url.host)]" : url.host
        let head = HTTPRequestHead(
            version: .http1_1, method: .POST, uri: url.path,
            headers: [
                "Host": host + port, "Content-Length": "\(request.count)", "Content-Type": "text/plain",
                "User-Agent": "bailiwick", "Connection": "close",
            ])
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: request)))), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): status = Int(head.status.code)
        case .body(let piece):
            body.append(contentsOf: piece.readableBytesView)
            if body.count > bytesMax { answer.fail(WitnessError("the answer is longer than \(bytesMax) bytes")) }
        case .end: answer.succeed((status, body))
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { answer.fail(error) }

    func channelInactive(context: ChannelHandlerContext) {
        answer.fail(WitnessError("the connection ended before the answer"))
        context.fireChannelInactive()
    }
}
