package import DecisionLog
internal import JSON
internal import Residency
internal import Settings
internal import Tokens

/// What an audit found.
package struct AuditReport: Sendable {
    package struct Policy: Sendable {
        package let sha256: String
        package let issuers: [String]
        package var decisions: UInt64
        /// A `start` or `reload` event names it.
        package var isAnnounced: Bool
        /// Decisions to allow under it when another one had been in its place for longer than a request is in hand.
        package var late: UInt64 = 0
    }

    package var decisions: UInt64 = 0
    /// Decided again whole.
    package var whole: UInt64 = 0
    /// How many decisions each doubt was in the way of; one decision may have several.
    package var doubts: [Doubt: UInt64] = [:]
    /// In the order in which they came into force.
    package var policies: [Policy] = []
    /// Tokens whose signature was verified again, each time that one was looked at.
    package var tokens: UInt64 = 0

    package var inPart: UInt64 { decisions - whole }
    /// The first entry that was read: those before it were pruned.
    package var minimumIndex: UInt64 = 0
}

/// The first decision that does not follow.
package struct AuditFault: Error, Sendable, CustomStringConvertible {
    package let index: UInt64
    package let contradiction: Contradiction

    package var description: String {
        "entry \(index) says: \(contradiction.says)\n  what follows: \(contradiction.follows)"
            + contradiction.steps.map { "\n    \($0)" }.joined()
    }
}

/// Runs the rule again on every decision of a verified log (DESIGN section 7).
package struct LogAudit: ~Copyable {
    private let reader: LogReader
    private let reveal: Reveal
    private var benches: [String: Bench] = [:]
    private var writes = ForeignWrites()
    private var report = AuditReport()
    private var positions: [String: Int] = [:]
    private var announced: Set<String> = []
    /// The policy that the last `start` or `reload` event names, and since when those before it are in force no more.
    private var inForce: String?
    private var replaced: [String: Timestamp] = [:]

    /// - Parameter reader: of a log that `LogVerifier` found good.
    package init(_ reader: LogReader, reveal: Reveal) {
        self.reader = reader
        self.reveal = reveal
        report.minimumIndex = reader.minimumIndex
    }

    /// - Parameter progress: called now and then with the share that is done.
    /// - Throws: `AuditFault` for the first decision that does not follow; `LogFault` where the log cannot be read.
    package mutating func run(progress: (Double) -> Void = { _ in }) throws -> AuditReport {
        for number in reader.minimumIndex / 256..<reader.bundleCount {
            let (tile, bytes, entries) = try reader.bundle(number)
            for (position, range) in entries.enumerated() {
                try take(Array(bytes[range]), at: number * 256 + UInt64(position), file: tile.path)
            }
            if number % 16 == 0 { progress(Double(number) / Double(reader.bundleCount)) }
        }
        for position in report.policies.indices {
            report.policies[position].isAnnounced = announced.contains(report.policies[position].sha256)
        }
        return report
    }

    /// A request that came before its policy was replaced is decided by then; what it becomes later is no new decision to allow.
    package static let inHandSecondsMax: Int64 = 60

    private static let decisionMarker = Array(#"{"kind":"decision","#.utf8)

    private mutating func take(_ line: [UInt8], at index: UInt64, file: String) throws {
        if index == reader.minimumIndex, index > 0, let time = LogReader.time(of: line) { writes.begin(pruned: time) }
        if line.starts(with: Self.decisionMarker) { return try decision(line, at: index, file: file) }
        guard let entry = (try? JSONValue(parsing: line))?.object else {
            throw LogFault(index: index, file: file, what: "is no entry")
        }
        switch entry["kind"]?.string {
        case "decision": try decision(line, at: index, file: file)
        case "completion":
            for item in entry["completed"]?.array ?? [] { try completion(item, at: index) }
        case "event":
            guard let name = entry["event"]?.string, name == "start" || name == "reload" else { return }
            if name == "start" { writes.restart() }
            guard let policy = entry["policy"]?.string else { return }
            announced.insert(policy)
            if let inForce, inForce != policy, let time = LogReader.time(of: line) { replaced[inForce] = time }
            replaced[policy] = nil
            inForce = policy
        default: break
        }
    }

    private mutating func decision(_ line: [UInt8], at index: UInt64, file: String) throws {
        let entry: DecisionEntry
        do throws(EntryError) { entry = try DecisionEntry(parsing: line) } catch {
            throw LogFault(index: index, file: file, what: "the entry \(error)")
        }
        let bench = try bench(entry.policy, at: index)
        let reader = reader
        let redecider = Redecider(bench: bench, reveal: reveal) { sha256 throws(LogFault) in
            try reader.evidence(sha256)
        }
        report.decisions += 1
        report.policies[positions[entry.policy] ?? 0].decisions += 1
        if entry.reason.allows, let end = replaced[entry.policy],
            entry.time > end.adding(seconds: Self.inHandSecondsMax)
        {
            report.policies[positions[entry.policy] ?? 0].late += 1
        }
        switch redecider.redecide(entry, writes) {
        case .whole: report.whole += 1
        case .inPart(let doubts): for doubt in doubts { report.doubts[doubt, default: 0] += 1 }
        case .contradicted(let contradiction): throw AuditFault(index: index, contradiction: contradiction)
        }
        report.tokens += UInt64(entry.authorizations.count(where: \.outcome.isOfVerified))
        writes.take(entry, at: index)
    }

    private mutating func completion(_ item: JSONValue, at index: UInt64) throws {
        guard let completed = item.object?["index"]?.integer else { return }
        let isWithdrawn = item.object?["outcome"]?.string == CompletionEntry.Outcome.withdrawn.rawValue
        guard let refusal = writes.complete(UInt64(completed), withdrawn: isWithdrawn) else { return }
        throw AuditFault(
            index: refusal,
            contradiction: Contradiction(
                says: "foreign-overwrite, another writer having come before entry \(completed)",
                follows: "entry \(index) says that entry \(completed) was not withdrawn"))
    }

    private mutating func bench(_ policy: String, at index: UInt64) throws(LogFault) -> Bench {
        if let bench = benches[policy] { return bench }
        let file = "policy/" + policy
        let snapshot: PolicySnapshot
        do {
            snapshot = try PolicySnapshot(parsing: try reader.policy(policy))
        } catch let error as LogFault {
            throw LogFault(index: index, file: file, what: error.what)
        } catch {
            throw LogFault(index: index, file: file, what: "\(error)")
        }
        let bench = Bench(snapshot, name: policy)
        // The event that named the policy in force where a pruned log begins went with what was pruned.
        if benches.isEmpty, reader.minimumIndex > 0 {
            announced.insert(policy)
            inForce = inForce ?? policy
        }
        benches[policy] = bench
        positions[policy] = report.policies.count
        report.policies.append(
            .init(sha256: policy, issuers: snapshot.issuerList.map(\.id), decisions: 0, isAnnounced: false))
        return bench
    }
}
