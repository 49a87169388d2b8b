internal import ArgumentParser
internal import OpenSSL
internal import Residency
internal import Tokens

/// `bailiwick token revocations`: the issuer's own list, where `token revoke` writes a gateway's.
struct TokenRevocations: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "revocations", abstract: "Signs an issuer's list of withdrawn authorizations and prints it.",
        discussion: """
            Gateways read it as the issuer's `revocations`. Past its end they take every token of the issuer for revoked, so sign a new
            one well before, even when nothing was withdrawn; it must name every token that is still to be refused.

            EXAMPLE
              bailiwick token revocations --issuer https://authorizations.example.ie --key issuer-ie.pem --kid ie-2026 \\
                --hours 72 --token-id 9zvXQ0n3 --token-id Jk2 > ie.revocations
            """)

    @Option(help: "The issuer's id, as the settings of gateways have it.") var issuer: String
    @Option(help: ArgumentHelp("The issuer's private key, PEM or JWK.", valueName: "file")) var key: String
    @Option(help: "How the issuer's key set names the key.") var kid: String
    @Option(help: "For an RSA key: PS256 or RS256.") var algorithm: SignatureAlgorithm?
    @Option(help: "How long the list can be relied on.") var hours: Int64
    @Option(help: "The jti of a withdrawn token; repeatable.") var tokenID: [String] = []

    func validate() throws {
        guard (1...8784).contains(hours) else { throw ValidationError("--hours is 1 to 8784.") }
        guard tokenID.allSatisfy({ (1...TokenLimits.identifierBytesMax).contains($0.utf8.count) }) else {
            throw ValidationError(
                "--token-id is the jti of a token, 1 to \(TokenLimits.identifierBytesMax) bytes: `bailiwick token inspect` shows it."
            )
        }
        guard (1...TokenLimits.identifierBytesMax).contains(kid.utf8.count) else {
            throw ValidationError("--kid is 1 to \(TokenLimits.identifierBytesMax) bytes.")
        }
    }

    func run() throws {
        let privateKey = try TokenFiles.privateKey(key, algorithm)
        let now = Clock.now().seconds
        let builder = TokenBuilder(
            revoking: tokenID, issuer: issuer, issuedAtSeconds: now, expiresSeconds: now + hours * 3600,
            algorithm: privateKey.algorithm, keyID: kid)
        try Output.text(String(decoding: try builder.signed(by: privateKey), as: UTF8.self) + "\n")
    }
}
