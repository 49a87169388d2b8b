import Foundation
import JSON
import OpenSSL
import Residency
import Synchronization
import TestSupport
import Testing

@testable import DecisionLog

/// `bailiwick log archive` and `prune` as an operator runs them, beside a daemon that goes on.
@Suite final class KeepingTests {
    let world: World
    private var log: String { world.folder("log/dub1") }
    private var archive: String { world.folder("archive") }
    private var settings: String { world.folder("dub1-gw1.toml") }
    private var vkey: String {
        world.folder.read("keys/log-dub1.vkey").trimmingCharacters(in: .whitespacesAndNewlines)
    }

    init() throws {
        world = try World()
        try FileManager.default.createDirectory(atPath: world.folder("log"), withIntermediateDirectories: true)
        try world.edit("dub1-gw1") { $0.replace("roles = [\"operator\"]", with: "roles = [\"operator\", \"auditor\"]") }
    }

    /// What a daemon wrote in 2020: `count` events, a minute apart.
    private func old(_ count: Int) throws {
        let key = world.folder.read("keys/log-dub1").trimmingCharacters(in: .whitespacesAndNewlines)
        let gateway = GatewayName("dub1-gw1")!
        var configuration = LogConfiguration(
            directory: log, origin: "logs.example.org/dub1-gw1", signers: [try NoteSigner(key)])
        let clock = OldClock()
        configuration.clock = clock
        let decisions = try DecisionLog.open(configuration, gateway: gateway, start: [])
        for number in 1..<count - 1 {
            clock.move()
            try decisions.recordDurably(
                EventEntry(gateway: gateway, name: "reload", members: [("policy", .text("\(number)"))]))
        }
        decisions.close()
    }

    private final class OldClock: LogClock {
        private let minutes = Mutex<Int64>(0)

        func wall() -> Timestamp { Timestamp(seconds: 1_577_836_800 + 60 * minutes.withLock { $0 }) }
        func monotonicMicroseconds() -> Int64 { SystemClock().monotonicMicroseconds() }
        func move() { minutes.withLock { $0 += 1 } }
    }

    private func tool(_ arguments: String...) throws -> CommandResult {
        try run(["\(products)/bailiwick", "log"] + arguments + (arguments[0] == "query" ? [] : ["--key", vkey]))
    }

    private func prune(before: String) throws -> CommandResult {
        try tool("prune", log, "--before", before, "--archive", archive, "--config", settings)
    }

    private func get(_ path: String) throws -> World.Answer {
        try world.curl("dub1-operator", from: "127.0.10.5", path, at: world.dublin + 1)
    }

    @Test func aLogIsArchivedAndPrunedBesideItsDaemon() throws {
        try withExtendedLifetime(world) {
            try old(1000)
            try world.edit("dub1-gw1") { $0.replace("[log]", with: "[log]\nretention_days = 30") }
            let daemon = try world.start("dub1-gw1")
            try put("alice/INBOX/1")
            let archived = try tool("archive", log, "--to", archive)
            #expect(archived.status == 0, "\(archived.errors)")
            #expect(archived.text.contains("good: entries 0 to 100"), "\(archived.text)")

            // Minute 600 is in the middle of the third bundle.
            let pruned = try prune(before: "2020-01-01T10:00:00Z")
            #expect(pruned.status == 0, "\(pruned.errors)")
            #expect(pruned.text.contains("512 entries pruned; it begins with entry 512"), "\(pruned.text)")
            #expect(try get("/log/tile/entries/001").status == 404)
            #expect(try get("/log/tile/entries/002").status == 200)
            try put("alice/INBOX/2")
            try waitForEvent("pruned")
            let metrics = try world.curl("dub1-operator", from: "127.0.10.5", "/metrics", at: world.dublin + 1)
            #expect(metrics.text.contains("\nbailiwick_log_minimum_index 512\n"))

            try everyToolSays512()
            #expect(daemon.stop() == 0)
            let again = try world.start("dub1-gw1")
            try put("alice/INBOX/3")
            #expect(again.stop() == 0)
            try everyToolSays512()

            // The archive takes what has come since, and is the whole.
            let more = try tool("archive", log, "--to", archive)
            #expect(more.status == 0, "\(more.errors)")
            let whole = try tool("verify", archive)
            #expect(whole.status == 0 && !whole.text.contains("pruned"), "\(whole.errors)")
            #expect(try tool("audit", archive).status == 0)
        }
    }

    private func put(_ key: String) throws {
        let answer = try world.curl(
            "dub1-mailserver", from: "127.0.10.5", "/mail-dub1/\(key)", body: Data("text".utf8))
        #expect(answer.status == 200, "\(answer.text)")
    }

    private func waitForEvent(_ name: String) throws {
        let deadline = Date().addingTimeInterval(20)
        while !(try tool("query", log, "--kind", "event", "--from", "2026-01-01", "--json").text).contains(
            "\"event\":\"\(name)\"")
        {
            guard Date() < deadline else { throw TestFailure("no \(name) event") }
            usleep(50_000)
        }
    }

    private func everyToolSays512() throws {
        let verified = try tool("verify", log)
        #expect(verified.status == 0, "\(verified.errors)")
        #expect(verified.text.contains("verified from entry 512 on"), "\(verified.text)")
        #expect(!verified.text.contains("NO pruned event"), "\(verified.text)")
        let audited = try tool("audit", log)
        #expect(audited.status == 0, "\(audited.errors)")
        #expect(audited.text.contains("from entry 512 on") && !audited.text.contains("NO start"), "\(audited.text)")
        let all = try tool("query", log, "--json")
        #expect(all.errors.contains("entries before 512 (2020-01-01T08:3"), "\(all.errors)")
        #expect(all.text.hasPrefix(#"{"log":"logs.example.org/dub1-gw1","index":512,"#))
        #expect(try tool("query", log, "--from", "2020-01-02").errors.isEmpty)
        let proof = try run(["\(products)/bailiwick", "log", "prove", log, "600", "--entry", world.folder("600.json")])
        #expect(proof.status == 0, "\(proof.errors)")
        let file = try world.folder.write("600.tlog-proof", proof.text)
        #expect(try tool("check-proof", file, "--entry", world.folder("600.json")).status == 0)
        try FileManager.default.removeItem(atPath: world.folder("600.json"))
        let gone = try run(["\(products)/bailiwick", "log", "prove", log, "511"])
        #expect(gone.status != 0 && gone.errors.contains("were pruned: ask the archive"), "\(gone.errors)")
    }

    @Test func whatMayNotBePrunedIsNot() throws {
        try withExtendedLifetime(world) {
            try old(1000)
            func refused(_ what: String, before: String = "2020-01-01T10:00:00Z") throws {
                let result = try prune(before: before)
                #expect(result.status == 1 && result.errors.contains(what), "\(result.errors)")
                #expect(try tool("verify", log).text.contains("good: 1000 entries"))
                #expect(!FileManager.default.fileExists(atPath: log + "/minimum-index"))
            }
            try refused("log.retention_days is not set")
            try world.edit("dub1-gw1") { $0.replace("[log]", with: "[log]\nretention_days = 30") }
            let yesterday = ISO8601DateFormatter().string(from: Date().addingTimeInterval(-86_400))
            try refused("log.retention_days = 30 keeps what is not before", before: yesterday)
            try refused("the archive: checkpoint")
            #expect(try tool("archive", log, "--to", archive).status == 0)
            let bundle = archive + "/tile/entries/001"
            let bytes = try Data(contentsOf: URL(fileURLWithPath: bundle))
            var changed = bytes
            changed[300] ^= 1
            try changed.write(to: URL(fileURLWithPath: bundle))
            try refused("the archive: entry 2")
            try bytes.write(to: URL(fileURLWithPath: bundle))
            // Another log's settings, and another log's archive.
            try world.edit("dub1-gw1") { $0.replace("logs.example.org/dub1-gw1", with: "logs.example.org/other") }
            try refused("is for the log logs.example.org/other")
            try world.edit("dub1-gw1") { $0.replace("logs.example.org/other", with: "logs.example.org/dub1-gw1") }
            let other = try tool("archive", log, "--to", log)
            #expect(other.status == 1 && other.errors.contains("the log's own folder"), "\(other.errors)")
            #expect(try prune(before: "2020-01-01T10:00:00Z").status == 0)
            // Again, and earlier: nothing more to do.
            let again = try prune(before: "2020-01-01T02:00:00Z")
            #expect(again.text.contains("0 entries pruned; it begins with entry 512"), "\(again.text)\(again.errors)")
        }
    }

    /// A daemon's decisions, pruned in the middle: those that are left still follow from the rule.
    @Test func aPrunedLogIsAudited() throws {
        try withExtendedLifetime(world) {
            let daemon = try world.start("dub1-gw1")
            try put("alice/1")
            let load = try run(
                [
                    "python3", "\(repository)/Tests/Conformance/load.py", world.folder.path, "\(world.dublin)",
                    "dub1-support", "700", "4", world.folder("answers"),
                ])
            #expect(load.status == 0, "\(load.errors)")
            #expect(daemon.stop() == 0)
            #expect(try tool("archive", log, "--to", archive).status == 0)
            let verifier = try NoteVerifier(vkey)
            var pruning = LogPruning(folder: log, archive: archive, verifier: verifier)
            #expect(try pruning.run(before: Timestamp(seconds: 4_000_000_000)).minimumIndex >= 512)
            let audited = try tool("audit", log)
            #expect(audited.status == 0, "\(audited.errors)")
            // No daemon has seen it since: whoever may write in the folder could have done the same.
            #expect(audited.text.contains("NO pruned event tells that"), "\(audited.text)")
            #expect(try tool("verify", log).text.contains("NO pruned event tells that"))
            let decisions = audited.text.range(of: "[0-9]+ decisions follow", options: .regularExpression)
            #expect(decisions != nil && !audited.text.contains(" 0 decisions follow"), "\(audited.text)")
        }
    }

    // MARK: - Served

    @Test func bundlesAreServedPackedWhereThatIsAskedFor() throws {
        try withExtendedLifetime(world) {
            try old(300)
            try world.start("dub1-gw1")
            let url = "/log/tile/entries/000"
            func get(_ path: String, _ arguments: String...) throws -> World.Answer {
                try world.curl("dub1-operator", from: "127.0.10.5", path, at: world.dublin + 1, arguments: arguments)
            }
            let bytes = try Data(contentsOf: URL(fileURLWithPath: log + "/tile/entries/000"))
            let plain = try get(url)
            #expect(plain.body == bytes)
            #expect(plain.headers["content-encoding"] == nil)
            #expect(plain.headers["vary"] == "Accept-Encoding")
            let packed = try get(url, "--compressed")
            #expect(packed.body == bytes)
            #expect(packed.headers["content-encoding"] == "gzip")
            #expect(packed.headers["cache-control"] == "max-age=31536000, immutable")
            let length = try #require(packed.headers["content-length"].flatMap { Int($0) })
            #expect(length < bytes.count / 3)
            // What Python's gzip makes of the raw answer.
            let raw = try get(url, "-H", "Accept-Encoding: br, gzip;q=0.5")
            #expect(raw.body.count == length)
            let unpacked = try run(
                [
                    "python3", "-c",
                    "import gzip,sys; sys.stdout.buffer.write(gzip.decompress(sys.stdin.buffer.read()))",
                ],
                input: raw.body)
            #expect(unpacked.output == bytes)
            for no in ["identity", "gzip;q=0", "br", "*;q=0", "gzip;q=0.000, *"] {
                #expect(try get(url, "-H", "Accept-Encoding: \(no)").body == bytes, "\(no)")
            }
            #expect(try get(url, "-H", "Accept-Encoding: *").headers["content-encoding"] == "gzip")
            let tile = try get("/log/tile/0/000", "--compressed")
            #expect(tile.headers["content-encoding"] == nil)
            #expect(tile.body.count == 8192)
        }
    }
}
