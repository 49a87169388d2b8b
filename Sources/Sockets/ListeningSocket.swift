internal import CLinux
internal import Glibc
package import NIOCore

/// A socket that connections come in by. Lives on one loop.
package final class ListeningSocket: SocketHandler {
    /// Connections that the kernel completes and nobody has taken.
    private static let backlog: Int32 = 1024
    /// Taken in one turn of the loop, so that a flood of them leaves the others their turn.
    private static let acceptsMax = 64
    /// How long none is taken after the process or the machine ran out of descriptors or memory: they wait in the backlog.
    private static let restSeconds: Int64 = 1

    private let descriptor: Int32
    private let loop: SocketLoop
    private let accepted: (Int32, SocketAddress) -> Void
    private var registration: SocketLoop.Registration?

    /// Takes connections from a socket that listens already, until `stop`, which closes it. On the loop, as all that it has.
    /// - Parameter accepted: is given each connection, nonblocking, with the address of its other end. The descriptor is its to close.
    package init(
        _ descriptor: Int32, on loop: SocketLoop, accepted: @escaping (Int32, SocketAddress) -> Void
    ) throws(SocketError) {
        self.descriptor = descriptor
        self.loop = loop
        self.accepted = accepted
        clinux_set_nonblocking(descriptor)
        registration = try loop.add(descriptor, self, interest: .readable)
    }

    package func stop() {
        guard let registration else { return }
        self.registration = nil
        loop.remove(registration)
        close(descriptor)
    }

    package func socketIsReady(_ events: SocketEvents) {
        for _ in 0..<Self.acceptsMax {
            var storage = sockaddr_storage()
            let connection = Int32(truncatingIfNeeded: unsafe clinux_accept(descriptor, &storage))
            guard connection < 0 else {
                if let address = SocketAddress(storage) { accepted(connection, address) } else { close(connection) }
                guard registration != nil else { return }
                continue
            }
            switch -connection {
            case EAGAIN: return
            case EMFILE, ENFILE, ENOBUFS, ENOMEM: return rest()
            // This connection was gone before it was taken (accept(2)); the next one may not be.
            default: continue
            }
        }
    }

    private func rest() {
        guard let registration else { return }
        loop.change(registration, interest: .none)
        loop.assumeIsolated().scheduleTask(in: .seconds(Self.restSeconds)) { [self] in
            if let registration = self.registration { loop.change(registration, interest: .readable) }
        }
    }

    // MARK: - Descriptors

    /// Closes a connection that nobody is to serve.
    package static func refuse(_ connection: Int32) { close(connection) }

    /// Listens on a numeric address; port 0 is any.
    package static func bind(_ address: SocketAddress) throws(SocketError) -> Int32 {
        let family = address.protocol == .inet6 ? AF_INET6 : AF_INET
        let descriptor = Int32(truncatingIfNeeded: clinux_stream_socket(family))
        guard descriptor >= 0 else { throw SocketError(-descriptor, "socket") }
        var on: Int32 = 1
        unsafe setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<Int32>.size))
        let bound = unsafe address.withSockAddr { unsafe Glibc.bind(descriptor, $0, socklen_t($1)) }
        guard bound == 0, listen(descriptor, backlog) == 0 else {
            let error = SocketError(errno, bound == 0 ? "listen" : "bind")
            close(descriptor)
            throw error
        }
        return descriptor
    }

    /// Where a socket listens; nil where it does not.
    package static func address(of descriptor: Int32) -> SocketAddress? {
        var storage = sockaddr_storage()
        var count = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let result = unsafe withUnsafeMutablePointer(to: &storage) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe getsockname(descriptor, $0, &count)
            }
        }
        return result == 0 ? SocketAddress(storage) : nil
    }
}

extension SocketAddress {
    /// nil for another family than IPv4's and IPv6's.
    init?(_ storage: sockaddr_storage) {
        switch Int32(storage.ss_family) {
        case AF_INET: self.init(storage.prefix(as: sockaddr_in.self))
        case AF_INET6: self.init(storage.prefix(as: sockaddr_in6.self))
        default: return nil
        }
    }
}

extension sockaddr_storage {
    fileprivate func prefix<Address>(as type: Address.Type) -> Address {
        unsafe withUnsafeBytes(of: self) { unsafe $0.loadUnaligned(as: type) }
    }
}
