import DecisionLog
import Foundation
import Residency
import TestSupport
import Testing

/// `bailiwick log audit` on the log of a real daemon: every decision that could be provoked follows from the rule again.
@Suite final class AuditTests {
    let world: World

    init() throws { world = try World() }

    @Test func everyDecisionOfADaemonFollows() throws {
        try withExtendedLifetime(world) {
            try prepare()
            let daemon = try world.start("dub1-gw1")
            try objects()
            try readsAtHomeAndAbroad()
            try tokens()
            try writes()
            try oddities()
            try world.edit("dub1-gw1") {
                $0.replace(
                    "path = \"\(world.folder("store/dub1"))\"",
                    "path = \"\(world.folder("store/dub1"))\"\nuntagged = \"adopt\"\nforeign_writes = \"refuse\"")
                $0.replace("issuers/ie.jwks\"", "issuers/ie.jwks\"\nprefixes = true")
            }
            let revoked = try world.irishToken("--token-id", "withdrawn")
            let revocation = try world.bailiwick(
                "token", "revoke", "--deny-list", world.folder("issuers/ie.denied"), revoked)
            #expect(revocation.status == 0, "\(revocation.errors)")
            daemon.signal(SIGHUP)
            try daemon.waitForOutput("settings reloaded")
            try afterTheReload(revoked)
            #expect(daemon.stop() == 0)

            let decisions = try decisions()
            let never: Set<Reason> = [.unauthenticated, .logUnavailable]
            #expect(Set(Reason.allCases).subtracting(never).subtracting(decisions.map(\.reason)) == [])
            // Some delivery was decided on a second time, since another one came before it.
            #expect(
                Dictionary(grouping: decisions, by: \.request).values.contains {
                    $0.map(\.reason) == [.delivery, .foreignOverwrite]
                })

            let blind = try audit()
            #expect(blind.status == 0, "\(blind.errors)")
            #expect(blind.text.contains("its key was not given (--reveal-key)"), "\(blind.text)")
            #expect(!blind.text.contains("NO start or reload event"), "\(blind.text)")

            let revealed = try audit("--reveal-key", world.folder("keys/pseudonym-dub1"))
            #expect(revealed.status == 0, "\(revealed.errors)")
            #expect(!revealed.text.contains("--reveal-key"), "\(revealed.text)")
            #expect(revealed.text.contains("a prefix may cover it (--names)"), "\(revealed.text)")
            // The seal key has the same id, and is the auditor's mistake, not the log's.
            let mistaken = try audit("--reveal-key", world.folder("keys/seal-dub1"))
            #expect(mistaken.status == 1 && mistaken.errors.contains("is that the pseudonym key of this id?"))

            try world.folder.write("names", "alan\nalice/INBOX/1\nalice/INBOX/2\nbob\n")
            let named = try audit("--reveal-key", world.folder("keys/pseudonym-dub1"), "--names", world.folder("names"))
            #expect(named.status == 0, "\(named.errors)")
            #expect(!named.text.contains("(--names)"), "\(named.text)")
            #expect(blind.whole < revealed.whole && revealed.whole < named.whole)
            try aCopyWithoutATokenFails(decisions)
            // With every name known only these are left.
            for line in named.text.split(separator: "\n") where line.contains(" in part: ") {
                let isKnown = [
                    "is not kept as evidence", "is not named", "is not kept", "missing tag from a broken one",
                ]
                #expect(isKnown.contains { line.contains($0) }, "\(line)")
            }
        }
    }

    /// The audit of a copy from which one granting token was taken away names the first decision that rested on it.
    private func aCopyWithoutATokenFails(_ decisions: [DecisionEntry]) throws {
        #expect(try run(["cp", "-a", world.folder("log/dub1"), world.folder("copy")]).status == 0)
        let granted = try #require(decisions.first { $0.reason == .authorized })
        let token = try #require(granted.authorizations.first { $0.outcome == .granted }).sha256.hex
        try FileManager.default.removeItem(atPath: world.folder("copy/evidence/\(token)"))
        let result = try run(
            [
                "\(products)/bailiwick", "log", "audit", world.folder("log/dub1"), world.folder("copy"), "--key",
                world.folder.read("keys/log-dub1.vkey").trimmingCharacters(in: .whitespacesAndNewlines),
            ])
        #expect(result.status == 1)
        #expect(result.text.contains("log/dub1: good"))
        #expect(result.errors.contains("copy: NOT GOOD: entry "), "\(result.errors)")
        #expect(result.errors.contains("evidence/\(token) is missing"), "\(result.errors)")
    }

    // MARK: - Requests

    private func prepare() throws {
        try world.edit("dub1-gw1") {
            $0.replace(
                "[[area]]",
                "[[datacenter]]\nname = \"fra1\"\njurisdiction = \"DE\"\nnetworks = [\"127.0.30.0/24\"]\n\n[[area]]")
        }
        // A second writer, since the first will have his foreign writes suspended.
        try world.edit("dub1-gw1") {
            $0.replace(
                "[log]",
                """
                [[principal]]
                name = "mailserver-iad1"
                datacenter = "iad1"
                certificate = { uri = "spiffe://example.org/iad1/mailserver" }
                roles = ["writer"]
                stores = ["mail-dub1"]

                [log]
                """)
        }
    }

    private func objects() throws {
        for key in ["alice/INBOX/1", "alice/INBOX/2", "bob/INBOX/1", "alan/INBOX/1", "loose"] {
            let answer = try world.curl(
                "dub1-mailserver", from: "127.0.10.5", "/mail-dub1/\(key)", "-H",
                "x-amz-meta-received: 2026-03-01T08:00:00Z",
                body: Data(key.utf8))
            #expect(answer.status == 200, "\(answer.text)")
        }
        // What lies under another key does not verify; what lost its attributes has no tag; what came from Virginia is misplaced.
        let store = world.folder("store/dub1")
        try copy(["-a"], "\(store)/alice/INBOX/1", "\(store)/alice/INBOX/moved")
        try copy([], "\(store)/alice/INBOX/1", "\(store)/alice/INBOX/bare")
        try world.start("iad1-gw1")
        let there = try world.curl(
            "iad1-mailserver", from: "127.0.20.5", "/mail-iad1/alice/INBOX/us", at: world.virginia,
            body: Data("us".utf8))
        #expect(there.status == 200, "\(there.text)")
        try copy(["-a"], world.folder("store/iad1/alice/INBOX/us"), "\(store)/alice/INBOX/us")
    }

    private func readsAtHomeAndAbroad() throws {
        for path in [
            "alice/INBOX/1", "alice/INBOX/absent", "loose", "alice/INBOX/moved", "alice/INBOX/bare", "alice/INBOX/us",
        ] {
            for (who, address) in [
                ("dub1-support", "127.0.10.9"), ("dub1-support", "127.0.30.9"), ("dub1-support", "127.0.40.9"),
                ("iad1-ediscovery", "127.0.20.5"),
            ] {
                try get(who, address, "/mail-dub1/\(path)")
                try get(who, address, "/mail-dub1/\(path)", "--head")
                try get(who, address, "/mail-dub1/\(path)", "--head", "-H", "If-None-Match: \"x\"")
            }
        }
        for path in [
            "/mail-dub1?list-type=2", "/mail-dub1?list-type=2&prefix=alice/", "/mail-dub1?list-type=2&prefix=al", "/",
            "/mail-dub1?location",
        ] {
            try get("dub1-support", "127.0.10.9", path)
            try get("iad1-ediscovery", "127.0.20.5", path)
        }
        try get("dub1-support", "127.0.10.9", "/mail-dub1", "--head")
    }

    private func tokens() throws {
        let good = try world.irishToken()
        let traffic = try world.irishToken(data: "traffic", "--instrument", "court-order")
        let past = try world.irishToken("--not-before", "2026-01-01T00:00:00Z", "--expires", "2026-01-02T00:00:00Z")
        let future = try world.irishToken("--not-before", "2096-01-01T00:00:00Z", "--expires", "2096-01-02T00:00:00Z")
        let ranged = try world.irishToken(
            "--received-from", "2025-01-01T00:00:00Z", "--received-to", "2026-01-01T00:00:00Z")
        let bound = try world.irishToken("--certificate", world.folder("pki/iad1-ediscovery.crt"))
        let stolen = try world.irishToken("--certificate", world.folder("pki/iad1-thief.crt"))
        let elsewhere = try otherAudience()
        let american = try americanToken()
        let presented = [
            good, traffic, past, future, ranged, bound, stolen, elsewhere, american, "not-a-token",
            String(good.dropLast(4)) + "AAAA", "\(past),\(good)", "\(good),\(american)",
            "a.b.c,\(elsewhere),\(ranged),\(past)",
            try world.irishToken("--instrument", "subpoena"), try world.irishToken(mailbox: "carol"),
            "a,b,c,d,e",
        ]
        for token in presented {
            let header = "x-bailiwick-authorization: \(token)"
            for path in [
                "alice/INBOX/1", "bob/INBOX/1", "alice/INBOX/absent", "alice/INBOX/us", "alice/INBOX/moved", "loose",
            ] {
                try get("iad1-ediscovery", "127.0.20.5", "/mail-dub1/\(path)", "-H", header)
            }
            try get("iad1-ediscovery", "127.0.20.5", "/mail-dub1/alice/INBOX/1", "--head", "-H", header)
            try get(
                "iad1-ediscovery", "127.0.20.5", "/mail-dub1/alice/INBOX/1", "--head", "-H", header, "-H",
                "If-Match: \"x\"")
            for query in ["prefix=alice/", "prefix=alice/INBOX/", "prefix=al", "prefix=bob/"] {
                try get("iad1-ediscovery", "127.0.20.5", "/mail-dub1?list-type=2&\(query)", "-H", header)
            }
            try get("iad1-thief", "127.0.20.5", "/mail-dub1/alice/INBOX/1", "-H", header)
            try get("dub1-support", "127.0.10.9", "/mail-dub1/alice/INBOX/us", "-H", header)
            try get("dub1-support", "127.0.10.9", "/mail-dub1?list-type=2&prefix=alice/", "-H", header)
        }
    }

    private func writes() throws {
        func put(_ address: String, _ key: String, _ fields: String...) throws -> World.Answer {
            try world.curl(
                "dub1-mailserver", from: address, "/mail-dub1/\(key)", arguments: fields.flatMap { ["-H", $0] },
                body: Data("new".utf8))
        }
        let header = "x-bailiwick-authorization: " + (try mailserverToken())
        for address in ["127.0.10.5", "127.0.30.5"] {
            _ = try put(address, "alice/INBOX/w-\(address)")
            _ = try put(address, "alice/INBOX/w-\(address)", "If-None-Match: *")
            _ = try put(address, "alice/INBOX/bare", "If-None-Match: *")
            _ = try put(address, "alice/INBOX/moved", "If-Match: \"x\"")
        }
        _ = try put("127.0.20.5", "alice/INBOX/abroad")
        _ = try put("127.0.20.5", "alice/INBOX/conditional", "If-None-Match: *")
        _ = try put("127.0.20.5", "alice/INBOX/conditional", "If-None-Match: *", header)
        _ = try put("127.0.20.5", "alice/INBOX/conditional", "If-None-Match: *", header)
        try get("dub1-mailserver", "127.0.20.5", "/mail-dub1/alice/INBOX/abroad", "-X", "DELETE")
        try get("dub1-mailserver", "127.0.10.5", "/mail-dub1/alice/INBOX/abroad", "-X", "DELETE")
        try get("dub1-mailserver", "127.0.10.5", "/mail-dub1/alice/INBOX/never", "-X", "DELETE")
        // Ten answers in a minute, wherever the minute began.
        for _ in 0..<40 {
            if try put("127.0.20.5", "alice/INBOX/1").reason == "overloaded" { break }
        }
        _ = try put("127.0.20.5", "alice/INBOX/another")
        try raceOfTwoDeliveries()
    }

    /// Two writers from abroad for one new key: the second is refused once more after it was allowed, where it loses the race.
    private func raceOfTwoDeliveries() throws {
        let files = [Data(repeating: 65, count: 3 << 20), Data(repeating: 66, count: 3 << 20)]
        for round in 0..<3 {
            let results = ResultBox()
            let world = world
            DispatchQueue.concurrentPerform(iterations: 2) { index in
                let answer = try? world.curl(
                    "iad1-mailserver", from: "127.0.40.\(5 + index)", "/mail-dub1/alice/INBOX/race-\(round)",
                    "--limit-rate", "6M", body: files[index])
                results.add(answer?.status ?? 0)
            }
            #expect(results.all.allSatisfy { $0 > 0 })
        }
    }

    private func oddities() throws {
        try get("dub1-support", "127.0.10.9", "/mail-iad1/alice/INBOX/1")
        try get("dub1-support", "127.0.10.9", "/mail-nowhere?list-type=2")
        try get("dub1-support", "127.0.10.9", "/mail-dub1/alice/INBOX/1", "-X", "DELETE")
        try get("dub1-support", "127.0.10.9", "/mail-dub1/alice/INBOX/1?acl")
        try get("dub1-support", "127.0.10.9", "/mail-dub1/%00")
        try get("dub1-support", "127.0.10.9", "/mail-dub1/alice/INBOX/1", "-H", "x-amz-acl: private")
    }

    private func afterTheReload(_ revoked: String) throws {
        try get(
            "iad1-ediscovery", "127.0.20.5", "/mail-dub1/alice/INBOX/1", "-H", "x-bailiwick-authorization: \(revoked)")
        try get("dub1-support", "127.0.30.9", "/mail-dub1/alice/INBOX/bare")
        try get("dub1-support", "127.0.10.9", "/mail-dub1/alice/INBOX/bare")
        let prefix = "x-bailiwick-authorization: " + (try world.irishToken(mailbox: "al*"))
        for path in ["alan/INBOX/1", "alice/INBOX/1", "bob/INBOX/1"] {
            try get("iad1-ediscovery", "127.0.20.5", "/mail-dub1/\(path)", "-H", prefix)
        }
        try get("iad1-ediscovery", "127.0.20.5", "/mail-dub1?list-type=2&prefix=al", "-H", prefix)
        try get("iad1-ediscovery", "127.0.20.5", "/mail-dub1?list-type=2", "-H", prefix)
        let write = try world.curl(
            "iad1-mailserver", from: "127.0.20.5", "/mail-dub1/alice/INBOX/late", body: Data("x".utf8))
        #expect(write.reason == "foreign-write")
    }

    // MARK: -

    private func get(_ who: String, _ address: String, _ path: String, _ arguments: String...) throws {
        _ = try world.curl(who, from: address, path, arguments: arguments)
    }

    private func copy(_ options: [String], _ from: String, _ to: String) throws {
        #expect(try run(["cp"] + options + [from, to]).status == 0)
    }

    private func token(
        _ issuer: String, _ key: String, _ jurisdiction: String, _ audience: String, _ subject: String, _ data: String
    ) throws -> String {
        let result = try world.bailiwick(
            "token", "issue", "--issuer", issuer, "--key", world.folder("keys/issuer-\(key).pem"), "--kid",
            "\(key)-2026",
            "--audience", audience, "--subject", subject, "--jurisdiction", jurisdiction, "--authority-name", "Court",
            "--authority-country", jurisdiction, "--requester", "civil", "--mailbox", "alice", "--data", data,
            "--reference", "7", "--hours", "5", "--instrument", "consent")
        guard result.status == 0 else { throw TestFailure(result.errors) }
        return result.text.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    private func otherAudience() throws -> String {
        try token("https://authorizations.example.ie", "ie", "IE", "iad1-gw1", "ediscovery", "content")
    }

    private func mailserverToken() throws -> String {
        try token("https://authorizations.example.ie", "ie", "IE", "dub1", "mailserver-dub1", "content")
    }

    private func americanToken() throws -> String {
        try token("https://courts.example.us", "us", "US", "dub1-gw1", "ediscovery", "content")
    }

    private func decisions() throws -> [DecisionEntry] {
        let reader = try LogReader(folder: world.folder("log/dub1"), verifier: nil)
        var decisions: [DecisionEntry] = []
        try reader.forEachEntry { _, line in
            guard String(decoding: line, as: UTF8.self).hasPrefix(#"{"kind":"decision""#) else { return }
            decisions.append(try DecisionEntry(parsing: line))
        }
        return decisions
    }

    private func audit(_ arguments: String...) throws -> CommandResult {
        try run(
            [
                "\(products)/bailiwick", "log", "audit", world.folder("log/dub1"), "--key",
                world.folder.read("keys/log-dub1.vkey").trimmingCharacters(in: .whitespacesAndNewlines),
            ] + arguments)
    }
}

extension CommandResult {
    /// How many decisions were decided again whole.
    fileprivate var whole: Int {
        text.range(of: "[0-9]+(?= decided again whole)", options: .regularExpression).flatMap { Int(text[$0]) } ?? -1
    }
}

extension String {
    fileprivate mutating func replace(_ old: String, _ new: String) {
        precondition(contains(old), "no \(old)")
        self = replacingOccurrences(of: old, with: new)
    }
}

private final class ResultBox: @unchecked Sendable {
    private let lock = NSLock()
    private var values: [Int] = []

    func add(_ value: Int) { lock.withLock { values.append(value) } }
    var all: [Int] { lock.withLock { values } }
}
