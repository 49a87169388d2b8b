import Foundation
import TestSupport
import Testing

/// What a service manager sees of the daemon: readiness, status, handed-over sockets and the watchdog, held with a manager of our own
/// (manager.py). The same on a real systemd is `make test-systemd`.
@Suite struct ServiceTests {
    /// A daemon under a manager.
    final class Managed {
        let world: World
        let manager: Client

        init(watchdogSeconds: Double = 0, sockets: [String]) throws {
            let world = try World()
            self.world = world
            let places = sockets.map { socket in
                socket.replacingOccurrences(of: "S3", with: "127.0.0.1:\(world.dublin)")
                    .replacingOccurrences(of: "OPERATORS", with: "127.0.0.1:\(world.dublin + 1)")
                    .replacingOccurrences(of: "SOCKET", with: world.folder("run/dub1-gw1.sock"))
            }
            manager = try Client(
                [
                    "python3", "\(repository)/Tests/Conformance/manager.py", "\(products)/bailiwickd",
                    world.folder("dub1-gw1.toml"), "\(watchdogSeconds)",
                ] + places)
        }

        deinit { manager.end() }

        var output: String { world.folder.read("dub1-gw1.toml.out") }

        func putObject() throws {
            let answer = try world.curl(
                "dub1-mailserver", from: "127.0.10.5", "/mail-dub1/alice/1", body: Data("x".utf8))
            guard answer.status == 200 else { throw TestFailure("put: \(answer.text)") }
        }
    }

    @Test func itSaysThatItIsReadyAndTellsItsStatusEverySecond() throws {
        let daemon = try Managed(sockets: [])
        #expect(try daemon.manager.ask("start").contains("serving 1 store, 0 decisions/s, checkpoint 0s ago"))
        try daemon.putObject()
        #expect(try daemon.manager.ask("wait STATUS=serving 5") != "none")
        #expect(try daemon.manager.ask("stop") == "EXIT 0")
        #expect(try daemon.manager.ask("wait STOPPING=1 1") != "none")
    }

    @Test func itTakesTheSocketsThatAreHandedOver() throws {
        let daemon = try Managed(sockets: ["s3=S3", "operators=OPERATORS", "operators-socket=SOCKET"])
        #expect(try daemon.manager.ask("start").contains("READY=1"))
        try daemon.putObject()
        #expect(
            try daemon.world.curl("dub1-operator", from: "127.0.10.5", "/health", at: daemon.world.dublin + 1).status
                == 200)
        let health = try run([
            "curl", "-s", "--unix-socket", daemon.world.folder("run/dub1-gw1.sock"), "http://localhost/health",
        ])
        #expect(health.text == "ok\n")
        #expect(try daemon.manager.ask("stop") == "EXIT 0")
    }

    @Test func aSocketThatTheSettingsDoNotNameKeepsItFromStarting() throws {
        let daemon = try Managed(sockets: ["s3=OPERATORS"])
        #expect(try daemon.manager.ask("start") == "EXIT 1")
        #expect(daemon.output.contains("\"s3\" on 127.0.0.1:\(daemon.world.dublin + 1)"))
        #expect(daemon.output.contains("ListenStream="))
        let unnamed = try Managed(sockets: ["bailiwick.socket=S3"])
        #expect(try unnamed.manager.ask("start") == "EXIT 1")
        #expect(unnamed.output.contains("FileDescriptorName=") && unnamed.output.contains("operators-socket"))
    }

    /// A restart under 64 keep-alive connections: nobody is refused, what is in hand is answered, the log goes on.
    @Test func aRestartWithHandedOverSocketsDropsNobody() throws {
        let daemon = try Managed(sockets: ["s3=S3", "operators-socket=SOCKET"])
        #expect(try daemon.manager.ask("start").contains("READY=1"))
        try daemon.putObject()
        let load = try Client([
            "python3", "\(repository)/Tests/Conformance/steady.py", daemon.world.folder.path, "\(daemon.world.dublin)",
            "dub1-support", "64",
        ])
        defer { load.end() }
        var answered = try Tally(load.ask()).answered
        for _ in 0..<3 {
            try waitForAnswers(load, answered + 500)
            #expect(try daemon.manager.ask("stop") == "EXIT 0")
            #expect(try daemon.manager.ask("start").contains("READY=1"))
            answered = try Tally(load.ask()).answered
        }
        try waitForAnswers(load, answered + 500)
        let tally = try Tally(load.ask("end"))
        #expect(tally.refused == 0 && tally.dropped == 0 && tally.wrong == 0, "\(tally.text)")
        #expect(tally.connections > 64)
        #expect(try daemon.manager.ask("stop") == "EXIT 0")
        let key = daemon.world.folder.read("keys/log-dub1.vkey").trimmingCharacters(in: .whitespacesAndNewlines)
        #expect(
            try daemon.world.bailiwick("log", "verify", daemon.world.folder("log/dub1"), "--key", key).status == 0)
    }

    @Test func theWatchdogIsFedWhileEveryThreadPassesItsToken() throws {
        let daemon = try Managed(watchdogSeconds: 2, sockets: ["operators-socket=SOCKET"])
        #expect(try daemon.manager.ask("start").contains("READY=1"))
        let names = try daemon.manager.ask("threads").split(separator: " ").map(String.init)
        let watched = names.filter { $0.hasPrefix("loop-") || $0.hasPrefix("file-") || $0.hasPrefix("log-") }
        #expect(watched.contains("loop-0") && watched.contains("file-7"))
        #expect(watched.contains("log-writer") && watched.contains("log-integrator"))
        // Twice in a period at least.
        #expect(try #require(Int(try daemon.manager.ask("count WATCHDOG=1 4"))) >= 4)
        #expect(try daemon.manager.ask("stop") == "EXIT 0")
    }

    /// Each of them stopped alone, as a hung disk or a loop that spins would: the watchdog starves, and the journal says who.
    @Test(arguments: ["loop-0", "operators", "log-writer", "log-integrator", "file-0", "file-5"])
    func aStuckThreadStarvesTheWatchdog(thread: String) throws {
        let daemon = try Managed(watchdogSeconds: 1, sockets: ["operators-socket=SOCKET"])
        #expect(try daemon.manager.ask("start").contains("READY=1"))
        #expect(try daemon.manager.ask("stall \(thread)") == "stalled")
        // What was under way may still be fed.
        _ = try daemon.manager.ask("count WATCHDOG=1 0.6")
        #expect(try daemon.manager.ask("count WATCHDOG=1 2") == "0")
        // A thread of the pool is stopped here where no disk would stop it: in the pool's own condition variable, in which whoever
        // signals it, the main thread too, then waits for it.
        // One that is stopped while it wakes another, in the other's mutex, is told together with that one.
        if !thread.hasPrefix("file-") {
            let told = daemon.output.split(separator: "\n").filter { $0.contains("did nothing for") }
            #expect(told.contains { $0.contains(thread) }, "\(daemon.output)")
        }
        #expect(try daemon.manager.ask("resume \(thread)") == "resumed")
        #expect(try daemon.manager.ask("wait WATCHDOG=1 5") != "none")
        #expect(try daemon.manager.ask("stop") == "EXIT 0")
    }

    @Test func aLogThatFailedClosedKeepsTheWatchdogFed() throws {
        let daemon = try Managed(watchdogSeconds: 1, sockets: ["operators-socket=SOCKET"])
        #expect(try daemon.manager.ask("start").contains("READY=1"))
        try FileManager.default.removeItem(atPath: daemon.world.folder("log/dub1/lock"))
        #expect(try daemon.manager.ask("wait THE LOG IS CLOSED 10") != "none")
        #expect(try #require(Int(try daemon.manager.ask("count WATCHDOG=1 3"))) >= 4)
        #expect(try daemon.manager.ask("stop") == "EXIT 0")
    }

    private func waitForAnswers(_ load: Client, _ count: Int) throws {
        let deadline = Date().addingTimeInterval(60)
        while try Tally(load.ask()).answered < count {
            guard Date() < deadline else { throw TestFailure("no \(count) answers: \(try load.ask())") }
            usleep(20_000)
        }
    }
}

/// What steady.py counted.
struct Tally {
    let text: String
    let answered: Int
    let wrong: Int
    let refused: Int
    let dropped: Int
    let connections: Int

    init(_ text: String) throws {
        self.text = text
        let words = text.split(separator: " ")
        func number(_ name: String) throws -> Int {
            guard let place = words.firstIndex(of: Substring(name)), let number = Int(words[place + 1]) else {
                throw TestFailure("steady.py: \(text)")
            }
            return number
        }
        answered = try number("answered")
        wrong = try number("wrong")
        refused = try number("refused")
        dropped = try number("dropped")
        connections = try number("connections")
    }
}
