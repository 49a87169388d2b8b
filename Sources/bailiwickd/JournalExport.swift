internal import CSystemd
internal import DecisionLog
internal import Glibc
internal import JSON
internal import NIOPosix
internal import Synchronization

/// Every durable entry once more, in the journal, with structured fields (systemd.journal-fields(7)): for those who watch. The log is
/// what counts, so that nothing waits for the journal: what it does not take in time is counted.
final class JournalExport: LogFollower {
    private struct Queue {
        var groups: [DurableGroup] = []
        var byteCount = 0
        var isDraining = false
        var missed: UInt64 = 0
    }

    /// What may wait for the journal.
    private static let queueBytesMax = 8 << 20

    private let queue = Mutex(Queue())
    private let thread = NIOThreadPool(numberOfThreads: 1)

    init() { thread.start() }

    func follow(_ group: DurableGroup) {
        let mustStart = queue.withLock { queue -> Bool in
            guard queue.byteCount + group.byteCount <= Self.queueBytesMax else {
                queue.missed += UInt64(group.count)
                return false
            }
            queue.groups.append(group)
            queue.byteCount += group.byteCount
            defer { queue.isDraining = true }
            return !queue.isDraining
        }
        if mustStart { thread.submit { [self] _ in drain() } }
    }

    var missedEntries: UInt64 { queue.withLock { $0.missed } }

    /// Waits, at most two seconds, until the journal has everything.
    func finish() {
        for _ in 0..<200 {
            if queue.withLock({ !$0.isDraining }) { return }
            _ = usleep(10_000)
        }
    }

    private func drain() {
        while true {
            let groups = queue.withLock { queue -> [DurableGroup] in
                defer { queue.groups = [] }
                queue.isDraining = !queue.groups.isEmpty
                queue.byteCount = 0
                return queue.groups
            }
            if groups.isEmpty { return }
            for group in groups { group.forEach { index, line in send(index, line) } }
        }
    }

    private func send(_ index: UInt64, _ line: [UInt8]) {
        guard let entry = JournalEntry(index, line), entry.send() else {
            return queue.withLock { $0.missed += 1 }
        }
    }
}

/// One entry's fields.
struct JournalEntry {
    /// One for each kind of entry; the message catalog explains them.
    private static let messageIDs = [
        "decision": "25bb290ba7fe4dfdbb24e00fb1fa65ae", "completion": "962f5126005e4e98a5c5b3d7ab051415",
        "event": "5e685b4af7284da283ff0e4b5af41394",
    ]
    /// Events that somebody has to look at: each has an id, and so an explanation, of its own.
    private static let warningIDs = [
        "log-full": "ffb8e7eb2a9c41f984f48fb5e64e6077",
        "reload-failed": "461dcdc9d9c1438d826a6338253a4fe4",
        "seal-failure": "cb7dd60eb4aa49a1bc11a1e4230f2c6f",
        "torn-group": "d2ab91502b554d6296a278bc1e6ed679",
        "open-decisions": "69e3cc64d41e4087b09102f6bdd11267",
        "clock-step": "dffdf220768c4dcba9c2740ddd29d19a",
        "witness-quorum-lost": "2d32465597f84b7ebc39f9278f108aa4",
    ]

    private var bytes: [UInt8] = []
    private var fields: [Range<Int>] = []

    /// nil when the line is no entry.
    init?(_ index: UInt64, _ line: [UInt8]) {
        guard let entry = (try? JSONValue(parsing: line))?.object, let kind = entry["kind"]?.string,
            let messageID = Self.messageIDs[kind]
        else { return nil }
        let name = entry["event"]?.string ?? "?"
        let warningID = kind == "event" ? Self.warningIDs[name] : nil
        add("MESSAGE_ID", warningID ?? messageID)
        add("BAILIWICK_INDEX", "\(index)")
        add("BAILIWICK_KIND", kind)
        switch kind {
        case "decision": describeDecision(entry)
        case "completion":
            let count = entry["completed"]?.array?.count ?? 0
            add("PRIORITY", "7")
            add("MESSAGE", "completed \(count) request\(count == 1 ? "" : "s")")
        default:
            add("PRIORITY", warningID == nil ? "5" : "4")
            add("BAILIWICK_EVENT", name)
            add("MESSAGE", (["event \(name)"] + [entry["why"]?.string].compactMap { $0 }).joined(separator: ": "))
        }
    }

    private mutating func describeDecision(_ entry: JSONObject) {
        func text(_ name: String) -> String? { entry[name]?.string }
        let isRefused = text("decision") == "refuse"
        add("PRIORITY", isRefused ? "5" : "6")
        for (field, name) in [
            ("DECISION", "decision"), ("REASON", "reason"), ("OPERATION", "operation"), ("PRINCIPAL", "principal"),
            ("STORE", "store"), ("JURISDICTION", "jurisdiction"), ("LOCATION", "location"), ("REQUEST", "request"),
        ] {
            if let value = text(name) { add("BAILIWICK_\(field)", value) }
        }
        let crossed = entry["crossed"]?.array?.compactMap(\.string) ?? []
        if !crossed.isEmpty { add("BAILIWICK_CROSSED", crossed.joined(separator: " ")) }
        let what = [text("operation"), text("store").map { "at \($0)" }, text("principal").map { "by \($0)" }]
        add(
            "MESSAGE",
            "\(isRefused ? "refused" : "allowed"), \(text("reason") ?? "?"): "
                + what.compactMap { $0 }.joined(separator: " "))
    }

    private mutating func add(_ name: String, _ value: String) {
        let start = bytes.count
        bytes.append(contentsOf: name.utf8)
        bytes.append(UInt8(ascii: "="))
        bytes.append(contentsOf: value.utf8)
        fields.append(start..<bytes.count)
    }

    /// False when the journal did not take it.
    func send() -> Bool {
        var bytes = bytes
        return unsafe bytes.withUnsafeMutableBytes { buffer in
            let vectors = unsafe fields.map { field in
                unsafe iovec(iov_base: buffer.baseAddress.map { unsafe $0 + field.lowerBound }, iov_len: field.count)
            }
            return unsafe sd_journal_sendv(vectors, Int32(vectors.count)) == 0
        }
    }
}
