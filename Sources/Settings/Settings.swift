package import Residency
package import Tokens

/// One whole, validated, immutable snapshot of the settings (DESIGN section 9), with the contents of every file it names.
package struct Settings: Sendable {
    package let gateway: GatewaySettings
    package let tls: TLSSettings
    package let datacenters: [DatacenterSettings]
    package let areas: [Area]
    package let stores: [StoreSettings]
    package let issuers: IssuerRegistry
    package let principals: [PrincipalSettings]
    package let log: LogSettings
    /// Which datacenter an address lies in.
    package let networks: NetworkTable<Place>
    /// The snapshot in canonical form, without a secret: its SHA-256 is an entry's `policy`.
    package let policy: [UInt8]
    /// The paths of what others renew while the daemon runs: the certificate and its key, authorities, revocation lists, key sets and
    /// the issuers' lists.
    package let renewedFiles: [String]
    /// What an operator should know and may mean.
    package let warnings: [String]

    package var place: Place { gateway.place }
}

package struct GatewaySettings: Sendable {
    package let name: GatewayName
    package let place: Place
    /// `address:port`, one or more.
    package let listen: [ListenAddress]
    package let operatorsListen: ListenAddress?
    package let operatorsSocket: String?
    /// `location = "network"`; otherwise the network is not looked at.
    package let considersLocation: Bool
    package let stopTimeoutSeconds: Int
    /// 0: one for each core.
    package let eventLoops: Int
    /// Are the files that others renew read again when they change?
    package let watchesFiles: Bool
}

/// Where to listen.
package struct ListenAddress: Hashable, Sendable, CustomStringConvertible {
    package let host: String
    package let port: Int

    /// Parses `127.0.0.1:8443` or `[::1]:8443`; nil for anything else.
    package init?(_ text: String) {
        guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]),
            (0...65535).contains(port)
        else {
            return nil
        }
        var host = String(text[..<colon])
        if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
        guard Address(host) != nil else { return nil }
        self.host = host
        self.port = port
    }

    package var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}

package struct TLSSettings: Sendable {
    package let certificatePath: String
    /// All that are named in the table, in its order.
    package let paths: [String]
    package let certificate: [UInt8]
    package let privateKey: [UInt8]
    package let clientAuthorities: [UInt8]
    package let revocationLists: [[UInt8]]
    package let requiresClientCertificate: Bool
    package let allowsTLS12: Bool
}

package struct DatacenterSettings: Sendable {
    package let place: Place
    package let networks: [Network]
    /// The first seals, all verify.
    package let sealKeys: [NamedKey]
    /// The first makes pseudonyms.
    package let pseudonymKeys: [NamedKey]
}

package struct StoreSettings: Sendable {
    package enum Driver: String, Sendable, CaseIterable { case directory }

    package let bucket: BucketName
    package let policy: StorePolicy
    package let driver: Driver
    package let path: String
    package let mailbox: String
    package let verifiesContent: Bool
}

/// What a principal may do.
package enum Role: String, Hashable, Sendable, CaseIterable {
    case reader, writer, deleter, deliverer, auditor, `operator`
}

/// How a certificate names a principal.
package enum CertificateMatch: Hashable, Sendable {
    case uri(String)
    /// 32 bytes.
    case sha256([UInt8])
    case commonName(String)
}

package struct PrincipalSettings: Sendable {
    package let name: PrincipalName
    package let office: Place
    package let certificate: CertificateMatch
    package let roles: Set<Role>
    package let stores: Set<BucketName>
    /// 0: none.
    package let requestsPerSecondMax: Int

    /// What the roles come to.
    package let permissions: Permissions

    init(
        name: PrincipalName, office: Place, certificate: CertificateMatch, roles: Set<Role>, stores: Set<BucketName>,
        requestsPerSecondMax: Int
    ) {
        self.name = name
        self.office = office
        self.certificate = certificate
        self.roles = roles
        self.stores = stores
        self.requestsPerSecondMax = requestsPerSecondMax
        permissions = Permissions(roles)
    }
}

/// What a principal's roles come to, looked at for each request.
package struct Permissions: Sendable {
    private let reads: Bool
    private let writes: Bool
    private let deletes: Bool
    private let audits: Bool
    private let operates: Bool

    init(_ roles: Set<Role>) {
        reads = roles.contains(.reader)
        writes = roles.contains(.writer) || roles.contains(.deliverer)
        deletes = roles.contains(.deleter)
        audits = roles.contains(.auditor)
        operates = roles.contains(.operator)
    }

    /// Do the roles cover this operation?
    package func cover(_ operation: Operation) -> Bool {
        switch operation {
        case .listBuckets, .headBucket, .getBucketLocation, .createBucket: true
        case .listObjects, .listObjectsV2, .getObject, .headObject, .getObjectAttributes, .getObjectTagging: reads
        case .putObject, .putObjectTagging, .deleteObjectTagging, .createMultipartUpload, .uploadPart,
            .completeMultipartUpload, .abortMultipartUpload, .listParts, .listMultipartUploads:
            writes
        case .copyObject, .uploadPartCopy: reads && writes
        case .deleteObject, .deleteObjects: deletes
        case .readLog: audits
        case .readMetrics: operates || audits
        case .scanTags, .resealTag: operates
        case .other: false
        }
    }
}

/// One that cosigns checkpoints (C2SP tlog-witness).
package struct WitnessSettings: Sendable {
    /// `http://` or `https://`, a host, perhaps a port and a path: `add-checkpoint` is below it.
    package let url: String
    /// A vkey of type cosignature/v1.
    package let key: String

    /// Can somebody on the way answer in its place? Not on a loopback address.
    var isForgeable: Bool {
        let scheme = "http://"
        guard url.hasPrefix(scheme) else { return false }
        let authority = url.dropFirst(scheme.count).prefix { $0 != "/" }
        if authority.hasPrefix("[") { return authority.prefix { $0 != "]" } != "[::1" }
        let host = authority.prefix { $0 != ":" }
        let isLoopback = host.hasPrefix("127.") && host.allSatisfy { $0 == "." || ("0"..."9").contains($0) }
        return !isLoopback && host != "localhost"
    }
}

package struct LogSettings: Sendable {
    package let directory: String
    package let origin: String
    /// Signing keys in C2SP's note form, one line each.
    package let signingKeys: [String]
    package let checkpointIntervalMilliseconds: Int
    /// Room kept on the log's disk for its last words, MiB; 0 for none.
    package let reserveMebibytes: Int
    /// Days that entries are kept at least; nil: `bailiwick log prune` removes none. No decision depends on it, so that it is not in
    /// the policy snapshot.
    package let retentionDays: Int?
    /// Who is asked to cosign every checkpoint.
    package let witnesses: [WitnessSettings]
    /// How many of them must have; 0 to `witnesses.count`.
    package let witnessQuorum: Int
    /// Is nothing served while fewer have?
    package let witnessRequired: Bool
    /// Whom the certificate of a witness behind https must descend from, PEM: the machine's own authorities.
    package let witnessAuthorities: [UInt8]
}
