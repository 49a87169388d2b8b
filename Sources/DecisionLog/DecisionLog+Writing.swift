internal import OpenSSL
internal import Synchronization

/// The writer's thread.
extension DecisionLog {
    func writeUntilStopped() {
        repeat {
            lookForWork()
            monitor.withLock {
                pulses.writerPasses()
                while !hasWork.load(ordering: .relaxed), phase == .open || phase == .full {
                    writersPlace.wait(monitor)
                    pulses.writerPasses()
                }
            }
        } while commitWaiting() || mayGetWork()
        writerIsDone()
    }

    /// Does something wait, or may something come? Woken for what was written already, the writer must not take it for the end.
    private func mayGetWork() -> Bool {
        monitor.withLock { phase == .open || phase == .full || (pending.count > 0 && phase != .closed) }
    }

    /// After a group of a busy time: gives the processor to whoever wants it, and goes on without a sleep when the next group comes soon.
    private func lookForWork() {
        guard lastGroupCount >= Self.busyGroupCount else { return }
        let until = clock.monotonicMicroseconds() + Self.lookingMicroseconds
        while !hasWork.load(ordering: .acquiring), clock.monotonicMicroseconds() < until { LogThread.yield() }
    }

    /// No group comes any more.
    func writerIsDone() {
        monitor.withLock {
            isWriterDone = true
            monitor.broadcast()
        }
    }

    /// One step of the writer: takes all that waits as one group, and answers it.
    /// - Returns: false when nothing waits, or the log is closed.
    func commitWaiting() -> Bool {
        let taken = monitor.withLock { () -> Pending? in
            guard pending.count > 0, phase != .closed else {
                // A loop tells of what it queued at the end of its turn; another's call may have had it written by then.
                hasWork.store(false, ordering: .relaxed)
                return nil
            }
            let taken = pending
            pending = Pending(firstIndex: taken.end)
            pending.bytes.reserveCapacity(taken.bytes.count)
            hasWork.store(false, ordering: .relaxed)
            return taken
        }
        guard let taken else { return false }
        lastGroupCount = taken.count
        var waiting = taken.waiting[...]
        do throws(LogError) {
            try keep(taken.evidence)
            for part in try split(taken) {
                let started = clock.monotonicMicroseconds()
                try wal.write(
                    entries: part.bytes, firstIndex: part.firstIndex, leaves: part.leaves,
                    isLastWords: taken.isLastWords)
                isDurable(part, microseconds: clock.monotonicMicroseconds() - started)
                let settled = waiting.prefix { $0.index < part.firstIndex + UInt64(part.count) }
                waiting = waiting.dropFirst(settled.count)
                settle(Array(settled), isDurable: true)
                configuration.follower?.follow(
                    DurableGroup(firstIndex: part.firstIndex, count: part.count, bytes: part.bytes))
            }
        } catch {
            if case .system(let cause) = error, cause.isFull, !taken.isLastWords, reserve.release() {
                let end = monitor.withLock { durableSize }
                becomeFull("\(error)", from: end, waiting: Array(waiting))
            } else {
                fail(error, Array(waiting))
            }
        }
        return true
    }

    private func isDurable(_ part: DurablePart, microseconds: Int64) {
        monitor.withLock {
            durableSize = part.firstIndex + UInt64(part.count)
            toIntegrate.append(part)
            integratingBytes += part.bytes.count
            groups += 1
            commits.record(microseconds: microseconds)
            if integratingBytes >= Self.integrationBytes || durabilityWaiters > 0 { monitor.broadcast() }
        }
    }

    /// Groups of at most `groupBytesMax`, and small enough that a segment holds several.
    private func split(_ taken: Pending) throws(LogError) -> [DurablePart] {
        let bytesMax = min(Self.groupBytesMax, configuration.segmentBytes / 4)
        guard taken.bytes.count > bytesMax, let ranges = EntryFraming.split(taken.bytes) else {
            return [try DurablePart(taken.bytes, firstIndex: taken.firstIndex)]
        }
        var parts: [DurablePart] = []
        var start = 0
        var first = 0
        for (position, range) in ranges.enumerated()
        where range.upperBound - start >= bytesMax || position == ranges.count - 1 {
            parts.append(
                try DurablePart(
                    Array(taken.bytes[start..<range.upperBound]), firstIndex: taken.firstIndex + UInt64(first)))
            start = range.upperBound
            first = position + 1
        }
        return parts
    }

    /// Keeps the tokens that decisions rest on, durable before the decisions are.
    private func keep(_ evidence: [TokenEvidence]) throws(LogError) {
        for token in evidence where !keptEvidence.contains(token.sha256) {
            do throws(LogSystemError) {
                let name = "evidence/\(token.sha256.hex)"
                if try !files.exists(name) { try files.publish(name, token.bytes, mode: 0o600) }
            } catch {
                throw .system(error)
            }
            if keptEvidence.count > 100_000 { keptEvidence.removeAll() }
            keptEvidence.insert(token.sha256)
        }
    }

    // MARK: - Failing closed

    /// From here on nothing is decided: every request is answered `log-unavailable` until an operator restarts.
    func fail(_ error: LogError, _ waiting: [LogPort.Waiting]) {
        let abandoned = monitor.withLock { () -> [LogPort.Waiting] in
            if closedBecause == nil { closedBecause = "\(error)" }
            phase = .closed
            let abandoned = waiting + pending.waiting
            pending.waiting = []
            dropCompletions()
            callWriter()
            monitor.broadcast()
            return abandoned
        }
        settle(abandoned, isDurable: false)
    }

    /// The disk is full, and the reserve is given back: what is not durable is dropped, and the last words are said.
    /// - Parameter end: the index that they take.
    func becomeFull(_ why: String, from end: UInt64, waiting: [LogPort.Waiting]) {
        let abandoned = monitor.withLock { () -> [LogPort.Waiting] in
            let abandoned = waiting + pending.waiting
            if phase == .closed { return abandoned }
            closedBecause = why
            // A stop that was asked for is said after it.
            let isStopping = phase == .stopping
            if !isStopping { phase = .full }
            dropCompletions()
            pending = Pending(firstIndex: end)
            pending.isLastWords = true
            guard !isWriterDone else { return abandoned }
            queue(EventEntry(gateway: gateway, name: "log-full", members: [("why", .text(why))]))
            if isStopping { queue(EventEntry(gateway: gateway, name: "stop")) }
            callWriter()
            monitor.broadcast()
            return abandoned
        }
        settle(abandoned, isDurable: false)
    }

    /// Wakes each loop once.
    private func settle(_ waiting: [LogPort.Waiting], isDurable: Bool) {
        guard let first = waiting.first else { return }
        if waiting.allSatisfy({ $0.port === first.port }) { return first.port.settle(waiting, isDurable: isDurable) }
        for (_, group) in Dictionary(grouping: waiting, by: { ObjectIdentifier($0.port) }) {
            group.first?.port.settle(group, isDurable: isDurable)
        }
    }
}

/// One group on its way through the writer and the integrator: its entries, each after its length, and the hash of each.
struct DurablePart {
    let bytes: [UInt8]
    let leaves: [SHA256Digest]
    let firstIndex: UInt64

    var count: Int { leaves.count }

    init(_ bytes: [UInt8], firstIndex: UInt64) throws(LogError) {
        guard let leaves = EntryFraming.leaves(bytes) else { throw .damaged("a group's entries do not add up") }
        self.bytes = bytes
        self.leaves = leaves
        self.firstIndex = firstIndex
    }
}
