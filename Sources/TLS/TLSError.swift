/// Why a connection ended before or beside a clean close.
package enum TLSError: Error, Hashable, Sendable {
    case noCertificate
    case untrustedCertificate(reason: String)
    case certificateExpired
    case certificateRevoked
    case revocationListExpired
    case notTLS
    case handshakeTimeout
    case handshakeFailed(reason: String)
    case tooMuchEarlyData
    /// The transport ended without close_notify: what came before may not be all.
    case truncated
    case protocolError(reason: String)

    /// One of a closed set of names, for a metric's label.
    package var cause: String {
        switch self {
        case .noCertificate: "no-certificate"
        case .untrustedCertificate: "untrusted-certificate"
        case .certificateExpired: "certificate-expired"
        case .certificateRevoked: "certificate-revoked"
        case .revocationListExpired: "revocation-list-expired"
        case .notTLS: "not-tls"
        case .handshakeTimeout: "timeout"
        case .handshakeFailed: "handshake"
        case .tooMuchEarlyData: "early-data"
        case .truncated: "truncated"
        case .protocolError: "protocol"
        }
    }
}
