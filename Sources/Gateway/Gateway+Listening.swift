internal import Glibc
internal import HTTP
internal import NIOCore
internal import NIOPosix
internal import Settings
internal import Sockets
internal import Synchronization
internal import TLS

/// Where connections come in.
struct Listener: Sendable {
    let address: SocketAddress?
    /// Takes no more.
    let stop: @Sendable () -> Void
}

// The callers of S3 come in on sockets of the event loops; operators, a few requests a second, on channels of NIO's own loop.
extension Gateway {
    func listen(_ plan: ListenPlan) throws(GatewayError) {
        let desk = OperatorsDesk(gateway: self)
        for item in plan.items {
            let listener: Listener
            do {
                switch item.purpose {
                case .s3: listener = try listen(item)
                case .operators:
                    listener = try listen(item) { [operators, shared] channel in
                        let (view, address) = (operators.value, Address(channel.remoteAddress) ?? Address(ipv4: 0))
                        let source = address.gateSource
                        guard shared.operatorsConnections.enter(from: source) else {
                            throw ChannelError.operationUnsupported
                        }
                        channel.closeFuture.whenComplete { _ in shared.operatorsConnections.leave(from: source) }
                        let connection = OperatorsConnection(view, log: shared.log, address: address)
                        try channel.pipeline.syncOperations.addHandlers([
                            TLSHandler(view.tls, gate: shared.operatorsHandshakes, source: source),
                            connection,
                            desk.handler(connection.operatorsCaller),
                        ])
                    }
                case .operatorsSocket:
                    listener = try listen(item) { channel in
                        try channel.pipeline.syncOperations.addHandler(desk.handler { nil })
                    }
                }
            } catch { throw .listen("\(item.key): \(item.place): \(Self.words(error))") }
            state.withLock { $0.listeners.append(listener) }
        }
    }

    private static func words(_ error: any Error) -> String {
        let cause = (error as? IOError).map { SocketError($0.errnoCode, "bind") } ?? error as? SocketError
        guard let cause else { return "\(error)" }
        return cause.isAddressInUse ? "the address is in use by another process" : "\(cause)"
    }

    // MARK: - S3

    /// Connections are taken by the first loop and handed round.
    private func listen(_ item: ListenPlan.Item) throws -> Listener {
        let descriptor: Int32
        switch (item.source, item.place) {
        case (.activated(let handedOver), _): descriptor = handedOver
        case (.bind, .address(let address)):
            descriptor = try ListeningSocket.bind(SocketAddress(ipAddress: address.host, port: address.port))
        case (.bind, .path(let path)):
            preconditionFailure("\(path): S3 is served on no Unix socket")
        }
        let first = workers[0]
        let socket = try first.eventLoop.submit { [self] in
            var turn = 0
            let socket = try ListeningSocket(descriptor, on: first.value.loop) { [self] connection, address in
                turn = (turn + 1) % workers.count
                guard shared.connections.enter() else {
                    first.value.counters.handshakeFailures["too-many-connections", default: 0] += 1
                    return ListeningSocket.refuse(connection)
                }
                serve(connection, of: address, on: workers[turn])
            }
            return NIOLoopBound(socket, eventLoop: first.eventLoop)
        }.wait()
        return Listener(address: ListeningSocket.address(of: descriptor)) {
            try? first.eventLoop.submit { socket.value.stop() }.wait()
        }
    }

    private func serve(_ connection: Int32, of other: SocketAddress, on bound: NIOLoopBound<Worker>) {
        let gate = shared.handshakes
        let address = Address(other) ?? Address(ipv4: 0)
        let begin = { @Sendable in
            let worker = bound.value
            let socket = TLSSocket(
                connection, worker.tls, on: worker.loop, gate: gate, source: address.gateSource)
            Connection(worker: worker, socket: socket, address: address).begin()
        }
        if bound.eventLoop.inEventLoop { begin() } else { bound.eventLoop.execute(begin) }
    }

    // MARK: - Operators

    private func listen(
        _ item: ListenPlan.Item, _ setUp: @escaping @Sendable (any Channel) throws -> Void
    ) throws -> Listener {
        if case (.bind, .path(let path)) = (item.source, item.place) { try requireUnused(path) }
        let channel = try open(item, bootstrap(item, setUp)).wait()
        return Listener(address: channel.localAddress) { try? channel.close().wait() }
    }

    /// A socket that nobody listens on was left over, and is taken away; one that answers is another daemon's.
    private func requireUnused(_ path: String) throws {
        do {
            try ClientBootstrap(group: group).connect(unixDomainSocketPath: path).wait().close().wait()
        } catch let error as IOError {
            switch error.errnoCode {
            case ECONNREFUSED, ENOENT: return
            // Too many wait for whoever listens.
            case EAGAIN: break
            default: throw SocketError(error.errnoCode, "connect")
            }
        }
        throw SocketError(EADDRINUSE, "connect")
    }

    private func open(_ item: ListenPlan.Item, _ bootstrap: ServerBootstrap) -> EventLoopFuture<any Channel> {
        switch (item.source, item.place) {
        case (.activated(let descriptor), _): bootstrap.withBoundSocket(descriptor)
        case (.bind, .address(let address)): bootstrap.bind(host: address.host, port: address.port)
        case (.bind, .path(let path)): bootstrap.bind(unixDomainSocketPath: path, cleanupExistingSocketFile: true)
        }
    }

    private func bootstrap(
        _ item: ListenPlan.Item, _ setUp: @escaping @Sendable (any Channel) throws -> Void
    ) -> ServerBootstrap {
        let bootstrap = ServerBootstrap(group: group)
            .childChannelOption(.autoRead, value: false)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try setUp(channel) }
            }
        // What was handed over is configured by the unit's directives.
        if case .bind = item.source {
            _ = bootstrap.serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
        }
        if case .address = item.place {
            _ = bootstrap.childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
        }
        return bootstrap
    }

    /// Where it listens, for the journal.
    package var addresses: [String] {
        state.withLock { $0.listeners.compactMap { $0.address.map(Self.text) } }
    }

    private static func text(_ address: SocketAddress) -> String {
        switch address {
        case .v4, .v6:
            let host = address.ipAddress ?? "?"
            return "\(host.contains(":") ? "[\(host)]" : host):\(address.port ?? 0)"
        case .unixDomainSocket: return address.pathname ?? "?"
        }
    }
}

extension Address {
    /// Whom a gate counts it with: an IPv4 address, or the network of 64 bits that one IPv6 host can have to itself.
    fileprivate var gateSource: UInt128 { isIPv4 ? bits : (bits >> 64) << 64 | 1 }
}
