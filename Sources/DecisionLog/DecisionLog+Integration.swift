/// The integrator's thread.
extension DecisionLog {
    func integrateUntilStopped() {
        repeat {
            monitor.withLock {
                while toIntegrate.isEmpty, !isWriterDone {
                    let left = nextCheckpoint - clock.monotonicMicroseconds()
                    if left <= 0 { break }
                    monitor.wait(milliseconds: Int(left / 1000) + 1)
                }
            }
        } while integrate()
    }

    /// One step of the integrator: takes what is durable into the tree, and publishes a checkpoint when it is time, or the last time.
    /// - Returns: false when there is nothing more to do.
    func integrate() -> Bool {
        let isDue = clock.monotonicMicroseconds() >= nextCheckpoint
        let (taken, isLast) = monitor.withLock { () -> ([[UInt8]], Bool) in
            if phase == .open, isDue {
                nextTime()
                flushCompletions()
                if pending.count > 0 { monitor.broadcast() }
            }
            let taken = toIntegrate
            toIntegrate = []
            return (taken, isWriterDone)
        }
        do throws(LogError) {
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
        let before = tree.publishedSize
        try tree.publish()
        let note = tree.note
        let size = tree.publishedSize
        monitor.withLock {
            checkpointSize = size
            checkpointNote = note
            checkpointAt = clock.monotonicMicroseconds()
        }
        if size > before { try wal.retire(coveredSize: size) }
    }

    /// Called by the tree when the disk is full: what is durable already is still integrated, within the reserve.
    func makeRoom() -> Bool {
        guard reserve.release() else { return false }
        let end = monitor.withLock { closedBecause == nil ? pending.firstIndex : nil }
        // What the writer holds in its hand has the indexes before it; should it fail too, the last words move down.
        if let end { becomeFull("the disk is full", from: end, waiting: []) }
        return true
    }
}
