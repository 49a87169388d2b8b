extension DecisionLog {
    /// What waits for the writer.
    final class Pending {
        var bytes: [UInt8] = []
        var count = 0
        let firstIndex: UInt64
        var waiting: [LogPort.Waiting] = []
        var evidence: [TokenEvidence] = []
        /// Only `log-full` and `stop`, on a full disk.
        var isLastWords = false

        /// - Parameter last: as much as in it is expected.
        init(firstIndex: UInt64, withRoomOf last: Pending? = nil) {
            self.firstIndex = firstIndex
            guard let last else { return }
            var (bytes, waiting): ([UInt8], [LogPort.Waiting]) = ([], [])
            bytes.reserveCapacity(last.bytes.count)
            waiting.reserveCapacity(last.waiting.count)
            (self.bytes, self.waiting) = (bytes, waiting)
        }

        var end: UInt64 { firstIndex + UInt64(count) }

        // Taken out and put back, all three: appended to where they lie, each look at them would be checked.

        @inline(__always)
        func add(_ line: [UInt8]) {
            var bytes = bytes
            self.bytes = []
            EntryFraming.append(line, to: &bytes)
            self.bytes = bytes
            count += 1
        }

        @inline(__always)
        func add(_ waiting: LogPort.Waiting) {
            var all = self.waiting
            self.waiting = []
            all.append(waiting)
            self.waiting = all
        }

        func add(_ evidence: [TokenEvidence]) {
            var all = self.evidence
            self.evidence = []
            all.append(contentsOf: evidence)
            self.evidence = all
        }
    }
}
