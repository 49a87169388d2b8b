package import DecisionLog
internal import NIOPosix
internal import OpenSSL
internal import Residency
internal import Settings
internal import Stores
internal import TLS
internal import Tokens

/// One settings snapshot with all that serves it: immutable, shared by all loops, swapped whole by a reload.
final class Service: Sendable {
    let settings: Settings
    /// Lower-case hexadecimal SHA-256 of the policy snapshot.
    let policy: String
    let policyDigest: SHA256Digest
    let verifier: TokenVerifier
    let keyTables: KeyTables
    let tls: TLSConfiguration
    /// In the order of the settings.
    let stores: [ServedStore]
    /// Every bucket that this process has served, in the order in which it met them: counters keep to it whatever a reload brings.
    let buckets: [BucketName]
    /// When what it is made of runs out.
    let expiries: Expiries
    /// Tells this snapshot from every other one of the process.
    let generation: UInt64
    private let storesByBucket: [BucketName: ServedStore]
    private let principalsByURI: [String: Principal]
    private let principalsByFingerprint: [[UInt8]: Principal]
    private let principalsByCommonName: [String: Principal]

    let areas: [Area]
    private let networks: NetworkTable<Place>
    private let considersLocation: Bool

    /// What every entry says of the gateway.
    let entryPart: EntryPart
    /// What ends every entry under these settings.
    let entryEnd: EntryPart

    var name: GatewayName { settings.gateway.name }
    var place: Place { settings.place }

    init(
        _ settings: Settings, pool: NIOThreadPool, reusing previous: Service?
    ) throws(GatewayError) {
        self.settings = settings
        areas = settings.areas
        entryPart = .gateway(settings.gateway.name)
        networks = settings.networks
        considersLocation = settings.gateway.considersLocation
        policyDigest = SHA256Digest(hashing: settings.policy)
        policy = policyDigest.hex
        entryEnd = .end(policy: policy)
        verifier = TokenVerifier(issuers: settings.issuers)
        keyTables = KeyTables(settings.issuers, reusing: previous?.keyTables)
        tls = TLSConfiguration(
            role: .server, certificateChain: settings.tls.certificate, privateKey: settings.tls.privateKey,
            authorities: settings.tls.clientAuthorities, revocationLists: settings.tls.revocationLists,
            peerCertificates: settings.tls.requiresClientCertificate ? .required : .optional,
            minimumVersion: settings.tls.allowsTLS12 ? .tls12 : .tls13, ticketKeys: randomBytes(80))
        expiries = Expiries(settings)
        generation = (previous?.generation ?? 0) + 1
        let keyring = try Self.keyring(settings)
        var stores: [ServedStore] = []
        var buckets = previous?.buckets ?? []
        for (position, store) in settings.stores.enumerated() {
            if !buckets.contains(store.bucket) { buckets.append(store.bucket) }
            stores.append(
                try ServedStore(
                    store, position: position, slot: buckets.firstIndex(of: store.bucket) ?? 0, settings: settings,
                    keyring: keyring, pool: pool,
                    // By the folder, whose lock it holds: the bucket may have another name now.
                    reusing: previous?.stores.first { $0.policy.path == store.path }))
        }
        for (position, store) in stores.enumerated() {
            guard let other = stores[..<position].firstIndex(where: store.shares) else { continue }
            throw .store("store[\(position)].path: \(store.policy.path) is the folder of store[\(other)]")
        }
        self.stores = stores
        self.buckets = buckets
        storesByBucket = Dictionary(stores.map { ($0.policy.bucket, $0) }) { first, _ in first }
        var byURI: [String: Principal] = [:]
        var byFingerprint: [[UInt8]: Principal] = [:]
        var byCommonName: [String: Principal] = [:]
        for principal in settings.principals.map(Principal.init) {
            switch principal.settings.certificate {
            case .uri(let uri): byURI[uri] = principal
            case .sha256(let bytes): byFingerprint[bytes] = principal
            case .commonName(let name): byCommonName[name] = principal
            }
        }
        (principalsByURI, principalsByFingerprint, principalsByCommonName) = (byURI, byFingerprint, byCommonName)
    }

    func store(_ bucket: BucketName) -> ServedStore? { storesByBucket[bucket] }

    /// Whom a verified certificate names. Two principals in one certificate name nobody.
    func principal(of certificate: PeerCertificate) -> Principal? {
        var found: Principal?
        var isAmbiguous = false
        func consider(_ principal: Principal?) {
            guard let principal else { return }
            if let found, found !== principal { isAmbiguous = true }
            found = principal
        }
        consider(principalsByFingerprint[certificate.sha256])
        // Swift's String equality would take canonically equivalent names for one, a KELVIN SIGN for a K: bytes decide.
        for uri in certificate.uris {
            guard let principal = principalsByURI[uri], case .uri(let configured) = principal.settings.certificate,
                configured.utf8.elementsEqual(uri.utf8)
            else { continue }
            consider(principal)
        }
        if let name = certificate.commonName, let principal = principalsByCommonName[name],
            case .commonName(let configured) = principal.settings.certificate, configured.utf8.elementsEqual(name.utf8)
        {
            consider(principal)
        }
        return isAmbiguous ? nil : found
    }

    /// The network that an address is in.
    func location(of address: Address) -> Location {
        guard considersLocation else { return .notConsidered }
        return networks.value(of: address).map { .datacenter($0) } ?? .nowhere
    }

    private static func keyring(_ settings: Settings) throws(GatewayError) -> SealKeyring {
        var datacenters: [(place: Place, keys: [SealKey])] = []
        for datacenter in settings.datacenters {
            var keys: [SealKey] = []
            for key in datacenter.sealKeys {
                guard let id = SealKeyID(key.id) else {
                    throw .key("the seal key \"\(key.id)\" of \(datacenter.place.datacenter) has no usable name")
                }
                keys.append(SealKey(id: id, key: HMACKey(key.bytes)))
            }
            datacenters.append((datacenter.place, keys))
        }
        return SealKeyring(datacenters)
    }
}

/// One configured caller.
final class Principal: Sendable {
    let settings: PrincipalSettings

    init(_ settings: PrincipalSettings) { self.settings = settings }
}

/// One configured store, open.
final class ServedStore: Sendable {
    let policy: StoreSettings
    /// Its place among the buckets that the process has served, for counters.
    let position: Int
    let store: any Store
    private let directory: DirectoryStore
    let pseudonyms: Pseudonymizer
    /// The fields of an answer that tell the store's place.
    let placeFields: [UInt8]

    init(
        _ settings: StoreSettings, position: Int, slot: Int, settings all: Settings, keyring: SealKeyring,
        pool: NIOThreadPool,
        reusing previous: ServedStore?
    ) throws(GatewayError) {
        policy = settings
        var fields: [UInt8] = []
        settings.policy.place.writeFields(into: &fields)
        placeFields = fields
        self.position = slot
        guard let rule = MailboxRule(settings.mailbox) else {
            throw .key("store[\(position)].mailbox: \"\(settings.mailbox)\" is no rule such as \"{mailbox}/**\"")
        }
        let configuration = DirectoryStore.Configuration(
            bucket: settings.bucket, place: settings.policy.place, mailboxRule: rule, keyring: keyring,
            verifiesContent: settings.verifiesContent)
        // Under the same path it stays the folder that was opened, whatever was put in its place.
        if let previous, previous.policy.path == settings.path {
            directory = previous.directory.reconfigured(configuration)
        } else if let open = DirectoryStore.reopen(path: settings.path, configuration) {
            directory = open
        } else {
            do throws(DirectoryStoreError) {
                directory = try DirectoryStore.open(path: settings.path, configuration, pool: pool)
            } catch { throw .store("store[\(position)].path: \(error)") }
        }
        store = directory
        guard let key = all.datacenters.first(where: { $0.place == settings.policy.place })?.pseudonymKeys.first
        else { throw .key("store[\(position)]: its datacenter has no pseudonym key") }
        pseudonyms = Pseudonymizer(keyID: key.id, key: HMACKey(key.bytes))
    }

    func shares(_ other: ServedStore) -> Bool { directory.shares(other.directory) }
}

/// Why the gateway cannot start, or a reload is not taken.
package enum GatewayError: Error, Sendable, CustomStringConvertible {
    case key(String)
    case store(String)
    case tls(String)
    case log(LogError)
    case listen(String)

    /// The log is damaged: nobody should restart before somebody looked.
    package var isDamage: Bool { if case .log(let error) = self { error.isDamage } else { false } }

    package var description: String {
        switch self {
        case .key(let text), .store(let text), .tls(let text), .listen(let text): text
        case .log(let error): "log.directory: \(error)"
        }
    }
}
