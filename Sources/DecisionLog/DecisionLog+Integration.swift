/// The integrator's thread.
extension DecisionLog {
    /// How long the next checkpoint waits for the witnesses of the last one.
    private static let witnessMicrosecondsMax: Int64 = 5_000_000

    func integrateUntilStopped() {
        tree.writer.start()
        defer { tree.writer.stop() }
        repeat {
            monitor.withLock {
                pulses.integratorPasses()
                while integratingBytes < Self.integrationBytes, !isWriterDone {
                    pulses.integratorPasses()
                    if cosignatures != nil { break }
                    let left = max(nextCheckpoint, heldUntil) - clock.monotonicMicroseconds()
                    if left <= 0 { break }
                    monitor.wait(milliseconds: Int(min(left / 1000, 60_000)) + 1)
                }
            }
        } while integrate()
    }

    /// One step of the integrator: takes what is durable into the tree, and publishes a checkpoint when it is time, or the last time.
    /// - Returns: false when there is nothing more to do.
    func integrate() -> Bool {
        let now = clock.monotonicMicroseconds()
        let isDue = now >= nextCheckpoint && now >= monitor.withLock { heldUntil }
        let (taken, isLast, cosigned) = monitor.withLock {
            () -> ([[UInt8]], Bool, (size: UInt64, lines: [String])?) in
            if phase == .open, isDue {
                nextTime()
                flushCompletions()
                if pending.count > 0 { callWriter() }
            }
            let taken = toIntegrate
            toIntegrate = []
            defer { cosignatures = nil }
            return (taken, isWriterDone, cosignatures)
        }
        if monitor.withLock({ isContradicted }) { return false }
        do throws(LogError) {
            if let cosigned, cosigned.size == tree.publishedSize { try publish(cosignatures: cosigned.lines) }
            for group in taken {
                try tree.append(group)
                monitor.withLock { integratingBytes -= group.count }
            }
            if isLast || isDue {
                try publish()
                nextCheckpoint =
                    clock.monotonicMicroseconds() + Int64(configuration.checkpointIntervalMilliseconds) * 1000
            }
        } catch {
            fail(error, [])
            return false
        }
        return !isLast
    }

    private func publish() throws(LogError) {
        try requireInPlace()
        try notePruning()
        let before = tree.publishedSize
        try tree.publish()
        let note = tree.note
        let size = tree.publishedSize
        monitor.withLock {
            checkpointSize = size
            checkpointNote = note
            checkpointAt = clock.monotonicMicroseconds()
        }
        guard size > before else { return }
        try wal.retire(coveredSize: size)
        if configuration.isWitnessed {
            monitor.withLock { heldUntil = clock.monotonicMicroseconds() + Self.witnessMicrosecondsMax }
        }
        configuration.published()
    }

    private func publish(cosignatures: [String]) throws(LogError) {
        try requireInPlace()
        try tree.publish(cosignatures: cosignatures)
        let note = tree.note
        monitor.withLock { checkpointNote = note }
    }

    /// `bailiwick log prune` takes entries away beside the daemon: the log itself says so, from this entry on.
    private func notePruning() throws(LogError) {
        guard try pruned.hasChanged(files), let event = pruned.event(gateway) else { return }
        record(event)
        let minimumIndex = pruned.minimumIndex
        monitor.withLock { prunedSize = minimumIndex }
    }

    /// Called by the tree when the disk is full: what is durable already is still integrated, within the reserve.
    func makeRoom() -> Bool {
        guard reserve.release() else { return false }
        becomeFull("the disk is full", from: nil, waiting: [])
        return true
    }
}
