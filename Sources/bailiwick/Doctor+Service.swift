internal import DecisionLog
internal import Glibc
internal import NIOCore
internal import NIOPosix
internal import Settings

// What is reached over a socket.
extension Doctor {
    private static let patience = TimeAmount.seconds(3)
    /// systemd may have to start the daemon first.
    private static let answerPatience = TimeAmount.seconds(15)

    func examineService(_ findings: inout Diagnosis) {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        defer { try? group.syncShutdownGracefully() }
        let isRunning = examineDaemon(group, &findings)
        if !isRunning { examinePorts(group, &findings) }
        for witness in settings.log.witnesses { examine(witness, group, &findings) }
        if settings.log.witnesses.isEmpty {
            findings.warn(
                "witnesses", "none is configured: nobody but you vouches for the log's history (log.witnesses)")
        }
    }

    // MARK: - The daemon

    /// - Returns: whether one answers.
    private func examineDaemon(_ group: MultiThreadedEventLoopGroup, _ findings: inout Diagnosis) -> Bool {
        guard let path = settings.gateway.operatorsSocket else {
            findings.warn("daemon", "gateway.operators_socket is not set: what a running daemon says is not known")
            return false
        }
        let answer = group.next().makePromise(of: [UInt8].self)
        let connected = ClientBootstrap(group: group)
            .connectTimeout(Self.patience)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(ReadyRequest(answer: answer))
                }
            }
            .connect(unixDomainSocketPath: path)
        connected.whenFailure { answer.fail($0) }
        _ = group.next().scheduleTask(in: Self.answerPatience) {
            answer.fail(ChannelError.connectTimeout(Self.answerPatience))
        }
        guard let bytes = try? answer.futureResult.wait() else {
            if (try? connected.wait()) != nil {
                findings.fail("daemon", "it listens on \(path) and does not answer: look at its journal")
                return true
            }
            findings.warn("daemon", "none answers on \(path): systemctl start bailiwick")
            return false
        }
        if !read(String(decoding: bytes, as: UTF8.self), &findings) {
            findings.fail(
                "daemon", "what answers on \(path) does not say how it is, as a daemon would: look at its journal")
        }
        return true
    }

    /// The lines of `/ready`.
    /// - Returns: whether they say how the daemon is. One that is not ready says why.
    private func read(_ answer: String, _ findings: inout Diagnosis) -> Bool {
        let isReady = answer.hasPrefix("HTTP/1.1 200 ")
        let lines = answer.split(whereSeparator: \.isNewline).drop { !$0.hasPrefix("log: ") }
        guard !lines.isEmpty, isReady || (answer.hasPrefix("HTTP/1.1 503 ") && answer.contains(": NOT OK: ")) else {
            return false
        }
        var isWell = isReady
        for line in lines {
            guard let colon = line.firstIndex(of: ":") else { continue }
            let name = "daemon, \(line[..<colon])"
            let words = line[line.index(after: colon)...].drop { $0 == " " }
            if words.hasPrefix("NOT OK: ") {
                findings.fail(name, String(words.dropFirst(8)))
                isWell = false
            } else if words.hasPrefix("warning: ") {
                findings.warn(name, String(words.dropFirst(9)))
                isWell = false
            }
        }
        if isWell { findings.ok("daemon", "runs, and is ready") }
        return true
    }

    // MARK: - Ports

    private func examinePorts(_ group: MultiThreadedEventLoopGroup, _ findings: inout Diagnosis) {
        let addresses = settings.gateway.listen + [settings.gateway.operatorsListen].compactMap { $0 }
        for address in addresses {
            do {
                let channel = try ServerBootstrap(group: group)
                    .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
                    .bind(host: address.host, port: address.port).wait()
                try channel.close().wait()
                findings.ok("listen \(address)", "free")
            } catch let error as IOError {
                let name = "listen \(address)"
                switch error.errnoCode {
                case EADDRINUSE where settings.gateway.operatorsSocket == nil:
                    findings.warn(name, "in use: by the daemon or its socket unit? ss -ltnp tells")
                case EADDRINUSE: findings.fail(name, "in use by another process: ss -ltnp tells by which")
                case EADDRNOTAVAIL: findings.fail(name, "no address of this machine")
                case EACCES: findings.fail(name, "a port that this user may not open")
                default: findings.fail(name, "\(error)")
                }
            } catch { findings.fail("listen \(address)", "\(error)") }
        }
    }

    // MARK: - Witnesses

    private func examine(
        _ witness: WitnessSettings, _ group: MultiThreadedEventLoopGroup, _ findings: inout Diagnosis
    ) {
        let name = "witness \(witness.url)"
        guard let url = WitnessURL(witness.url) else {
            return findings.fail(name, "no URL such as https://witness.example.net/w1")
        }
        guard (try? NoteVerifier(witness.key, type: .cosignature)) != nil else {
            return findings.fail(name, "its key is no vkey of a witness (type 0x04)")
        }
        do {
            let channel = try ClientBootstrap(group: group).connectTimeout(Self.patience)
                .connect(host: url.host, port: url.port).wait()
            try? channel.close().wait()
            findings.ok(name, "\(url.host):\(url.port) takes connections")
        } catch {
            let words = "\(url.host):\(url.port) takes no connection: look at its machine and the way to it"
            if settings.log.witnessRequired { findings.fail(name, words) } else { findings.warn(name, words) }
        }
    }
}

/// Asks for `/ready` and gathers the answer until the other side closes.
private final class ReadyRequest: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private static let answerBytesMax = 1 << 20

    private let answer: EventLoopPromise<[UInt8]>
    private var bytes: [UInt8] = []

    init(answer: EventLoopPromise<[UInt8]>) { self.answer = answer }

    func channelActive(context: ChannelHandlerContext) {
        let request = ByteBuffer(string: "GET /ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        context.writeAndFlush(wrapOutboundOut(request), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        bytes.append(contentsOf: unwrapInboundIn(data).readableBytesView)
        if bytes.count > Self.answerBytesMax { context.close(promise: nil) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        answer.fail(error)
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) { answer.succeed(bytes) }
}
