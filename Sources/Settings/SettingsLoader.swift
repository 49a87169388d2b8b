internal import Glibc
internal import JSON
internal import Residency
internal import TOMLKit
internal import Tokens

extension Settings {
    /// Reads a settings file and every file that it names.
    /// - Parameters:
    ///   - previous: the snapshot in force; an issuer's revocation list may not be older than the one it has,
    ///     and a deny list that denied may not be gone. A start is held against what the log was last served under.
    ///   - lastServed: tells of a log's folder the digest of the snapshot that it was last served under; nil where it does not know.
    ///   - nowSeconds: the machine's clock when not given.
    package static func load(
        path: String, previous: Settings? = nil, lastServed: @escaping (_ log: String) -> String? = { _ in nil },
        nowSeconds: Int64? = nil
    ) throws(SettingsError) -> Settings {
        let problems = Problems()
        let table = try table(path)
        let settings = SettingsLoader(
            root: Section(table, path: "", problems: problems), problems: problems, previous: previous,
            lastServed: lastServed, nowSeconds: nowSeconds ?? Int64(time(nil))
        ).load()
        guard problems.all.isEmpty, let settings else { throw SettingsError(file: path, problems: problems.all) }
        return settings
    }

    /// A file's TOML.
    static func table(_ path: String) throws(SettingsError) -> TOMLTable {
        let bytes: [UInt8]
        do throws(FileReader.Failure) { bytes = try FileReader.read(path, isPrivate: false) } catch {
            throw SettingsError(file: path, problems: [.init(key: "", what: error.words)])
        }
        // The parser takes a C string, which ends at the first NUL: a file with a hole, as a crash leaves it, would be read up to there.
        guard !bytes.contains(0), let text = String(validating: bytes, as: UTF8.self) else {
            throw SettingsError(
                file: path, problems: [.init(key: "", what: "is no text: holds a NUL, or what is no UTF-8")])
        }
        do {
            return try TOMLTable(string: text)
        } catch let error as TOMLParseError {
            throw SettingsError(
                file: path, problems: [.init(key: "line \(error.source.begin.line)", what: error.description)])
        } catch {
            throw SettingsError(file: path, problems: [.init(key: "", what: "\(error)")])
        }
    }
}

/// Reads one file, table by table.
struct SettingsLoader {
    let root: Section
    let problems: Problems
    let previous: Settings?
    let lastServed: (_ log: String) -> String?
    let nowSeconds: Int64

    func load() -> Settings? {
        let datacenters = readDatacenters()
        let places = Dictionary(datacenters.map { ($0.place.datacenter, $0.place) }) { first, _ in first }
        let areas = readAreas()
        let gateway = readGateway(places)
        let tls = readTLS()
        let stores = readStores(places, datacenters)
        let log = readLog(stores)
        let issuers = readIssuers(
            Set(datacenters.map(\.place.jurisdiction)),
            previous?.issuers
                ?? log.flatMap { LastPolicy.load(log: $0.directory, digest: lastServed($0.directory))?.issuers })
        let principals = readPrincipals(places, Set(stores.map(\.bucket)))
        root.finish()
        guard problems.all.isEmpty, let gateway, let tls, let log, let registry = IssuerRegistry(issuers.map(\.issuer))
        else { return nil }
        let networks = NetworkTable(
            datacenters.flatMap { datacenter in datacenter.networks.map { ($0, datacenter.place) } })
        let policy = PolicyWriter.write(
            gateway: gateway, tls: tls, datacenters: datacenters, areas: areas, stores: stores, issuers: issuers,
            principals: principals)
        return Settings(
            gateway: gateway, tls: tls, datacenters: datacenters, areas: areas, stores: stores, issuers: registry,
            principals: principals, log: log, networks: networks, policy: policy,
            renewedFiles: (tls.paths + issuers.flatMap(\.paths)).filter { !$0.hasPrefix("credential:") },
            warnings: warnings(gateway.place, areas, stores) + warnings(log.witnesses) + warnings(issuers))
    }

    private func warnings(_ place: Place, _ areas: [Area], _ stores: [StoreSettings]) -> [String] {
        stores.compactMap { store in
            let owner = store.policy.place.jurisdiction
            let isNear =
                owner == place.jurisdiction
                || areas.contains { $0.jurisdictions.contains(owner) && $0.jurisdictions.contains(place.jurisdiction) }
            return isNear
                ? nil
                : "store \(store.bucket) is in \(owner), outside the gateway's own jurisdiction \(place.jurisdiction) and its areas: every read crosses a border"
        }
    }

    private func warnings(_ witnesses: [WitnessSettings]) -> [String] {
        witnesses.filter(\.isForgeable).map {
            "log.witnesses: \($0.url) is not https: a witness's refusal bears no signature, and anybody on the way can close the log with one"
        }
    }

    /// A deny list denies tokens of those who name it, and a line about anybody else's nothing.
    private func warnings(_ issuers: [LoadedIssuer]) -> [String] {
        issuers.flatMap { issuer in
            let named = Set(issuers.filter { $0.denyList == issuer.denyList }.map { JSONString($0.issuer.id) })
            let others = issuer.deniedIssuers.subtracting(named).map(\.text).sorted()
            return others.map {
                "issuer.deny_list: that of \(issuer.issuer.id) has lines about \($0), which does not name that file: they deny nothing"
            }
        }
    }

    // MARK: - Tables

    private func readGateway(_ places: [DatacenterName: Place]) -> GatewaySettings? {
        let section = root.requiredSection("gateway")
        let name = section.requiredString("name").flatMap { text in
            let name = GatewayName(text)
            if name == nil { section.problem("name", "\"\(text)\" is no name: 1 to 128 of A-Z a-z 0-9 . _ @ + -") }
            return name
        }
        let place = self.place(section, "datacenter", places)
        let listenTexts = section.strings("listen", required: true)
        let listen = listenTexts.enumerated().compactMap { index, text in
            self.listen(section, "listen[\(index)]", text)
        }
        if section.has("listen"), listenTexts.isEmpty {
            section.problem("listen", "expected at least one address:port")
        }
        let operators = section.string("operators_listen").flatMap { listenAddress(section, "operators_listen", $0) }
        var taken: Set<ListenAddress> = []
        for (index, address) in listen.enumerated() where address.port != 0 && !taken.insert(address).inserted {
            section.problem("listen[\(index)]", "\(address) a second time")
        }
        if let operators, taken.contains(operators) {
            section.problem(
                "operators_listen", "\(operators) is one of gateway.listen: operators have an address of their own")
        }
        let socket = section.string("operators_socket")
        let considers = section.choice("location", [("network", true), ("off", false)], default: true)
        let timeout = section.integer("stop_timeout_seconds", default: 30, in: 1...3600)
        let loops = section.integer("event_loops", default: 0, in: 0...256)
        let watches = section.bool("watch_files", default: false)
        if section.has("domain") {
            section.problem("domain", "virtual-host style is not built yet: leave it out and use path style")
        }
        section.finish()
        guard let name, let place else { return nil }
        return GatewaySettings(
            name: name, place: place, listen: listen, operatorsListen: operators, operatorsSocket: socket,
            considersLocation: considers, stopTimeoutSeconds: timeout, eventLoops: loops,
            watchesFiles: watches)
    }

    private func listen(_ section: Section, _ key: String, _ text: String) -> ListenAddress? {
        listenAddress(section, key, text)
    }

    private func listenAddress(_ section: Section, _ key: String, _ text: String) -> ListenAddress? {
        let address = ListenAddress(text)
        if address == nil {
            section.problem(key, "\"\(text)\" is no address:port, such as \"127.0.0.1:8443\" or \"[::1]:8443\"")
        }
        return address
    }

    private func readTLS() -> TLSSettings? {
        let section = root.requiredSection("tls")
        let path = section.requiredString("certificate")
        let certificate = section.file("certificate")
        let key = section.file("private_key", isPrivate: true)
        let authorities = section.file("client_authorities")
        let lists = section.strings("revocation_lists").enumerated().compactMap { index, path in
            section.file(path, for: "revocation_lists[\(index)]", isPrivate: false)
        }
        let paths =
            ["certificate", "private_key", "client_authorities"].compactMap(section.string)
            + section.strings("revocation_lists")
        let required = section.choice("client_certificates", [("required", true), ("optional", false)], default: true)
        let allows12 = section.choice("minimum_version", [("1.3", false), ("1.2", true)], default: false)
        section.finish()
        guard let path, let certificate, let key, let authorities else { return nil }
        return TLSSettings(
            certificatePath: path, paths: paths, certificate: certificate, privateKey: key,
            clientAuthorities: authorities,
            revocationLists: lists, requiresClientCertificate: required, allowsTLS12: allows12)
    }

    private func readDatacenters() -> [DatacenterSettings] {
        var seen: Set<DatacenterName> = []
        var networks: [(Network, String)] = []
        var purposes = KeyPurposes()
        return root.sections("datacenter").compactMap { section in
            let name = section.requiredString("name").flatMap { DatacenterName($0) }
            if name == nil, section.has("name") {
                section.problem("name", "no name: 1 to 128 of A-Z a-z 0-9 . _ @ + -")
            }
            let jurisdiction = section.requiredString("jurisdiction").flatMap {
                self.jurisdiction(section, "jurisdiction", $0)
            }
            var own: [Network] = []
            for (index, text) in section.strings("networks").enumerated() {
                guard let network = Network(text) else {
                    section.problem(
                        "networks[\(index)]", "\"\(text)\" is no CIDR block without host bits, such as \"10.10.0.0/16\""
                    )
                    continue
                }
                if let other = networks.first(where: { $0.0.overlaps(network) }) {
                    section.problem("networks[\(index)]", "\(network) overlaps \(other.0) of datacenter \(other.1)")
                }
                networks.append((network, name?.text ?? "?"))
                own.append(network)
            }
            let seals = section.namedKeys("seal_keys")
            let pseudonyms = section.namedKeys("pseudonym_keys")
            purposes.take(seals, "seal_keys", section)
            purposes.take(pseudonyms, "pseudonym_keys", section)
            section.finish()
            guard let name, let jurisdiction else { return nil }
            if !seen.insert(name).inserted { section.problem("name", "a second datacenter named \(name)") }
            return DatacenterSettings(
                place: Place(datacenter: name, jurisdiction: jurisdiction), networks: own, sealKeys: seals,
                pseudonymKeys: pseudonyms)
        }
    }

    private func readAreas() -> [Area] {
        var seen: Set<String> = []
        return root.sections("area").compactMap { section in
            let name = section.requiredString("name")
            if let name, !seen.insert(name).inserted { section.problem("name", "a second area named \(name)") }
            let codes = section.strings("jurisdictions", required: true).enumerated().compactMap { index, text in
                jurisdiction(section, "jurisdictions[\(index)]", text)
            }
            section.finish()
            return name.map { Area(name: $0, jurisdictions: Set(codes)) }
        }
    }

    private func readStores(_ places: [DatacenterName: Place], _ datacenters: [DatacenterSettings]) -> [StoreSettings] {
        var seen: Set<BucketName> = []
        var folders: [(path: String, bucket: BucketName)] = []
        return root.sections("store").compactMap { section in
            let bucket = section.requiredString("bucket").flatMap { text in
                let bucket = BucketName(bucket: Array(text.utf8).span)
                if bucket == nil {
                    section.problem(
                        "bucket",
                        "\"\(text)\" is no bucket name: 3 to 63 of a-z 0-9 . -, with a letter or digit at either end")
                }
                return bucket
            }
            let place = self.place(section, "datacenter", places)
            let driver = readDriver(section)
            let path = section.requiredString("path")
            let mailbox = section.string("mailbox") ?? "{mailbox}/**"
            let untagged = section.choice(
                "untagged", StorePolicy.Untagged.allCases.map { ($0.rawValue, $0) }, default: .refuse)
            let writes = section.choice(
                "foreign_writes", StorePolicy.ForeignWrites.allCases.map { ($0.rawValue, $0) }, default: .create)
            let verifies = section.bool("verify_content", default: false)
            section.finish()
            guard let bucket, let place, let driver, let path else { return nil }
            if !seen.insert(bucket).inserted { section.problem("bucket", "a second store of the bucket \(bucket)") }
            // One folder inside another would let one bucket's objects be written as the other's files.
            if let other = folders.first(where: {
                Self.isFolder($0.path, insideOrSameAs: path) || Self.isFolder(path, insideOrSameAs: $0.path)
            }) {
                section.problem(
                    "path", "\(path) and \(other.path) of \(other.bucket) are one folder, or one in the other")
            }
            folders.append((path, bucket))
            if let datacenter = datacenters.first(where: { $0.place == place }) {
                if datacenter.sealKeys.isEmpty {
                    section.problem(
                        "datacenter",
                        "datacenter \(place.datacenter) has no seal_keys: objects here could not be tagged")
                }
                if datacenter.pseudonymKeys.isEmpty {
                    section.problem(
                        "datacenter",
                        "datacenter \(place.datacenter) has no pseudonym_keys: entries about this store could not be written"
                    )
                }
            }
            return StoreSettings(
                bucket: bucket, policy: StorePolicy(place: place, untagged: untagged, foreignWrites: writes),
                driver: driver,
                path: path, mailbox: mailbox, verifiesContent: verifies)
        }
    }

    /// By where the paths lead, and by their names as far as nothing is there yet.
    private static func isFolder(_ path: String, insideOrSameAs other: String) -> Bool {
        func components(_ path: String) -> [[UInt8]] {
            path.utf8.split(separator: UInt8(ascii: "/")).map(Array.init).filter { $0 != [UInt8(ascii: ".")] }
        }
        func holds(_ path: String, _ other: String) -> Bool {
            path.hasPrefix("/") == other.hasPrefix("/") && components(path).starts(with: components(other))
        }
        return holds(path, other) || holds(resolved(path), resolved(other))
    }

    /// Without symbolic links and `..`; as it is where that cannot be told.
    private static func resolved(_ path: String) -> String {
        guard let real = unsafe realpath(path, nil) else { return path }
        defer { unsafe free(real) }
        return unsafe String(cString: real)
    }

    private func readDriver(_ section: Section) -> StoreSettings.Driver? {
        guard let text = section.requiredString("driver") else { return nil }
        if let driver = StoreSettings.Driver(rawValue: text) { return driver }
        let known = StoreSettings.Driver.allCases.map { "\"\($0.rawValue)\"" }.joined(separator: ", ")
        section.problem(
            "driver",
            text == "maildir" || text == "s3"
                ? "the driver \"\(text)\" is not built yet; there is: \(known)"
                : "\"\(text)\" is no driver; there is: \(known)")
        return nil
    }

    private func readLog(_ stores: [StoreSettings]) -> LogSettings? {
        let section = root.requiredSection("log")
        let directory = section.requiredString("directory")
        // What lies in a store's folder is read as objects, where untagged ones are adopted: entries, and tokens kept as evidence.
        if let directory, let store = stores.first(where: { Self.isFolder(directory, insideOrSameAs: $0.path) }) {
            section.problem("directory", "\(directory) lies in the folder of the store \(store.bucket)")
        } else if let directory, let store = stores.first(where: { Self.isFolder($0.path, insideOrSameAs: directory) })
        {
            section.problem("directory", "the folder of the store \(store.bucket), \(store.path), lies in \(directory)")
        }
        let origin = section.requiredString("origin")
        var keys: [String] = []
        for (index, path) in section.strings("signing_keys", required: true).enumerated() {
            guard let bytes = section.file(path, for: "signing_keys[\(index)]", isPrivate: true) else { continue }
            let line = String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isNewline).map(String.init)
            guard line.count == 1, line[0].hasPrefix("PRIVATE+KEY+") else {
                section.problem(
                    "signing_keys[\(index)]",
                    "\(path) is no PRIVATE+KEY+… line; make one with `bailiwick keys new --kind log`")
                continue
            }
            if let origin, !line[0].hasPrefix("PRIVATE+KEY+\(origin)+") {
                section.problem("signing_keys[\(index)]", "the key's name is not the log's origin \"\(origin)\"")
            }
            keys.append(line[0])
        }
        if section.has("signing_keys"), keys.isEmpty { section.problem("signing_keys", "expected at least one key") }
        let interval = section.integer("checkpoint_interval_ms", default: 1000, in: 100...60_000)
        let reserve = section.integer("reserve_mib", default: 64, in: 0...65_536)
        let witnesses = section.sections("witnesses").compactMap(readWitness)
        let quorum = section.integer("witness_quorum", default: 0, in: 0...max(0, witnesses.count))
        let isRequired = section.bool("witness_required", default: false)
        if isRequired, quorum == 0 {
            section.problem("witness_required", "needs a witness_quorum of at least 1, and so many witnesses")
        }
        if Set(witnesses.map(\.key)).count < witnesses.count {
            section.problem("witnesses", "two of them have one key: a quorum counts different ones")
        }
        var authorities: [UInt8]?
        if witnesses.contains(where: { $0.url.hasPrefix("https:") }) {
            authorities = section.file(Self.machineAuthorities, for: "witnesses", isPrivate: false)
        }
        let retention = section.optionalInteger("retention_days", in: LogRetention.days)
        section.finish()
        guard let directory, let origin else { return nil }
        return LogSettings(
            directory: directory, origin: origin, signingKeys: keys, checkpointIntervalMilliseconds: interval,
            reserveMebibytes: reserve, retentionDays: retention, witnesses: witnesses, witnessQuorum: quorum,
            witnessRequired: isRequired,
            witnessAuthorities: authorities ?? [])
    }

    /// Debian's ca-certificates.
    private static let machineAuthorities = "/etc/ssl/certs/ca-certificates.crt"

    private func readWitness(_ section: Section) -> WitnessSettings? {
        let url = section.requiredString("url")
        let key = section.requiredString("key")
        section.finish()
        guard let url, let key else { return nil }
        return WitnessSettings(url: url, key: key)
    }

    // MARK: - Names

    /// False where a datacenter or store could not be read: who names one may well name that one, and is told nothing.
    var areNamesKnown: Bool {
        !problems.all.contains { problem in
            problem.key.hasPrefix("datacenter[") || problem.key.hasPrefix("store[")
        }
    }

    func place(_ section: Section, _ name: String, _ places: [DatacenterName: Place]) -> Place? {
        guard let text = section.requiredString(name) else { return nil }
        if let datacenter = DatacenterName(text), let place = places[datacenter] { return place }
        guard areNamesKnown else { return nil }
        section.problem(
            name,
            "\"\(text)\" is no [[datacenter]]; there is: \(places.keys.map(\.text).sorted().joined(separator: ", "))")
        return nil
    }

    func jurisdiction(_ section: Section, _ name: String, _ text: String) -> Jurisdiction? {
        let code = Jurisdiction(text)
        if code == nil {
            section.problem(
                name, "\"\(text)\" is no ISO 3166-1 alpha-2 or ISO 3166-2 code, such as \"IE\" or \"US-CA\"")
        }
        return code
    }
}

/// What each key is for, in all datacenters. Both kinds are of one form, and a pseudonym key is for auditors to hold: one that sealed tags too
/// would let them seal.
private struct KeyPurposes {
    private var seen: [[UInt8]: (purpose: String, place: String)] = [:]

    mutating func take(_ keys: [NamedKey], _ purpose: String, _ section: Section) {
        for (index, key) in keys.enumerated() {
            let name = "\(purpose)[\(index)]"
            if let other = seen[key.bytes], other.purpose != purpose {
                section.problem(name, "the same key as \(other.place): a key seals tags or hides names, never both")
            }
            seen[key.bytes] = (purpose, section.key(name))
        }
    }
}
