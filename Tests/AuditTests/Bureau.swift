import DecisionLog
import Foundation
import JSON
import OpenSSL
import Residency
import S3
import Settings
import Stores
import TestSupport
import Tokens

/// A gateway's settings with all that they name, and decisions made under them as the gateway makes them.
final class Bureau: Sendable {
    static let shared = try! Bureau()
    static let now: Int64 = 1_800_000_000

    let folder: Sandbox
    let settings: Settings
    let irish: PrivateKey
    let american: PrivateKey
    let policy: String

    init(location: String = "network", gateway: String = "dub1") throws {
        folder = try Sandbox("bureau")
        irish = try PrivateKey(generating: .es256)
        american = try PrivateKey(generating: .ed25519)
        for (name, key) in [("ie", irish), ("us", american)] {
            let set = JSONValue.object(["keys": .array([key.publicKey.jwk(keyID: name)])])
            try folder.write("\(name).jwks", String(decoding: set.utf8Text, as: UTF8.self))
        }
        for place in ["dub1", "fra1", "iad1"] {
            for kind in ["seal", "pseudonym"] {
                try folder.write(
                    "\(kind)-\(place)", "\(place)-1:\(Base64.standard.encode(randomBytes(32)))\n", mode: 0o600)
            }
        }
        for name in ["gateway.crt", "clients.crt"] { try folder.write(name, "the bytes of \(name) \"\\ \u{1}\n") }
        try Data([0xFF, 0x00, 0x80]).write(to: URL(fileURLWithPath: folder("clients.crl")))
        try folder.write("gateway.key", "secret", mode: 0o600)
        try folder.write("log.key", "PRIVATE+KEY+logs.example.org/dub1-gw1+x", mode: 0o600)
        let denied = DenyList.line(
            issuer: "https://ie.example", tokenID: "denied", time: Timestamp(seconds: Self.now), reason: "a \"test\"")
        try folder.write("ie.denied", String(decoding: denied, as: UTF8.self))
        let list = try TokenBuilder(
            revoking: ["revoked"], issuer: "https://us.example", issuedAtSeconds: Self.now - 10,
            expiresSeconds: Self.now + 100_000, algorithm: .ed25519, keyID: "us"
        ).signed(by: american)
        try folder.write("us.revoked", String(decoding: list, as: UTF8.self) + "\n")
        try folder.write("settings.toml", Self.text(folder, location, gateway))
        settings = try Settings.load(path: folder("settings.toml"), nowSeconds: Self.now)
        policy = SHA256Digest(hashing: settings.policy).hex
    }

    /// The place of the mailbox in each store's keys.
    static let buckets = ["mail-create", "mail-refuse", "mail-any", "mail-iad1"]

    // MARK: - Tokens

    static let elements = [
        GrantElement(
            jurisdiction: Jurisdiction("IE")!, datacenters: nil, mailboxes: [.exact(Array("alice".utf8))],
            data: .content, received: nil)
    ]

    /// A token by Ireland's issuer, or another's, for all of alice's mailbox.
    func token(_ id: String = "t", by issuer: String = "ie", _ change: (inout Claims) -> Void = { _ in }) throws
        -> [UInt8]
    {
        var claims = Claims(
            issuer: "https://\(issuer).example", subject: "ediscovery", audience: ["dub1-gw1"], tokenID: id,
            issuedAtSeconds: Self.now - 50, notBeforeSeconds: Self.now - 50, expiresSeconds: Self.now + 50_000,
            elements: Self.elements,
            legalBasis: LegalBasis(
                instrument: "warrant", reference: "2026/\(id)", authorityName: "Court",
                authorityCountry: Jurisdiction("IE")!, requester: .civil))
        if issuer == "us" {
            claims.elements[0].jurisdiction = Jurisdiction("US")!
            claims.legalBasis.authorityCountry = Jurisdiction("US")!
        }
        change(&claims)
        let key = issuer == "us" ? american : irish
        return try TokenBuilder(claims: claims, algorithm: key.algorithm, keyID: issuer).signed(by: key)
    }

    // MARK: - Decisions

    /// One request, as a gateway would put it to the rule.
    struct Request {
        var operation = Operation.getObject
        var access = Access.content
        var hasEntityTagCondition = false
        var principal = "ediscovery"
        var address = "10.20.0.7"
        var bucket = "mail-create"
        /// A key, or a listing's prefix.
        var target = "alice/INBOX/1"
        var tokens: [[UInt8]] = []
        var object = ObjectState.tagged(ResidencyFacts(place: Bureau.dub1, receivedSeconds: Bureau.now - 1000))
        var seconds = Bureau.now
        var id = "R1"

        var isListing: Bool { operation == .listObjectsV2 }
    }

    static let dub1 = Place(datacenter: DatacenterName("dub1")!, jurisdiction: Jurisdiction("IE")!)
    static let fra1 = Place(datacenter: DatacenterName("fra1")!, jurisdiction: Jurisdiction("DE")!)
    static let iad1 = Place(datacenter: DatacenterName("iad1")!, jurisdiction: Jurisdiction("US")!)

    /// The question by the live settings, before anybody looked at the object.
    func question(_ request: Request) -> Question {
        let caller = settings.principals.first { $0.name.text == request.principal }!
        let store = settings.stores.first { $0.bucket.text == request.bucket }!
        return Question(
            operation: request.operation, access: request.access,
            isEntitled: caller.stores.contains(store.bucket) && caller.permissions.cover(request.operation),
            principal: caller.name,
            certificate: [UInt8](repeating: 7, count: 32), gatewayName: settings.gateway.name, gateway: settings.place,
            office: caller.office, location: location(request.address), store: store.policy, mailbox: scope(request),
            areas: settings.areas, hasEntityTagCondition: request.hasEntityTagCondition,
            time: Timestamp(seconds: request.seconds))
    }

    private func location(_ address: String) -> Location {
        guard settings.gateway.considersLocation else { return .notConsidered }
        return settings.networks.value(of: Address(address)!).map { .datacenter($0) } ?? .nowhere
    }

    private func scope(_ request: Request) -> MailboxScope {
        let rule = MailboxRule(settings.stores.first { $0.bucket.text == request.bucket }!.mailbox)!
        if request.access == .none { return .nobody }
        if request.isListing { return rule.scope(ofPrefix: Array(request.target.utf8)) }
        return ObjectKey(utf8: Array(request.target.utf8)).map(rule.scope(of:)) ?? .nobody
    }

    /// Decides as `Exchange` does, and gives the entry.
    func entry(_ request: Request) -> DecisionEntry {
        var question = question(request)
        let verifier = TokenVerifier(issuers: settings.issuers)
        var reviewed: [(SHA256Digest, TokenOutcome)] = []
        func review() {
            guard reviewed.isEmpty, Rule.looksAtAuthorizations(question) else { return }
            reviewed = request.tokens.map { (SHA256Digest(hashing: $0), verifier.verify($0)) }
            question.authorizations = reviewed.map { _, outcome in
                switch outcome {
                case .malformed: .malformed
                case .untrusted: .untrusted
                case .verified(let token): token.authorization(at: question.time)
                }
            }
        }
        review()
        var decision: Decision
        var isLocated = false
        switch Rule.decide(question) {
        case .decided(let first): decision = first
        case .needsObject:
            isLocated = true
            question.object = request.object
            review()
            guard case .decided(let second) = Rule.decide(question) else { fatalError("undecided") }
            decision = second
        }
        var entry = DecisionEntry(
            time: question.time, gateway: settings.gateway.name, request: request.id, reason: decision.reason,
            operation: request.operation, access: request.access, address: request.address, policy: policy)
        entry.hasEntityTagCondition = request.hasEntityTagCondition
        entry.principal = question.principal
        entry.office = question.office.datacenter
        if case .datacenter(let place) = question.location { entry.location = place.datacenter }
        entry.certificate = question.certificate
        name(request, question.mailbox, &entry)
        if isLocated { describe(request.object, &entry) }
        entry.crossed = decision.crossed
        entry.isMisplaced = decision.isMisplaced
        entry.authorizations = zip(reviewed, decision.judged).map { authorization($0.1, $0.0, $1, request.bucket) }
        return entry
    }

    private func describe(_ object: ObjectState, _ entry: inout DecisionEntry) {
        switch object {
        case .notLocated, .absent: return
        case .untagged, .tagInvalid: entry.size = 12
        case .tagged(let facts):
            entry.size = 12
            entry.etag = "abc"
            (entry.datacenter, entry.jurisdiction) = (facts.place.datacenter, facts.place.jurisdiction)
            entry.receivedSeconds = facts.receivedSeconds
        }
    }

    private func name(_ request: Request, _ scope: MailboxScope, _ entry: inout DecisionEntry) {
        entry.store = BucketName(request.bucket)
        if case .mailbox(let mailbox) = scope {
            entry.mailbox = pseudonym("mailbox", mailbox.utf8, request.bucket)
        }
        let target = Array(request.target.utf8)
        switch request.access {
        case .none: return
        case .content, .traffic, .write, .delete: break
        }
        if request.isListing {
            entry.prefix = pseudonym("prefix", target, request.bucket)
        } else {
            entry.object = pseudonym("object", target, request.bucket)
        }
    }

    private func authorization(
        _ outcome: TokenOutcome, _ sha256: SHA256Digest, _ judged: JudgedAuthorization, _ bucket: String
    ) -> AuthorizationEntry {
        var entry = AuthorizationEntry(sha256: sha256, outcome: judged.outcome)
        entry.element = judged.element
        guard case .verified(let token) = outcome else { return entry }
        (entry.issuer, entry.keyID, entry.tokenID) = (token.issuer.id, token.keyID, token.tokenID)
        (entry.expiresSeconds, entry.instrument) = (token.expiresSeconds, token.instrument)
        entry.reference = pseudonym("reference", Array(token.reference.utf8), bucket)
        (entry.requester, entry.country) = (token.requester, token.country)
        return entry
    }

    func pseudonym(_ field: String, _ value: [UInt8], _ bucket: String) -> String {
        let key = keys.first { $0.id == (bucket == "mail-iad1" ? "iad1-1" : "dub1-1") }!
        return Pseudonymizer(keyID: key.id, key: HMACKey(key.bytes)).pseudonym(field, bucket: bucket, value)
    }

    /// The pseudonym keys of all datacenters.
    var keys: [NamedKey] { settings.datacenters.flatMap(\.pseudonymKeys) }

    // MARK: - Settings

    private static func text(_ folder: Sandbox, _ location: String, _ gateway: String) -> String {
        var text = """
            [gateway]
            name = "dub1-gw1"
            datacenter = "\(gateway)"
            listen = ["127.0.0.1:8443"]
            location = "\(location)"
            [tls]
            certificate = "\(folder("gateway.crt"))"
            private_key = "\(folder("gateway.key"))"
            client_authorities = "\(folder("clients.crt"))"
            revocation_lists = ["\(folder("clients.crl"))"]
            client_certificates = "optional"
            [log]
            directory = "\(folder("log"))"
            origin = "logs.example.org/dub1-gw1"
            signing_keys = ["\(folder("log.key"))"]
            [[area]]
            name = "EEA"
            jurisdictions = ["IE", "DE"]
            [[issuer]]
            id = "https://ie.example"
            jurisdictions = ["IE", "DE"]
            keys = "\(folder("ie.jwks"))"
            deny_list = "\(folder("ie.denied"))"
            prefixes = true
            instruments = { warrant = ["traffic", "content"], court-order = ["traffic"], subpoena = [] }
            [[issuer]]
            id = "https://us.example"
            jurisdictions = ["US"]
            keys = "\(folder("us.jwks"))"
            revocations = "\(folder("us.revoked"))"
            lifetime_max_hours = 24

            """
        for (name, code, networks) in [
            ("dub1", "IE", "\"10.10.0.0/16\", \"2001:db8:1::/48\""), ("fra1", "DE", "\"10.30.0.0/16\""),
            ("iad1", "US", "\"10.20.0.0/16\""),
        ] {
            text += """
                [[datacenter]]
                name = "\(name)"
                jurisdiction = "\(code)"
                networks = [\(networks)]
                seal_keys = ["\(folder("seal-\(name)"))"]
                pseudonym_keys = ["\(folder("pseudonym-\(name)"))"]

                """
        }
        for (bucket, place, rest) in [
            ("mail-create", "dub1", ""), ("mail-refuse", "dub1", "foreign_writes = \"refuse\""),
            ("mail-any", "dub1", "foreign_writes = \"any\"\nuntagged = \"adopt\"\nverify_content = true"),
            ("mail-iad1", "iad1", "untagged = \"adopt\"\nmailbox = \"mail/{mailbox}/**\""),
        ] {
            text +=
                "[[store]]\nbucket = \"\(bucket)\"\ndatacenter = \"\(place)\"\ndriver = \"directory\"\npath = \"/x/\(bucket)\"\n\(rest)\n"
        }
        let sha256 = String(repeating: "07", count: 32)
        for (name, place, certificate, roles) in [
            ("ediscovery", "iad1", "common_name = \"ediscovery\"", "\"reader\""),
            ("mailserver", "dub1", "sha256 = \"\(sha256)\"", "\"reader\", \"writer\", \"deleter\", \"deliverer\""),
            ("support", "fra1", "uri = \"spiffe://example.org/support\"", "\"reader\", \"writer\""),
            ("operator", "dub1", "uri = \"spiffe://example.org/operator\"", "\"operator\", \"auditor\""),
        ] {
            text += """
                [[principal]]
                name = "\(name)"
                datacenter = "\(place)"
                certificate = { \(certificate) }
                roles = [\(roles)]
                stores = [\(name == "operator" ? "" : buckets.map { "\"\($0)\"" }.joined(separator: ", "))]
                requests_per_second_max = 5

                """
        }
        return text
    }
}
