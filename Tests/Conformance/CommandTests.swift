import Foundation
import TestSupport
import Testing

/// The command-line tool as the legal desk and operators use it, with openssl as the other side.
@Suite(.serialized) final class CommandTests {
    static let world = Result { try World() }
    let world: World

    init() throws { world = try Self.world.get() }

    static let order = [
        "--issuer", "https://authorizations.example.ie", "--subject", "ediscovery", "--audience", "dub1-gw1",
        "--jurisdiction", "IE", "--authority-name", "Central Criminal Court", "--authority-country", "IE",
        "--requester", "law-enforcement", "--mailbox", "alice", "--data", "content", "--instrument", "warrant",
        "--reference", "2026/CCC/118",
    ]

    func bailiwick(_ arguments: [String], input: Data? = nil) throws -> CommandResult {
        try run(["\(products)/bailiwick"] + arguments, input: input, folder: world.folder.path)
    }

    func verify(_ token: String, _ arguments: String...) throws -> CommandResult {
        try bailiwick(["token", "verify", "--config", world.folder("dub1-gw1.toml")] + arguments + [token])
    }

    // MARK: - Keys

    @Test(arguments: ["Ed25519", "ES256", "ES384", "PS256", "RS256"])
    func anIssuersKeySignsWhatOpensslVerifies(algorithm: String) throws {
        let name = "issuer-\(algorithm)"
        let made = try bailiwick([
            "keys", "new", "--kind", "issuer", "--algorithm", algorithm, "--kid", "k1", "--private", "\(name).pem",
            "--jwks", "\(name).jwks",
        ])
        #expect(made.status == 0, "\(made.errors)")
        let mode = try FileManager.default.attributesOfItem(atPath: world.folder("\(name).pem"))[.posixPermissions]
        #expect(mode as? Int == 0o600)
        let issued = try bailiwick(
            ["token", "issue", "--key", "\(name).pem", "--algorithm", algorithm, "--kid", "k1", "--hours", "1"]
                + Self.order)
        #expect(issued.status == 0, "\(issued.errors)")
        let parts = issued.text.trimmingCharacters(in: .newlines).split(separator: ".").map(String.init)
        #expect(parts.count == 3)
        try world.folder.write("\(name).input", "\(parts[0]).\(parts[1])")
        var signature = try #require(base64url(parts[2]))
        if algorithm.hasPrefix("ES") { signature = der(signature) }
        try signature.write(to: URL(fileURLWithPath: world.folder("\(name).sig")))
        _ = try run([
            "openssl", "pkey", "-in", world.folder("\(name).pem"), "-pubout", "-out", world.folder("\(name).pub"),
        ])
        let digest = algorithm == "ES384" ? "-sha384" : "-sha256"
        let verified: CommandResult =
            algorithm == "Ed25519"
            ? try run([
                "openssl", "pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", world.folder("\(name).pub"), "-sigfile",
                world.folder("\(name).sig"), "-in", world.folder("\(name).input"),
            ])
            : try run(
                ["openssl", "dgst", digest, "-verify", world.folder("\(name).pub")]
                    + (algorithm == "PS256"
                        ? ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:32"] : [])
                    + ["-signature", world.folder("\(name).sig"), world.folder("\(name).input")])
        #expect(verified.status == 0, "\(verified.text)\(verified.errors)")
    }

    @Test func aKeyFileIsNeverOverwritten() throws {
        let arguments = ["keys", "new", "--kind", "seal", "--id", "x", "--private", "keys/seal-dub1"]
        let before = world.folder.read("keys/seal-dub1")
        let result = try bailiwick(arguments)
        #expect(result.status != 0)
        #expect(result.errors.contains("keys/seal-dub1"))
        #expect(world.folder.read("keys/seal-dub1") == before)
    }

    /// A set of one key more than gateways take would keep each of them from its next start.
    @Test func aKeySetDoesNotGrowBeyondWhatGatewaysTake() throws {
        func make(_ number: Int) throws -> CommandResult {
            try bailiwick([
                "keys", "new", "--kind", "issuer", "--algorithm", "Ed25519", "--kid", "k\(number)", "--private",
                "many-\(number).pem", "--jwks", "many.jwks",
            ])
        }
        for number in 1...64 { #expect(try make(number).status == 0) }
        let full = world.folder.read("many.jwks")
        let one = try make(65)
        #expect(one.status == 1 && one.errors.contains("1 to 64 keys"), "\(one)")
        #expect(world.folder.read("many.jwks") == full)
        #expect(!FileManager.default.fileExists(atPath: world.folder("many-65.pem")))
    }

    /// Root may make them under a narrow umask, and the daemon's user reads them.
    @Test func whatTheDaemonReadsIsForAllToRead() throws {
        func narrow(_ arguments: [String]) throws {
            let command = ["sh", "-c", #"umask 077; exec "$0" "$@""#, "\(products)/bailiwick"]
            let result = try run(command + arguments, folder: world.folder.path)
            #expect(result.status == 0, "\(result.errors)")
        }
        func mode(_ name: String) throws -> Int? {
            try FileManager.default.attributesOfItem(atPath: world.folder(name))[.posixPermissions] as? Int
        }
        try narrow(["token", "revoke", "--deny-list", "narrow.denied", try world.irishToken()])
        try narrow([
            "keys", "new", "--kind", "issuer", "--kid", "k1", "--private", "narrow.pem", "--jwks", "narrow.jwks",
        ])
        #expect(try mode("narrow.denied") == 0o644)
        #expect(try mode("narrow.jwks") == 0o644)
        #expect(try mode("narrow.pem") == 0o600)
        // Whoever narrowed a list that is there meant it.
        try FileManager.default.setAttributes(
            [.posixPermissions: 0o640], ofItemAtPath: world.folder("narrow.denied"))
        try narrow(["token", "revoke", "--deny-list", "narrow.denied", try world.irishToken()])
        #expect(try mode("narrow.denied") == 0o640)
    }

    // MARK: - Tokens

    /// The legal desk's key never touches this machine: it gets bytes, and gives a signature.
    @Test func aSignatureMadeElsewhereIsAttached() throws {
        let requested = try bailiwick(
            [
                "token", "issue", "--algorithm", "ES256", "--kid", "ie-2026", "--hours", "2", "--request", "order.tbs",
            ] + Self.order)
        #expect(requested.status == 0, "\(requested.errors)")
        // It names mailboxes, under an order that may have to stay secret.
        let attributes = try FileManager.default.attributesOfItem(atPath: world.folder("order.tbs"))
        #expect(attributes[.posixPermissions] as? Int == 0o600)
        _ = try run([
            "openssl", "dgst", "-sha256", "-sign", world.folder("keys/issuer-ie.pem"), "-out",
            world.folder("order.sig"),
            world.folder("order.tbs"),
        ])
        let attach = ["token", "issue", "--request", "order.tbs", "--attach", "order.sig", "--jwks", "issuers/ie.jwks"]
        let attached = try bailiwick(attach)
        #expect(attached.status == 0, "\(attached.errors)")
        let token = attached.text.trimmingCharacters(in: .newlines)
        #expect(try verify(token).status == 0)
        // A signature of something else is not attached.
        try world.folder.write("order.tbs", world.folder.read("order.tbs").replacingOccurrences(of: ".", with: "."))
        _ = try run([
            "openssl", "dgst", "-sha256", "-sign", world.folder("keys/issuer-ie.pem"), "-out",
            world.folder("order.sig"),
            world.folder("issuers/ie.jwks"),
        ])
        let other = try bailiwick(attach)
        #expect(other.status != 0)
        #expect(other.errors.contains("does not verify"))
    }

    @Test func inspectShowsWhatATokenSaysAndBelievesNothing() throws {
        let token = try world.irishToken()
        let shown = try bailiwick(["token", "inspect", String(token.dropLast(6)) + "AAAAAA"])
        #expect(shown.status == 0, "\(shown.errors)")
        for text in ["UNVERIFIED", "alice", "warrant", "2026/CCC/118", "Central Criminal Court", "ediscovery"] {
            #expect(shown.text.contains(text), "\(text) is missing in \(shown.text)")
        }
        // Anybody may have written it: no second is too early or too late.
        let payload = try #require(base64url(String(token.split(separator: ".")[1])))
        var claims = try #require(try JSONSerialization.jsonObject(with: payload) as? [String: Any])
        (claims["nbf"], claims["exp"]) = (Int64.min, Int64.max)
        let hostile = try JSONSerialization.data(withJSONObject: claims).base64EncodedString()
            .replacingOccurrences(of: "+", with: "-").replacingOccurrences(of: "/", with: "_")
            .replacingOccurrences(of: "=", with: "")
        let extreme = try bailiwick(["token", "inspect", "\(token.split(separator: ".")[0]).\(hostile).AAAA"])
        #expect(extreme.status == 0 && extreme.text.contains("-9223372036854775808 (unix seconds)"), "\(extreme)")
        let garbage = try bailiwick(["token", "inspect", "a.b.c"])
        #expect(garbage.status != 0)
        #expect(garbage.errors.contains("malformed"))
    }

    @Test func verifySaysWhichClaimFailsAndWhy() throws {
        let good = try world.irishToken()
        let accepted = try verify(good)
        #expect(accepted.status == 0, "\(accepted.errors)")
        #expect(accepted.text.contains("good at dub1-gw1"))
        func refused(_ token: String, _ arguments: String..., says: String, _ claim: String) throws {
            let result = try bailiwick(
                ["token", "verify", "--config", world.folder("dub1-gw1.toml")] + arguments + [token])
            #expect(result.status == 1)
            #expect(result.errors.contains(says) && result.errors.contains(claim), "\(result.errors)")
        }
        try refused(String(good.dropLast(6)) + "AAAAAA", says: "untrusted", "signature")
        try refused("x", says: "malformed", "instead of 3")
        try refused(good, "--principal", "thief", says: "wrong-bearer", "sub")
        try refused(good, "--at", "2099-01-01T00:00:00Z", says: "expired", "exp")
        try refused(good, "--at", "2020-01-01T00:00:00Z", says: "not-yet-valid", "nbf")
        try refused(try world.irishToken("--instrument", "subpoena"), says: "out-of-scope", "instrument")
        // What opens nothing here, whatever is read, is not good.
        try refused(try world.irishToken("--jurisdiction", "US"), says: "out-of-scope", "the jurisdiction US")
        try refused(try world.irishToken(data: "relocate"), says: "out-of-scope", "its data is relocate")
        try refused(try world.irishToken(mailbox: "ali*"), says: "out-of-scope", "mailboxes by their beginnings")
        try refused(try world.irishToken("--datacenter", "iad1"), says: "out-of-scope", "none of its datacenters")
        try refused(try world.irishToken("--subject", "nobody"), says: "wrong-bearer", "no principal of this gateway")
        #expect(try verify(try world.irishToken(data: "content", "--instrument", "court-order")).status == 0)
        let bound = try world.irishToken("--certificate", world.folder("pki/iad1-ediscovery.crt"))
        try refused(bound, "--certificate", world.folder("pki/iad1-thief.crt"), says: "wrong-bearer", "cnf")
        #expect(try verify(bound, "--certificate", world.folder("pki/iad1-ediscovery.crt")).status == 0)
        let elsewhere = try bailiwick(["token", "verify", "--config", world.folder("iad1-gw1.toml"), good])
        #expect(elsewhere.status == 1)
        #expect(elsewhere.errors.contains("wrong-audience") && elsewhere.errors.contains("aud"))
        // Revoked here, and nowhere else.
        let another = try world.irishToken()
        let revoked = try bailiwick(
            ["token", "revoke", "--deny-list", "issuers/ie.denied", "--reason", "withdrawn", another])
        #expect(revoked.status == 0, "\(revoked.errors)")
        try refused(another, says: "revoked", "jti")
        #expect(try verify(good).status == 0)
    }

    /// An option of another kind is a mistake about what is made.
    @Test func aKeyTakesNoOptionOfAnotherKind() throws {
        let key = try bailiwick(["keys", "new", "--kind", "seal", "--id", "a", "--kid", "b", "--private", "seal-b"])
        #expect(key.status == 64 && key.errors.contains("--kid is not for a key of the kind seal"), "\(key)")
        #expect(!FileManager.default.fileExists(atPath: world.folder("seal-b")))
    }

    /// What could only be meant otherwise is not signed.
    @Test func whatNobodyWouldTakeIsNotIssued() throws {
        let signing = ["--key", "keys/issuer-ie.pem", "--kid", "ie-2026", "--hours", "1"]
        for (more, says) in [
            (["--audience", "dub1-gw1,dub1-gw2"], "--audience dub1-gw1,dub1-gw2"),
            (["--datacenter", "dub1 "], "--datacenter dub1 "),
        ] {
            let result = try bailiwick(["token", "issue"] + signing + Self.order + more)
            #expect(result.status == 64 && result.errors.contains(says) && result.text.isEmpty, "\(result)")
        }
        let attached = try bailiwick([
            "token", "issue", "--request", "a", "--attach", "b", "--jwks", "issuers/ie.jwks", "--mailbox", "bob",
        ])
        #expect(attached.status == 64 && attached.errors.contains("leave out all but"), "\(attached)")
        // The token in the place of its name.
        let list = ["token", "revocations", "--issuer", "https://authorizations.example.ie"] + signing
        let revoked = try bailiwick(list + ["--token-id", try world.irishToken()])
        #expect(revoked.status == 64 && revoked.errors.contains("the jti of a token"), "\(revoked)")
        #expect(try bailiwick(list + ["--token-id", "a"]).status == 0)
    }

    /// A token, a list or a key that a full disk cut off is not handed out as one.
    @Test func whatCannotBeWrittenIsNotSaidToBe() throws {
        func full(_ arguments: [String]) throws -> CommandResult {
            try run(
                ["sh", "-c", #"exec "$0" "$@" > /dev/full"#, "\(products)/bailiwick"] + arguments,
                folder: world.folder.path)
        }
        let signing = ["--key", "keys/issuer-ie.pem", "--kid", "ie-2026", "--hours", "1"]
        for arguments in [
            ["token", "issue"] + signing + Self.order,
            ["token", "revocations", "--issuer", "https://authorizations.example.ie"] + signing,
            ["keys", "new", "--kind", "log", "--name", "logs.example.org/full", "--private", "full-log-key"],
            ["log", "key", "keys/log-dub1"],
        ] {
            let result = try full(arguments)
            #expect(result.status == 1 && result.errors.contains("No space left on device"), "\(arguments): \(result)")
            #expect(!result.errors.contains("This warrant opens"), "\(result.errors)")
        }
    }

    @Test func aMissingOptionIsNamed() throws {
        let result = try bailiwick(["token", "issue", "--issuer", "x", "--hours", "1"])
        #expect(result.status != 0)
        #expect(result.errors.contains("--subject"))
    }

    // MARK: - Explain

    @Test(arguments: [
        ("mailserver-dub1", "127.0.10.5", [], "ALLOW, domestic"),
        ("ediscovery", "127.0.20.5", [], "REFUSE, authorization-required"),
        ("support", "127.0.20.5", [], "REFUSE, authorization-required"),
        ("support", "192.0.2.1", [], "REFUSE, authorization-required"),
        ("ediscovery", "127.0.20.5", ["token"], "ALLOW, authorized"),
        ("thief", "127.0.20.5", ["token"], "REFUSE, authorization-wrong-bearer"),
        ("ediscovery", "127.0.20.5", ["--action", "delete"], "REFUSE, not-entitled"),
        ("mailserver-dub1", "127.0.20.5", ["--action", "delete"], "REFUSE, foreign-delete"),
        ("mailserver-dub1", "127.0.20.5", ["--action", "put"], "ALLOW, delivery"),
        ("mailserver-dub1", "127.0.10.5", ["--tag", "iad1"], "REFUSE, authorization-required"),
    ])
    func explainSaysWhatWouldBeDecidedAndWhy(
        principal: String, address: String, more: [String], verdict: String
    ) throws {
        var arguments = [
            "explain", "--config", world.folder("dub1-gw1.toml"), "--principal", principal, "--address", address,
            "--bucket", "mail-dub1", "--key", "alice/INBOX/1",
        ]
        arguments += more == ["token"] ? ["--token", try world.irishToken()] : more
        let result = try bailiwick(arguments)
        #expect(result.status == 0, "\(result.errors)")
        #expect(result.text.contains(verdict), "\(result.text)")
        // The parts of the rule are DESIGN's own numbers.
        #expect(result.text.contains("3"))
    }

    @Test func explainTriesABoundTokenWithTheCallersCertificate() throws {
        func explained(_ certificate: String) throws -> String {
            try bailiwick([
                "explain", "--config", world.folder("dub1-gw1.toml"), "--principal", "ediscovery", "--address",
                "127.0.20.5", "--bucket", "mail-dub1", "--key", "alice/INBOX/1", "--certificate",
                world.folder("pki/\(certificate).crt"), "--token",
                try world.irishToken("--certificate", world.folder("pki/iad1-ediscovery.crt")),
            ]).text
        }
        #expect(try explained("iad1-ediscovery").contains("ALLOW, authorized"))
        #expect(try explained("iad1-ediscovery-2").contains("REFUSE, authorization-wrong-bearer"))
    }

    @Test func everyCommandHasHelpThatTeaches() throws {
        let commands = [
            ["keys", "new"], ["token", "issue"], ["token", "inspect"], ["token", "verify"], ["token", "revoke"],
            ["explain"], ["tags", "reseal"], ["tags", "scan"], ["log", "verify"], ["log", "query"],
            ["log", "follow"], ["log", "prove"], ["log", "check-proof"], ["log", "stats"], ["log", "audit"],
            ["log", "key"], ["witness"],
        ]
        for command in commands {
            let help = try bailiwick(command + ["--help"])
            #expect(help.status == 0)
            #expect(help.text.contains("EXAMPLE"), "\(command) has no example")
        }
    }

    private func base64url(_ text: String) -> Data? {
        let standard = text.replacingOccurrences(of: "-", with: "+").replacingOccurrences(of: "_", with: "/")
        return Data(base64Encoded: standard + String(repeating: "=", count: (4 - standard.count % 4) % 4))
    }

    /// A JOSE signature of two numbers as ASN.1 has it.
    private func der(_ signature: Data) -> Data {
        func integer(_ bytes: Data) -> Data {
            var number = bytes.drop { $0 == 0 }
            if number.first.map({ $0 >= 0x80 }) ?? true { number = Data([0]) + number }
            return Data([0x02, UInt8(number.count)]) + number
        }
        let half = signature.count / 2
        let body = integer(signature.prefix(half)) + integer(signature.suffix(half))
        return Data([0x30]) + (body.count < 128 ? Data([UInt8(body.count)]) : Data([0x81, UInt8(body.count)])) + body
    }
}
