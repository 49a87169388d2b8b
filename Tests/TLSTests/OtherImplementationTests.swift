import Foundation
import NIOCore
import NIOPosix
import Sockets
import TestSupport
import Testing

@testable import TLS

/// A server on loopback that answers each line with the caller's identity and the line.
final class EchoServer: @unchecked Sendable {
    /// What TLS lies between: a channel's pipeline and a socket of a loop.
    enum Carrier: CaseIterable { case channel, socket }

    /// What is answered, whoever carries it.
    private struct Conversation {
        var who = "nobody"
        var line = ""

        mutating func greet(_ peer: PeerCertificate?, isResumed: Bool) {
            who = (isResumed ? "resumed " : "full ") + (peer?.uris.first ?? "nobody")
        }

        mutating func answer(_ bytes: ByteBuffer) -> ByteBuffer? {
            line += String(buffer: bytes)
            guard line.utf8.last == UInt8(ascii: "\n") else { return nil }
            defer { line = "" }
            return ByteBuffer(
                string: line.contains("HTTP/1.1")
                    ? "HTTP/1.1 200 OK\r\nContent-Length: \(who.utf8.count)\r\n\r\n\(who)" : "\(who): \(line)")
        }
    }

    private final class ChannelEcho: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer
        private var conversation = Conversation()

        func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
            if let event = event as? TLSHandshakeCompleted {
                conversation.greet(event.peer, isResumed: event.resumed)
            }
            if case ChannelEvent.inputClosed = event { context.close(promise: nil) }
            context.fireUserInboundEventTriggered(event)
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            guard let answer = conversation.answer(unwrapInboundIn(data)) else { return }
            context.writeAndFlush(wrapOutboundOut(answer), promise: nil)
        }
    }

    private final class SocketEcho: SocketServer.Owner {
        private var conversation = Conversation()

        override func handshakeIsDone(peer: PeerCertificate?, isResumed: Bool) {
            conversation.greet(peer, isResumed: isResumed)
        }

        override func received(_ bytes: Span<UInt8>) {
            guard let answer = conversation.answer(ByteBuffer(bytes: bytes.indices.map { bytes[$0] })) else { return }
            socket.write(answer)
            socket.flush()
        }
    }

    let port: Int
    private let stop: () -> Void

    init(_ carrier: Carrier, _ configuration: TLSConfiguration) throws {
        switch carrier {
        case .channel:
            let context = try TLSContext(configuration, nowSeconds: PKI.now)
            let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
            let channel = try ServerBootstrap(group: group)
                .childChannelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandlers([TLSHandler(context), ChannelEcho()])
                    }
                }.bind(host: "127.0.0.1", port: 0).wait()
            port = channel.localAddress?.port ?? 0
            stop = {
                try? channel.close().wait()
                try? group.syncShutdownGracefully()
            }
        case .socket:
            let server = try SocketServer(configuration) { SocketEcho($0) }
            port = server.port
            stop = { server.stop() }
        }
    }

    deinit { stop() }
}

@Suite struct OtherImplementationTests {
    func sClient(
        _ server: EchoServer, _ arguments: [String] = [], name: String? = "dub1-support", input: String = "hello\n"
    ) throws -> CommandResult {
        var command = [
            "timeout", "10", "openssl", "s_client", "-connect", "127.0.0.1:\(server.port)", "-CAfile",
            try PKI.path("servers-ca.crt"), "-verify_return_error", "-quiet", "-no_ign_eof",
        ]
        if let name { command += ["-cert", try PKI.path("\(name).crt"), "-key", try PKI.path("\(name).key")] }
        // s_client ends with its input: the sleep lets the answer come first.
        return try run(
            [
                "sh", "-c", "(printf '%s' \"$0\"; sleep 0.5) | \"$@\"", input,
            ] + command + arguments)
    }

    @Test(arguments: [["-tls1_3"], ["-tls1_2"]], EchoServer.Carrier.allCases)
    func opensslSpeaksWithUs(version: [String], carrier: EchoServer.Carrier) throws {
        let server = try EchoServer(carrier, try PKI.server { $0.minimumVersion = .tls12 })
        let result = try sClient(server, version)
        #expect(result.text.contains("full spiffe://example.org/dub1/support: hello"), "\(result.errors)")
    }

    @Test(arguments: EchoServer.Carrier.allCases)
    func anOldVersionIsRefusedUnlessConfigured(carrier: EchoServer.Carrier) throws {
        let server = try EchoServer(carrier, try PKI.server())
        let result = try sClient(server, ["-tls1_2"])
        #expect(!result.text.contains("hello"))
        #expect(result.errors.contains("alert protocol version") || result.errors.contains("protocol version"))
    }

    @Test(arguments: EchoServer.Carrier.allCases)
    func aClientWithoutACertificateGetsAnAlert(carrier: EchoServer.Carrier) throws {
        let server = try EchoServer(carrier, try PKI.server())
        let result = try sClient(server, name: nil)
        #expect(!result.text.contains("hello"))
        #expect(result.errors.contains("certificate required"), "\(result.errors)")
    }

    @Test(arguments: EchoServer.Carrier.allCases)
    func aSessionResumesWithTheVeryIdentity(carrier: EchoServer.Carrier) throws {
        let server = try EchoServer(carrier, try PKI.server())
        let folder = try Sandbox("session")
        let first = try sClient(server, ["-sess_out", folder("session")])
        #expect(first.text.contains("full spiffe://example.org/dub1/support"))
        let second = try sClient(server, ["-sess_in", folder("session")])
        #expect(second.text.contains("resumed spiffe://example.org/dub1/support"), "\(second.text)\(second.errors)")
    }

    /// A reload makes a new context. Even if it kept its ticket keys, what it withdrew does not come back with a ticket.
    @Test(arguments: EchoServer.Carrier.allCases)
    func aTicketRevivesNobody(carrier: EchoServer.Carrier) throws {
        let folder = try Sandbox("session")
        let before = try EchoServer(carrier, try PKI.server())
        let first = try sClient(before, ["-sess_out", folder("session")], name: "dub1-revoked")
        #expect(first.text.contains("full spiffe"))
        let after = try EchoServer(
            carrier, try PKI.server { $0.revocationLists = [try PKI.bytes("clients-revoked.crl")] })
        let second = try sClient(after, ["-sess_in", folder("session")], name: "dub1-revoked")
        #expect(!second.text.contains("hello"), "\(second.text)")
        // Without the certificate, the ticket alone names nobody either.
        let third = try sClient(after, ["-sess_in", folder("session")], name: nil)
        #expect(!third.text.contains("hello"), "\(third.text)")
        // A client in good standing keeps its session across the two contexts.
        let good = try sClient(before, ["-sess_out", folder("good")])
        #expect(good.text.contains("full"))
        let kept = try sClient(after, ["-sess_in", folder("good")])
        #expect(kept.text.contains("spiffe://example.org/dub1/support: hello"), "\(kept.text)")
    }

    @Test(arguments: EchoServer.Carrier.allCases)
    func aTicketUnderOtherKeysIsAFullHandshake(carrier: EchoServer.Carrier) throws {
        let folder = try Sandbox("session")
        let before = try EchoServer(carrier, try PKI.server())
        _ = try sClient(before, ["-sess_out", folder("session")])
        let after = try EchoServer(carrier, try PKI.server { $0.ticketKeys = [UInt8](repeating: 9, count: 80) })
        let second = try sClient(after, ["-sess_in", folder("session")])
        #expect(second.text.contains("full spiffe://example.org/dub1/support"), "\(second.text)")
    }

    @Test(arguments: EchoServer.Carrier.allCases)
    func earlyDataIsNotTaken(carrier: EchoServer.Carrier) throws {
        let server = try EchoServer(carrier, try PKI.server())
        let folder = try Sandbox("session")
        _ = try sClient(server, ["-sess_out", folder("session")])
        let early = try folder.write("early", "early\n")
        let result = try run([
            "sh", "-c", "(sleep 0.5) | timeout 10 \"$@\"", "sh", "openssl", "s_client", "-connect",
            "127.0.0.1:\(server.port)", "-sess_in", folder("session"), "-early_data", early, "-cert",
            try PKI.path("dub1-support.crt"), "-key", try PKI.path("dub1-support.key"),
        ])
        #expect(result.text.contains("Early data was not sent"), "\(result.text.suffix(400))")
    }

    @Test(arguments: EchoServer.Carrier.allCases)
    func renegotiationIsRefused(carrier: EchoServer.Carrier) throws {
        let server = try EchoServer(carrier, try PKI.server { $0.minimumVersion = .tls12 })
        let result = try run([
            "sh", "-c", "(sleep 0.3; echo R; sleep 0.5) | timeout 10 \"$@\"", "sh", "openssl", "s_client", "-tls1_2",
            "-connect", "127.0.0.1:\(server.port)", "-cert", try PKI.path("dub1-support.crt"), "-key",
            try PKI.path("dub1-support.key"),
        ])
        #expect(result.errors.contains("no renegotiation"), "\(result.errors)")
        #expect(result.text.contains("Compression: NONE"))
    }

    @Test(arguments: EchoServer.Carrier.allCases)
    func curlSpeaksWithUs(carrier: EchoServer.Carrier) throws {
        let server = try EchoServer(carrier, try PKI.server())
        let result = try run([
            "curl", "-sS", "--max-time", "10", "--cacert", try PKI.path("servers-ca.crt"), "--cert",
            try PKI.path("dub1-support.crt"),
            "--key", try PKI.path("dub1-support.key"), "https://127.0.0.1:\(server.port)/",
        ])
        #expect(result.text == "full spiffe://example.org/dub1/support", "\(result.errors)")
    }

    /// Our client role, against openssl's server, which shows what it was told.
    @Test func ourClientSpeaksWithOpenssl() throws {
        let port = 20_000 + Int.random(in: 0..<20_000)
        let server = try Client([
            "openssl", "s_server", "-accept", "\(port)", "-cert", try PKI.path("dub1-gw1.crt"), "-key",
            try PKI.path("dub1-gw1.key"), "-CAfile", try PKI.path("clients-ca.crt"), "-Verify", "2",
            "-verify_return_error", "-www", "-naccept", "1",
        ])
        defer { server.end() }
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        defer { try? group.syncShutdownGracefully() }
        let context = try TLSContext(try PKI.client(), nowSeconds: PKI.now)
        let answer = group.any().makePromise(of: String.self)
        final class Collect: ChannelInboundHandler {
            typealias InboundIn = ByteBuffer
            let promise: EventLoopPromise<String>
            var text = ""
            init(_ promise: EventLoopPromise<String>) { self.promise = promise }
            func channelRead(context: ChannelHandlerContext, data: NIOAny) {
                text += String(buffer: unwrapInboundIn(data))
            }
            func channelInactive(context: ChannelHandlerContext) { promise.succeed(text) }
            func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
                if case ChannelEvent.inputClosed = event { context.close(promise: nil) }
            }
            func errorCaught(context: ChannelHandlerContext, error: any Error) { text += "\(error)" }
        }
        var channel: (any Channel)?
        let deadline = Date().addingTimeInterval(10)
        while channel == nil, Date() < deadline {
            channel = try? ClientBootstrap(group: group).channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandlers([TLSHandler(context), Collect(answer)])
                }
            }.connect(host: "127.0.0.1", port: port).wait()
        }
        let connected = try #require(channel)
        try connected.writeAndFlush(ByteBuffer(string: "GET / HTTP/1.0\r\n\r\n")).wait()
        let text = try answer.futureResult.wait()
        #expect(text.contains("TLSv1.3"), "\(text)")
        #expect(text.contains("Client certificate"))
    }

    /// A client that sends one byte and stalls costs one handshake's time, no more.
    @Test(arguments: EchoServer.Carrier.allCases)
    func aSlowHandshakeIsClosed(carrier: EchoServer.Carrier) throws {
        let server = try EchoServer(carrier, try PKI.server())
        let result = try run([
            "python3", "-c",
            """
            import socket, time
            s = socket.create_connection(("127.0.0.1", \(server.port)))
            s.settimeout(\(TLSLimits.handshakeSecondsMax + 5))
            s.sendall(b"\\x16")
            started = time.monotonic()
            while s.recv(100): pass
            print(time.monotonic() - started)
            """,
        ])
        let seconds = try #require(Double(result.text.trimmingCharacters(in: .newlines)), "\(result.errors)")
        #expect(abs(seconds - Double(TLSLimits.handshakeSecondsMax)) < 3)
    }
}
