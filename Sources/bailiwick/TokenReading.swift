internal import ArgumentParser
internal import DecisionLog
internal import JSON
internal import OpenSSL
internal import Residency
internal import Settings
internal import Tokens

/// `bailiwick token inspect`.
struct TokenInspect: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inspect", abstract: "Shows what a token says, believing none of it.",
        discussion: """
            EXAMPLE
              bailiwick token inspect "$(cat token)"
            """)

    @Argument(help: TokenArgument.help) var token: String

    func run() throws {
        let bytes = try TokenArgument.bytes(token)
        let unverified: UnverifiedToken
        do throws(MalformedToken) { unverified = try UnverifiedToken(parsing: bytes) } catch {
            throw TokenCommandError.malformed(error)
        }
        print("UNVERIFIED: what it says of itself; see `bailiwick token verify`.")
        print("  signed    \(unverified.algorithm.rawValue), kid \(quoted(unverified.keyID))")
        print(TokenSummary(unverified.claims).text)
    }
}

/// `bailiwick token verify`.
struct TokenVerify: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Verifies a token as a gateway would; says which claim fails and why, exit status 1.",
        discussion: """
            EXAMPLE
              bailiwick token verify --config /etc/bailiwick/bailiwick.toml --principal ediscovery "$(cat token)"
            """)

    @Argument(help: TokenArgument.help) var token: String
    @Option(help: "The settings of the gateway that is to take it.") var config = "/etc/bailiwick/bailiwick.toml"
    @Option(help: "The principal that is to present it; the token's own, if not given.") var principal: String?
    @Option(help: ArgumentHelp("The client certificate that it is to be presented with.", valueName: "file"))
    var certificate: String?
    @Option(help: "At which time; now, if not given.") var at: Timestamp?

    func run() throws {
        let settings: Settings
        do throws(SettingsError) { settings = try Settings.load(path: config, lastServed: LastServed.policy) } catch {
            throw ValidationError(error.description)
        }
        let time = at ?? Clock.now()
        let verified: VerifiedToken
        switch TokenVerifier(issuers: settings.issuers).verify(try TokenArgument.bytes(token)) {
        case .malformed(let why): return try refuse("malformed: \(why)")
        case .untrusted(let why): return try refuse("untrusted: \(why)")
        case .verified(let token): verified = token
        }
        let grant = verified.grant(at: time)
        let bearer = principal ?? verified.claims.subject.text
        guard let name = PrincipalName(bearer) else {
            return try refuse("wrong-bearer: sub \(quoted(bearer)) is no principal's name")
        }
        if !grant.isAddressed(to: settings.gateway.name, in: settings.place.datacenter) {
            return try refuse(
                "wrong-audience: aud names neither \(settings.gateway.name) nor \(settings.place.datacenter)")
        }
        if !grant.isBorne(by: name, certificate: try certificate.map { try CertificateFile.fingerprint($0) }) {
            return try refuse(
                "wrong-bearer: sub is \(quoted(verified.claims.subject.text))"
                    + (verified.claims.certificate == nil ? "" : ", bound by cnf to one certificate"))
        }
        guard settings.principals.contains(where: { $0.name == name }) else {
            return try refuse("wrong-bearer: \(name) is no principal of this gateway")
        }
        if !grant.hasBegun(at: time) {
            return try refuse("not-yet-valid: nbf or iat is more than 60 s after \(time.rfc3339)")
        }
        if grant.isExpired(at: time) {
            return try refuse("expired: exp was \(Timestamp(seconds: verified.expiresSeconds).rfc3339)")
        }
        if grant.isRevoked {
            return try refuse(
                "revoked: jti \(quoted(verified.tokenID)) is on the issuer's list or the deny list, or that list has expired"
            )
        }
        if !grant.hasLifetimeAllowed {
            return try refuse("out-of-scope: exp - nbf is longer than this issuer and instrument may grant")
        }
        if grant.instrumentOpens.isEmpty {
            return try refuse(
                "out-of-scope: the instrument \(quoted(verified.instrument)) opens nothing under this issuer")
        }
        let gaps = verified.claims.elements.map { Self.gap(in: $0, grant, settings) }
        let notes = gaps.enumerated().compactMap { index, gap in gap.map { "element \(index) opens nothing: \($0)" } }
        guard gaps.contains(nil) else { return try refuse("out-of-scope: \(notes.joined(separator: "; "))") }
        print("good at \(settings.gateway.name), \(time.rfc3339)")
        print(TokenSummary(verified.claims).text)
        for note in notes { print("Note: \(note).") }
    }

    /// Why an element opens nothing at this gateway, whatever is read; nil where it can open something.
    private static func gap(in element: GrantElement, _ grant: Grant, _ settings: Settings) -> String? {
        guard grant.jurisdictions.contains(element.jurisdiction) else {
            return "its issuer may not speak for the jurisdiction \(element.jurisdiction)"
        }
        let classes: [DataClasses] = [.traffic, .content]
        guard classes.contains(where: { element.data.covers($0) && grant.instrumentOpens.covers($0) }) else {
            return "its data is \(element.data), and its instrument opens \(grant.instrumentOpens)"
        }
        guard element.mailboxes.contains(where: { if case .exact = $0 { true } else { grant.allowsPrefixes } }) else {
            return "its issuer may not name mailboxes by their beginnings"
        }
        let places = settings.datacenters.map(\.place).filter { $0.jurisdiction == element.jurisdiction }
        if let names = element.datacenters, !places.contains(where: { names.contains($0.datacenter.text) }) {
            return "none of its datacenters is known here in \(element.jurisdiction)"
        }
        return nil
    }

    private func refuse(_ why: String) throws {
        KeyFiles.tell(why)
        throw ExitCode(1)
    }
}

/// `bailiwick token revoke`.
struct TokenRevoke: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "revoke",
        abstract: "Puts a token on a gateway's local deny list; reload the gateway to have it take effect.",
        discussion: """
            EXAMPLE
              bailiwick token revoke --deny-list /etc/bailiwick/issuers/ie.denied --reason 'order withdrawn' "$(cat token)"
              systemctl reload bailiwick
            """)

    @Argument(help: TokenArgument.help) var token: String
    @Option(
        help: ArgumentHelp("The file that the issuer's deny_list names; made where there is none.", valueName: "file"))
    var denyList: String
    @Option(help: "Why, for whoever reads the list.") var reason: String?

    func run() throws {
        let bytes = try TokenArgument.bytes(token)
        let unverified: UnverifiedToken
        do throws(MalformedToken) { unverified = try UnverifiedToken(parsing: bytes) } catch {
            throw TokenCommandError.malformed(error)
        }
        try KeyFiles.append(
            DenyList.line(
                issuer: unverified.claims.issuer.text, tokenID: unverified.claims.tokenID.text, time: Clock.now(),
                reason: reason),
            to: denyList)
        print(
            "denied: \(quoted(unverified.claims.tokenID.text)) of \(quoted(unverified.claims.issuer.text)); now reload the gateway"
        )
    }
}
