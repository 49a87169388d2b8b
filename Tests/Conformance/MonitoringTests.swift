import Foundation
import TestSupport
import Testing

/// What operators see: metrics, rules, dashboard and checks, each held by Prometheus' own tool where it has one.
@Suite struct MonitoringTests {
    static let rules = "\(repository)/monitoring/bailiwick-alerts.yml"
    static let dashboard = "\(repository)/monitoring/bailiwick-dashboard.json"

    func metrics(_ world: World) throws -> String {
        let answer = try world.curl("dub1-operator", from: "127.0.10.5", "/metrics", at: world.dublin + 1)
        guard answer.status == 200 else { throw TestFailure("/metrics: \(answer.status) \(answer.text)") }
        return answer.text
    }

    func ready(_ world: World) throws -> (status: Int, text: String) {
        let answer = try world.curl("dub1-operator", from: "127.0.10.5", "/ready", at: world.dublin + 1)
        return (answer.status, answer.text)
    }

    /// A gateway that has something of everything: a witness, a revocation list of the issuer, a key with an end, a journal.
    func rich() throws -> (World, Daemon) {
        let world = try World()
        try revocations(world, seconds: 90 * 86_400)
        let keys = world.folder.read("issuers/ie.jwks").replacingOccurrences(
            of: "\"kid\":\"ie-2026\"", with: "\"kid\":\"ie-2026\",\"exp\":1900000000")
        #expect(keys.contains("1900000000"))
        try world.folder.write("issuers/ie.jwks", keys)
        let witness = try world.bailiwick(
            "keys", "new", "--kind", "witness", "--name", "witness.example.net/w1", "--private",
            world.folder("keys/witness"))
        let key = witness.text.trimmingCharacters(in: .whitespacesAndNewlines)
        try world.edit("dub1-gw1") {
            $0 = $0.replacingOccurrences(
                of: "keys = \"\(world.folder("issuers/ie.jwks"))\"",
                with:
                    "keys = \"\(world.folder("issuers/ie.jwks"))\"\nrevocations = \"\(world.folder("issuers/ie.revocations"))\""
            )
            $0 += "\n[[log.witnesses]]\nurl = \"http://127.0.0.1:1\"\nkey = \"\(key)\"\n"
        }
        let daemon = try Daemon(
            settings: world.folder("dub1-gw1.toml"), socket: world.folder("run/dub1-gw1.sock"),
            environment: ["JOURNAL_STREAM": "1:1"])
        try daemon.waitUntilReady()
        return (world, daemon)
    }

    func revocations(_ world: World, seconds: Int) throws {
        let list = try run([
            try #require(python), "\(repository)/Tests/Conformance/revocations.py", world.folder("keys/issuer-ie.pem"),
            "https://authorizations.example.ie", "ie-2026", "\(seconds)",
        ])
        guard list.status == 0 else { throw TestFailure("revocations.py: \(list.errors)") }
        try world.folder.write("issuers/ie.revocations", list.text)
    }

    @Test(.enabled(if: has("promtool") && python != nil, "promtool is in Debian's prometheus"))
    func everyMetricIsWellFormedAndNamesNobody() throws {
        let (world, daemon) = try rich()
        defer { daemon.kill() }
        let body = Data("Subject: the secret\r\n\r\nhello".utf8)
        let path = "/mail-dub1/secretbox/INBOX/1.eml"
        #expect(try world.curl("dub1-mailserver", from: "127.0.10.5", path, body: body).status == 200)
        #expect(try world.curl("iad1-ediscovery", from: "127.0.20.5", path).status == 403)
        let token = try world.irishToken(mailbox: "secretbox")
        let authorized = try world.curl(
            "iad1-ediscovery", from: "127.0.20.5", path, "-H", "x-bailiwick-authorization: \(token)")
        #expect(authorized.status == 200, "\(authorized.text)")
        let text = try metrics(world)
        let checked = try run(["promtool", "check", "metrics"], input: Data(text.utf8))
        #expect(
            checked.status == 0 && checked.text.isEmpty && checked.errors.isEmpty, "\(checked.text)\(checked.errors)")
        #expect(
            text.contains(
                "bailiwick_decisions_total{outcome=\"allow\",reason=\"authorized\",store=\"mail-dub1\",crossing=\"true\"} 1\n"
            ))
        #expect(
            text.contains(
                "bailiwick_decisions_total{outcome=\"refuse\",reason=\"authorization-required\",store=\"mail-dub1\",crossing=\"true\"} 1\n"
            ))
        for phase in ["locate", "record", "perform", "decision", "request"] {
            let line = try #require(
                text.split(separator: "\n").first { $0.hasPrefix("bailiwick_phase_seconds_count{phase=\"\(phase)\"}") })
            #expect(try #require(Int(line.split(separator: " ").last ?? "")) >= 1, "\(line)")
        }
        for (name, value) in [
            ("bailiwick_issuer_key_expiry_timestamp_seconds", "1900000000"),
            ("bailiwick_token_cache_misses_total", "1"),
            ("bailiwick_log_open", "1"), ("bailiwick_last_reload_successful", "1"), ("bailiwick_witness_fresh", "0"),
        ] {
            #expect(text.split(separator: "\n").contains { $0.hasPrefix(name) && $0.hasSuffix(" \(value)") }, "\(name)")
        }
        for secret in [
            "secretbox", "INBOX", "1.eml", "2026/CCC/118", token, "alice", "spiffe:", "PRIVATE", "127.0.20.5",
        ] {
            #expect(!text.contains(secret), "\(secret) is told")
        }
    }

    @Test(.enabled(if: has("promtool"), "promtool is in Debian's prometheus"))
    func theRulesAreWellFormedAndEachFiresForItsCause() throws {
        let checked = try run(["promtool", "check", "rules", Self.rules])
        #expect(checked.status == 0, "\(checked.text)\(checked.errors)")
        let sandbox = try Sandbox("rules")
        let cases = try String(contentsOfFile: "\(repository)/Tests/Conformance/alerts_test.yml", encoding: .utf8)
        try sandbox.write("alerts_test.yml", cases.replacingOccurrences(of: "RULES", with: Self.rules))
        let tested = try run(["promtool", "test", "rules", sandbox("alerts_test.yml")])
        #expect(tested.status == 0, "\(tested.text)\(tested.errors)")
        // No rule without a case.
        for alert in try alerts() { #expect(cases.contains("ALERTS{alertname=\"\(alert)\""), "\(alert) has no case") }
    }

    /// A rule over a metric that nobody gives never fires.
    @Test(.enabled(if: python != nil, "a Python with cryptography"))
    func rulesAndDashboardNameOnlyMetricsThatThereAre() throws {
        let (world, daemon) = try rich()
        defer { daemon.kill() }
        // One decision and one failed handshake: series that begin with the first.
        _ = try world.curl("dub1-support", from: "127.0.10.5", "/mail-dub1/alice/none")
        #expect(throws: TestFailure.self) { try world.curl(nil, from: "127.0.10.5", "/mail-dub1/alice/none") }
        let given = Set(
            try metrics(world).split(separator: "\n").filter { !$0.hasPrefix("#") }.map {
                String($0.prefix { $0 != "{" && $0 != " " })
            })
        let texts = try [Self.rules, Self.dashboard].map { try String(contentsOfFile: $0, encoding: .utf8) }
        let pattern = try NSRegularExpression(pattern: "\\b(bailiwick|process)_[a-z_]+\\b")
        var named: Set<String> = []
        for text in texts {
            let all = NSRange(text.startIndex..., in: text)
            for match in pattern.matches(in: text, range: all) {
                named.insert(String(text[try #require(Range(match.range, in: text))]))
            }
        }
        #expect(named.count > 30)
        #expect(named.subtracting(given).sorted() == [])
        _ = try JSONSerialization.jsonObject(with: Data(texts[1].utf8))
    }

    @Test func thereIsAnAlertForEachThingThatMustWakeSomebody() throws {
        let alerts = try alerts()
        #expect(
            Set(alerts).isSuperset(of: [
                "BailiwickDown", "BailiwickLogClosed", "BailiwickCheckpointLate", "BailiwickWitnessLate",
                "BailiwickCertificateExpires", "BailiwickRevocationListExpires", "BailiwickIssuerRevocationsExpire",
                "BailiwickIssuerKeyExpires", "BailiwickDiskDaysLeft", "BailiwickSealFailures",
                "BailiwickMisplacedObjects", "BailiwickReloadFailed",
            ]))
    }

    private func alerts() throws -> [String] {
        try String(contentsOfFile: Self.rules, encoding: .utf8).split(separator: "\n").compactMap { line in
            line.range(of: "- alert: ").map { String(line[$0.upperBound...]) }
        }
    }

    // MARK: - /ready

    @Test func everyCheckIsNamedAndTheSocketNeedsNoCertificate() throws {
        let world = try World()
        try world.start("dub1-gw1")
        let (status, text) = try ready(world)
        #expect(status == 200)
        let names = text.split(separator: "\n").map { String($0.prefix { $0 != ":" }) }
        #expect(
            names == [
                "log", "clock", "checkpoint", "witnesses", "listening", "stores", "certificate", "revocation-lists",
                "issuers",
                "disk", "settings",
            ])
        let socket = try run([
            "curl", "-s", "--unix-socket", world.folder("run/dub1-gw1.sock"), "http://localhost/ready",
        ])
        #expect(socket.text == text)
    }

    /// A key set is somebody else's: its `exp` may be any number.
    @Test(arguments: [Int64.min, .max])
    func anIssuersKeyMayEndAtAnyTime(_ end: Int64) throws {
        let world = try World()
        let name = "\"kid\":\"ie-2026\""
        let keys = world.folder.read("issuers/ie.jwks")
        #expect(keys.contains(name))
        try world.folder.write(
            "issuers/ie.jwks", keys.replacingOccurrences(of: name, with: "\(name),\"exp\":\(end)"))
        try world.start("dub1-gw1")
        let (status, text) = try ready(world)
        let words = "https://authorizations.example.ie: its key ie-2026 was to be replaced by 0001-01-01"
        #expect(status == 200 && text.contains(end < 0 ? "issuers: warning: \(words)" : "issuers: ok\n"), "\(text)")
        #expect(try metrics(world).contains(" \(end)\n"))
    }

    /// Which store, which object and why, where there may be no entry that tells it.
    @Test func aRequestThatAStoreCannotServeIsToldAndCounted() throws {
        let world = try World()
        try FileManager.default.createSymbolicLink(
            atPath: world.folder("store/dub1/alice"), withDestinationPath: "/dev/null")
        let daemon = try world.start("dub1-gw1")
        for _ in 0..<30 {
            let answer = try world.curl(
                "dub1-mailserver", from: "127.0.10.5", "/mail-dub1/alice/1", body: Data("x".utf8))
            #expect(answer.status == 500)
        }
        #expect(
            try metrics(world).contains(
                "bailiwick_storage_failures_total{store=\"mail-dub1\",cause=\"error\"} 30\n"))
        let lines = daemon.output.components(separatedBy: "\n").filter { $0.contains("stands in the key's way") }
        #expect(lines.allSatisfy { $0.contains(": mail-dub1 PutObject dub1-2026:") }, "\(lines)")
        // Each loop has a bound of its own.
        #expect((1...20).contains(lines.count), "\(lines.count)")
    }

    @Test func aStoreThatWasReplacedIsNotReady() throws {
        let world = try World()
        try world.start("dub1-gw1")
        try FileManager.default.moveItem(atPath: world.folder("store/dub1"), toPath: world.folder("store/elsewhere"))
        try wait(world) { $0.status == 503 && $0.text.contains("stores: NOT OK: mail-dub1: ") }
        #expect(try metrics(world).contains("bailiwick_store_reachable{store=\"mail-dub1\"} 0\n"))
        try FileManager.default.moveItem(atPath: world.folder("store/elsewhere"), toPath: world.folder("store/dub1"))
        try wait(world) { $0.status == 200 }
    }

    /// Counts keep to their bucket when a reload takes stores out, brings them back and changes their order.
    @Test func countsKeepToTheirBucketOverReloads() throws {
        let world = try World()
        try FileManager.default.createDirectory(atPath: world.folder("store/aaa"), withIntermediateDirectories: false)
        let second =
            "[[store]]\nbucket = \"aaa\"\ndatacenter = \"dub1\"\ndriver = \"directory\"\npath = \"\(world.folder("store/aaa"))\"\n\n"
        let daemon = try world.start("dub1-gw1")
        func put() throws -> Int {
            try world.curl("dub1-mailserver", from: "127.0.10.5", "/mail-dub1/alice/1", body: Data("x".utf8)).status
        }
        #expect(try put() == 200)
        // It comes before the other one now.
        try world.edit("dub1-gw1") { $0 = $0.replacingOccurrences(of: "[[store]]", with: second + "[[store]]") }
        daemon.signal(SIGHUP)
        try daemon.waitForOutput("settings reloaded")
        #expect(try put() == 200)
        let text = try metrics(world)
        #expect(text.contains("reason=\"domestic\",store=\"mail-dub1\",crossing=\"false\"} 2\n"), "\(text)")
        #expect(!text.contains("reason=\"domestic\",store=\"aaa\""))
    }

    @Test func aReloadThatWasNotTakenIsToldEverywhere() throws {
        let world = try World()
        let daemon = try world.start("dub1-gw1")
        try world.edit("dub1-gw1") {
            $0 = $0.replacingOccurrences(of: "driver = \"directory\"", with: "driver = \"x\"")
        }
        daemon.signal(SIGHUP)
        try daemon.waitForOutput("NOT reloaded")
        #expect(daemon.output.contains("store[0].driver"))
        let (status, text) = try ready(world)
        #expect(status == 200 && text.contains("settings: warning: the last reload was not taken: "))
        #expect(text.contains("store[0].driver"))
        let numbers = try metrics(world)
        #expect(numbers.contains("bailiwick_reloads_total{outcome=\"failed\"} 1\n"))
        #expect(numbers.contains("bailiwick_last_reload_successful 0\n"))
        try world.edit("dub1-gw1") {
            $0 = $0.replacingOccurrences(of: "driver = \"x\"", with: "driver = \"directory\"")
        }
        daemon.signal(SIGHUP)
        try daemon.waitForOutput("settings reloaded")
        #expect(try metrics(world).contains("bailiwick_last_reload_successful 1\n"))
        #expect(try ready(world).text.contains("settings: ok\n"))
        #expect(daemon.stop() == 0)
        let events = try world.bailiwick("log", "query", world.folder("log/dub1"), "--kind", "event", "--json")
        #expect(events.text.contains("\"event\":\"reload-failed\"") && events.text.contains("store[0].driver"))
    }

    @Test(.enabled(if: python != nil, "a Python with cryptography"))
    func aWitnessThatIsNotReachedIsToldInPlainWords() throws {
        let (world, daemon) = try rich()
        defer { daemon.kill() }
        try wait(world) { $0.text.contains("witness.example.net/w1: connection: Connection refused\n") }
    }

    @Test(.enabled(if: python != nil, "a Python with cryptography"))
    func aRevocationListThatEndsSoonIsAWarning() throws {
        let (world, daemon) = try rich()
        defer { daemon.kill() }
        try revocations(world, seconds: 3600)
        daemon.signal(SIGHUP)
        try daemon.waitForOutput("settings reloaded")
        #expect(
            try ready(world).text.contains(
                "issuers: warning: https://authorizations.example.ie: its revocation list ends"))
    }

    private func wait(_ world: World, _ condition: ((status: Int, text: String)) -> Bool) throws {
        let deadline = Date().addingTimeInterval(20)
        while true {
            let answer = try ready(world)
            if condition(answer) { return }
            guard Date() < deadline else { throw TestFailure("/ready: \(answer.status) \(answer.text)") }
            usleep(100_000)
        }
    }
}
