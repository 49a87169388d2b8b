internal import JSON
internal import Residency
internal import Tokens

extension PolicySnapshot {
    /// Reads a snapshot as strictly as it is written: every member, no other, in its place, in canonical form.
    /// - Throws: `PolicyError`, with the place of what is wrong.
    package init(parsing bytes: [UInt8]) throws(PolicyError) {
        let value: JSONValue
        do throws(JSONError) { value = try JSONValue(parsing: bytes, bytesMax: Self.bytesMax) } catch {
            throw .json(error)
        }
        guard value.utf8Text == bytes else { throw .notCanonical }
        var root = try PolicyMembers(value, path: "")
        try root.version(1)
        var gateway = try root.object("gateway")
        self.gateway = try gateway.name("name")
        let home: DatacenterName = try gateway.name("datacenter")
        considersLocation = try gateway.choice("location", ["network": true, "off": false])
        try gateway.finish()
        clientAuthorities = try root.bytes("client_authorities")
        revocationLists = try root.array("revocation_lists") { list, path throws(PolicyError) in
            try PolicyMembers.bytes(list, path)
        }
        requiresClientCertificate = try root.choice("client_certificates", ["required": true, "optional": false])
        let datacenters = try root.array("datacenters", Datacenter.init)
        let places = PolicyPlaces(datacenters.map(\.place))
        self.datacenters = datacenters
        areas = try root.array("areas", Area.init)
        stores = try root.array("stores") { value, path throws(PolicyError) in try Store(value, path, places) }
        issuerList = try root.array("issuers", PolicySnapshot.issuer)
        principals = try root.array("principals") { value, path throws(PolicyError) in
            try PrincipalSettings(value, path, places)
        }
        try root.finish()
        place = try places.place(home, "gateway.datacenter")
        guard let registry = IssuerRegistry(issuerList) else { throw .member("issuers", expected: "each id once") }
        issuers = registry
        networks = NetworkTable(datacenters.flatMap { one in one.networks.map { ($0, one.place) } })
        try refuseAmbiguity()
    }

    /// What is found by a name, or by an address, must be one thing.
    private func refuseAmbiguity() throws(PolicyError) {
        func isUnique<Key: Hashable>(_ keys: [Key]) -> Bool { Set(keys).count == keys.count }
        guard isUnique(datacenters.map(\.place.datacenter)) else {
            throw .member("datacenters", expected: "each name once")
        }
        guard isUnique(stores.map(\.bucket)) else { throw .member("stores", expected: "each bucket once") }
        guard isUnique(principals.map(\.name)) else { throw .member("principals", expected: "each name once") }
        let blocks = datacenters.flatMap(\.networks)
        for (index, block) in blocks.enumerated() where blocks[..<index].contains(where: { $0.overlaps(block) }) {
            throw .member("datacenters", expected: "networks that do not overlap, and \(block) does")
        }
    }

    private static func issuer(_ value: JSONValue, _ path: String) throws(PolicyError) -> Issuer {
        var members = try PolicyMembers(value, path: path)
        let id = try members.string("id")
        let jurisdictions = try members.jurisdictions("jurisdictions")
        let keySet = try members.bytes("keys")
        let revoked = try members.optionalBytes("revocations")
        let denied = try members.optionalBytes("deny_list")
        let hours = try members.integer("lifetime_max_hours")
        let allowsPrefixes = try members.bool("prefixes")
        let instruments = try members.instruments("instruments")
        try members.finish()
        let keys: KeySet
        do throws(KeySetError) { keys = try KeySet(parsing: keySet) } catch {
            throw .member(path + ".keys", expected: "a JWKS of public keys: \(error)")
        }
        var list: RevocationList?
        if let revoked {
            do throws(RevocationListError) {
                list = try RevocationList(parsing: revoked, issuer: id, keys: keys)
            } catch { throw .member(path + ".revocations", expected: "the issuer's signed list: \(error)") }
        }
        var deniedTokens: Set<JSONString> = []
        if let denied {
            do throws(DenyListError) { deniedTokens = try DenyList(parsing: denied).tokens(of: id) } catch {
                throw .member(path + ".deny_list", expected: "a deny list: \(error)")
            }
        }
        return Issuer(
            id: id, jurisdictions: jurisdictions, keys: keys, lifetimeHoursMax: hours, allowsPrefixes: allowsPrefixes,
            instruments: instruments, revocations: list, denied: deniedTokens)
    }
}

/// The datacenters of one snapshot by name.
struct PolicyPlaces {
    private let places: [DatacenterName: Place]

    init(_ places: [Place]) { self.places = Dictionary(places.map { ($0.datacenter, $0) }) { first, _ in first } }

    func place(_ name: DatacenterName, _ path: String) throws(PolicyError) -> Place {
        guard let place = places[name] else { throw .member(path, expected: "a datacenter of the snapshot") }
        return place
    }
}

extension PolicySnapshot.Datacenter {
    fileprivate init(_ value: JSONValue, _ path: String) throws(PolicyError) {
        var members = try PolicyMembers(value, path: path)
        place = Place(datacenter: try members.name("name"), jurisdiction: try members.jurisdiction("jurisdiction"))
        networks = try members.strings("networks") { Network($0) }
        sealKeys = try members.strings("seal_keys") { $0 }
        pseudonymKeys = try members.strings("pseudonym_keys") { $0 }
        try members.finish()
    }
}

extension Area {
    fileprivate init(_ value: JSONValue, _ path: String) throws(PolicyError) {
        var members = try PolicyMembers(value, path: path)
        self.init(name: try members.string("name"), jurisdictions: try members.jurisdictions("jurisdictions"))
        try members.finish()
    }
}

extension PolicySnapshot.Store {
    fileprivate init(_ value: JSONValue, _ path: String, _ places: PolicyPlaces) throws(PolicyError) {
        var members = try PolicyMembers(value, path: path)
        bucket = try members.name("bucket")
        let place = try places.place(try members.name("datacenter"), path + ".datacenter")
        driver = try members.named("driver", StoreSettings.Driver.init(rawValue:))
        mailbox = try members.string("mailbox")
        let untagged = try members.named("untagged", StorePolicy.Untagged.init(rawValue:))
        let foreignWrites = try members.named("foreign_writes", StorePolicy.ForeignWrites.init(rawValue:))
        policy = StorePolicy(place: place, untagged: untagged, foreignWrites: foreignWrites)
        verifiesContent = try members.bool("verify_content")
        try members.finish()
    }
}

extension PrincipalSettings {
    fileprivate init(_ value: JSONValue, _ path: String, _ places: PolicyPlaces) throws(PolicyError) {
        var members = try PolicyMembers(value, path: path)
        let name: PrincipalName = try members.name("name")
        let office = try places.place(try members.name("datacenter"), path + ".datacenter")
        let certificate = try members.certificate("certificate")
        let roles = try members.strings("roles", Role.init(rawValue:))
        let stores = try members.strings("stores") { BucketName($0) }
        let rate = try members.integer("requests_per_second_max")
        try members.finish()
        self.init(
            name: name, office: office, certificate: certificate, roles: Set(roles), stores: Set(stores),
            requestsPerSecondMax: Int(rate))
    }
}
