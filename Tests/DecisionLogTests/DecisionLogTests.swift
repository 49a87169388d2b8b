import Foundation
import JSON
import OpenSSL
import Residency
import Synchronization
import TestSupport
import Testing

@testable import DecisionLog

/// The log by its own threads, on a real disk.
@Suite struct DecisionLogTests {
    let folder: Sandbox
    let clock = TestClock()

    init() throws { folder = try Sandbox("log") }

    @Test func decisionsAreAnsweredInOrderWithTheirIndexes() throws {
        let log = try LogTests.open(folder, clock: clock)
        let loop = Loop(log)
        for number in 0..<50 {
            loop.record("r\(number)", number % 2 == 0 ? .domestic : .authorizationRequired, at: log.now())
        }
        loop.drain(untilAnswered: 50)
        #expect(loop.order == (0..<50).map { "r\($0)" })
        // Entry 0 is the start event.
        for number in 0..<50 {
            let index = UInt64(number + 1)
            #expect(loop.answers["r\(number)"] == (number % 2 == 0 ? .allowed(index) : .refused(index)))
        }
        log.close()
        let entries = try LogTests.entries(folder)
        #expect(entries.count == 52)
        #expect(entries[0].contains("\"event\":\"start\""))
        #expect(entries[51].contains("\"event\":\"stop\""))
        for number in 0..<50 { #expect(entries[number + 1].contains("\"request\":\"r\(number)\"")) }
    }

    @Test func anAnsweredDecisionIsInTheWriteAheadLogWithoutAClose() throws {
        let log = try LogTests.open(folder, clock: clock)
        let loop = Loop(log)
        loop.record("durable", at: log.now())
        loop.drain(untilAnswered: 1)
        let files = LogFolder(path: folder("log"))
        let wal = try files.names("wal").flatMap { try files.read("wal/\($0)") ?? [] }
        #expect(String(decoding: wal, as: UTF8.self).contains("\"request\":\"durable\""))
        log.close()
    }

    @Test func aLogGoesOnWhereItEnded() throws {
        for run in 0..<3 {
            let log = try LogTests.open(folder, clock: clock)
            let loop = Loop(log)
            loop.record("run\(run)", at: log.now())
            loop.drain(untilAnswered: 1)
            #expect(loop.answers["run\(run)"] == .allowed(UInt64(3 * run + 1)))
            log.close()
        }
        let entries = try LogTests.entries(folder)
        #expect(entries.count == 9)
        #expect(entries.events("start").count == 3)
        // Nothing completed them, but each log was closed in order: nothing was cut off.
        #expect(entries.events("start").map { $0.contains("\"open\":0") } == [true, true, true])
    }

    @Test func oneWakeForEachPortThatAGroupHoldsSomethingOf() throws {
        // Not opened yet by its threads: everything below is one group.
        let log = try LogTests.open(folder, clock: clock)
        let loops = (0..<3).map { _ in Loop(log) }
        for number in 0..<300 { loops[number % 2].record("r\(number)", at: log.now()) }
        for loop in loops.prefix(2) { loop.drain(untilAnswered: 150) }
        log.close()
        let groups = log.status.groups
        #expect(loops[2].wakes == 0)
        for loop in loops.prefix(2) { #expect(loop.wakes >= 1 && loop.wakes <= groups) }
    }

    /// By a clock that stands still the writer gathers for ever: it goes on when as many wait as its last group had, and when the log stops.
    @Test(.timeLimit(.minutes(2)))
    func inABusyTimeTheDecisionsOfSeveralLoopsBecomeOneGroup() throws {
        let folder = try Sandbox()
        let log = try LogTests.open(folder, clock: StandingClock())
        let (one, other) = (Loop(log, flushes: false), Loop(log, flushes: false))
        func record(_ loop: Loop, _ requests: String...) {
            for request in requests { #expect(loop.record(request, at: log.now()) == .queued) }
            loop.port.flush()
        }
        // The log's start is one more.
        record(one, "a", "b", "c", "d", "e", "f")
        one.drain(untilAnswered: 6)
        record(one, "g", "h", "i", "j")
        usleep(100_000)
        one.port.drain()
        #expect(one.answers.count == 6)
        let groups = log.status.groups
        record(other, "k", "l", "m")
        one.drain(untilAnswered: 10)
        other.drain(untilAnswered: 3)
        #expect(log.status.groups == groups + 1)
        record(other, "n")
        log.close()
        other.drain(untilAnswered: 4)
        #expect(other.answers["n"] == .allowed(14))
    }

    /// A group that had to go with one loop's turn is no measure for the next: the writer waits for nearly as many as the one before it had.
    @Test(.timeLimit(.minutes(2)))
    func oneSmallGroupOfABusyTimeDoesNotMakeTheNextOnesSmall() throws {
        let clock = SetClock()
        let log = try LogTests.open(folder, clock: clock)
        let (one, other) = (Loop(log, flushes: false), Loop(log, flushes: false))
        func record(_ loop: Loop, _ numbers: Range<Int>) {
            for number in numbers { #expect(loop.record("r\(number)", at: log.now()) == .queued) }
            loop.port.flush()
        }
        // The log's start may be one more.
        record(one, 0..<20)
        one.drain(untilAnswered: 20)
        record(one, 20..<28)
        let deadline = ContinuousClock.now + .seconds(60)
        while one.answers.count < 28, ContinuousClock.now < deadline {
            clock.advance(microseconds: DecisionLog.gatheringMicroseconds)
            usleep(1_000)
            one.port.drain()
        }
        try #require(one.answers.count == 28)
        let groups = log.status.groups
        record(one, 28..<36)
        usleep(100_000)
        #expect(log.status.groups == groups)
        record(other, 36..<46)
        one.drain(untilAnswered: 36)
        other.drain(untilAnswered: 10)
        #expect(log.status.groups == groups + 1)
        log.close()
    }

    @Test func theWriterOutlivesAWakeForWhatIsWrittenAlready() throws {
        let log = try LogTests.open(folder, clock: clock)
        let loop = Loop(log)
        loop.record("first", at: log.now())
        loop.drain(untilAnswered: 1)
        // As when another loop's call had this loop's decision written before the end of its own turn.
        for number in 0..<10 {
            loop.port.flush()
            // Until the writer has looked, or left: what is queued before that would hide that it had nothing to find.
            let deadline = ContinuousClock.now + .seconds(60)
            while log.hasWork.load(ordering: .acquiring), !log.monitor.withLock({ log.isWriterDone }) {
                try #require(ContinuousClock.now < deadline, "the writer does not look")
                sched_yield()
            }
            try #require(!log.monitor.withLock { log.isWriterDone })
            try log.recordDurably(EventEntry(gateway: LogTests.gateway, name: "reload"))
            loop.record("r\(number)", at: log.now())
            loop.drain(untilAnswered: number + 2)
            loop.port.flush()
        }
        log.close()
        #expect(try LogTests.entries(folder).events("reload").count == 10)
    }

    /// Up to eight segments that a checkpoint covers wait for their next use, and the writer fills no new one with zeros before they are
    /// used up.
    @Test func coveredSegmentsAreUsedAgain() throws {
        let files = LogFolder(path: folder("log"))
        for name in ["", "wal"] { try files.makeFolder(name, mode: 0o700) }
        // Two groups fit into one.
        let wal = try WriteAheadLog(files, segmentBytes: 16 << 10, recovered: WriteAheadRecovery())
        var count: UInt64 = 0
        func fillSegments(_ segments: Int) throws {
            for _ in 0..<2 * segments {
                var entries: [UInt8] = []
                EntryFraming.append(Array("entry \(count)".utf8), to: &entries)
                try wal.write(entries: entries, firstIndex: count, count: 1)
                count += 1
            }
        }
        func identities(_ isSpare: Bool) throws -> Set<FileIdentity> {
            Set(
                try files.names("wal").filter { $0.hasPrefix("spare") == isSpare }.compactMap {
                    try files.identity("wal/\($0)")
                })
        }
        try fillSegments(12)
        try wal.retire(coveredSize: count)
        let spares = try identities(true)
        #expect(spares.count == 8)
        #expect(try identities(false).count == 1)
        try fillSegments(8)
        #expect(try identities(true).isEmpty)
        #expect(try identities(false).subtracting(spares).count == 1)
        #expect(try identities(false).count == 9)
    }

    @Test func completionsAreBatchedAndCloseTheirDecisions() throws {
        let log = try LogTests.open(folder, clock: clock)
        let loop = Loop(log)
        for number in 0..<700 { loop.record("r\(number)", at: log.now()) }
        loop.drain(untilAnswered: 700)
        for number in 0..<700 {
            loop.port.complete(.init(index: UInt64(number + 1), status: 200, bytes: 5, outcome: .whole))
        }
        log.close()
        let reader = try LogReader(folder: folder("log"), verifier: LogTests.signer.verifier)
        var verifier = LogVerifier(reader)
        let report = try verifier.verify()
        #expect(report.allowed == 700)
        #expect(report.open.isEmpty)
        #expect((2...4).contains(report.completions))
        #expect(report.events == 2)
    }

    @Test func eventsAreKeptAndMayBeWaitedFor() throws {
        let log = try LogTests.open(folder, clock: clock)
        log.record(EventEntry(gateway: LogTests.gateway, name: "reload", members: [("policy", .text("p\"q"))]))
        try log.recordDurably(EventEntry(gateway: LogTests.gateway, name: "reseal", members: [("count", .number(-3))]))
        #expect(log.status.durableSize == 3)
        log.close()
        let entries = try LogTests.entries(folder)
        #expect(entries[1].hasSuffix(#""event":"reload","policy":"p\"q"}"#))
        #expect(entries[2].hasSuffix(#""event":"reseal","count":-3}"#))
        #expect(throws: LogError.self) {
            try log.recordDurably(EventEntry(gateway: LogTests.gateway, name: "late"))
        }
    }

    /// One character may have any number of combining marks, and each control takes six bytes of JSON: an event is recorded all the same,
    /// cut between two scalars, and what is too long for an entry in another way is not called durable.
    @Test func anEventIsRecordedHoweverLongItsTextIs() throws {
        let log = try LogTests.open(folder, clock: clock)
        let texts = ["a" + String(repeating: "\u{301}", count: 60_000), String(repeating: "\u{1}", count: 65_000)]
        for text in texts {
            try log.recordDurably(
                EventEntry(gateway: LogTests.gateway, name: "reseal", members: [("reason", .text(text))]))
        }
        #expect(throws: LogError.self) {
            let numbers = EventEntry.Value.numbers(Array(repeating: .max, count: 10_000))
            try log.recordDurably(EventEntry(gateway: LogTests.gateway, name: "open", members: [("indexes", numbers)]))
        }
        log.close()
        let entries = try LogTests.entries(folder)
        let reasons = [
            "a" + String(repeating: "\u{301}", count: 999),
            String(repeating: #"\u0001"#, count: EventEntry.textBytesMax),
        ]
        for (entry, reason) in zip(entries[1...], reasons) {
            #expect(entry.hasSuffix(#""event":"reseal","reason":"\#(reason)"}"#))
        }
        #expect(entries.count == 4)
    }

    /// On a full disk the completions of what is under way are dropped, and the stop is clean all the same: the next start tells of them.
    @Test func whatAFullDiskLeftOpenIsToldAtTheNextStart() throws {
        let disk = SimulatedDisk(SimulatedFiles(), seed: 1)
        var configuration = LogTests.configuration("/log", clock: clock)
        configuration.disk = LockedDisk(disk)
        configuration.reserveBytes = 256 << 10
        let log = try DecisionLog.open(configuration, gateway: LogTests.gateway, start: [])
        let loop = Loop(log)
        loop.record("cut off", at: log.now())
        loop.drain(untilAnswered: 1)
        disk.capacityBytes = disk.usedBytes
        try waitUntil {
            log.record(EventEntry(gateway: LogTests.gateway, name: "reload"))
            return log.status.closedBecause != nil
        }
        log.close()
        disk.capacityBytes = nil
        let next = try DecisionLog.open(configuration, gateway: LogTests.gateway, start: [])
        next.close()
        var entries: [String] = []
        let reader = try LogReader(
            LogFolder(path: "/log", disk: configuration.disk), verifier: LogTests.signer.verifier)
        try reader.forEachEntry { _, line in entries.append(String(decoding: line, as: UTF8.self)) }
        #expect(entries.contains { $0.contains(#""event":"stop""#) })
        #expect(entries.contains { $0.contains(#""event":"open-decisions","indexes":[1]"#) }, "\(entries.suffix(4))")
    }

    /// Two loops may call for one group: for the later call nothing is left.
    @Test func aWriterThatIsCalledForNothingGoesOn() throws {
        let log = try LogTests.open(folder, clock: clock)
        for count in UInt64(1)...20 {
            log.wakeWriter()
            try expectPulse(of: log)
            log.record(EventEntry(gateway: LogTests.gateway, name: "reload"))
            try waitUntil { log.status.durableSize == 1 + count }
        }
        log.close()
    }

    /// Each of the log's threads passes a token when it is asked, idle or not; a log that failed closed is asked for none.
    @Test func theThreadsPassATokenAndAClosedLogOwesNone() throws {
        let log = try LogTests.open(folder, clock: clock)
        try expectPulse(of: log)
        log.close(becauseOfWitness: "the witness has seen more")
        let token = log.askForPulse()
        #expect(log.pulses(since: token) == (true, true))
        log.close()
    }

    private func expectPulse(of log: DecisionLog) throws {
        let token = log.askForPulse()
        try waitUntil { log.pulses(since: token) == (true, true) }
    }

    private func waitUntil(_ condition: () -> Bool) throws {
        let deadline = Date().addingTimeInterval(10)
        while !condition() {
            guard Date() < deadline else { throw TestFailure("it did not happen within 10 s") }
            usleep(200)
        }
    }

    @Test func timeNeverGoesBackAndAStepOfMoreThanFiveSecondsIsAnEvent() throws {
        let log = try LogTests.open(folder, clock: clock)
        let loop = Loop(log)
        let before = log.now()
        loop.record("before", at: before)
        clock.move(seconds: -4)
        #expect(log.now() == before)
        log.record(EventEntry(gateway: LogTests.gateway, name: "small"))
        clock.move(seconds: -4)
        log.record(EventEntry(gateway: LogTests.gateway, name: "large"))
        log.record(EventEntry(gateway: LogTests.gateway, name: "again"))
        // A decision that was judged by an older time takes the log's, when no token was judged by it.
        loop.record("older", at: clock.wall())
        // One with tokens is decided again.
        let result = loop.record("judged", .authorized, at: clock.wall()) {
            $0.authorizations = [AuthorizationEntry(sha256: .zero, outcome: .granted)]
        }
        #expect(result == .timeMoved(before))
        loop.drain(untilAnswered: 2)
        clock.move(seconds: 100)
        log.close()
        let entries = try LogTests.entries(folder)
        #expect(entries.events("clock-step").count == 1)
        #expect(entries.events("clock-step")[0].contains("\"microseconds\":-8000000"))
        let stamps = entries.compactMap { EntryTime.read(Array($0.utf8)) }
        #expect(stamps.count == entries.count)
        #expect(stamps == stamps.sorted())
        #expect(stamps.dropLast().allSatisfy { $0 == before })
    }

    @Test func timeDoesNotGoBackOverARestart() throws {
        let log = try LogTests.open(folder, clock: clock)
        let last = log.now()
        log.close()
        clock.move(seconds: -3600)
        let again = try LogTests.open(folder, clock: clock)
        #expect(again.now() == last)
        again.close()
        #expect(try LogTests.entries(folder).events("clock-step").count == 1)
    }

    @Test func anEntryLongerThanABundleCanHoldIsNotTaken() throws {
        let log = try LogTests.open(folder, clock: clock)
        let loop = Loop(log)
        let frame = LogTests.entry("", .domestic, at: log.now())
        var line: [UInt8] = []
        frame.append(to: &line)
        let longest = String(repeating: "x", count: DecisionEntry.bytesMax - line.count)
        #expect(loop.record(longest, at: log.now()) == .queued)
        #expect(loop.record(longest + "x", at: log.now()) == .unavailable)
        loop.drain(untilAnswered: 1)
        #expect(loop.answers[longest] == .allowed(1))
        log.close()
        #expect(try LogTests.entries(folder)[1].utf8.count == 65_535)
    }

    @Test func evidenceIsKeptOnceAndBeforeThePermit() throws {
        let log = try LogTests.open(folder, clock: clock)
        let loop = Loop(log)
        let token = LogTests.evidence("header.payload.signature")
        for number in 0..<3 { loop.record("r\(number)", .authorized, at: log.now(), evidence: [token]) }
        loop.drain(untilAnswered: 3)
        #expect(folder.read("log/evidence/\(token.sha256.hex)") == "header.payload.signature")
        log.close()
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder("log/evidence")) == [token.sha256.hex])
    }

    @Test func twoDaemonsDoNotShareAFolder() throws {
        let log = try LogTests.open(folder, clock: clock)
        #expect {
            try LogTests.open(folder, clock: clock)
        } throws: { error in
            if case LogError.locked = error { true } else { false }
        }
        log.close()
    }

    @Test func aClosedLogDecidesNothing() throws {
        let log = try LogTests.open(folder, clock: clock)
        let loop = Loop(log)
        log.close()
        #expect(loop.record("late", at: log.now()) == .unavailable)
        loop.port.complete(.init(index: 1, status: 200, bytes: 0, outcome: .whole))
        log.record(EventEntry(gateway: LogTests.gateway, name: "late"))
        log.close()
        #expect(try LogTests.entries(folder).count == 2)
    }

    @Test func anotherKeyAndAnotherOriginAreRefused() throws {
        try LogTests.open(folder, clock: clock).close()
        var configuration = LogTests.configuration(folder("log"), clock: clock)
        configuration.signers = [LogTests.signer(seed: 8)]
        let otherKey = configuration
        #expect(throws: LogError.self) { try DecisionLog.open(otherKey, gateway: LogTests.gateway, start: []) }
        // The old key beside the new one: that is how keys rotate.
        configuration.signers = [LogTests.signer(seed: 8), LogTests.signer]
        try DecisionLog.open(configuration, gateway: LogTests.gateway, start: []).close()
        configuration.origin = "logs.example.org/other"
        let otherOrigin = configuration
        #expect(throws: LogError.self) { try DecisionLog.open(otherOrigin, gateway: LogTests.gateway, start: []) }
    }
}
