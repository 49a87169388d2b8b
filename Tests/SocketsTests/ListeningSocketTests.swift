import Foundation
import NIOConcurrencyHelpers
import NIOCore
import Testing

@testable import Sockets

@Suite struct ListeningSocketTests {
    @Test(arguments: ["127.0.0.1", "::1"])
    func connectionsComeWithTheirAddress(host: String) throws {
        let running = try RunningLoop()
        let loop = running.loop
        let descriptor = try ListeningSocket.bind(SocketAddress(ipAddress: host, port: 0))
        let address = try #require(ListeningSocket.address(of: descriptor))
        #expect(address.ipAddress == host)
        let taken = NIOLockedValueBox<[SocketAddress]>([])
        let listener = try loop.submit {
            NIOLoopBound(
                try ListeningSocket(descriptor, on: loop) { connection, other in
                    taken.withLockedValue { $0.append(other) }
                    close(connection)
                }, eventLoop: loop)
        }.wait()
        let clients = try (0..<100).map { _ in try connect(address) }
        let locals = clients.map { ListeningSocket.address(of: $0)?.port }
        let deadline = Date().addingTimeInterval(5)
        while Date() < deadline, taken.withLockedValue({ $0.count }) < 100 { Thread.sleep(forTimeInterval: 0.01) }
        #expect(Set(taken.withLockedValue { $0.map(\.port) }) == Set(locals))
        #expect(taken.withLockedValue { $0.allSatisfy { $0.ipAddress == host } })
        for client in clients { close(client) }
        try loop.submit { listener.value.stop() }.wait()
        #expect(throws: SocketError.self) { try connect(address) }
    }

    @Test func anAddressInUseIsSaidToBe() throws {
        let first = try ListeningSocket.bind(SocketAddress(ipAddress: "127.0.0.1", port: 0))
        defer { close(first) }
        let address = try #require(ListeningSocket.address(of: first))
        #expect(throws: SocketError(EADDRINUSE, "bind")) { try ListeningSocket.bind(address) }
        #expect(SocketError(EADDRINUSE, "bind").isAddressInUse)
    }

    private func connect(_ address: SocketAddress) throws -> Int32 {
        let descriptor = socket(address.protocol == .inet6 ? AF_INET6 : AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        let result = address.withSockAddr { Glibc.connect(descriptor, $0, socklen_t($1)) }
        guard result == 0 else {
            let error = SocketError(errno, "connect")
            close(descriptor)
            throw error
        }
        return descriptor
    }
}
