import Foundation
import NIOCore
import NIOEmbedded
import TestSupport

@testable import TLS

/// The development PKI of certs/make, made once.
enum PKI {
    static let folder = Result { () throws -> Sandbox in
        let sandbox = try Sandbox("pki")
        let made = try run(["\(repository)/certs/make", sandbox.path])
        guard made.status == 0 else { throw TestFailure("certs/make: \(made.errors)") }
        return sandbox
    }

    static func path(_ name: String) throws -> String { try folder.get()(name) }
    static func bytes(_ name: String) throws -> [UInt8] {
        Array(try Data(contentsOf: URL(fileURLWithPath: try path(name))))
    }
    static let now = Int64(Date().timeIntervalSince1970)

    static func server(_ change: (inout TLSConfiguration) throws -> Void = { _ in }) throws -> TLSConfiguration {
        var configuration = TLSConfiguration(
            role: .server, certificateChain: try bytes("dub1-gw1.crt"), privateKey: try bytes("dub1-gw1.key"),
            authorities: try bytes("clients-ca.crt"), ticketKeys: [UInt8](repeating: 7, count: 80))
        try change(&configuration)
        return configuration
    }

    static func client(
        _ name: String? = "dub1-support", _ change: (inout TLSConfiguration) throws -> Void = { _ in }
    ) throws -> TLSConfiguration {
        var configuration = TLSConfiguration(
            role: .client, certificateChain: try name.map { try bytes("\($0).crt") } ?? [],
            privateKey: try name.map { try bytes("\($0).key") } ?? [], authorities: try bytes("servers-ca.crt"),
            serverName: "127.0.0.1")
        try change(&configuration)
        return configuration
    }
}

/// What one end saw.
final class Recorder: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    var received = ByteBuffer()
    var completed: [TLSHandshakeCompleted] = []
    var failed: [TLSError] = []
    var errors: [any Error] = []
    var hasInputClosed = false

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        received.writeBuffer(&bytes)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case let event as TLSHandshakeCompleted: completed.append(event)
        case let event as TLSHandshakeFailed: failed.append(event.error)
        case ChannelEvent.inputClosed: hasInputClosed = true
        default: break
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { errors.append(error) }

    var text: String { String(buffer: received) }
}

/// One end of a connection on an embedded channel.
final class End {
    let channel: EmbeddedChannel
    let recorder = Recorder()

    init(_ context: TLSContext, gate: SourceGate? = nil, loop: EmbeddedEventLoop = EmbeddedEventLoop()) throws {
        channel = EmbeddedChannel(handlers: [TLSHandler(context, gate: gate), recorder], loop: loop)
    }

    /// A client may come with a certificate that was good when it was made.
    convenience init(_ configuration: TLSConfiguration, gate: SourceGate? = nil) throws {
        do {
            try self.init(try TLSContext(configuration, nowSeconds: PKI.now), gate: gate)
        } catch TLSConfigurationError.certificateExpired(let end) where configuration.role == .client {
            try self.init(try TLSContext(configuration, nowSeconds: end - 1), gate: gate)
        }
    }

    func connect() throws { channel.connect(to: try SocketAddress(ipAddress: "127.0.0.1", port: 1), promise: nil) }

    /// The buffers that the handler wrote to the transport since the last call.
    func takeRecords() throws -> [ByteBuffer] {
        var records: [ByteBuffer] = []
        while let buffer = try channel.readOutbound(as: ByteBuffer.self) { records.append(buffer) }
        return records
    }

    func take(_ bytes: ByteBuffer) {
        guard channel.isActive else { return }
        channel.pipeline.fireChannelRead(bytes)
        channel.pipeline.fireChannelReadComplete()
    }

    func write(_ text: String) { channel.write(ByteBuffer(string: text), promise: nil) }
}

/// A client and a server, joined by whoever carries the bytes.
struct Pair {
    let client: End
    let server: End

    init(
        client: TLSConfiguration? = nil, server: TLSConfiguration? = nil, gate: SourceGate? = nil
    ) throws {
        self.client = try End(try client ?? PKI.client())
        self.server = try End(try server ?? PKI.server(), gate: gate)
        try self.server.connect()
        try self.client.connect()
    }

    /// Carries bytes both ways until nobody has any.
    func settle(pieceBytes: Int = .max) throws {
        var isMoving = true
        while isMoving {
            isMoving = false
            for (from, to) in [(client, server), (server, client)] {
                for var records in try from.takeRecords() {
                    isMoving = true
                    while let piece = records.readSlice(length: min(pieceBytes, records.readableBytes)),
                        piece.readableBytes > 0
                    {
                        to.take(piece)
                    }
                }
            }
        }
    }
}
