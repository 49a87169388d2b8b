internal import HTTP
internal import NIOCore
internal import NIOPosix
internal import Settings
internal import Synchronization
internal import TLS

// Where connections come in.
extension Gateway {
    func listen(_ plan: ListenPlan) throws(GatewayError) {
        let desk = OperatorsDesk(gateway: self)
        for item in plan.items {
            switch item.purpose {
            case .s3:
                try listen(item, autoRead: false) { [self] channel, worker in
                    let address = Address(channel.remoteAddress) ?? Address(ipv4: 0)
                    try channel.pipeline.syncOperations.addHandlers([
                        TLSHandler(worker.tls, gate: shared.handshakes), Connection(worker: worker, address: address),
                    ])
                }
            case .operators:
                try listen(item, autoRead: false) { [self] channel, worker in
                    let address = Address(channel.remoteAddress) ?? Address(ipv4: 0)
                    let connection = OperatorsConnection(worker: worker, address: address)
                    try channel.pipeline.syncOperations.addHandlers([
                        TLSHandler(worker.tls, gate: shared.handshakes), connection, desk.handler(connection.principal),
                    ])
                }
            case .operatorsSocket:
                try listen(item, autoRead: true) { channel, _ in
                    try channel.pipeline.syncOperations.addHandler(desk.handler { nil })
                }
            }
        }
    }

    private func listen(
        _ item: ListenPlan.Item, autoRead: Bool,
        _ setUp: @escaping @Sendable (any Channel, Worker) throws -> Void
    ) throws(GatewayError) {
        do {
            let channel = try open(item, bootstrap(item, autoRead: autoRead, setUp)).wait()
            state.withLock { $0.listeners.append(channel) }
        } catch let error as IOError {
            throw .listen(
                "\(item.key): \(item.place): \(error.errnoCode == 98 ? "the address is in use by another process" : "\(error)")"
            )
        } catch {
            throw .listen("\(item.key): \(item.place): \(error)")
        }
    }

    private func open(_ item: ListenPlan.Item, _ bootstrap: ServerBootstrap) -> EventLoopFuture<any Channel> {
        switch (item.source, item.place) {
        case (.activated(let descriptor), _): bootstrap.withBoundSocket(descriptor)
        case (.bind, .address(let address)): bootstrap.bind(host: address.host, port: address.port)
        case (.bind, .path(let path)): bootstrap.bind(unixDomainSocketPath: path, cleanupExistingSocketFile: true)
        }
    }

    private func bootstrap(
        _ item: ListenPlan.Item, autoRead: Bool, _ setUp: @escaping @Sendable (any Channel, Worker) throws -> Void
    ) -> ServerBootstrap {
        let bootstrap = ServerBootstrap(group: group)
            .childChannelOption(.autoRead, value: autoRead)
            .childChannelInitializer { [workers] channel in
                channel.eventLoop.makeCompletedFuture {
                    guard let worker = workers.first(where: { $0.eventLoop === channel.eventLoop })?.value else {
                        return
                    }
                    try setUp(channel, worker)
                }
            }
        // What was handed over is configured by the unit's directives.
        if case .bind = item.source {
            _ = bootstrap.serverChannelOption(.backlog, value: 1024)
                .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
        }
        if case .address = item.place {
            _ = bootstrap.childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
                .childChannelOption(.maxMessagesPerRead, value: 1)
                .childChannelOption(
                    .recvAllocator,
                    value: AdaptiveRecvByteBufferAllocator(
                        minimum: Limits.receiveBytesMin, initial: Limits.receiveBytesMin,
                        maximum: Limits.receiveBytesMax))
        }
        return bootstrap
    }

    /// Where it listens, for the journal.
    package var addresses: [String] {
        state.withLock { $0.listeners.compactMap { $0.localAddress.map(Self.text) } }
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
