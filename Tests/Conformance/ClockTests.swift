import Foundation
import Residency
import TestSupport
import Testing

@testable import DecisionLog

/// A clock that was ahead once: the log's time is ahead of it from then on, and somebody has to hear of that.
@Suite final class ClockTests {
    let world: World

    init() throws { world = try World() }

    private struct ClockAhead: LogClock {
        let seconds: Int64

        func wall() -> Timestamp { Timestamp(microseconds: SystemClock().wall().microseconds + seconds * 1_000_000) }
        func monotonicMicroseconds() -> Int64 { SystemClock().monotonicMicroseconds() }
    }

    /// What a daemon leaves that ran while the clock was ahead.
    private func serve(ahead seconds: Int64) throws {
        try FileManager.default.createDirectory(atPath: world.folder("log"), withIntermediateDirectories: true)
        let key = world.folder.read("keys/log-dub1").trimmingCharacters(in: .whitespacesAndNewlines)
        var configuration = LogConfiguration(
            directory: world.folder("log/dub1"), origin: "logs.example.org/dub1-gw1", signers: [try NoteSigner(key)])
        configuration.clock = ClockAhead(seconds: seconds)
        try DecisionLog.open(configuration, gateway: GatewayName("dub1-gw1")!, start: []).close()
    }

    @Test(arguments: [(30, "clock: warning: ", 200), (2 * 86_400, "clock: NOT OK: ", 503)] as [(Int64, String, Int)])
    func aLogThatIsAheadOfTheClockIsToldEverywhere(seconds: Int64, words: String, status: Int) throws {
        try serve(ahead: seconds)
        let daemon = try Daemon(settings: world.folder("dub1-gw1.toml"), socket: world.folder("run/dub1-gw1.sock"))
        defer { daemon.kill() }
        try daemon.waitForOutput("listens on")
        func get(_ path: String) throws -> World.Answer {
            try world.curl("dub1-operator", from: "127.0.10.5", path, at: world.dublin + 1)
        }
        let ready = try get("/ready")
        #expect(ready.status == status && ready.text.contains(words), "\(ready.text)")
        let metric = try #require(
            try get("/metrics").text.split(separator: "\n").first { $0.hasPrefix("bailiwick_log_ahead_seconds ") })
        let ahead = try #require(Double(metric.split(separator: " ")[1]))
        #expect(ahead <= Double(seconds) && ahead > Double(seconds) - 25, "\(metric)")
        let doctor = try world.bailiwick("doctor", "--config", world.folder("dub1-gw1.toml"))
        #expect(doctor.text.contains("begin a new log"), "\(doctor.text)")
    }
}
