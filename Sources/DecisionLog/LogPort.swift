package import Residency
internal import Synchronization

/// What became of a decision.
package enum DurableDecision: ~Copyable {
    /// A decision to allow is on disk.
    case allowed(Permit)
    /// A decision to refuse is on disk, under this index.
    case refused(index: UInt64)
    /// It is not, and will not be.
    case unavailable
}

/// Who waits for a decision. Called once, on the loop of the port that recorded it.
package protocol DecisionWaiter: AnyObject {
    func decisionIsDurable(_ decision: consuming DurableDecision)
}

/// What recording came to.
package enum RecordResult: Hashable, Sendable {
    case queued
    /// An entry of this later time was queued meanwhile: decide again at that time.
    case timeMoved(Timestamp)
    /// More waits than the log takes; try again later.
    case overloaded
    /// The log is closed.
    case unavailable
}

/// One event loop's way to the log. Confined to the loop's thread, but for `settle`, which the log's threads call.
package final class LogPort: @unchecked Sendable {
    struct Waiting {
        let port: LogPort
        let waiter: any DecisionWaiter
        let index: UInt64
        let release: Release?
    }

    private let log: DecisionLog
    private let wake: @Sendable () -> Void
    private let later: (() -> Void)?
    /// Something was queued that the writer has not been told of. The loop's.
    private var isFlushing = false
    private let settled = Mutex<[Settled]>([])
    /// A line that is being written, used again; nil while it is. The loop's.
    private var line: [UInt8]?
    /// The loop's.
    private var times = Timestamp.Writer()

    /// Waiting decisions as they cross threads: touched only by the loop once they are settled.
    private struct Settled: @unchecked Sendable {
        let waiting: [Waiting]
        let isDurable: Bool
    }

    init(log: DecisionLog, wake: @escaping @Sendable () -> Void, later: (() -> Void)?) {
        self.log = log
        self.wake = wake
        self.later = later
    }

    /// Memory for an entry's line, empty: `record` takes it back.
    package func takeLine() -> [UInt8] {
        // Taken out and put back: appended to where it lies, each access to it would be checked.
        guard var line else { return [] }
        self.line = nil
        line.removeAll(keepingCapacity: true)
        return line
    }

    /// A time in RFC 3339, as an entry's line has it.
    package func timeText(_ time: Timestamp) -> InlineArray<27, UInt8> {
        var writer = times
        let text = writer.rfc3339Bytes(time)
        times = writer
        return text
    }

    /// Queues a decision. Its index is fixed when this returns `.queued`; the waiter is called when it is on disk.
    /// - Parameters:
    ///   - line: the entry's, without a line end; written into what `takeLine` gave.
    ///   - time: the line's.
    ///   - isJudged: tokens were judged, by `time`: no other time will do.
    ///   - release: what the permit will let storage do; nil for a refusal.
    ///   - evidence: the verified tokens that it rests on; kept before the decision is durable.
    package func record(
        _ line: consuming [UInt8], at time: Timestamp, isJudged: Bool, release: Release?, evidence: [TokenEvidence],
        waiter: any DecisionWaiter
    ) -> RecordResult {
        let result = log.enqueue(
            &line, time: time, isJudged: isJudged, release: release, evidence: evidence, waiter: waiter, port: self)
        self.line = consume line
        guard result == .queued else { return result }
        guard let later else {
            flush()
            return result
        }
        if !isFlushing {
            isFlushing = true
            log.expectWork()
            later()
        }
        return result
    }

    /// Tells the writer of what was queued. On the loop.
    package func flush() {
        isFlushing = false
        log.wakeWriter()
    }

    /// Tells what became of a permitted request. Batched; never delays anything.
    package func complete(_ item: CompletionEntry.Item) { log.complete(item) }

    /// The group of these is on disk, or never will be. Called by the log's threads; wakes the loop once.
    func settle(_ waiting: [Waiting], isDurable: Bool) {
        let group = Settled(waiting: waiting, isDurable: isDurable)
        settled.withLock { $0.append(group) }
        wake()
    }

    /// Calls every waiter whose decision is settled. On the loop, after `wake`. The only place where a permit is made.
    package func drain() {
        let ready = settled.withLock { settled in
            let ready = settled
            settled.removeAll(keepingCapacity: true)
            return ready
        }
        for group in ready {
            let all = group.waiting
            // By index, so that of each only what is needed is counted.
            for place in all.indices {
                let waiter = all[place].waiter
                if !group.isDurable {
                    waiter.decisionIsDurable(.unavailable)
                } else if let release = all[place].release {
                    waiter.decisionIsDurable(.allowed(Permit(index: all[place].index, release: release)))
                } else {
                    waiter.decisionIsDurable(.refused(index: all[place].index))
                }
            }
        }
    }
}
