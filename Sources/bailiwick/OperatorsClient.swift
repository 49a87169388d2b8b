internal import ArgumentParser
internal import Glibc
internal import NIOCore
internal import NIOPosix
internal import TLS

/// An answer of the operators' listener.
struct OperatorsAnswer: Sendable {
    let status: Int
    let body: [UInt8]

    var text: String { String(decoding: body, as: UTF8.self) }
}

/// One request to the operators' listener over mutual TLS.
struct OperatorsClient {
    let url: String
    let certificate: [UInt8]
    let key: [UInt8]
    let authorities: [UInt8]

    /// The longest answer that is taken.
    private static let answerBytesMax = 64 << 20

    func post(_ path: String, _ body: [UInt8]) throws -> OperatorsAnswer {
        let (host, port) = try target()
        let tls: TLSContext
        do throws(TLSConfigurationError) {
            tls = try TLSContext(
                TLSConfiguration(
                    role: .client, certificateChain: certificate, privateKey: key, authorities: authorities,
                    serverName: host),
                nowSeconds: Int64(time(nil)))
        } catch { throw ValidationError("--certificate, --key or --authorities: \(error)") }
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        defer { try? group.syncShutdownGracefully() }
        let answer = group.next().makePromise(of: [UInt8].self)
        var request = ByteBuffer()
        request.writeString(
            "POST \(path) HTTP/1.1\r\nHost: \(host)\r\nContent-Length: \(body.count)\r\nConnection: close\r\n\r\n")
        request.writeBytes(body)
        let connected = ClientBootstrap(group: group)
            .channelInitializer { [request] channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandlers([
                        TLSHandler(tls),
                        AnswerCollector(request: request, answer: answer, bytesMax: Self.answerBytesMax),
                    ])
                }
            }
            .connect(host: host, port: port)
        connected.whenFailure { answer.fail($0) }
        do {
            return try Self.parse(try answer.futureResult.wait())
        } catch let error as TLSError {
            throw ValidationError("\(url): TLS: \(error)")
        } catch let error as IOError {
            throw ValidationError("\(url): \(error)")
        }
    }

    private func target() throws -> (String, Int) {
        let rest = url.hasPrefix("https://") ? String(url.dropFirst(8)) : ""
        let authority =
            rest.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false).first.map(String.init) ?? ""
        guard let colon = authority.lastIndex(of: ":"), let port = Int(authority[authority.index(after: colon)...])
        else {
            throw ValidationError("--operators: expected https://host:port")
        }
        return (String(authority[..<colon].filter { $0 != "[" && $0 != "]" }), port)
    }

    private static func parse(_ bytes: [UInt8]) throws -> OperatorsAnswer {
        let end = Array("\r\n\r\n".utf8)
        guard let split = bytes.firstRange(of: end), bytes.count > 12,
            let status = Int(String(decoding: bytes[9..<12], as: UTF8.self))
        else { throw ValidationError("no HTTP answer") }
        return OperatorsAnswer(status: status, body: Array(bytes[split.upperBound...]))
    }
}

/// Sends the request once the handshake is done, and gathers the answer until the other side closes.
private final class AnswerCollector: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let request: ByteBuffer
    private let answer: EventLoopPromise<[UInt8]>
    private let bytesMax: Int
    private var bytes: [UInt8] = []
    private var isDone = false

    init(request: ByteBuffer, answer: EventLoopPromise<[UInt8]>, bytesMax: Int) {
        self.request = request
        self.answer = answer
        self.bytesMax = bytesMax
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case is TLSHandshakeCompleted: context.writeAndFlush(wrapOutboundOut(request), promise: nil)
        case let failure as TLSHandshakeFailed: finish(.failure(failure.error))
        case ChannelEvent.inputClosed:
            finish(.success(bytes))
            context.close(promise: nil)
        default: break
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        bytes.append(contentsOf: unwrapInboundIn(data).readableBytesView)
        if bytes.count > bytesMax { context.close(promise: nil) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        finish(.failure(error))
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) { finish(.success(bytes)) }

    private func finish(_ result: Result<[UInt8], any Error>) {
        guard !isDone else { return }
        isDone = true
        answer.completeWith(result)
    }
}
