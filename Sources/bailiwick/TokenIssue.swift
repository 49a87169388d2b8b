internal import ArgumentParser
internal import JSON
internal import OpenSSL
internal import Residency
internal import Tokens

/// `bailiwick token issue`.
struct TokenIssue: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "issue",
        abstract: "Issues an authorization: the token goes to standard output, a summary to standard error.",
        discussion: """
            EXAMPLE: one mailbox, mail of one quarter, for one tool, for three days
              bailiwick token issue --issuer https://authorizations.example.ie --key issuer-ie.pem --kid ie-2026 \\
                --subject ediscovery --audience dub1-gw1 --jurisdiction IE --mailbox alice --data content \\
                --received-from 2026-01-01T00:00:00Z --received-to 2026-04-01T00:00:00Z --hours 72 \\
                --instrument warrant --reference 2026/CCC/118 --authority-name 'Central Criminal Court' \\
                --authority-country IE --requester law-enforcement

            A KEY THAT IS ELSEWHERE (a smart card, a machine without a network)
              bailiwick token issue … --algorithm ES256 --kid ie-2026 --request order.tbs
              openssl dgst -sha256 -sign issuer.pem -out order.sig order.tbs     (there)
              bailiwick token issue --request order.tbs --attach order.sig --jwks ie.jwks
            """)

    @Option(help: "iss: the issuer's id, as gateways' settings name it.") var issuer: String?
    @Option(help: ArgumentHelp("The private key that signs: PKCS#8 in PEM, or a JWK.", valueName: "file")) var key:
        String?
    @Option(help: "How the issuer's key set names the key.") var kid: String?
    @Option(help: "The algorithm; needed with --request, and for RSA keys that are not for PS256.")
    var algorithm: SignatureAlgorithm?
    @Option(help: "sub: the principal that may use it.") var subject: String?
    @Option(help: "aud: a gateway or datacenter; repeatable.") var audience: [String] = []
    @Option(help: "Whose law it is given under, such as IE.") var jurisdiction: Jurisdiction?
    @Option(help: "Only objects of this datacenter; repeatable.") var datacenter: [String] = []
    @Option(help: "A mailbox, or a beginning followed by *; repeatable.") var mailbox: [String] = []
    @Option(help: "traffic, content (includes traffic) or relocate; repeatable.") var data: [DataClassArgument] = []
    @Option(help: "Only objects received from this time on (RFC 3339).") var receivedFrom: Timestamp?
    @Option(help: "Only objects received before this time.") var receivedTo: Timestamp?
    @Option(help: "How long it is valid.") var hours: Int64?
    @Option(help: "Valid from this time on; now, if not given.") var notBefore: Timestamp?
    @Option(help: "Valid until this time, instead of --hours.") var expires: Timestamp?
    @Option(
        help: "warrant, mlat, european-production-order, executive-agreement-order, consent, court-order, emergency, …")
    var instrument: String?
    @Option(help: "The order's own number.") var reference: String?
    @Option(help: "Who gave the order.") var authorityName: String?
    @Option(help: "That authority's country.") var authorityCountry: Jurisdiction?
    @Option(help: "On whose behalf.") var requester: LegalBasis.Requester?
    @Option(help: "Until when the order must not be disclosed.") var nondisclosureUntil: Timestamp?
    @Option(help: ArgumentHelp("Bind it to this client certificate.", valueName: "file")) var certificate: String?
    @Option(help: "jti: a name for this token; random, if not given.") var tokenID: String?
    @Option(help: ArgumentHelp("Write the bytes to sign here instead of signing.", valueName: "file")) var request:
        String?
    @Option(help: ArgumentHelp("Attach this signature of the --request.", valueName: "file")) var attach: String?
    @Option(help: ArgumentHelp("With --attach: the key set to check the signature by.", valueName: "file")) var jwks:
        String?

    func run() throws {
        if let attach {
            guard let request, let jwks else { throw ValidationError("--attach needs --request and --jwks.") }
            guard !saysMore else {
                throw ValidationError(
                    "--attach takes the order as --request has it: leave out all but --request, --attach and --jwks.")
            }
            return try finish(request: request, signature: attach, jwks: jwks)
        }
        let claims = try claims()
        let kid = try needed(kid, "--kid")
        if let request {
            guard key == nil else {
                throw ValidationError("--request is for a key that is elsewhere: leave --key out.")
            }
            let builder = try build(claims, try needed(algorithm, "--algorithm"), kid)
            if request == "-" {
                try Output.text(String(decoding: builder.signingInput, as: UTF8.self))
            } else {
                // It names mailboxes, under an order that may not be disclosed.
                try KeyFiles.create(request, builder.signingInput, mode: 0o600)
            }
            KeyFiles.tell(TokenSummary(claims).text)
            KeyFiles.tell(
                "\(request): \(builder.signingInput.count) bytes to sign with \(builder.algorithm.rawValue), and nothing else."
            )
            return
        }
        let path = try needed(key, "--key (or --request)")
        let privateKey = try TokenFiles.privateKey(path, algorithm)
        let builder = try build(claims, privateKey.algorithm, kid)
        try Output.text(String(decoding: try builder.signed(by: privateKey), as: UTF8.self) + "\n")
        KeyFiles.tell(TokenSummary(claims).text)
    }

    /// Is something of an order given besides the files?
    private var saysMore: Bool {
        let texts = [issuer, key, kid, subject, instrument, reference, authorityName, certificate, tokenID]
        let lists = [audience, datacenter, mailbox]
        let times = [receivedFrom, receivedTo, notBefore, expires, nondisclosureUntil]
        return texts.contains { $0 != nil } || lists.contains { !$0.isEmpty } || times.contains { $0 != nil }
            || !data.isEmpty || hours != nil || algorithm != nil || jurisdiction != nil || authorityCountry != nil
            || requester != nil
    }

    private func finish(request: String, signature: String, jwks: String) throws {
        let input = try KeyFiles.read(request)
        let builder: TokenBuilder
        let unsigned: UnverifiedToken
        do throws(MalformedToken) {
            builder = try TokenBuilder(signingInput: input)
            unsigned = try UnverifiedToken(parsing: input + Array(".AA".utf8))
        } catch { throw TokenCommandError.malformed(error) }
        guard let publicKey = try TokenFiles.keySet(jwks)[JSONString(unsigned.keyID)] else {
            throw TokenCommandError.unknownKey(unsigned.keyID, jwks)
        }
        guard let token = builder.attaching(try KeyFiles.read(signature), of: publicKey) else {
            throw TokenCommandError.signature
        }
        try Output.text(String(decoding: token, as: UTF8.self) + "\n")
        KeyFiles.tell(TokenSummary(unsigned.claims).text)
    }

    private func build(_ claims: Claims, _ algorithm: SignatureAlgorithm, _ kid: String) throws -> TokenBuilder {
        do throws(MalformedToken) {
            return try TokenBuilder(claims: claims, algorithm: algorithm, keyID: kid)
        } catch { throw TokenCommandError.malformed(error) }
    }

    private func claims() throws -> Claims {
        let now = Clock.now().seconds
        let begin = notBefore?.seconds ?? now
        let end: Int64
        switch (hours, expires) {
        case (let hours?, nil):
            guard (1...87_600).contains(hours) else { throw ValidationError("--hours is 1 to 87600.") }
            end = begin + hours * 3600
        case (nil, let expires?): end = expires.seconds
        default: throw ValidationError("Say how long it is valid: either --hours or --expires.")
        }
        guard end > begin else { throw ValidationError("It would expire before it begins.") }
        guard PrincipalName(try needed(subject, "--subject")) != nil else {
            throw ValidationError("--subject is no name that a principal can have.")
        }
        // Names alone can be matched: two of them in one text, or a space, would be a token that nobody takes.
        for (option, names) in [("--audience", audience), ("--datacenter", datacenter)] {
            guard let other = names.first(where: { DatacenterName($0) == nil }) else { continue }
            throw ValidationError(
                "\(option) \(other): no name that a gateway or a datacenter can have; give the option once for each.")
        }
        return Claims(
            issuer: try needed(issuer, "--issuer"), subject: try needed(subject, "--subject"),
            audience: try some(audience, "--audience"),
            tokenID: tokenID ?? Base64.url.encode(randomBytes(16)), issuedAtSeconds: now, notBeforeSeconds: begin,
            expiresSeconds: end, certificate: try certificate.map { try CertificateFile.fingerprint($0) },
            elements: [try element()],
            legalBasis: LegalBasis(
                instrument: try needed(instrument, "--instrument"), reference: try needed(reference, "--reference"),
                authorityName: try needed(authorityName, "--authority-name"),
                authorityCountry: try needed(authorityCountry, "--authority-country"),
                requester: try needed(requester, "--requester"), nondisclosureUntil: nondisclosureUntil))
    }

    private func element() throws -> GrantElement {
        var patterns: [MailboxPattern] = []
        for name in try some(mailbox, "--mailbox") {
            guard let pattern = MailboxPattern(text: JSONString(name)) else {
                throw ValidationError(
                    "--mailbox \(name): a name, or the beginning of names followed by one *; never a bare *.")
            }
            patterns.append(pattern)
        }
        let received: Range<Timestamp>?
        switch (receivedFrom, receivedTo) {
        case (nil, nil): received = nil
        case (let from?, let to?) where from < to: received = from..<to
        default: throw ValidationError("--received-from and --received-to come together, the earlier one first.")
        }
        return GrantElement(
            jurisdiction: try needed(jurisdiction, "--jurisdiction"),
            datacenters: datacenter.isEmpty ? nil : datacenter,
            mailboxes: patterns, data: DataClasses(try some(data, "--data").map(\.data)), received: received)
    }

    private func needed<Value>(_ value: Value?, _ name: String) throws -> Value {
        guard let value else { throw ValidationError("Missing \(name). See the example in --help.") }
        return value
    }

    private func some<Value>(_ values: [Value], _ name: String) throws -> [Value] {
        guard !values.isEmpty else { throw ValidationError("Missing \(name). See the example in --help.") }
        return values
    }
}
