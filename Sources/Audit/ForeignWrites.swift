internal import DecisionLog
internal import Residency

/// What the log tells of writes from abroad before an entry: how many a principal was refused as overwrites (DESIGN 3.7), and which
/// deliveries another writer came before.
struct ForeignWrites {
    private struct Delivery {
        let index: UInt64
        let entry: DecisionEntry
        /// The completion says that it was withdrawn.
        var isWithdrawn = false
        /// The entry that says that it was.
        var refusal: UInt64?
    }

    /// Answers in a minute after which foreign writes are suspended.
    private static let overwritesPerMinute = 10

    /// How long after its decision an entry's time may be, where entries of other loops went first.
    private static let movedSecondsMax: Int64 = 5

    /// What came before this time was pruned, and nothing since then forgot it.
    private var prunedBefore: Timestamp?
    /// A request is over so long after its decision.
    private static let requestSecondsMax: Int64 = 86_400

    /// Minutes of the last overwrites, by principal.
    private var overwrites: [PrincipalName: [Int64]] = [:]
    private var deliveries: [String: Delivery] = [:]
    private var requests: [UInt64: String] = [:]

    /// Whether foreign writes of the entry's principal were suspended: what the log tells first, what it cannot exclude after it.
    /// An answer is counted when its entry is queued, by the time that it was decided at: the entry's, or one shortly before it.
    func suspension(at entry: DecisionEntry) -> [Bool] {
        let minute = entry.time.seconds / 60
        // Of the minute before it may have been decided, and some of the overwrites before it as well.
        let earliest = (entry.time.seconds - Self.movedSecondsMax) / 60
        if let prunedBefore, (earliest...minute).contains(prunedBefore.seconds / 60) { return [false, true] }
        guard let principal = entry.principal, let minutes = overwrites[principal] else { return [false] }
        if minutes.count(where: { $0 == minute }) >= Self.overwritesPerMinute { return [true, false] }
        return minutes.count(where: { $0 >= earliest }) >= Self.overwritesPerMinute ? [false, true] : [false]
    }

    /// Is the entry the second decision of a delivery that another writer came before? The first one is withdrawn then.
    func explains(_ entry: DecisionEntry) -> Bool {
        guard entry.reason == .foreignOverwrite, entry.size == nil,
            let first = deliveries[entry.request], first.refusal == nil
        else { return false }
        return first.entry.principal == entry.principal && first.entry.store == entry.store
            && first.entry.object == entry.object && first.entry.operation == entry.operation
            && first.entry.crossed == entry.crossed && first.entry.authorizations == entry.authorizations
            && first.entry.policy == entry.policy && !entry.isMisplaced
    }

    /// Can it be such a second decision, whose first one was pruned?
    func isOfPruned(_ entry: DecisionEntry) -> Bool {
        guard let prunedBefore, entry.reason == .foreignOverwrite, entry.size == nil,
            deliveries[entry.request] == nil
        else { return false }
        return entry.time <= prunedBefore.adding(seconds: Self.requestSecondsMax)
    }

    /// The log begins here: what came before was pruned.
    mutating func begin(pruned time: Timestamp) { prunedBefore = time }

    /// Takes a decision that was decided again.
    mutating func take(_ entry: DecisionEntry, at index: UInt64) {
        switch entry.reason {
        case .delivery:
            deliveries[entry.request] = Delivery(index: index, entry: entry)
            requests[index] = entry.request
        case .foreignOverwrite:
            if let principal = entry.principal {
                let minute = entry.time.seconds / 60
                overwrites[principal, default: []].removeAll { $0 < minute - 1 }
                overwrites[principal, default: []].append(minute)
            }
            guard explains(entry), var first = deliveries[entry.request] else { return }
            first.refusal = index
            deliveries[entry.request] = first
            if first.isWithdrawn { forget(first) }
        case .overloaded:
            // Suspended while its body was awaited: nothing comes of the delivery any more.
            if let first = deliveries[entry.request] { forget(first) }
        default: break
        }
    }

    /// Takes what became of a decision.
    /// - Returns: the entry that said that this one was withdrawn, where it was not.
    mutating func complete(_ index: UInt64, withdrawn: Bool) -> UInt64? {
        guard let request = requests[index], var first = deliveries[request] else { return nil }
        guard withdrawn else {
            forget(first)
            return first.refusal
        }
        first.isWithdrawn = true
        deliveries[request] = first
        if first.refusal != nil { forget(first) }
        return nil
    }

    /// The gateway was started again: it had counted nothing, and nothing of before is answered.
    mutating func restart() {
        prunedBefore = nil
        overwrites = [:]
        deliveries = [:]
        requests = [:]
    }

    private mutating func forget(_ delivery: Delivery) {
        deliveries[delivery.entry.request] = nil
        requests[delivery.index] = nil
    }
}
