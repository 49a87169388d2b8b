internal import DecisionLog
internal import Residency

/// What one event loop counts. Confined to its loop; the operators' listener adds the loops' copies up.
struct Counters: Sendable {
    /// Decisions by store, reason and whether a border was crossed; see `slot`.
    private(set) var decisions: [UInt64]
    var handshakes: UInt64 = 0
    var resumptions: UInt64 = 0
    /// Failed handshakes by what failed; the keys are the TLS layer's closed set of names.
    var handshakeFailures: [String: UInt64] = [:]
    var tokenCacheHits: UInt64 = 0
    var tokenCacheMisses: UInt64 = 0
    var openConnections = 0
    var acceptedConnections: UInt64 = 0
    /// Requests without a principal, and malformed ones before one was known.
    var strangers: UInt64 = 0
    /// Requests that were answered without a decision on record, since too many came, or since none could be recorded.
    var unrecordedOverloaded: UInt64 = 0
    var unrecordedUnavailable: UInt64 = 0
    /// Requests that a store could not serve.
    private(set) var storageFailures: [StorageFailure: UInt64] = [:]
    var sealFailures: UInt64 = 0
    var misplaced: UInt64 = 0
    var bytesReleased: UInt64 = 0
    /// Microseconds of the look-up in the store, with the second decision.
    var locateMicroseconds = Histogram()
    /// Microseconds from the decision to its being durable.
    var recordMicroseconds = Histogram()
    /// Microseconds from the durable decision to the last byte handed to the socket.
    var performMicroseconds = Histogram()
    /// Microseconds from a head's arrival to the durable decision.
    var decisionMicroseconds = Histogram()
    /// Microseconds from a head's arrival to the last byte handed to the socket.
    var requestMicroseconds = Histogram()

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
        handshakes += other.handshakes
        resumptions += other.resumptions
        handshakeFailures.merge(other.handshakeFailures) { $0 + $1 }
        tokenCacheHits += other.tokenCacheHits
        tokenCacheMisses += other.tokenCacheMisses
        openConnections += other.openConnections
        acceptedConnections += other.acceptedConnections
        strangers += other.strangers
        unrecordedOverloaded += other.unrecordedOverloaded
        unrecordedUnavailable += other.unrecordedUnavailable
        storageFailures.merge(other.storageFailures) { $0 + $1 }
        sealFailures += other.sealFailures
        misplaced += other.misplaced
        bytesReleased += other.bytesReleased
        locateMicroseconds.add(other.locateMicroseconds)
        recordMicroseconds.add(other.recordMicroseconds)
        performMicroseconds.add(other.performMicroseconds)
        decisionMicroseconds.add(other.decisionMicroseconds)
        requestMicroseconds.add(other.requestMicroseconds)
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
