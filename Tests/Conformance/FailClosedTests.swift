import Foundation
import TestSupport
import Testing

/// The log of a running daemon: what is seen of it outside is in it, and where it cannot be written nothing is served any more.
@Suite struct FailClosedTests {
    /// Connections that do nothing take what descriptors they may have, and none of the log's: it would close for good.
    @Test func connectionsLeaveTheLogItsDescriptors() throws {
        let world = try World()
        let result = try run([
            "python3", "\(repository)/Tests/Conformance/descriptors.py", world.folder.path, "\(world.dublin)",
            "\(products)/bailiwickd",
        ])
        #expect(result.status == 0 && result.text.contains("the log stayed open"), "\(result.text)\n\(result.errors)")
        #expect((result.text + result.errors).contains("too many objects are open"))
    }

    // MARK: - Killed

    /// Kills of the daemon at random instants, of its start too, under load: every decision that a client saw is in the log, as it
    /// was seen, and the log goes on without anybody's help.
    @Test func everyAnsweredDecisionSurvivesTwoHundredKills() throws {
        let world = try World()
        let before = ContinuousClock.now
        let first = try world.start("dub1-gw1")
        // A start takes longer on a busy machine: many a life has to outlast it.
        let lifeMicroseconds = UInt32((ContinuousClock.now - before) / .microseconds(1)) + 400_000
        try put(in: world)
        #expect(first.stop() == 0)
        let load = try load(world, count: 0, threads: 4)
        var random = SystemRandomNumberGenerator()
        for _ in 0..<200 {
            let daemon = try Daemon(settings: world.folder("dub1-gw1.toml"), socket: world.folder("run/dub1-gw1.sock"))
            usleep(UInt32.random(in: 0..<lifeMicroseconds, using: &random))
            #expect(daemon.process.isRunning, "\(daemon.output)")
            daemon.kill()
        }
        load.process.standardInput.map { try? ($0 as? Pipe)?.fileHandleForWriting.close() }
        load.process.waitUntilExit()
        let last = try world.start("dub1-gw1")
        #expect(last.stop() == 0)
        let seen = try answers(load.output)
        #expect(seen.count > 1000)
        let logged = try decisions(world)
        var wrong: [String] = []
        for answer in seen {
            guard let index = answer.decision else { continue }
            if logged[index] != answer.request {
                wrong.append("\(index): \(answer.request) was answered, the log has \(logged[index] ?? "nothing")")
            }
        }
        #expect(wrong.prefix(3) == [], "\(wrong.count) of \(seen.count)")
        #expect(seen.contains { $0.status == 200 && $0.decision != nil })
        try verify(world)
        // What a kill left open, the next start names.
        let starts = try world.bailiwick("log", "query", world.folder("log/dub1"), "--kind", "event", "--json")
        #expect(starts.text.contains("\"open-decisions\""))
        let all = try world.bailiwick(
            "log", "audit", world.folder("log/dub1"), "--key", vkey(world), "--reveal-key",
            world.folder("pki/pseudonym-dub1"))
        #expect(all.status == 0, "\(all.text)\(all.errors)")
    }

    // MARK: - Closed

    @Test(.enabled(if: canMount, "mounting a small file system needs root and loop devices"))
    func aFullDiskClosesTheLogWithItsLastWords() throws {
        let world = try World()
        let mounted = try SmallFileSystem(world.folder("small"), mebibytes: 40)
        try world.edit("dub1-gw1") {
            $0 = $0.replacingOccurrences(
                of: "directory = \"\(world.folder("log/dub1"))\"",
                with: "directory = \"\(mounted.path)/log\"\nreserve_mib = 2")
        }
        let daemon = try world.start("dub1-gw1")
        try put(in: world)
        // Whatever is left of the disk goes to somebody else.
        _ = try run(["dd", "if=/dev/zero", "of=\(mounted.path)/ballast", "bs=4096", "status=none"])
        try untilClosed(world, daemon)
        let ready = try ready(world)
        #expect(ready.status == 503)
        #expect(ready.text.contains("log: NOT OK") && ready.text.contains("the disk is full"), "\(ready.text)")
        // What was in hand when the disk was full may be answered yet; then nothing more is, and nothing reopens it.
        try FileManager.default.removeItem(atPath: mounted.path + "/ballast")
        #expect(try get(world).reason == "log-unavailable")
        #expect(daemon.stop() == 0)
        let events = try world.bailiwick("log", "query", mounted.path + "/log", "--kind", "event", "--json").text
        let names = events.split(separator: "\n").suffix(2).map(String.init)
        #expect(names.count == 2 && names[0].contains("\"log-full\"") && names[1].contains("\"stop\""), "\(events)")
        try verify(world, mounted.path + "/log")
        // A start is all that it takes.
        try world.start("dub1-gw1")
        #expect(try get(world).status == 200)
        withExtendedLifetime(mounted) {}
    }

    @Test(arguments: [
        "mv log log-away", "rm -rf log", "mv log log-away && cp -a log-away log",
        "cp -a log/wal wal-away && rm -r log/wal && mv wal-away log/wal",
        "cp log/checkpoint c && mv c log/checkpoint", "rm log/lock && touch log/lock",
    ])
    func aFolderOrFileThatIsReplacedClosesTheLog(command: String) throws {
        let world = try World()
        try world.edit("dub1-gw1") {
            $0 = $0.replacingOccurrences(of: world.folder("log/dub1"), with: world.folder("place/log"))
        }
        try FileManager.default.createDirectory(atPath: world.folder("place"), withIntermediateDirectories: true)
        let daemon = try world.start("dub1-gw1")
        try put(in: world)
        let result = try run(["sh", "-c", "cd '\(world.folder("place"))' && \(command)"])
        #expect(result.status == 0, "\(result.errors)")
        try untilClosed(world, daemon)
        #expect(try ready(world).text.contains("removed or replaced under the daemon"))
        // Who restarts it finds the cause in the journal, once.
        let said = "the log closed itself, every request is answered 503 until a restart: "
        try daemon.waitForOutput(said)
        #expect(daemon.stop() == 0)
        let lines = daemon.output.components(separatedBy: "\n").filter { $0.contains(said) }
        #expect(lines.count == 1 && lines[0].contains("removed or replaced under the daemon"), "\(daemon.output)")
    }

    @Test func aKeyThatCannotBeReadRefusesTheStartAndTheReload() throws {
        let world = try World()
        let key = world.folder("keys/log-dub1")
        let daemon = try world.start("dub1-gw1")
        try put(in: world)
        for (command, says) in [
            ("mv '\(key)' '\(key).away'", "no such file"), ("mkdir '\(key)'", "is no file"),
            ("rmdir '\(key)' && touch '\(key)' && chmod 600 '\(key)'", "private+key+"),
        ] {
            #expect(try run(["sh", "-c", command]).status == 0)
            let check = try run(["\(products)/bailiwickd", "--check", "--config", world.folder("dub1-gw1.toml")])
            #expect(check.status == 1)
            #expect(check.errors.contains("log.signing_keys[0]"), "\(check.errors)")
            #expect(check.errors.lowercased().contains(says), "\(check.errors)")
            let before = daemon.output.components(separatedBy: "NOT reloaded").count
            daemon.signal(SIGHUP)
            try wait { daemon.output.components(separatedBy: "NOT reloaded").count > before }
            #expect(try get(world).status == 200)
        }
        #expect(daemon.stop() == 0)
        let events = try world.bailiwick("log", "query", world.folder("log/dub1"), "--kind", "event", "--json").text
        #expect(events.components(separatedBy: "\"reload-failed\"").count == 4)
    }

    // MARK: - Flooded

    /// Neither a stranger nor a principal beyond its bound writes the log: they are counted.
    @Test func aFloodDoesNotGrowTheLogBeyondItsBound() throws {
        let world = try World()
        try world.edit("dub1-gw1") {
            $0 = $0.replacingOccurrences(
                of: "name = \"support\"\n", with: "name = \"support\"\nrequests_per_second_max = 20\n")
        }
        let daemon = try world.start("dub1-gw1")
        try put(in: world)
        let stranger = try load(world, as: "dub1-auditor", count: 3000, threads: 4)
        stranger.process.waitUntilExit()
        let strange = try answers(stranger.output)
        #expect(strange.count >= 2990 && strange.allSatisfy { $0.status == 403 && $0.decision == nil })
        let started = Date()
        let flood = try load(world, as: "dub1-support", count: 3000, threads: 4)
        flood.process.waitUntilExit()
        let seconds = Int(Date().timeIntervalSince(started)) + 2
        let flooding = try answers(flood.output)
        #expect(flooding.contains { $0.status == 200 })
        #expect(flooding.contains { $0.status == 503 && $0.decision == nil })
        let metrics = try world.curl("dub1-operator", from: "127.0.10.5", "/metrics", at: world.dublin + 1).text
        let unrecorded = flooding.count { $0.status == 503 }
        #expect(metrics.contains("\nbailiwick_unrecorded_total{reason=\"overloaded\"} \(unrecorded)\n"), "\(metrics)")
        #expect(daemon.stop() == 0)
        // Beside the one PUT.
        let grown = try decisions(world).count - 1
        #expect(grown == flooding.count { $0.decision != nil })
        #expect(grown <= 20 * seconds, "\(grown) in \(seconds) s")
        let events = try world.bailiwick("log", "query", world.folder("log/dub1"), "--kind", "event", "--json").text
            .split(separator: "\n").filter { $0.contains("aggregated-refusals") }.map(String.init)
        // One each, or two where the minute was full in between.
        #expect((2...4).contains(events.count), "\(events)")
        let counts = try events.map { event in
            try JSONSerialization.jsonObject(with: Data(event.utf8)) as? [String: Any] ?? [:]
        }
        func counted(_ reason: String, _ source: String) -> Int {
            counts.filter { $0["reason"] as? String == reason && $0["source"] as? String == source }
                .reduce(0) { $0 + ($1["count"] as? Int ?? 0) }
        }
        #expect(counted("unauthenticated", "127.0.10.0/24") == strange.count)
        #expect(counted("overloaded", "support") == flooding.count { $0.status == 503 })
        try verify(world)
    }

    // MARK: - Tools

    private func put(in world: World) throws {
        let answer = try world.curl(
            "dub1-mailserver", from: "127.0.10.5", "/mail-dub1/alice/1", body: Data(repeating: 120, count: 4096))
        guard answer.status == 200 else { throw TestFailure("PUT: \(answer.text)") }
    }

    private func get(_ world: World) throws -> World.Answer {
        try world.curl("dub1-mailserver", from: "127.0.10.5", "/mail-dub1/alice/1")
    }

    private func ready(_ world: World) throws -> World.Answer {
        try world.curl("dub1-operator", from: "127.0.10.5", "/ready", at: world.dublin + 1)
    }

    private func wait(seconds: Double = 20, until isSo: () throws -> Bool) throws {
        let deadline = Date().addingTimeInterval(seconds)
        while try !isSo() {
            guard Date() < deadline else { throw TestFailure("it did not come to be in \(seconds) s") }
            usleep(20_000)
        }
    }

    /// Asks until the answer is that the log is closed, then holds the daemon to what is left of it.
    private func untilClosed(_ world: World, _ daemon: Daemon) throws {
        try wait {
            let answer = try get(world)
            guard answer.status == 503 else { return false }
            #expect(answer.reason == "log-unavailable")
            return true
        }
        for _ in 0..<3 { #expect(try get(world).reason == "log-unavailable") }
        #expect(daemon.process.isRunning)
        let health = try world.curl("dub1-operator", from: "127.0.10.5", "/health", at: world.dublin + 1)
        #expect(health.status == 200)
        let metrics = try world.curl("dub1-operator", from: "127.0.10.5", "/metrics", at: world.dublin + 1)
        #expect(metrics.text.contains("\nbailiwick_log_open 0\n"))
        let unrecorded = "bailiwick_unrecorded_total{reason=\"log-unavailable\"} "
        #expect(metrics.text.contains(unrecorded) && !metrics.text.contains(unrecorded + "0\n"), "\(metrics.text)")
    }

    private struct Load {
        let process: Process
        let output: String
    }

    private func load(_ world: World, as who: String = "dub1-mailserver", count: Int, threads: Int) throws -> Load {
        let output = world.folder("answers-\(who)")
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [
            "python3", "\(repository)/Tests/Conformance/load.py", world.folder.path, "\(world.dublin)", who, "\(count)",
            "\(threads)", output,
        ]
        process.standardInput = Pipe()
        try process.run()
        return Load(process: process, output: output)
    }

    private struct Seen {
        let status: Int
        let decision: Int?
        let request: String
    }

    private func answers(_ path: String) throws -> [Seen] {
        try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n").compactMap { line in
            let parts = line.split(separator: " ")
            guard parts.count == 3, let status = Int(parts[0]) else { return nil }
            return Seen(status: status, decision: Int(parts[1]), request: parts[2].uppercased())
        }
    }

    /// Index and request id of every decision in the log.
    private func decisions(_ world: World) throws -> [Int: String] {
        let result = try world.bailiwick(
            "log", "query", world.folder("log/dub1"), "--kind", "decision", "--json")
        guard result.status == 0 else { throw TestFailure("query: \(result.errors)") }
        var found: [Int: String] = [:]
        for line in result.text.split(separator: "\n") {
            let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
            guard let index = object?["index"] as? Int else { throw TestFailure("no index: \(line)") }
            let entry = object?["entry"] as? [String: Any] ?? object
            found[index] = (entry?["request"] as? String)?.uppercased()
        }
        return found
    }

    private func vkey(_ world: World) -> String {
        world.folder.read("keys/log-dub1.vkey").trimmingCharacters(in: .whitespacesAndNewlines)
    }

    private func verify(_ world: World, _ path: String? = nil) throws {
        let result = try world.bailiwick("log", "verify", path ?? world.folder("log/dub1"), "--key", vkey(world))
        #expect(result.status == 0, "\(result.errors)\(result.text)")
    }
}
