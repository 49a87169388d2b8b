internal import JSON
internal import Residency

/// Decisions to allow that no completion closed: what a crash cut off.
enum OpenDecisions {
    /// Entries looked back over: requests do not live longer than this many entries.
    static let entriesMax: UInt64 = 65_536

    /// The indexes of open decisions among the last entries of the published tree, in order. Looks back to the last `start` or `stop`.
    /// - Parameter minimumIndex: entries before it were pruned.
    static func read(_ files: LogFolder, size: UInt64, minimumIndex: UInt64) throws(LogError) -> [UInt64] {
        var allowed: Set<UInt64> = []
        var completed: Set<UInt64> = []
        var bundle = size == 0 ? 0 : (size - 1) / 256 + 1
        let oldest = max(minimumIndex, size > entriesMax ? size - entriesMax : 0) / 256
        let shape = TreeShape(size: size)
        while bundle > oldest {
            bundle -= 1
            let tile = shape.tile(.entries, holding: bundle * 256)
            let bytes: [UInt8]?
            do throws(LogSystemError) { bytes = try files.read(tile.path) } catch { throw .system(error) }
            guard let bytes, let ranges = EntryFraming.split(bytes) else {
                throw .damaged("\(tile.path) is missing or cut off")
            }
            for (position, range) in ranges.enumerated().reversed() {
                let entry = bytes[range]
                if entry.starts(with: #"{"kind":"decision""#.utf8) {
                    if Self.isAllowed(entry) { allowed.insert(bundle * 256 + UInt64(position)) }
                } else if entry.starts(with: #"{"kind":"completion""#.utf8) {
                    completed.formUnion(Self.completedIndexes(Array(entry)))
                } else if Self.ends(entry) {
                    return allowed.subtracting(completed).sorted()
                }
            }
        }
        return allowed.subtracting(completed).sorted()
    }

    private static func isAllowed(_ entry: ArraySlice<UInt8>) -> Bool {
        let text = String(decoding: entry.prefix(400), as: UTF8.self)
        return text.contains(#""decision":"allow""#)
    }

    private static func ends(_ entry: ArraySlice<UInt8>) -> Bool {
        let text = String(decoding: entry.prefix(220), as: UTF8.self)
        return text.contains(#""event":"start""#) || text.contains(#""event":"stop""#)
    }

    private static func completedIndexes(_ entry: [UInt8]) -> [UInt64] {
        guard let object = (try? JSONValue(parsing: entry))?.object else { return [] }
        return (object["completed"]?.array ?? []).compactMap { $0.object?["index"]?.integer.map(UInt64.init) }
    }
}
