internal import NIOCore
internal import Residency
internal import Settings
internal import TLS

/// Who is at the other end of a connection: an address, and what the certificate proved. Judged again whenever the settings change
/// or the certificate's time runs out: a connection may live on, its authority may not.
struct Caller {
    enum Identity {
        case principal(Principal)
        case stranger
    }

    let address: Address
    /// As entries have it.
    let addressText: String
    private var certificate: PeerCertificate?
    /// The snapshot that `identity` was judged by: its number, so that an idle connection keeps no old snapshot and none of its stores.
    private var judgedBy: UInt64?
    private var identity = Identity.stranger

    init(address: Address) {
        self.address = address
        addressText = address.description
    }

    /// SHA-256 of the certificate, 32 bytes.
    var certificateDigest: [UInt8]? { certificate?.sha256 }

    /// The handshake is done.
    mutating func present(_ certificate: PeerCertificate?) {
        self.certificate = certificate
        judgedBy = nil
    }

    /// Who it is under these settings, now.
    mutating func authenticate(_ service: Service, _ tls: TLSContext, at time: Timestamp) -> Identity {
        guard let certificate else { return .stranger }
        if judgedBy != service.generation {
            judgedBy = service.generation
            identity = .stranger
            if tls.problem(with: certificate) == nil, let principal = service.principal(of: certificate) {
                identity = .principal(principal)
            }
        }
        guard (certificate.notBeforeSeconds..<certificate.notAfterSeconds).contains(time.seconds) else {
            return .stranger
        }
        return identity
    }

    /// The network that the caller calls from.
    func location(in service: Service) -> Location { service.location(of: address) }
}

extension Address {
    /// The address of a socket's other end; nil for a Unix socket.
    init?(_ socket: SocketAddress?) {
        guard let text = socket?.ipAddress else { return nil }
        self.init(text.prefix { $0 != "%" })
    }
}
