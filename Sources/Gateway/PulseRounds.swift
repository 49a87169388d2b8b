/// Rounds of a token that every thread must pass before the watchdog is fed (sd_watchdog_enabled(3)). Pure: knows no thread and no clock.
struct PulseRounds {
    enum Step: Equatable {
        /// Every member passed the last round's token: feed, and pass this round's.
        case feed(round: UInt64)
        /// These have not passed it; asked since so long.
        case wait(round: UInt64, missing: [String], microseconds: Int64)
    }

    private let members: [String]
    private(set) var round: UInt64 = 0
    private var missing: Set<String> = []
    private var askedAt: Int64 = 0

    /// - Parameter members: the names of the threads.
    init(_ members: [String]) { self.members = members }

    /// Has any of these not passed this round's token?
    func isMissing(where belongs: (String) -> Bool) -> Bool { missing.contains(where: belongs) }

    /// Somebody passed a token. One of an earlier round says nothing of this one.
    mutating func passed(_ member: String, round: UInt64) {
        if round == self.round { missing.remove(member) }
    }

    /// What is to be done now. The first step asks and feeds: the process has only begun.
    /// - Parameter now: microseconds of a clock that only goes forward.
    mutating func step(at now: Int64) -> Step {
        guard missing.isEmpty else {
            return .wait(round: round, missing: members.filter { missing.contains($0) }, microseconds: now - askedAt)
        }
        round += 1
        missing = Set(members)
        askedAt = now
        return .feed(round: round)
    }
}
