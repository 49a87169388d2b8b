internal import DecisionLog
internal import Residency
internal import Settings
internal import Stores
internal import Synchronization
internal import Tokens

/// One thing that must be well, by name.
struct Check: Hashable, Sendable {
    enum Outcome: Hashable, Sendable {
        case ok
        /// It serves, and somebody should look.
        case warning(String)
        /// Why it does not serve, or not rightly.
        case failed(String)
    }

    let name: String
    let outcome: Outcome

    var isFailed: Bool { if case .failed = outcome { true } else { false } }

    var line: String {
        switch outcome {
        case .ok: "\(name): ok\n"
        case .warning(let why): "\(name): warning: \(why)\n"
        case .failed(let why): "\(name): NOT OK: \(why)\n"
        }
    }
}

/// Whether the gateway can serve, check by check (`/ready`, `bailiwick_check`).
struct Readiness {
    /// What is left of a certificate or list when it is time to renew it.
    private static let certificateWarningSeconds: Int64 = 14 * 86_400
    private static let listWarningSeconds: Int64 = 86_400
    /// Room on the log's disk: for the next files, and for a day or so.
    private static let logBytesMin: UInt64 = 1 << 20
    private static let logBytesWarning: UInt64 = 1 << 30
    private static let storeBytesWarning: UInt64 = 1 << 30
    private static let checkpointMillisecondsMax: Int64 = 60_000
    /// The log's time ahead of the clock: from where somebody should look, and from where authorizations are judged by a wrong time.
    private static let aheadSecondsWarning: Int64 = 5
    private static let aheadSecondsMax: Int64 = 60

    let checks: [Check]

    var isReady: Bool { !checks.contains(where: \.isFailed) }
    var text: String { checks.map(\.line).joined() }

    init(_ gateway: Gateway, nowSeconds now: Int64) {
        let (service, reloads, isStopping) = gateway.state.withLock { ($0.service, $0.reloads, $0.isStopping) }
        let log = gateway.log.status
        let (witnesses, quorum) = gateway.witnessReports
        let seen = gateway.condition.last
        checks = [
            Check(name: "log", outcome: Self.log(log)),
            Check(name: "clock", outcome: Self.clock(log)),
            Check(name: "checkpoint", outcome: Self.checkpoint(log)),
            Check(name: "witnesses", outcome: Self.witnesses(witnesses, quorum: quorum)),
            Check(name: "listening", outcome: isStopping ? .failed("stopping") : .ok),
            Check(name: "stores", outcome: Self.stores(seen, lateSeconds: gateway.condition.lateSeconds)),
            Check(name: "certificate", outcome: Self.certificate(service.expiries, now)),
            Check(name: "revocation-lists", outcome: Self.revocationLists(service.expiries, now)),
            Check(name: "issuers", outcome: Self.issuers(service.expiries, now)),
            Check(name: "disk", outcome: Self.disk(seen)),
            Check(name: "settings", outcome: Self.settings(reloads)),
        ]
    }

    private static func log(_ log: LogStatus) -> Check.Outcome {
        (log.closedBecause ?? log.suspendedBecause).map { .failed($0) } ?? .ok
    }

    /// The log's time never goes back: once the clock was ahead, authorizations, certificates and lists are judged by that time until the
    /// clock has caught up, over restarts too.
    private static func clock(_ log: LogStatus) -> Check.Outcome {
        let seconds = log.aheadMicroseconds / 1_000_000
        guard seconds >= aheadSecondsWarning else { return .ok }
        let words = "the log's time is \(seconds) s ahead of the clock: authorizations are judged by it"
        return seconds < aheadSecondsMax ? .warning(words) : .failed(words)
    }

    private static func checkpoint(_ log: LogStatus) -> Check.Outcome {
        guard log.checkpointAgeMilliseconds > checkpointMillisecondsMax, log.checkpointSize < log.durableSize else {
            return .ok
        }
        return .failed("the last one is \(log.checkpointAgeMilliseconds / 1000) s old")
    }

    private static func witnesses(_ all: [Witnesses.Report], quorum: Int) -> Check.Outcome {
        if all.isEmpty { return .warning("no witnesses are configured") }
        let fresh = all.count(where: \.isFresh)
        let problems = all.compactMap { witness in witness.problem.map { "\(witness.name): \($0)" } }
        let words = (["\(fresh) of \(all.count) cosign, the quorum is \(quorum)"] + problems).joined(separator: "; ")
        if fresh < quorum { return .failed(words) }
        return fresh < all.count ? .warning(words) : .ok
    }

    private static func stores(_ seen: Condition.Seen, lateSeconds: Int64?) -> Check.Outcome {
        if let lateSeconds { return .failed("the last look at them began \(lateSeconds) s ago and did not end") }
        let problems = seen.stores.compactMap { store in store.condition.problem.map { "\(store.bucket): \($0)" } }
        return problems.isEmpty ? .ok : .failed(problems.joined(separator: "; "))
    }

    private static func certificate(_ expiries: Expiries, _ now: Int64) -> Check.Outcome {
        let (before, after) = (expiries.notBeforeSeconds, expiries.notAfterSeconds)
        if now < before { return .failed("is not valid before \(date(before))") }
        if now >= after { return .failed("expired at \(date(after))") }
        if let ended = expiries.authorities.firstIndex(where: { now >= $0 }) {
            return .warning("tls.client_authorities[\(ended)] expired at \(date(expiries.authorities[ended]))")
        }
        return after - now < certificateWarningSeconds ? .warning("expires at \(date(after))") : .ok
    }

    /// Past its end a list lets nobody in whom it covers.
    private static func revocationLists(_ expiries: Expiries, _ now: Int64) -> Check.Outcome {
        var warning: String?
        for (index, end) in expiries.revocationLists.enumerated() {
            guard let end else { continue }
            let words = "tls.revocation_lists[\(index)]"
            if now >= end { return .failed("\(words) was to be replaced by \(date(end)): its clients are refused") }
            if end - now < listWarningSeconds { warning = "\(words) must be replaced by \(date(end))" }
        }
        return warning.map { .warning($0) } ?? .ok
    }

    private static func issuers(_ expiries: Expiries, _ now: Int64) -> Check.Outcome {
        var words: [String] = []
        for (issuer, end) in expiries.issuerRevocations {
            if now >= end {
                words.append("\(issuer): its revocation list ended at \(date(end)): all its authorizations are refused")
            } else if end - now < listWarningSeconds {
                words.append("\(issuer): its revocation list ends at \(date(end))")
            }
        }
        // A key set may name any number: nothing is taken from it.
        for (issuer, keyID, end) in expiries.issuerKeys where end < now + certificateWarningSeconds {
            words.append("\(issuer): its key \(keyID) \(now >= end ? "was" : "is") to be replaced by \(date(end))")
        }
        return words.isEmpty ? .ok : .warning(words.joined(separator: "; "))
    }

    private static func disk(_ seen: Condition.Seen) -> Check.Outcome {
        func words(_ space: DiskSpace, _ what: String) -> String { "\(what) has \(space.freeBytes >> 20) MiB left" }
        if let log = seen.log, log.freeBytes < logBytesMin { return .failed(words(log, "the log's disk")) }
        var warnings: [String] = []
        if let wait = DiskWaits.warning { warnings.append(wait) }
        if let log = seen.log, log.freeBytes < logBytesWarning { warnings.append(words(log, "the log's disk")) }
        for store in seen.stores {
            if let space = store.condition.space, space.freeBytes < storeBytesWarning {
                warnings.append(words(space, "the disk of \(store.bucket)"))
            }
        }
        return warnings.isEmpty ? .ok : .warning(warnings.joined(separator: "; "))
    }

    private static func settings(_ reloads: ReloadRecord) -> Check.Outcome {
        if let problem = reloads.problem {
            return .warning(
                "the last reload was not taken: "
                    + problem.split(whereSeparator: \.isNewline).joined(separator: "; "))
        }
        let due = reloads.restartDue
        return due.isEmpty ? .ok : .warning("a restart is due for \(due.joined(separator: ", "))")
    }

    private static func date(_ seconds: Int64) -> String { Timestamp(seconds: seconds).rfc3339 }
}
