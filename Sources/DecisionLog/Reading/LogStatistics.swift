package import JSON

/// What happened, counted by day and by jurisdiction: for a picture, not for evidence.
package struct LogStatistics: Sendable {
    package struct Counts: Sendable {
        package var allowed: UInt64 = 0
        package var refused: UInt64 = 0
        /// Of the allowed ones, those that crossed a border.
        package var crossed: UInt64 = 0

        package var all: UInt64 { allowed + refused }

        mutating func count(_ isAllowed: Bool, crossing: Bool) {
            if isAllowed { allowed += 1 } else { refused += 1 }
            if isAllowed && crossing { crossed += 1 }
        }
    }

    /// A border that a decision crossed, or would have.
    package struct Crossing: Hashable, Sendable {
        /// The caller's office, a datacenter; nil when there was none.
        package let office: String?
        /// The jurisdiction whose border it is.
        package let jurisdiction: String
    }

    package private(set) var total = Counts()
    /// By day in UTC, `2026-11-24`.
    package private(set) var days: [String: Counts] = [:]
    /// By the object's jurisdiction; where none was located, by the one whose border was asked for; else nil.
    package private(set) var jurisdictions: [String?: Counts] = [:]
    package private(set) var crossings: [Crossing: Counts] = [:]
    package private(set) var reasons: [String: UInt64] = [:]
    package private(set) var completions: UInt64 = 0
    /// Requests that were cut off or withdrawn, and bytes that were sent.
    package private(set) var brokenOff: UInt64 = 0
    package private(set) var bytesSent: UInt64 = 0
    package private(set) var events: [String: UInt64] = [:]

    package init() {}

    /// Counts one entry.
    package mutating func count(_ entry: JSONObject) {
        switch entry["kind"]?.string {
        case "decision": countDecision(entry)
        case "completion":
            for item in entry["completed"]?.array ?? [] {
                completions += 1
                bytesSent &+= UInt64(max(0, item.object?["bytes"]?.integer ?? 0))
                if item.object?["outcome"]?.string != "whole" { brokenOff += 1 }
            }
        default: events[entry["event"]?.string ?? "?", default: 0] += 1
        }
    }

    private mutating func countDecision(_ entry: JSONObject) {
        let isAllowed = entry["decision"]?.string == "allow"
        let borders = (entry["crossed"]?.array ?? []).compactMap(\.string)
        total.count(isAllowed, crossing: !borders.isEmpty)
        days[String((entry["time"]?.string ?? "?").prefix(10)), default: Counts()].count(
            isAllowed, crossing: !borders.isEmpty)
        jurisdictions[entry["jurisdiction"]?.string ?? borders.first, default: Counts()].count(
            isAllowed, crossing: !borders.isEmpty)
        for border in borders {
            crossings[Crossing(office: entry["office"]?.string, jurisdiction: border), default: Counts()].count(
                isAllowed, crossing: true)
        }
        reasons[entry["reason"]?.string ?? "?", default: 0] += 1
    }
}
