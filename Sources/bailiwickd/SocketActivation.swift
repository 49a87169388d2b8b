internal import CSystemd
internal import Gateway
internal import Glibc
internal import Settings

/// The sockets that systemd opened for the service (sd_listen_fds(3)): it keeps them open across a restart.
enum SocketActivation {
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    /// Takes what was handed over, once; none without systemd.
    static func take() throws(Failure) -> [ActivatedSocket] {
        var names: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
        let count = unsafe sd_listen_fds_with_names(1, &names)
        defer { unsafe release(names, count) }
        guard count >= 0 else {
            throw Failure(description: "sd_listen_fds: \(unsafe String(cString: strerror(-count)))")
        }
        var sockets: [ActivatedSocket] = []
        for index in 0..<count {
            let descriptor = bailiwick_listen_fds_start() + index
            let name = unsafe names?[Int(index)].map { unsafe String(cString: $0) } ?? "?"
            guard let purpose = ActivatedSocket.Purpose(rawValue: name) else {
                let known = ActivatedSocket.Purpose.allCases.map(\.rawValue).joined(separator: ", ")
                throw Failure(
                    description:
                        "systemd handed over a socket named \"\(name)\"; set FileDescriptorName= of its unit to one of: \(known)"
                )
            }
            guard sd_is_socket(descriptor, AF_UNSPEC, Int32(SOCK_STREAM.rawValue), 1) > 0,
                let place = place(descriptor)
            else {
                throw Failure(
                    description:
                        "systemd handed over \"\(name)\", which is no listening stream socket: use ListenStream=, and Accept=no"
                )
            }
            // An event loop accepts until nobody waits: a manager other than systemd may leave that to us.
            _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
            sockets.append(ActivatedSocket(purpose: purpose, place: place, descriptor: descriptor))
        }
        return sockets
    }

    private static func release(
        _ names: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?, _ count: Int32
    ) {
        guard let names = unsafe names else { return }
        for index in 0..<Int(max(count, 0)) { unsafe free(names[index]) }
        unsafe free(names)
    }

    /// Where a socket listens; nil for a family that is none of ours.
    private static func place(_ descriptor: Int32) -> ActivatedSocket.Place? {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        return unsafe withUnsafeMutablePointer(to: &storage) { pointer -> ActivatedSocket.Place? in
            let address = unsafe UnsafeMutableRawPointer(pointer).assumingMemoryBound(to: sockaddr.self)
            guard unsafe getsockname(descriptor, address, &length) == 0 else { return nil }
            switch Int32(unsafe address.pointee.sa_family) {
            case AF_UNIX:
                let bytes = unsafe [UInt8](UnsafeRawBufferPointer(start: pointer, count: Int(length)))
                return .path(
                    String(decoding: bytes.dropFirst(MemoryLayout<sa_family_t>.size).prefix { $0 != 0 }, as: UTF8.self))
            case AF_INET, AF_INET6: return unsafe numeric(address, length).map { .address($0) }
            default: return nil
            }
        }
    }

    private static func numeric(_ address: UnsafePointer<sockaddr>, _ length: socklen_t) -> ListenAddress? {
        var host = [CChar](repeating: 0, count: 64)
        var port = [CChar](repeating: 0, count: 16)
        let flags = NI_NUMERICHOST | NI_NUMERICSERV
        guard unsafe getnameinfo(address, length, &host, 64, &port, 16, flags) == 0 else { return nil }
        func text(_ bytes: [CChar]) -> String {
            String(decoding: bytes.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }
        return ListenAddress("[\(text(host))]:\(text(port))")
    }
}
