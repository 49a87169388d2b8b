import Foundation
import OpenSSL
import Residency
import TestSupport
import Testing
import Tokens

@testable import Settings

/// The settings of the demo, edited in one place, and what the loader says of it.
@Suite struct SettingsTests {
    static let world = Result { try World() }

    let world: World
    let text: String

    init() throws {
        world = try Self.world.get()
        text = world.folder.read("dub1-gw1.toml")
    }

    func load(_ text: String, previous: Settings? = nil) throws -> Settings {
        let sandbox = try Sandbox("settings")
        return try Settings.load(path: try sandbox.write("bailiwick.toml", text), previous: previous)
    }

    func edited(_ old: String, _ new: String) throws -> String {
        guard text.contains(old) else { throw TestFailure("the settings hold no \(old)") }
        return text.replacingOccurrences(of: old, with: new)
    }

    /// Who names what could not be read is not told that there is no such thing.
    @Test func oneMistakeIsOneProblem() throws {
        for (from, to, key) in [
            ("jurisdiction = \"IE\"", "jurisdiction = \"IRL\"", "datacenter[0].jurisdiction"),
            ("driver = \"directory\"", "driver = \"x\"", "store[0].driver"),
            ("listen = [\"127.0.0.1:\(world.dublin)\"]", "listen = [\"localhost:1\"]", "gateway.listen[0]"),
        ] {
            let error = #expect(throws: SettingsError.self) { try load(try edited(from, to)) }
            #expect(error?.problems.map(\.key) == [key])
        }
    }

    /// The daemon would find it in use by another process, which it is itself.
    @Test func noTwoListenersShareAnAddress() throws {
        let (own, operators) = ("127.0.0.1:\(world.dublin)", "127.0.0.1:\(world.dublin + 1)")
        for (text, key) in [
            (
                try edited("operators_listen = \"\(operators)\"", "operators_listen = \"\(own)\""),
                "gateway.operators_listen"
            ),
            (try edited("listen = [\"\(own)\"]", "listen = [\"\(own)\", \"\(own)\"]"), "gateway.listen[1]"),
        ] {
            let error = #expect(throws: SettingsError.self) { try load(text) }
            #expect(error?.problems.map(\.key) == [key])
        }
        _ = try load(try edited("listen = [\"\(own)\"]", "listen = [\"127.0.0.1:0\", \"127.0.0.1:0\"]"))
    }

    @Test func theDemosSettingsAreReadWhole() throws {
        let settings = try load(text)
        #expect(settings.gateway.name.text == "dub1-gw1")
        #expect(settings.place.jurisdiction.code == "IE")
        #expect(settings.datacenters.map(\.place.datacenter.text) == ["dub1", "iad1"])
        #expect(settings.areas.map(\.name) == ["EEA"])
        #expect(settings.stores.map(\.bucket.text) == ["mail-dub1"])
        #expect(settings.stores[0].policy.untagged == .refuse)
        #expect(settings.stores[0].policy.foreignWrites == .create)
        #expect(settings.stores[0].mailbox == "{mailbox}/**")
        #expect(settings.gateway.considersLocation)
        #expect(settings.gateway.stopTimeoutSeconds == 30)
        #expect(settings.tls.requiresClientCertificate && !settings.tls.allowsTLS12)
        #expect(settings.log.checkpointIntervalMilliseconds == 1000)
        #expect(settings.warnings.isEmpty)
        #expect(!settings.policy.isEmpty)
    }

    /// How long a log is kept changes no decision: not its policy either. It is read without the keys that the file names.
    @Test func retentionIsReadWithoutTheRest() throws {
        let set = try edited("[log]", "[log]\nretention_days = 400")
        #expect(try load(text).log.retentionDays == nil)
        #expect(try load(set).log.retentionDays == 400)
        #expect(try load(set).policy == load(text).policy)
        let sandbox = try Sandbox("settings")
        let path = try sandbox.write(
            "bailiwick.toml", set.replacingOccurrences(of: world.folder("keys"), with: "/nowhere"))
        #expect(throws: SettingsError.self) { try Settings.load(path: path) }
        let retention = try LogRetention.load(path: path)
        #expect(retention.retentionDays == 400)
        #expect(retention.origin == "logs.example.org/dub1-gw1")
        #expect(retention.directory == world.folder("log/dub1"))
        for bad in ["0", "-1", "36526", "\"400\"", "4.5", "true"] {
            let text = try edited("[log]", "[log]\nretention_days = \(bad)")
            #expect(throws: SettingsError.self, "\(bad)") { try load(text) }
            let path = try sandbox.write("bailiwick.toml", text)
            #expect(throws: SettingsError.self, "\(bad)") { try LogRetention.load(path: path) }
        }
    }

    struct Mistake: CustomTestStringConvertible, Sendable {
        let old: String
        let new: String
        let key: String
        let says: String

        init(_ old: String, _ new: String, _ key: String, _ says: String) {
            (self.old, self.new, self.key, self.says) = (old, new, key, says)
        }

        var testDescription: String { new.isEmpty ? "without \(old)" : new }
    }

    static let mistakes = [
        Mistake("[tls]", "[gateway]", "line", "gateway"),
        Mistake("name = \"dub1-gw1\"", "name = ", "line 2", "expected value"),
        Mistake("[tls]", "[tls]\nciphers = \"all\"", "tls.ciphers", "unknown key; expected one of: certificate"),
        Mistake("[log]", "[metrics]\na = 1\n[log]", "metrics", "unknown key"),
        Mistake("name = \"dub1-gw1\"", "name = \"dub1 gw1\"", "gateway.name", "is no name"),
        Mistake("name = \"dub1-gw1\"", "name = 7", "gateway.name", "expected a string"),
        Mistake("datacenter = \"dub1\"\nlisten", "datacenter = \"cork1\"\nlisten", "gateway.datacenter", "cork1"),
        Mistake("listen = [\"127.0.0.1:", "listen = [\"localhost:", "gateway.listen[0]", "is no address:port"),
        Mistake(
            "operators_listen = \"127.0.0.1:", "operators_listen = \"127.0.0.1:9", "gateway.operators_listen",
            "address:port"),
        Mistake("[tls]", "stop_timeout_seconds = 0\n[tls]", "gateway.stop_timeout_seconds", "from 1 to 3600"),
        Mistake("[tls]", "stop_timeout_seconds = true\n[tls]", "gateway.stop_timeout_seconds", "whole number"),
        Mistake("[tls]", "stop_timeout_seconds = 1.5\n[tls]", "gateway.stop_timeout_seconds", "whole number"),
        Mistake("[tls]", "location = \"gps\"\n[tls]", "gateway.location", "\"network\", \"off\""),
        Mistake("[tls]", "domain = \"mail.example.org\"\n[tls]", "gateway.domain", "path style"),
        Mistake("[tls]", "[tls]\nminimum_version = \"1.1\"", "tls.minimum_version", "\"1.3\", \"1.2\""),
        Mistake("pki/dub1-gw1.crt", "pki/absent.crt", "tls.certificate", "cannot be read"),
        Mistake("jurisdiction = \"IE\"", "jurisdiction = \"Ireland\"", "datacenter[0].jurisdiction", "Ireland"),
        Mistake("jurisdiction = \"IE\"", "jurisdiction = \"ie\"", "datacenter[0].jurisdiction", "ie"),
        Mistake(
            "\"10.20.0.0/16\"", "\"10.10.128.0/17\"", "datacenter[1].networks[0]",
            "overlaps 10.10.0.0/16 of datacenter dub1"),
        Mistake("\"10.20.0.0/16\"", "\"::ffff:10.10.1.0/120\"", "datacenter[1].networks[0]", "overlaps"),
        Mistake("\"10.20.0.0/16\"", "\"10.20.0.1/16\"", "datacenter[1].networks[0]", "host bits"),
        Mistake("name = \"iad1\"", "name = \"dub1\"", "datacenter[1].name", "a second datacenter"),
        Mistake("bucket = \"mail-dub1\"", "bucket = \"Mail\"", "store[0].bucket", "no bucket name"),
        Mistake("bucket = \"mail-dub1\"", "bucket = \"mail-dub1-\"", "store[0].bucket", "no bucket name"),
        Mistake("bucket = \"mail-dub1\"", "bucket = \".mail-dub1\"", "store[0].bucket", "no bucket name"),
        Mistake("driver = \"directory\"", "driver = \"tape\"", "store[0].driver", "directory"),
        Mistake(
            "driver = \"directory\"", "driver = \"directory\"\nuntagged = \"yes\"", "store[0].untagged", "\"refuse\""),
        Mistake(
            "driver = \"directory\"", "driver = \"directory\"\nforeign_writes = \"some\"", "store[0].foreign_writes",
            "\"create\""),
        Mistake(
            "[[issuer]]\nid = \"https://courts.example.us\"",
            "[[store]]\nbucket = \"mail-dub1\"\ndatacenter = \"dub1\"\ndriver = \"directory\"\npath = \"/tmp\"\n[[issuer]]\nid = \"https://courts.example.us\"",
            "store[1].bucket", "mail-dub1"),
        Mistake("jurisdictions = [\"US\"]", "jurisdictions = [\"NO\"]", "issuer[1].jurisdictions[0]", "NO"),
        Mistake(
            "jurisdictions = [\"US\"]", "jurisdictions = [\"US\"]\nlifetime_max_hours = 0",
            "issuer[1].lifetime_max_hours", "from 1"),
        Mistake(
            "jurisdictions = [\"US\"]", "jurisdictions = [\"US\"]\ninstruments = { warrant = [\"all\"] }",
            "issuer[1].instruments.warrant[0]", "traffic"),
        Mistake("issuers/us.jwks", "pki/clients-ca.crt", "issuer[1].keys", "no JWKS"),
        Mistake("https://courts.example.us", "https://authorizations.example.ie", "issuer[1].id", "a second issuer"),
        Mistake("roles = [\"operator\"]", "roles = [\"king\"]", "principal[4].roles[0]", "\"reader\""),
        Mistake(
            "{ uri = \"spiffe://example.org/iad1/thief\" }", "{ uri = \"spiffe://example.org/iad1/ediscovery\" }",
            "principal[3].certificate", "same certificate"),
        Mistake(
            "{ uri = \"spiffe://example.org/iad1/thief\" }", "{ uri = \"a:b\", common_name = \"c\" }",
            "principal[3].certificate", "exactly one"),
        Mistake(
            "{ uri = \"spiffe://example.org/iad1/thief\" }", "{ sha256 = \"00\" }", "principal[3].certificate.sha256",
            "64 hexadecimal"),
        Mistake("name = \"thief\"", "name = \"support\"", "principal[3].name", "a second principal"),
        Mistake("name = \"thief\"", "name = \"thief\"\naccess_keys = []", "principal[3].access_keys", "not built"),
        Mistake(
            "origin = \"logs.example.org/dub1-gw1\"", "origin = \"logs.example.org/dub 1\"", "log.signing_keys[0]",
            "not the log's origin"),
        Mistake(
            "signing_keys = [", "checkpoint_interval_ms = 1\nsigning_keys = [", "log.checkpoint_interval_ms",
            "whole number"),
        Mistake("keys/log-dub1\"", "keys/seal-dub1\"", "log.signing_keys[0]", "PRIVATE+KEY"),
        Mistake("keys/seal-dub1\"", "keys/log-dub1\"", "datacenter[0].seal_keys[0]", "KEYID:base64"),
        Mistake(
            "keys/seal-dub1\"]", "keys/seal-dub1\", \"FOLDER/keys/seal-dub1\"]", "datacenter[0].seal_keys[1]",
            "a second key with the id dub1-2026"),
        Mistake(
            "keys/pseudonym-dub1\"]", "keys/pseudonym-dub1\", \"FOLDER/keys/pseudonym-dub1\"]",
            "datacenter[0].pseudonym_keys[1]", "a second key with the id dub1-2026"),
        Mistake(
            "keys/pseudonym-dub1\"", "keys/seal-dub1\"", "datacenter[0].pseudonym_keys[0]",
            "the same key as datacenter[0].seal_keys[0]"),
        Mistake(
            "[[issuer]]\nid = \"https://courts.example.us\"",
            "[[store]]\nbucket = \"mail-two\"\ndatacenter = \"dub1\"\ndriver = \"directory\"\npath = \"FOLDER/store/./dub1/alice\"\n[[issuer]]\nid = \"https://courts.example.us\"",
            "store[1].path", "of mail-dub1 are one folder, or one in the other"),
        Mistake(
            "[[issuer]]\nid = \"https://courts.example.us\"",
            "[[store]]\nbucket = \"mail-two\"\ndatacenter = \"dub1\"\ndriver = \"directory\"\npath = \"FOLDER/keys/../store/dub1\"\n[[issuer]]\nid = \"https://courts.example.us\"",
            "store[1].path", "of mail-dub1 are one folder, or one in the other"),
        Mistake(
            "directory = \"FOLDER/log/dub1\"", "directory = \"FOLDER/store/dub1/log\"", "log.directory",
            "lies in the folder of the store mail-dub1"),
        Mistake(
            "directory = \"FOLDER/log/dub1\"", "directory = \"FOLDER/store\"", "log.directory",
            "the folder of the store mail-dub1, FOLDER/store/dub1, lies in"),
        Mistake(
            "[[area]]", "[[area]]\nname = \"EEA\"\njurisdictions = [\"IE\", \"US\"]\n[[area]]", "area[1].name",
            "a second area named EEA"),
    ]

    @Test(arguments: mistakes)
    func aMistakeIsNamedWithItsKeyAndTheWayOut(_ mistake: Mistake) throws {
        do {
            _ = try load(
                try edited(
                    mistake.old.replacingOccurrences(of: "FOLDER", with: world.folder.path),
                    mistake.new.replacingOccurrences(of: "FOLDER", with: world.folder.path)))
            Issue.record("it was accepted")
        } catch let error as SettingsError {
            #expect(error.description.contains(mistake.key), "\(error)")
            let says = mistake.says.replacingOccurrences(of: "FOLDER", with: world.folder.path)
            #expect(error.description.contains(says), "\(error)")
            #expect(error.description.contains("bailiwick.toml"))
        }
    }

    /// A crash leaves zeros where a file's end was; what stands before them may be whole tables.
    @Test(arguments: [[0], [0xFF]] as [[UInt8]]) func aFileThatIsNoTextIsRefused(_ bytes: [UInt8]) throws {
        let sandbox = try Sandbox("settings")
        let path = try sandbox.write("bailiwick.toml", text)
        try Data(Array(text.utf8) + Array("\n# ".utf8) + bytes + Array("\n".utf8)).write(to: URL(fileURLWithPath: path))
        let error = #expect(throws: SettingsError.self) { try Settings.load(path: path) }
        #expect(error?.description.contains("is no text") == true)
    }

    @Test func everyMistakeIsReportedAndNotOnlyTheFirst() throws {
        var text = try edited("jurisdiction = \"IE\"", "jurisdiction = \"Ireland\"")
        text = text.replacingOccurrences(of: "roles = [\"operator\"]", with: "roles = [\"king\"]")
        do {
            _ = try load(text)
            Issue.record("it was accepted")
        } catch let error as SettingsError { #expect(error.problems.count >= 2) }
    }

    @Test func aStoreOutsideTheGatewaysJurisdictionIsWarnedOf() throws {
        let abroad = try edited(
            "bucket = \"mail-dub1\"\ndatacenter = \"dub1\"", "bucket = \"mail-dub1\"\ndatacenter = \"iad1\"")
        #expect(try load(abroad).warnings.contains { $0.contains("mail-dub1") && $0.contains("crosses a border") })
    }

    /// `bailiwick token revoke` wrote another issuer's token into the list: it denies nothing, and somebody thinks that it does.
    @Test func aDenyListsLineAboutAnybodyElseIsWarnedOf() throws {
        let sandbox = try Sandbox("settings")
        func line(_ issuer: String) -> String {
            String(
                decoding: DenyList.line(issuer: issuer, tokenID: "t", time: Timestamp(seconds: 0), reason: nil),
                as: UTF8.self)
        }
        let (own, other) = ("https://authorizations.example.ie", "https://courts.example.us")
        for (lines, warnings) in [(line(own), 0), (line(own) + line(other), 1)] {
            let list = try sandbox.write("ie.denied", lines)
            let settings = try load(try edited(world.folder("issuers/ie.denied"), list))
            #expect(settings.warnings.count == warnings)
            #expect(settings.warnings.allSatisfy { $0.contains("about \(other)") && $0.contains("deny nothing") })
        }
    }

    /// A refusal bears no signature: over plain HTTP anybody on the way closes the log with one.
    @Test(arguments: [
        ("https://witness.example.net/w1", false), ("http://127.0.0.1:8470/w1", false), ("http://127.1.2.3", false),
        ("http://[::1]:8470", false), ("http://localhost:8470", false), ("http://witness.example.net/w1", true),
        ("http://127.example.net", true), ("http://10.0.0.7:8470", true), ("http://[::10]/", true),
        ("http://localhost.example.net", true),
    ])
    func aWitnessWhoseRefusalsCanBeForgedIsWarnedOf(url: String, isForgeable: Bool) throws {
        let text = try edited("[log]\n", "[log]\nwitnesses = [{ url = \"\(url)\", key = \"k\" }]\n")
        #expect(try load(text).warnings.contains { $0.contains(url) && $0.contains("no signature") } == isForgeable)
    }

    /// A list that cannot be read, or that vanished, may have named a token.
    @Test func aDenyListMayBeginButNotVanish() throws {
        let sandbox = try Sandbox("denied")
        let list = sandbox("ie.denied")
        let text = try edited(world.folder("issuers/ie.denied"), list)
        #expect(throws: Never.self) { try load(text) }
        try sandbox.write("ie.denied", "{\"iss\":\"https://authorizations.example.ie\",\"jti\":\"a\"}\n")
        let settings = try load(text)
        #expect(throws: Never.self) { try load(text, previous: settings) }
        try FileManager.default.removeItem(atPath: list)
        #expect(throws: SettingsError.self) { try load(text, previous: settings) }
        try FileManager.default.createDirectory(atPath: list, withIntermediateDirectories: false)
        #expect(throws: SettingsError.self) { try load(text) }
    }

    @Test func anIssuersListOfFarAheadIsRefused() throws {
        let sandbox = try Sandbox("ahead")
        let keys = "keys = \"\(world.folder("issuers/ie.jwks"))\""
        let text = try edited(keys, "\(keys)\nrevocations = \"\(sandbox("ie.revocations"))\"")
        let key = try PrivateKey(pem: Array(world.folder.read("keys/issuer-ie.pem").utf8))
        func write(iat: Int64) throws {
            let list = try TokenBuilder(
                revoking: [], issuer: "https://authorizations.example.ie", issuedAtSeconds: iat, expiresSeconds: .max,
                algorithm: key.algorithm, keyID: "ie-2026"
            ).signed(by: key)
            try sandbox.write("ie.revocations", String(decoding: list, as: UTF8.self))
        }
        let now = Int64(Date().timeIntervalSince1970)
        try write(iat: now)
        #expect(throws: Never.self) { try load(text) }
        try write(iat: now * 1000)
        let error = #expect(throws: SettingsError.self) { try load(text) }
        #expect(error?.problems.map(\.key) == ["issuer[0].revocations"])
        #expect(error?.problems.first?.what.contains("from the future") == true)
    }

    /// A list that is lost while nothing runs is missed too: the log keeps what was denied.
    @Test func aDenyListThatDeniedMayNotBeMissingAtAStart() throws {
        let sandbox = try Sandbox("denied")
        let text = try edited(world.folder("issuers/ie.denied"), sandbox("ie.denied"))
            .replacingOccurrences(of: world.folder("log/dub1"), with: sandbox("log"))
        func keep(_ settings: Settings) throws {
            try sandbox.write(
                "log/policy/\(String(repeating: "a", count: 64))", String(decoding: settings.policy, as: UTF8.self))
        }
        try keep(load(text))
        #expect(throws: Never.self) { try load(text) }
        try sandbox.write("ie.denied", "{\"iss\":\"https://authorizations.example.ie\",\"jti\":\"a\"}\n")
        try keep(load(text))
        #expect(throws: Never.self) { try load(text) }
        try FileManager.default.removeItem(atPath: sandbox("ie.denied"))
        let error = #expect(throws: SettingsError.self) { try load(text) }
        #expect(error?.problems.map(\.key) == ["issuer[0].deny_list"])
        #expect(error?.problems.first?.what.contains("put it back, even if empty") == true)
        // Whoever means it says so by an empty file, or by settings without the list.
        try sandbox.write("ie.denied", "")
        #expect(throws: Never.self) { try load(text) }
    }

    /// A snapshot holds every file that the settings name, and so may be longer than any of them.
    @Test func aDenyListIsMissedHoweverLongTheOtherFilesAre() throws {
        let sandbox = try Sandbox("long")
        let long = String(repeating: String(repeating: "x", count: 63) + "\n", count: 9 << 14)
        let text = try edited(world.folder("issuers/ie.denied"), sandbox("ie.denied"))
            .replacingOccurrences(of: world.folder("log/dub1"), with: sandbox("log"))
            .replacingOccurrences(of: world.folder("pki/clients-ca.crt"), with: sandbox("clients-ca.crt"))
            .replacingOccurrences(of: world.folder("pki/clients.crl"), with: sandbox("clients.crl"))
        for name in ["clients-ca.crt", "clients.crl"] { try sandbox.write(name, long) }
        try sandbox.write("ie.denied", "{\"iss\":\"https://authorizations.example.ie\",\"jti\":\"a\"}\n")
        let settings = try load(text)
        try #require(settings.policy.count > FileReader.bytesMax)
        try sandbox.write(
            "log/policy/\(String(repeating: "a", count: 64))", String(decoding: settings.policy, as: UTF8.self))
        try FileManager.default.removeItem(atPath: sandbox("ie.denied"))
        let error = #expect(throws: SettingsError.self) { try load(text) }
        #expect(error?.problems.map(\.key) == ["issuer[0].deny_list"])
    }

    @Test func mappedAddressesAreTheirIPv4Ones() throws {
        let settings = try load(text)
        for address in ["127.0.10.7", "::ffff:127.0.10.7"] {
            let parsed = try #require(Address(address))
            #expect(settings.networks.value(of: parsed)?.datacenter.text == "dub1", "\(address)")
        }
        #expect(settings.networks.value(of: try #require(Address("127.0.30.1"))) == nil)
    }

    // MARK: - The policy

    /// Whatever a decision depends on changes the policy; what it does not depend on leaves it.
    @Test(arguments: [
        ("jurisdictions = [\"IE\", \"DE\", \"FR\"]", "jurisdictions = [\"IE\", \"DE\"]", true),
        ("roles = [\"operator\"]", "roles = [\"operator\", \"auditor\"]", true),
        ("\"10.20.0.0/16\"", "\"10.21.0.0/16\"", true),
        ("driver = \"directory\"", "driver = \"directory\"\nforeign_writes = \"any\"", true),
        ("issuers/us.jwks", "issuers/ie.jwks", true),
        ("[tls]", "stop_timeout_seconds = 5\n[tls]", false),
        ("# nothing", "# nothing", false),
    ])
    func thePolicyIsWhatDecisionsDependOn(old: String, new: String, changes: Bool) throws {
        let before = try load(text).policy
        let after = try load(old == "# nothing" ? "# a comment\n" + text : try edited(old, new)).policy
        #expect((before != after) == changes)
    }

    @Test func thePolicyHoldsNoSecret() throws {
        let policy = String(decoding: try load(text).policy, as: UTF8.self)
        for file in ["keys/seal-dub1", "keys/pseudonym-dub1", "keys/log-dub1"] {
            let line = world.folder.read(file).trimmingCharacters(in: .newlines)
            // Base64 may hold a plus: only the first four of a note's key are separators.
            let secret =
                file.hasSuffix("log-dub1")
                ? line.split(separator: "+", maxSplits: 4).last : line.split(separator: ":", maxSplits: 1).last
            #expect(!policy.contains(try #require(secret)), "\(file)")
        }
        #expect(!policy.contains("PRIVATE"))
    }
}
