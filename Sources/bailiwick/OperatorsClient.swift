internal import ArgumentParser
internal import Glibc
internal import NIOCore
internal import NIOPosix
internal import TLS

/// An answer of the operators' listener.
struct OperatorsAnswer: Sendable {
    let status: Int
    let body: [UInt8]

    /// Prints it. Throws the exit status that it comes to, where that is not 0.
    func show() throws {
        let text = String(decoding: body, as: UTF8.self)
        // S3's answers are XML, the operators' none.
        guard !text.hasPrefix("<?xml") else {
            KeyFiles.tell(
                "That is where the gateway serves S3 (gateway.listen): --operators takes its gateway.operators_listen.")
            throw OperatorsClient.unavailable
        }
        print(text, terminator: "")
        switch status {
        case 200: return
        case 503: throw OperatorsClient.unavailable
        default: throw ExitCode(1)
        }
    }
}

/// One request to the operators' listener over mutual TLS.
struct OperatorsClient {
    let url: String
    let certificate: [UInt8]
    let key: [UInt8]
    let authorities: [UInt8]

    /// The daemon cannot be reached, or cannot do it now: nothing is known of what was asked about. EX_UNAVAILABLE of sysexits.
    static let unavailable = ExitCode(69)

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
        } catch { throw ValidationError(Self.words(error)) }
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
            guard let parsed = Self.parse(try answer.futureResult.wait()) else { throw NoAnswer() }
            return parsed
        } catch {
            KeyFiles.tell("Cannot reach the daemon at \(url): \(Self.words(error, host))")
            throw Self.unavailable
        }
    }

    /// It ended the connection without an HTTP answer.
    private struct NoAnswer: Error {}

    /// What is wrong, and the way out.
    private static func words(_ error: any Error, _ host: String) -> String {
        let service = "is it running (`systemctl status bailiwick`), and is this its gateway.operators_listen?"
        switch error {
        case let error as NIOConnectionError:
            guard let first = error.connectionErrors.first?.error else { return "there is no such host" }
            return words(first, host)
        case ChannelError.connectTimeout: return "nothing answers there; \(service)"
        case let error as IOError where error.errnoCode == ECONNREFUSED: return "nothing listens there; \(service)"
        case let error as IOError: return "\(KeyFileError.text(error.errnoCode)); \(service)"
        case TLSError.untrustedCertificate(let reason):
            return "its certificate is not one of --authorities for \(host) (\(reason))"
        case TLSError.certificateExpired: return "its certificate has ended, or this machine's clock is wrong"
        case TLSError.notTLS: return "what listens there speaks no TLS; \(service)"
        case is NoAnswer, TLSError.truncated:
            return "it ended the connection without an answer; was it stopped? `journalctl -u bailiwick` tells"
        default:
            return "\(error); does --certificate descend from its tls.client_authorities, neither ended nor revoked?"
        }
    }

    private static func words(_ error: TLSConfigurationError) -> String {
        switch error {
        case .certificateUnreadable: "--certificate: no PEM certificate, or a damaged one"
        case .privateKeyUnreadable: "--key: no unencrypted PEM (PKCS#8) private key"
        case .keyDoesNotMatch: "--key: not the key of --certificate"
        case .certificateExpired: "--certificate: its time has ended; renew it"
        case .certificateNotYetValid: "--certificate: not valid yet; is the clock right?"
        case .authoritiesUnreadable: "--authorities: no PEM certificate, or a damaged one"
        case .revocationListUnreadable, .openSSL: "TLS: \(error)"
        }
    }

    private func target() throws -> (String, Int) {
        let rest = url.hasPrefix("https://") ? String(url.dropFirst(8)) : ""
        let authority =
            rest.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false).first.map(String.init) ?? ""
        guard let colon = authority.lastIndex(of: ":"), let port = Int(authority[authority.index(after: colon)...]),
            // NIO takes the port's lowest 16 bits.
            (1...65_535).contains(port)
        else {
            throw ValidationError("--operators: expected https://host:port, the port 1 to 65535.")
        }
        return (String(authority[..<colon].filter { $0 != "[" && $0 != "]" }), port)
    }

    private static func parse(_ bytes: [UInt8]) -> OperatorsAnswer? {
        let end = Array("\r\n\r\n".utf8)
        guard let split = bytes.firstRange(of: end), bytes.count > 12,
            let status = Int(String(decoding: bytes[9..<12], as: UTF8.self))
        else { return nil }
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
