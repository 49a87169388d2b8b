internal import DecisionLog
internal import Residency

/// What one event loop counts. Confined to its loop; the operators' listener adds the loops' copies up.
struct Counters: Sendable {
    /// Decisions by store, reason and whether a border was crossed; see `slot`.
    private(set) var decisions: [UInt64]
    var totals = Totals()
    /// Failed handshakes by what failed; the keys are the TLS layer's closed set of names.
    var handshakeFailures: [String: UInt64] = [:]
    /// Requests that a store could not serve.
    private(set) var storageFailures: [StorageFailure: UInt64] = [:]

    private static let reasons = Reason.allCases

    /// - Parameter stores: how many slots there are; one more is kept for decisions about no store.
    init(stores: Int) {
        decisions = Array(repeating: 0, count: (stores + 1) * Self.reasons.count * 2)
    }

    /// Counts one decision. `store` is the store's slot, nil for none.
    mutating func count(_ reason: Reason, store: Int?, crossing: Bool) {
        let store = store.map { $0 + 1 } ?? 0
        let slot = (store * Self.reasons.count + (Self.reasons.firstIndex(of: reason) ?? 0)) * 2 + (crossing ? 1 : 0)
        guard decisions.indices.contains(slot) else { return }
        decisions[slot] += 1
    }

    /// Counts a request that a store could not serve. `store` is the store's slot.
    mutating func count(_ cause: StorageFailure.Cause, store: Int) {
        storageFailures[StorageFailure(store: store, cause: cause), default: 0] += 1
    }

    /// All decisions together.
    var decisionCount: UInt64 { decisions.reduce(0, &+) }

    /// Every decision count above zero.
    func forEachDecision(_ body: (_ store: Int?, _ reason: Reason, _ crossing: Bool, _ count: UInt64) -> Void) {
        for (slot, count) in decisions.enumerated() where count > 0 {
            let store = slot / 2 / Self.reasons.count
            body(store == 0 ? nil : store - 1, Self.reasons[slot / 2 % Self.reasons.count], slot % 2 == 1, count)
        }
    }

    /// Makes room for more stores after a reload; counts stay with their slots.
    mutating func grow(stores: Int) {
        let wanted = (stores + 1) * Self.reasons.count * 2
        if decisions.count < wanted {
            decisions.append(contentsOf: repeatElement(0, count: wanted - decisions.count))
        }
    }

    /// Adds another loop's counts.
    mutating func add(_ other: Counters) {
        for slot in decisions.indices where slot < other.decisions.count { decisions[slot] += other.decisions[slot] }
        totals.add(other.totals)
        handshakeFailures.merge(other.handshakeFailures) { $0 + $1 }
        storageFailures.merge(other.storageFailures) { $0 + $1 }
    }
}

/// What a request takes time for.
enum Phase: Int, CaseIterable {
    /// The look-up in the store, with the second decision.
    case locate
    /// From the decision to its being durable.
    case record
    /// From the durable decision to the last byte handed to the socket.
    case perform
    /// From a head's arrival to the durable decision.
    case decision
    /// From a head's arrival to the last byte handed to the socket.
    case request
}

private struct PhaseTimes: Sendable {
    var counts = InlineArray<18, UInt64>(repeating: 0)
    var sumMicroseconds: Int64 = 0
}

/// The counts that are plain numbers: with nothing else beside them, the compiler sees that nobody else has them while one is counted up.
struct Totals: Sendable {
    var handshakes: UInt64 = 0
    var resumptions: UInt64 = 0
    var tokenCacheHits: UInt64 = 0
    var tokenCacheMisses: UInt64 = 0
    var openConnections = 0
    var acceptedConnections: UInt64 = 0
    /// Requests without a principal, and malformed ones before one was known.
    var strangers: UInt64 = 0
    /// Requests that were answered without a decision on record, since too many came, or since none could be recorded.
    var unrecordedOverloaded: UInt64 = 0
    var unrecordedUnavailable: UInt64 = 0
    var sealFailures: UInt64 = 0
    var misplaced: UInt64 = 0
    var bytesReleased: UInt64 = 0
    private var times = InlineArray<5, PhaseTimes>(repeating: PhaseTimes())

    /// - Parameter slot: of a `Histogram`; reckoned before, since nothing may be called while these are counted up.
    @inline(__always)
    mutating func count(_ microseconds: Int64, slot: Int, in phase: Phase) {
        times[phase.rawValue].counts[slot] &+= 1
        times[phase.rawValue].sumMicroseconds &+= microseconds
    }

    func histogram(of phase: Phase) -> Histogram {
        let times = times[phase.rawValue]
        return Histogram(
            counts: times.counts.indices.map { times.counts[$0] }, sumMicroseconds: times.sumMicroseconds)
    }

    mutating func add(_ other: Totals) {
        handshakes += other.handshakes
        resumptions += other.resumptions
        tokenCacheHits += other.tokenCacheHits
        tokenCacheMisses += other.tokenCacheMisses
        openConnections += other.openConnections
        acceptedConnections += other.acceptedConnections
        strangers += other.strangers
        unrecordedOverloaded += other.unrecordedOverloaded
        unrecordedUnavailable += other.unrecordedUnavailable
        sealFailures += other.sealFailures
        misplaced += other.misplaced
        bytesReleased += other.bytesReleased
        for phase in times.indices {
            for slot in times[phase].counts.indices { times[phase].counts[slot] &+= other.times[phase].counts[slot] }
            times[phase].sumMicroseconds &+= other.times[phase].sumMicroseconds
        }
    }
}

/// Why, and which store could not serve a request.
struct StorageFailure: Hashable, Sendable {
    enum Cause: String, CaseIterable, Sendable {
        /// The disk failed, or what lies on it is not what was written.
        case error
        /// No room for a new object.
        case full
        /// Too many objects are open, or change at once under one name.
        case busy
    }

    let store: Int
    let cause: Cause
}
