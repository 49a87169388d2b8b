internal import DecisionLog
internal import NIOCore
internal import NIOPosix
internal import Synchronization

extension Gateway {
    /// Why every request is answered 503.
    package enum Standstill: Equatable {
        /// Until a restart.
        case closed(String)
        /// Until the witnesses are back.
        case suspended(String)
    }

    /// nil while the log takes decisions.
    package var standstill: Standstill? {
        let log = shared.log.status
        if let why = log.closedBecause { return .closed(why) }
        return log.suspendedBecause.map { .suspended($0) }
    }

    /// Who waits for the disk so long that somebody should look at it.
    package var diskWait: String? { DiskWaits.warning }

    /// One line for systemd's STATUS.
    package var statusLine: String {
        switch standstill {
        case .closed(let why): return "THE LOG IS CLOSED, every request is answered 503: \(why)"
        case .suspended(let why): return "SUSPENDED, every request is answered 503: \(why)"
        case nil: break
        }
        let log = shared.log.status
        let (stores, reloads) = state.withLock { ($0.service.stores.count, $0.reloads) }
        var parts = [
            "serving \(stores) store\(stores == 1 ? "" : "s")", "\(Self.grouped(rate.perSecond)) decisions/s",
            "checkpoint \(log.checkpointAgeMilliseconds / 1000)s ago",
        ]
        let asked = witnesses.reports
        if !asked.isEmpty { parts.append("\(asked.count(where: \.isFresh)) of \(asked.count) witnesses") }
        if !reloads.restartDue.isEmpty {
            parts.append("a restart is due for \(reloads.restartDue.joined(separator: ", "))")
        }
        if let problem = reloads.problem {
            let lines = problem.split(whereSeparator: \.isNewline)
            let more = lines.count > 1 ? " (and \(lines.count - 1) more)" : ""
            parts.insert(
                "THE LAST RELOAD WAS NOT TAKEN, the settings before it are in force: \(lines.first ?? "")\(more)", at: 0
            )
        }
        return parts.joined(separator: ", ")
    }

    /// Takes the measure of the decisions since the last call; for once in a second or so.
    package func measureRate() {
        guard rate.begin() else { return }
        counters(on: group.next()) { [rate] counters in
            rate.take(counters.decisionCount, at: NIODeadline.now().uptimeNanoseconds)
        }
    }

    /// `1204` as `1,204`.
    static func grouped(_ number: UInt64) -> String {
        var text = ""
        for (place, digit) in String(number).reversed().enumerated() {
            if place > 0, place % 3 == 0 { text.append(",") }
            text.append(digit)
        }
        return String(text.reversed())
    }
}

/// Decisions in a second, between the last two measures.
final class DecisionRate: Sendable {
    private struct State {
        var isMeasuring = false
        var count: UInt64 = 0
        var nanoseconds: UInt64 = 0
        var perSecond: UInt64 = 0
    }

    private let state = Mutex(State())

    var perSecond: UInt64 { state.withLock { $0.perSecond } }

    /// False while a measure is under way.
    func begin() -> Bool {
        state.withLock { state in
            defer { state.isMeasuring = true }
            return !state.isMeasuring
        }
    }

    func take(_ count: UInt64, at nanoseconds: UInt64) {
        state.withLock { state in
            state.isMeasuring = false
            let elapsed = nanoseconds - min(state.nanoseconds, nanoseconds)
            if state.nanoseconds > 0, elapsed > 0 {
                state.perSecond = UInt64(Double(count - min(state.count, count)) * 1e9 / Double(elapsed) + 0.5)
            }
            (state.count, state.nanoseconds) = (count, nanoseconds)
        }
    }
}
