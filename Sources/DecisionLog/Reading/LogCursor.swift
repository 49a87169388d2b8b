internal import Residency

/// One entry of a log and its place.
package struct LoggedEntry: Sendable {
    package let index: UInt64
    package let line: [UInt8]
}

/// Walks over a log's entries in order, one bundle in memory at a time.
package struct LogCursor: Sendable {
    private let reader: LogReader
    /// The index of the entry that `next` will give.
    package private(set) var position: UInt64
    private let end: UInt64
    private var number: UInt64?
    private var bytes: [UInt8] = []
    private var ranges: [Range<Int>] = []

    /// - Parameters:
    ///   - first: where to begin; a pruned prefix is passed over.
    ///   - end: before which entry to stop; the checkpoint's size at the most.
    package init(_ reader: LogReader, from first: UInt64 = 0, to end: UInt64 = .max) {
        self.reader = reader
        self.end = min(end, reader.checkpoint.size)
        position = max(first, reader.minimumIndex)
    }

    package mutating func next() throws(LogFault) -> LoggedEntry? {
        guard position < end else { return nil }
        if number != position / 256 {
            (_, bytes, ranges) = try reader.bundle(position / 256)
            number = position / 256
        }
        defer { position += 1 }
        return LoggedEntry(index: position, line: Array(bytes[ranges[Int(position % 256)]]))
    }

    /// Entries passed over so far out of all, for a progress bar.
    package var share: Double {
        let all = end - min(end, reader.minimumIndex)
        return all == 0 ? 1 : Double(position - reader.minimumIndex) / Double(all)
    }
}
