/// What a TLS endpoint is made of, as bytes: nothing is read from disk here.
package struct TLSConfiguration: Sendable {
    package enum Role: Hashable, Sendable { case server, client }

    /// Whether the other side must show a certificate. A client always demands the server's.
    package enum PeerCertificates: Hashable, Sendable { case required, optional, none }

    package enum Version: Hashable, Sendable { case tls12, tls13 }

    package var role: Role
    /// The own certificate and its intermediates, PEM; empty for a client without one.
    package var certificateChain: [UInt8]
    /// PKCS#8 PEM.
    package var privateKey: [UInt8]
    /// Whom the other side's certificate must descend from, PEM.
    package var authorities: [UInt8]
    /// A file each: PEM, as many lists as it holds, or one in DER. Where there are any, every certificate of a chain must be
    /// covered by one.
    package var revocationLists: [[UInt8]]
    package var peerCertificates: PeerCertificates
    package var minimumVersion: Version
    /// 80 bytes that all contexts of one snapshot share; a reload makes new ones, which ends every old session.
    package var ticketKeys: [UInt8]
    /// For a client: the name that the server's certificate must carry.
    package var serverName: String?

    package init(
        role: Role, certificateChain: [UInt8], privateKey: [UInt8], authorities: [UInt8],
        revocationLists: [[UInt8]] = [],
        peerCertificates: PeerCertificates = .required, minimumVersion: Version = .tls13, ticketKeys: [UInt8] = [],
        serverName: String? = nil
    ) {
        self.role = role
        self.certificateChain = certificateChain
        self.privateKey = privateKey
        self.authorities = authorities
        self.revocationLists = revocationLists
        self.peerCertificates = peerCertificates
        self.minimumVersion = minimumVersion
        self.ticketKeys = ticketKeys
        self.serverName = serverName
    }
}

/// What is wrong with a configuration, for the operator who wrote it.
package enum TLSConfigurationError: Error, Hashable, Sendable {
    case certificateUnreadable
    case privateKeyUnreadable
    case keyDoesNotMatch
    case certificateExpired(notAfterSeconds: Int64)
    case certificateNotYetValid(notBeforeSeconds: Int64)
    case authoritiesUnreadable
    case revocationListUnreadable(index: Int)
    case openSSL(String)
}
