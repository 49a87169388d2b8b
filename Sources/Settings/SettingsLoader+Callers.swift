internal import JSON
internal import OpenSSL
internal import Residency
internal import Tokens

/// An issuer, with the bytes that the policy snapshot keeps of it.
struct LoadedIssuer {
    let issuer: Issuer
    let keySet: [UInt8]
    let revocations: [UInt8]?
    let denyList: [UInt8]?
    /// Whose tokens that has lines about.
    let deniedIssuers: Set<JSONString>
    /// The files that it was read from.
    let paths: [String]
}

// Who issues authorizations, and who calls.
extension SettingsLoader {
    /// - Parameter inForce: those that nothing may be taken back from: of the snapshot before, or of the log's last.
    func readIssuers(_ known: Set<Jurisdiction>, _ inForce: IssuerRegistry?) -> [LoadedIssuer] {
        var seen: Set<JSONString> = []
        return root.sections("issuer").compactMap { section in
            let id = section.requiredString("id")
            if let id, !seen.insert(JSONString(id)).inserted { section.problem("id", "a second issuer with this id") }
            let codes = section.strings("jurisdictions", required: true).enumerated().compactMap {
                index, text -> Jurisdiction? in
                guard let code = jurisdiction(section, "jurisdictions[\(index)]", text) else { return nil }
                if !known.contains(code), areNamesKnown {
                    section.problem(
                        "jurisdictions[\(index)]",
                        "no [[datacenter]] lies in \(code): this issuer could open nothing there")
                }
                return code
            }
            let keySet = section.file("keys")
            let hours = section.integer(
                "lifetime_max_hours", default: Int(TokenLimits.lifetimeHoursDefault), in: 1...8784)
            let prefixes = section.bool("prefixes", default: false)
            let instruments = readInstruments(section)
            let revocations = section.string("revocations") == nil ? nil : section.file("revocations")
            let before = id.flatMap { inForce?[JSONString($0)] }
            let denied = readDenyList(section, before)
            let paths = ["keys", "revocations", "deny_list"].compactMap(section.string)
            section.finish()
            guard let id, let keySet else { return nil }
            return issuer(
                section, id: id, codes: codes, keySet: keySet, hours: hours, prefixes: prefixes,
                instruments: instruments,
                revocations: revocations, denied: denied, paths: paths, before: before)
        }
    }

    /// A deny list that is not there yet denies nothing: `bailiwick token revoke` makes it. One that was there may not go.
    private func readDenyList(_ section: Section, _ before: Issuer?) -> [UInt8]? {
        guard let path = section.string("deny_list") else { return nil }
        do throws(FileReader.Failure) {
            return try FileReader.read(path, isPrivate: false)
        } catch {
            switch error {
            case .missing where before?.denied.isEmpty ?? true: return []
            case .missing:
                section.problem("deny_list", "\(path) is gone, and denied tokens until now: put it back, even if empty")
            case .unreadable, .readableByOthers: section.problem("deny_list", "\(path) \(error.words)")
            }
            return nil
        }
    }

    private func issuer(
        _ section: Section, id: String, codes: [Jurisdiction], keySet: [UInt8], hours: Int, prefixes: Bool,
        instruments: [(name: String, data: DataClasses)]?, revocations: [UInt8]?, denied: [UInt8]?, paths: [String],
        before: Issuer?
    ) -> LoadedIssuer? {
        let keys: KeySet
        do throws(KeySetError) { keys = try KeySet(parsing: keySet) } catch {
            section.problem("keys", "no JWKS of public keys: \(error)")
            return nil
        }
        var list: RevocationList?
        if let revocations {
            do throws(RevocationListError) {
                list = try RevocationList(
                    parsing: revocations, issuer: id, keys: keys,
                    previousIssuedAtSeconds: before?.revocations?.issuedAtSeconds, nowSeconds: nowSeconds)
            } catch { section.problem("revocations", "\(id): \(error)") }
        }
        var denyList = DenyList()
        if let denied {
            do throws(DenyListError) { denyList = try DenyList(parsing: denied) } catch {
                section.problem("deny_list", "\(error)")
            }
        }
        let issuer = Issuer(
            id: id, jurisdictions: Set(codes), keys: keys, lifetimeHoursMax: Int64(hours), allowsPrefixes: prefixes,
            instruments: instruments.map { Instruments($0) } ?? .defaults, revocations: list,
            denied: denyList.tokens(of: id))
        return LoadedIssuer(
            issuer: issuer, keySet: keySet, revocations: revocations, denyList: denied,
            deniedIssuers: denyList.issuers, paths: paths)
    }

    private func readInstruments(_ section: Section) -> [(name: String, data: DataClasses)]? {
        guard let table = section.section("instruments") else { return nil }
        return table.members().map { name in
            var data: DataClasses = []
            for (index, text) in table.strings(name).enumerated() {
                switch text {
                case "traffic": data.insert(.traffic)
                case "content": data.insert(.content)
                case "relocate": data.insert(.relocate)
                default:
                    table.problem(
                        "\(name)[\(index)]", "\"\(text)\" is not one of: \"traffic\", \"content\", \"relocate\"")
                }
            }
            return (name, data)
        }
    }

    func readPrincipals(_ places: [DatacenterName: Place], _ buckets: Set<BucketName>) -> [PrincipalSettings] {
        var names: Set<PrincipalName> = []
        var certificates: Set<CertificateMatch> = []
        return root.sections("principal").compactMap { section in
            let name = section.requiredString("name").flatMap { text in
                let name = PrincipalName(text)
                if name == nil { section.problem("name", "\"\(text)\" is no name: 1 to 128 of A-Z a-z 0-9 . _ @ + -") }
                return name
            }
            let office = place(section, "datacenter", places)
            let certificate = readCertificate(section)
            let roles = section.strings("roles", required: true).enumerated().compactMap { index, text -> Role? in
                let role = Role(rawValue: text)
                if role == nil {
                    section.problem(
                        "roles[\(index)]",
                        "\"\(text)\" is not one of: \(Role.allCases.map { "\"\($0.rawValue)\"" }.joined(separator: ", "))"
                    )
                }
                return role
            }
            let stores = section.strings("stores").enumerated().compactMap { index, text -> BucketName? in
                if let bucket = BucketName(text), buckets.contains(bucket) { return bucket }
                guard areNamesKnown else { return nil }
                section.problem(
                    "stores[\(index)]",
                    "\"\(text)\" is no [[store]]; there is: \(buckets.map(\.text).sorted().joined(separator: ", "))")
                return nil
            }
            let rate = section.integer("requests_per_second_max", default: 0, in: 0...1_000_000)
            if section.has("access_keys") {
                section.problem(
                    "access_keys", "signed requests are not built yet: leave it out; the certificate is the identity")
            }
            section.finish()
            guard let name, let office, let certificate else { return nil }
            if !names.insert(name).inserted { section.problem("name", "a second principal named \(name)") }
            if !certificates.insert(certificate).inserted {
                section.problem("certificate", "another principal has the same certificate")
            }
            return PrincipalSettings(
                name: name, office: office, certificate: certificate, roles: Set(roles), stores: Set(stores),
                requestsPerSecondMax: rate)
        }
    }

    private func readCertificate(_ section: Section) -> CertificateMatch? {
        guard let table = section.section("certificate") else {
            if !section.has("certificate") {
                section.problem(
                    "certificate", "missing; expected { uri = \"…\" }, { sha256 = \"…\" } or { common_name = \"…\" }")
            }
            return nil
        }
        var matches: [CertificateMatch] = []
        if let uri = table.string("uri") { matches.append(.uri(uri)) }
        if let name = table.string("common_name") { matches.append(.commonName(name)) }
        if let text = table.string("sha256") {
            if let bytes = Hex.decode(text.filter { $0 != ":" }), bytes.count == 32 {
                matches.append(.sha256(bytes))
            } else {
                table.problem("sha256", "expected 64 hexadecimal digits")
            }
        }
        table.finish()
        if matches.count != 1 { section.problem("certificate", "expected exactly one of uri, sha256 and common_name") }
        return matches.count == 1 ? matches[0] : nil
    }
}
