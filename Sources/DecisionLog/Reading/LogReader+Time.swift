package import Residency

extension LogReader {
    /// The index of the first entry whose time is not before `time`; the checkpoint's size where there is none. Time never goes back in
    /// a log, so bundles are halved: of a log of n bundles about log2(n) are read.
    package func firstIndex(notBefore time: Timestamp) throws(LogFault) -> UInt64 {
        var low = minimumIndex / 256
        var high = bundleCount
        // The first bundle that begins at `time` or later; the entry may also be in the one before it.
        while low < high {
            let middle = low + (high - low) / 2
            let (tile, bytes, entries) = try bundle(middle)
            if try Self.time(bytes[entries[0]], index: middle * 256, tile) < time {
                low = middle + 1
            } else {
                high = middle
            }
        }
        guard low > minimumIndex / 256 else { return minimumIndex }
        let (tile, bytes, entries) = try bundle(low - 1)
        for (position, range) in entries.enumerated() {
            let index = (low - 1) * 256 + UInt64(position)
            if try Self.time(bytes[range], index: index, tile) >= time { return index }
        }
        return min(low * 256, checkpoint.size)
    }

    /// The time of an entry of any kind; nil when it has none.
    package static func time(of entry: [UInt8]) -> Timestamp? { EntryTime.read(Array(entry.prefix(128))) }

    private static func time(_ entry: ArraySlice<UInt8>, index: UInt64, _ tile: TilePath) throws(LogFault) -> Timestamp
    {
        guard let time = EntryTime.read(Array(entry.prefix(128))) else {
            throw LogFault(index: index, file: tile.path, offset: entry.startIndex, what: "is no entry")
        }
        return time
    }
}
