internal import OpenSSL
internal import Synchronization

/// The writer's thread.
extension DecisionLog {
    func writeUntilStopped() {
        repeat {
            repeat { lookForWork() } while sleepUntilCalled()
        } while commitWaiting() || mayGetWork()
        writerIsDone()
    }

    /// - Returns: true when there is nothing yet, but something is about to come.
    private func sleepUntilCalled() -> Bool {
        monitor.withLock {
            pulses.writerPasses()
            while !hasWork.load(ordering: .relaxed), !isWorkExpected, phase == .open || phase == .full {
                writersPlace.wait(monitor)
                pulses.writerPasses()
            }
            defer { isWorkExpected = false }
            return isWorkExpected && !hasWork.load(ordering: .relaxed) && (phase == .open || phase == .full)
        }
    }

    /// Does something wait, or may something come? Woken for what was written already, the writer must not take it for the end.
    private func mayGetWork() -> Bool {
        monitor.withLock { phase == .open || phase == .full || (pending.count > 0 && phase != .closed) }
    }

    /// After a group of a busy time: gives the processor to whoever wants it, and goes on without a sleep when nearly as many as that group
    /// had come soon. What a write costs does not depend on how many share it.
    private func lookForWork() {
        let lastCount = lastGroupCount.load(ordering: .relaxed)
        if monitor.withLock({ ports > 1 }) { return gather(lastCount) }
        guard lastCount >= Self.busyGroupCount else { return }
        let wanted = lastCount * 3 / 4
        let until = clock.monotonicMicroseconds() + Self.lookingMicroseconds
        while !hasWork.load(ordering: .acquiring) || pendingCount.load(ordering: .relaxed) < wanted,
            clock.monotonicMicroseconds() < until
        { LogThread.yield() }
    }

    /// The same where several loops queue: the writer sleeps, since there is a processor for each of them to go on with, until as many wait
    /// as the largest of the last groups had. Of what the last one alone had there would be no way up: one loop's turn is as many, and goes
    /// without the others'.
    private func gather(_ lastCount: Int) {
        gatheredCount = max(lastCount, gatheredCount - gatheredCount / 8 - 1)
        guard lastCount >= Self.busyGroupCountOfSeveral else { return }
        let until = clock.monotonicMicroseconds() + Self.gatheringMicroseconds
        monitor.withLock {
            gatheringCount = gatheredCount
            defer { gatheringCount = 0 }
            while phase == .open, !hasWork.load(ordering: .relaxed) || pending.count < gatheredCount {
                let rest = until - clock.monotonicMicroseconds()
                guard rest > 0 else { return }
                writersPlace.wait(monitor, microseconds: rest)
            }
        }
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
            pending = Pending(firstIndex: taken.end, withRoomOf: taken)
            pendingCount.store(0, ordering: .relaxed)
            hasWork.store(false, ordering: .relaxed)
            return taken
        }
        guard let taken else { return false }
        lastGroupCount.store(taken.count, ordering: .relaxed)
        var waiting = taken.waiting[...]
        do throws(LogError) {
            try keep(taken.evidence)
            for part in split(taken) {
                let started = clock.monotonicMicroseconds()
                try wal.write(
                    entries: part.bytes, firstIndex: part.firstIndex, count: part.count,
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

    private struct Part {
        let bytes: [UInt8]
        let firstIndex: UInt64
        let count: Int
    }

    private func isDurable(_ part: Part, microseconds: Int64) {
        monitor.withLock {
            durableSize = part.firstIndex + UInt64(part.count)
            toIntegrate.append(part.bytes)
            integratingBytes += part.bytes.count
            groups += 1
            commits.record(microseconds: microseconds)
            if integratingBytes >= Self.integrationBytes || durabilityWaiters > 0 { monitor.broadcast() }
        }
    }

    /// Groups of at most `groupBytesMax`, and small enough that a segment holds several.
    private func split(_ taken: Pending) -> [Part] {
        let bytesMax = min(Self.groupBytesMax, configuration.segmentBytes / 4)
        guard taken.bytes.count > bytesMax, let ranges = EntryFraming.split(taken.bytes) else {
            return [Part(bytes: taken.bytes, firstIndex: taken.firstIndex, count: taken.count)]
        }
        var parts: [Part] = []
        var start = 0
        var first = 0
        for (position, range) in ranges.enumerated()
        where range.upperBound - start >= bytesMax || position == ranges.count - 1 {
            parts.append(
                Part(
                    bytes: Array(taken.bytes[start..<range.upperBound]), firstIndex: taken.firstIndex + UInt64(first),
                    count: position + 1 - first))
            start = range.upperBound
            first = position + 1
        }
        return parts
    }

    /// Tokens that are known to be kept, so that nobody looks for their files; beyond it they are looked for again.
    private static let keptEvidenceMax = 100_000

    /// Keeps the tokens that a group's decisions rest on, durable before the decisions are.
    private func keep(_ evidence: [TokenEvidence]) throws(LogError) {
        var new: [(name: String, bytes: [UInt8])] = []
        var digests: Set<SHA256Digest> = []
        do throws(LogSystemError) {
            for token in evidence where !keptEvidence.contains(token.sha256) && digests.insert(token.sha256).inserted {
                let name = "evidence/\(token.sha256.hex)"
                if try !files.exists(name) { new.append((name, token.bytes)) }
            }
            try files.publish(new, mode: 0o600)
        } catch {
            throw .system(error)
        }
        if keptEvidence.count > Self.keptEvidenceMax { keptEvidence.removeAll() }
        keptEvidence.formUnion(digests)
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
    /// - Parameter end: the index that they take, for the writer, which drops what it held. For others nil: what the writer holds comes
    ///   before them (should it fail too, they move down), and nothing is said where something else closed the log.
    func becomeFull(_ why: String, from end: UInt64?, waiting: [LogPort.Waiting]) {
        let abandoned = monitor.withLock { () -> [LogPort.Waiting] in
            if end == nil, closedBecause != nil { return waiting }
            // Read under the lock that it is used under: the writer may take a group at any time.
            let end = end ?? pending.firstIndex
            let abandoned = waiting + pending.waiting
            if phase == .closed { return abandoned }
            closedBecause = why
            // A stop that was asked for is said after it.
            let isStopping = phase == .stopping
            if !isStopping { phase = .full }
            dropCompletions()
            pending = Pending(firstIndex: end)
            pendingCount.store(0, ordering: .relaxed)
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
        var rest = waiting
        while let port = rest.first?.port {
            let others = rest.filter { $0.port !== port }
            port.settle(others.isEmpty ? rest : rest.filter { $0.port === port }, isDurable: isDurable)
            rest = others
        }
    }
}
