internal import DecisionLog
internal import Residency
internal import Settings
internal import Synchronization

/// Counts the requests that are not logged singly: a stranger is not a pen (DESIGN section 7). One event a minute tells how many, by
/// reason and by network or principal.
final class Aggregates: Sendable {
    private struct Key: Hashable {
        let reason: Reason
        let source: String
    }

    private let counts = Mutex<[Key: Int64]>([:])

    /// A request of nobody known.
    func count(_ reason: Reason, from address: Address) { count(Key(reason: reason, source: address.neighbourhood)) }

    /// A request too many of a principal.
    func count(_ reason: Reason, of principal: PrincipalName) { count(Key(reason: reason, source: principal.text)) }

    private func count(_ key: Key) {
        counts.withLock { counts in
            let key =
                counts.count < Limits.strangerNetworksMax || counts[key] != nil
                ? key : Key(reason: key.reason, source: "others")
            counts[key, default: 0] += 1
        }
    }

    /// The counts since the last call, as events.
    func takeEvents(_ gateway: GatewayName) -> [EventEntry] {
        let taken = counts.withLock { counts in
            defer { counts = [:] }
            return counts
        }
        return taken.sorted { ($0.key.reason.rawValue, $0.key.source) < ($1.key.reason.rawValue, $1.key.source) }.map {
            key, count in
            EventEntry(
                gateway: gateway, name: "aggregated-refusals",
                members: [
                    ("reason", .text(key.reason.rawValue)), ("source", .text(key.source)), ("count", .number(count)),
                ])
        }
    }
}
