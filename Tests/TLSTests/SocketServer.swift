import Foundation
import NIOCore
import Sockets

@testable import TLS

/// A loop on a thread of its own, with a listener whose connections are TLS sockets.
final class SocketServer: @unchecked Sendable {
    /// What has a socket: closes it when its input has closed, as a server does.
    class Owner: TLSSocketOwner {
        let socket: TLSSocket

        required init(_ socket: TLSSocket) { self.socket = socket }

        func handshakeIsDone(peer: PeerCertificate?, isResumed: Bool) {}
        func handshakeFailed(_ error: TLSError) {}
        func received(_ bytes: Span<UInt8>) {}
        func receivedAll() {}
        func inputIsClosed() { socket.close() }
        func outputIsSent() {}
        func socketIsClosed() {}
    }

    let loop: SocketLoop
    private(set) var port = 0
    private let stopped = DispatchSemaphore(value: 0)
    // The loop's own.
    private var listener: ListeningSocket?
    private var sockets: [TLSSocket] = []

    init(
        _ configuration: TLSConfiguration, gate: SourceGate? = nil,
        _ makeOwner: @escaping @Sendable (TLSSocket) -> Owner
    ) throws {
        let loop = try SocketLoop()
        self.loop = loop
        let stopped = stopped
        Thread.detachNewThread {
            loop.run()
            stopped.signal()
        }
        let descriptor = try ListeningSocket.bind(SocketAddress(ipAddress: "127.0.0.1", port: 0))
        port = ListeningSocket.address(of: descriptor)?.port ?? 0
        let context = try TLSContext(configuration, nowSeconds: PKI.now)
        try loop.submit { [self] in
            listener = try ListeningSocket(descriptor, on: loop) { [unowned self] connection, _ in
                let socket = TLSSocket(connection, context, on: loop, gate: gate)
                sockets.append(socket)
                socket.begin(makeOwner(socket))
            }
        }.wait()
        sweep()
    }

    private func sweep() {
        loop.scheduleTask(in: .milliseconds(200)) { [weak self] in
            guard let self else { return }
            for socket in sockets { socket.checkDeadline(now: .now()) }
            sweep()
        }
    }

    func stop() {
        try? loop.submit { [self] in
            listener?.stop()
            for socket in sockets { socket.abort() }
            sockets = []
        }.wait()
        loop.stop()
        stopped.wait()
    }
}

extension TLSSocket {
    func write(_ bytes: ByteBuffer) { write(bytes.readableBytesUInt8Span) }
}
