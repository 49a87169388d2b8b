internal import Residency
internal import Synchronization

// What waits for the writer.
extension DecisionLog {
    /// - Parameters:
    ///   - line: a decision's; it gets the later time where that is the last entry's.
    ///   - isJudged: tokens were judged by `time`.
    func enqueue(
        _ line: inout [UInt8], time: Timestamp, isJudged: Bool, release: Release?, evidence: [TokenEvidence],
        waiter: any DecisionWaiter, port: LogPort
    ) -> RecordResult {
        guard line.count <= DecisionEntry.bytesMax else { return .unavailable }
        return monitor.withLock {
            guard phase == .open, suspendedBecause == nil else { return .unavailable }
            let pending = pending
            guard pending.bytes.count < Self.pendingBytesMax, integratingBytes < Self.integratingBytesMax else {
                return .overloaded
            }
            if time < lastTime {
                // Tokens were judged by the time: only a decision without any may take the later one.
                guard !isJudged else { return .timeMoved(lastTime) }
                var text: [UInt8] = []
                lastTime.appendRFC3339(to: &text)
                line.replaceSubrange(DecisionEntry.timeOffset..<DecisionEntry.timeOffset + 27, with: text)
            } else {
                lastTime = time
            }
            let index = append(line, to: pending)
            pending.add(LogPort.Waiting(port: port, waiter: waiter, index: index, release: release))
            if !evidence.isEmpty { pending.add(evidence) }
            return .queued
        }
    }

    func complete(_ item: CompletionEntry.Item) {
        monitor.withLock {
            // A closed log keeps nothing that will never be written.
            guard phase == .open else { return }
            var items = completions
            completions = []
            items.append(item)
            let count = items.count
            completions = items
            if count >= CompletionEntry.itemsMax {
                flushCompletions()
                callWriter()
            }
        }
    }

    /// With the monitor held, or before the threads run.
    /// - Returns: false when it is too long for an entry, and not queued.
    @discardableResult
    func queue(_ event: EventEntry) -> Bool {
        var line: [UInt8] = []
        event.append(to: &line, time: nextTime())
        guard line.count <= DecisionEntry.bytesMax else { return false }
        append(line)
        return true
    }

    /// With the monitor held.
    func flushCompletions() {
        var completed = completions
        completions = []
        while !completed.isEmpty {
            let items = Array(completed.prefix(CompletionEntry.itemsMax))
            completed.removeFirst(items.count)
            var line: [UInt8] = []
            CompletionEntry(gateway: gateway, items: items).append(to: &line, time: nextTime())
            append(line)
        }
        completions = completed
    }

    /// With the monitor held. Drops what nothing waits for any more.
    func dropCompletions() { completions = [] }

    private func append(_ line: [UInt8]) { append(line, to: pending) }

    @discardableResult
    private func append(_ line: [UInt8], to pending: Pending) -> UInt64 {
        let index = pending.end
        pending.add(line)
        pendingCount.store(pending.count, ordering: .relaxed)
        return index
    }

    /// The time of an entry that nobody judged by. With the monitor held.
    @discardableResult
    func nextTime() -> Timestamp {
        let clock = self.clock.wall()
        if clock.microseconds < lastTime.microseconds - Self.clockStepMicroseconds {
            if !hasSteppedBack {
                hasSteppedBack = true
                queue(
                    EventEntry(
                        gateway: gateway, name: "clock-step",
                        members: [("microseconds", .number(clock.microseconds - lastTime.microseconds))]))
            }
        } else {
            hasSteppedBack = false
        }
        lastTime = max(clock, lastTime)
        return lastTime
    }
}
