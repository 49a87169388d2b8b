import Dispatch
import Foundation
import OpenSSL
import Residency
import Synchronization
import TestSupport
import Testing

@testable import DecisionLog

/// The log's time in a test: the wall clock says what it is told, and the other one is the machine's.
final class TestClock: LogClock {
    private let time = Mutex(Timestamp(seconds: 1_800_000_000))

    func wall() -> Timestamp { time.withLock { $0 } }
    func monotonicMicroseconds() -> Int64 { SystemClock().monotonicMicroseconds() }
    func move(seconds: Int64) { time.withLock { $0 = $0.adding(seconds: seconds) } }
}

/// No time passes.
struct StandingClock: LogClock {
    func wall() -> Timestamp { Timestamp(seconds: 1_800_000_000) }
    func monotonicMicroseconds() -> Int64 { 1_000_000_000 }
}

/// A clock whose monotonic time goes on when a test says so.
final class SetClock: LogClock {
    private let microseconds = Atomic<Int64>(1_000_000_000)
    func wall() -> Timestamp { Timestamp(seconds: 1_800_000_000) }
    func monotonicMicroseconds() -> Int64 { microseconds.load(ordering: .relaxed) }
    func advance(microseconds: Int64) { self.microseconds.add(microseconds, ordering: .relaxed) }
}

/// What became of a decision, as a value that a test can hold.
enum Answer: Hashable, Sendable {
    case allowed(UInt64)
    case refused(UInt64)
    case unavailable

    var index: UInt64? {
        switch self {
        case .allowed(let index), .refused(let index): index
        case .unavailable: nil
        }
    }
}

/// One request that waits.
final class Waiter: DecisionWaiter {
    let request: String
    private let note: (String, Answer) -> Void

    init(_ request: String, _ note: @escaping (String, Answer) -> Void) {
        self.request = request
        self.note = note
    }

    func decisionIsDurable(_ decision: consuming DurableDecision) {
        switch consume decision {
        case .allowed(let permit): note(request, .allowed(permit.index))
        case .refused(let index): note(request, .refused(index))
        case .unavailable: note(request, .unavailable)
        }
    }
}

/// A loop's way to a log: records decisions, and takes what became of them when the log wakes it.
final class Loop {
    let port: LogPort
    private(set) var answers: [String: Answer] = [:]
    /// In the order in which they came.
    private(set) var order: [String] = []
    private let woken = Wakes()

    /// Counts wakes, and lets a test wait for one.
    private final class Wakes: Sendable {
        let semaphore = DispatchSemaphore(value: 0)
        let count = Mutex(0)
    }

    /// - Parameter flushes: each decision as it comes; otherwise the test does.
    init(_ log: DecisionLog, flushes: Bool = true) {
        let wake: @Sendable () -> Void = { [woken] in
            woken.count.withLock { $0 += 1 }
            woken.semaphore.signal()
        }
        port = log.makePort(wake: wake, later: flushes ? nil : {})
    }

    var wakes: Int { woken.count.withLock { $0 } }

    @discardableResult
    func record(
        _ request: String, _ reason: Reason = .domestic, at time: Timestamp, evidence: [TokenEvidence] = [],
        _ edit: (inout DecisionEntry) -> Void = { _ in }
    ) -> RecordResult {
        var entry = LogTests.entry(request, reason, at: time)
        edit(&entry)
        return port.record(
            entry, release: reason.allows ? LogTests.release : nil, evidence: evidence,
            waiter: Waiter(request) { [unowned self] request, answer in
                precondition(answers[request] == nil, "answered twice")
                answers[request] = answer
                order.append(request)
            })
    }

    /// Takes what is settled, and waits for wakes until `count` are answered. A log that answers nothing any more fails the test, and
    /// does not hang it.
    func drain(untilAnswered count: Int) {
        port.drain()
        while answers.count < count {
            guard woken.semaphore.wait(timeout: .now() + 60) == .success else {
                Issue.record("\(answers.count) of \(count) are answered, and nothing came for a minute")
                return
            }
            port.drain()
        }
    }
}

/// What the log's tests have in common.
enum LogTests {
    static let gateway = GatewayName("dub1-gw1")!
    static let origin = "logs.example.org/test"
    static let policy = String(repeating: "0", count: 64)
    static let release = Release(
        bucket: BucketName("mail-dub1")!, operation: .getObject, target: Array("alice/1".utf8), identity: .none)

    static let signer = signer(seed: 7)

    static func signer(seed: UInt8) -> NoteSigner {
        let seed = [UInt8](repeating: seed, count: 32)
        let verifier = NoteVerifier(name: origin, key: try! Ed25519PrivateKey(seed: seed).publicKey, type: .ed25519)
        return try! NoteSigner(
            "PRIVATE+KEY+\(origin)+\(Hex.encode(verifier.keyID))+\(Base64.standard.encode([0x01] + seed))")
    }

    static func configuration(_ directory: String, clock: any LogClock = SystemClock()) -> LogConfiguration {
        var configuration = LogConfiguration(directory: directory, origin: origin, signers: [signer])
        configuration.segmentBytes = 64 << 10
        configuration.checkpointIntervalMilliseconds = 20
        configuration.clock = clock
        return configuration
    }

    static func open(_ folder: Sandbox, clock: any LogClock = SystemClock()) throws -> DecisionLog {
        try DecisionLog.open(configuration(folder("log"), clock: clock), gateway: gateway, start: [])
    }

    static func entry(_ request: String, _ reason: Reason, at time: Timestamp) -> DecisionEntry {
        DecisionEntry(
            time: time, gateway: gateway, request: request, reason: reason, operation: .getObject, access: .content,
            address: "127.0.10.5", policy: policy)
    }

    /// What a request waits for: a token that is kept.
    static func evidence(_ text: String) -> TokenEvidence {
        TokenEvidence(sha256: SHA256Digest(hashing: Array(text.utf8)), bytes: Array(text.utf8))
    }

    /// The log's entries, from the published checkpoint; verified whole on the way.
    static func entries(_ folder: Sandbox) throws -> [String] {
        let reader = try LogReader(folder: folder("log"), verifier: signer.verifier)
        var verifier = LogVerifier(reader)
        let report = try verifier.verify()
        var entries: [String] = []
        try reader.forEachEntry { _, line in entries.append(String(decoding: line, as: UTF8.self)) }
        precondition(report.entries == UInt64(entries.count))
        return entries
    }
}

extension [String] {
    /// The entries of one event.
    func events(_ name: String) -> [String] { filter { $0.contains("\"event\":\"\(name)\"") } }
}

extension LogPort {
    /// Records an entry as auditors have it.
    func record(
        _ entry: DecisionEntry, release: Release?, evidence: [TokenEvidence], waiter: any DecisionWaiter
    ) -> RecordResult {
        var line = takeLine()
        entry.append(to: &line, timeText: timeText(entry.time))
        return record(
            line, at: entry.time, isJudged: !entry.authorizations.isEmpty, release: release, evidence: evidence,
            waiter: waiter)
    }
}
