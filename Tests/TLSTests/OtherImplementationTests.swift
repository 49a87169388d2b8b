import Foundation
import NIOCore
import NIOPosix
import TestSupport
import Testing

@testable import TLS

/// A server on loopback that answers each line with the caller's identity and the line.
final class EchoServer: @unchecked Sendable {
    private final class Echo: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer
        private var who = "nobody"
        private var line = ""

        func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
            if let event = event as? TLSHandshakeCompleted {
                who = (event.resumed ? "resumed " : "full ") + (event.peer?.uris.first ?? "nobody")
            }
            if case ChannelEvent.inputClosed = event { context.close(promise: nil) }
            context.fireUserInboundEventTriggered(event)
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            line += String(buffer: unwrapInboundIn(data))
            guard line.utf8.last == UInt8(ascii: "\n") else { return }
            let answer =
                line.contains("HTTP/1.1")
                ? "HTTP/1.1 200 OK\r\nContent-Length: \(who.utf8.count)\r\n\r\n\(who)" : "\(who): \(line)"
            line = ""
            context.writeAndFlush(
                wrapOutboundOut(ByteBuffer(string: answer)),
                promise: nil)
        }
    }

    private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    private let channel: any Channel
    var port: Int { channel.localAddress?.port ?? 0 }

    init(_ configuration: TLSConfiguration) throws {
        let context = try TLSContext(configuration, nowSeconds: PKI.now)
        channel = try ServerBootstrap(group: group)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandlers([TLSHandler(context), Echo()])
                }
            }.bind(host: "127.0.0.1", port: 0).wait()
    }

    deinit {
        try? channel.close().wait()
        try? group.syncShutdownGracefully()
    }
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

    @Test(arguments: [["-tls1_3"], ["-tls1_2"]])
    func opensslSpeaksWithUs(version: [String]) throws {
        let server = try EchoServer(try PKI.server { $0.minimumVersion = .tls12 })
        let result = try sClient(server, version)
        #expect(result.text.contains("full spiffe://example.org/dub1/support: hello"), "\(result.errors)")
    }

    @Test func anOldVersionIsRefusedUnlessConfigured() throws {
        let server = try EchoServer(try PKI.server())
        let result = try sClient(server, ["-tls1_2"])
        #expect(!result.text.contains("hello"))
        #expect(result.errors.contains("alert protocol version") || result.errors.contains("protocol version"))
    }

    @Test func aClientWithoutACertificateGetsAnAlert() throws {
        let server = try EchoServer(try PKI.server())
        let result = try sClient(server, name: nil)
        #expect(!result.text.contains("hello"))
        #expect(result.errors.contains("certificate required"), "\(result.errors)")
    }

    @Test func aSessionResumesWithTheVeryIdentity() throws {
        let server = try EchoServer(try PKI.server())
        let folder = try Sandbox("session")
        let first = try sClient(server, ["-sess_out", folder("session")])
        #expect(first.text.contains("full spiffe://example.org/dub1/support"))
        let second = try sClient(server, ["-sess_in", folder("session")])
        #expect(second.text.contains("resumed spiffe://example.org/dub1/support"), "\(second.text)\(second.errors)")
    }

    /// A reload makes a new context. Even if it kept its ticket keys, what it withdrew does not come back with a ticket.
    @Test func aTicketRevivesNobody() throws {
        let folder = try Sandbox("session")
        let before = try EchoServer(try PKI.server())
        let first = try sClient(before, ["-sess_out", folder("session")], name: "dub1-revoked")
        #expect(first.text.contains("full spiffe"))
        let after = try EchoServer(try PKI.server { $0.revocationLists = [try PKI.bytes("clients-revoked.crl")] })
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

    @Test func aTicketUnderOtherKeysIsAFullHandshake() throws {
        let folder = try Sandbox("session")
        let before = try EchoServer(try PKI.server())
        _ = try sClient(before, ["-sess_out", folder("session")])
        let after = try EchoServer(try PKI.server { $0.ticketKeys = [UInt8](repeating: 9, count: 80) })
        let second = try sClient(after, ["-sess_in", folder("session")])
        #expect(second.text.contains("full spiffe://example.org/dub1/support"), "\(second.text)")
    }

    @Test func earlyDataIsNotTaken() throws {
        let server = try EchoServer(try PKI.server())
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

    @Test func renegotiationIsRefused() throws {
        let server = try EchoServer(try PKI.server { $0.minimumVersion = .tls12 })
        let result = try run([
            "sh", "-c", "(sleep 0.3; echo R; sleep 0.5) | timeout 10 \"$@\"", "sh", "openssl", "s_client", "-tls1_2",
            "-connect", "127.0.0.1:\(server.port)", "-cert", try PKI.path("dub1-support.crt"), "-key",
            try PKI.path("dub1-support.key"),
        ])
        #expect(result.errors.contains("no renegotiation"), "\(result.errors)")
        #expect(result.text.contains("Compression: NONE"))
    }

    @Test func curlSpeaksWithUs() throws {
        let server = try EchoServer(try PKI.server())
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
    @Test func aSlowHandshakeIsClosed() throws {
        let server = try EchoServer(try PKI.server())
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
