internal import ArgumentParser
internal import DecisionLog
internal import JSON
internal import Residency
internal import S3
internal import Settings
internal import Stores
internal import Tokens

/// `bailiwick explain`: the rule on a made-up request.
struct ExplainCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "explain", abstract: "Says what would be decided, and by which part of the rule.",
        discussion: """
            Nothing is looked up: an object's tag is taken to be that of its store, unless --tag names another datacenter.

            EXAMPLE
              bailiwick explain --config /etc/bailiwick/bailiwick.toml --principal ediscovery --address 10.20.0.7 \\
                --bucket mail-dub1 --key alice/INBOX/1.eml --token "$(cat token)"
            """)

    enum Action: String, ExpressibleByArgument, CaseIterable { case get, head, list, put, delete }

    @Option(help: "The settings file.") var config = "/etc/bailiwick/bailiwick.toml"
    @Option(help: "Who asks.") var principal: String
    @Option(help: "From which address.") var address: String
    @Option(help: "Which bucket.") var bucket: String
    @Option(help: "Which key; for a list, which prefix.") var key: String
    @Option(help: "get, head, list, put or delete.") var action: Action = .get
    @Option(help: "An authorization; repeatable.") var token: [String] = []
    @Option(help: ArgumentHelp("The caller's certificate, PEM, for tokens that are bound to one.", valueName: "file"))
    var certificate: String?
    @Option(help: "The datacenter that the object's tag names.") var tag: String?
    @Option(help: "When the object was received (RFC 3339).") var received: Timestamp?
    @Option(help: "At which time; now, if not given.") var at: Timestamp?

    func run() throws {
        let settings: Settings
        do throws(SettingsError) { settings = try Settings.load(path: config, lastServed: LastServed.policy) } catch {
            throw ValidationError(error.description)
        }
        let (question, notes) = try question(settings)
        for note in notes { print(note) }
        for step in Rule.explain(question) { print(step) }
        guard case .decided(let decision) = Rule.decide(question) else { return }
        print(decision.isAllowed ? "ALLOW, \(decision.reason.rawValue)" : "REFUSE, \(decision.reason.rawValue)")
    }

    private func question(_ settings: Settings) throws -> (Question, [String]) {
        guard let caller = settings.principals.first(where: { $0.name.text == principal }) else {
            throw ValidationError(
                "--principal \(principal): there is \(settings.principals.map(\.name.text).joined(separator: ", "))")
        }
        guard let store = settings.stores.first(where: { $0.bucket.text == bucket }) else {
            throw ValidationError(
                "--bucket \(bucket): there is \(settings.stores.map(\.bucket.text).joined(separator: ", "))")
        }
        guard let address = Address(address) else { throw ValidationError("--address is no IP address") }
        guard let rule = MailboxRule(store.mailbox) else {
            throw ValidationError("the store's mailbox rule is malformed")
        }
        let time = at ?? Clock.now()
        let location: Location =
            settings.gateway.considersLocation
            ? settings.networks.value(of: address).map { .datacenter($0) } ?? .nowhere : .notConsidered
        var notes: [String] = []
        let verifier = TokenVerifier(issuers: settings.issuers)
        let presented = try token.enumerated().map { index, text -> PresentedAuthorization in
            switch verifier.verify(try TokenArgument.bytes(text)) {
            case .malformed(let why):
                notes.append("token \(index + 1): malformed: \(why)")
                return .malformed
            case .untrusted(let why):
                notes.append("token \(index + 1): untrusted: \(why)")
                return .untrusted
            case .verified(let token): return token.authorization(at: time)
            }
        }
        let (operation, access) = meaning()
        var question = Question(
            operation: operation, access: access,
            isEntitled: caller.stores.contains(store.bucket) && caller.permissions.cover(operation),
            principal: caller.name, certificate: try certificate.map { try CertificateFile.fingerprint($0) },
            gatewayName: settings.gateway.name, gateway: settings.place,
            office: caller.office, location: location, store: store.policy, mailbox: try scope(rule),
            areas: settings.areas,
            time: time, authorizations: presented)
        if case .needsObject = Rule.decide(question) { question.object = try object(settings, store, time) }
        return (question, notes)
    }

    private func meaning() -> (Operation, Access) {
        switch action {
        case .get: (.getObject, .content)
        case .head: (.headObject, .traffic)
        case .list: (.listObjectsV2, .traffic)
        case .put: (.putObject, .write(conditional: false))
        case .delete: (.deleteObject, .delete)
        }
    }

    private func scope(_ rule: MailboxRule) throws -> MailboxScope {
        if action == .list { return rule.scope(ofPrefix: Array(key.utf8)) }
        guard let key = ObjectKey(utf8: Array(key.utf8)) else {
            throw ValidationError("--key is no object key: 1 to 1,024 bytes")
        }
        return rule.scope(of: key)
    }

    private func object(_ settings: Settings, _ store: StoreSettings, _ time: Timestamp) throws -> ObjectState {
        if action == .put { return .absent }
        var place = store.policy.place
        if let tag {
            guard let other = settings.datacenters.first(where: { $0.place.datacenter.text == tag })?.place else {
                throw ValidationError(
                    "--tag \(tag): there is \(settings.datacenters.map(\.place.datacenter.text).joined(separator: ", "))"
                )
            }
            place = other
        }
        return .tagged(ResidencyFacts(place: place, receivedSeconds: (received ?? time).seconds))
    }
}
