internal import Residency

/// Decisions to allow that no completion closed: what a crash cut off.
enum OpenDecisions {
    /// Entries looked back over: requests do not live longer than this many entries.
    static let entriesMax: UInt64 = 65_536
    /// Bundles that the disk is asked for ahead: one after the other, a start after a crash would mostly wait for it.
    private static let bundlesAhead: UInt64 = 16

    /// The indexes of open decisions among the last entries of the published tree, in order. Looks back to the last `start`, or to the last
    /// `stop` at which nothing was left open: on a full disk completions are dropped, and `log-full` stands before it.
    /// - Parameter minimumIndex: entries before it were pruned.
    static func read(_ files: LogFolder, size: UInt64, minimumIndex: UInt64) throws(LogError) -> [UInt64] {
        var allowed: Set<UInt64> = []
        var completed: Set<UInt64> = []
        var bundle = size == 0 ? 0 : (size - 1) / 256 + 1
        let oldest = max(minimumIndex, size > entriesMax ? size - entriesMax : 0) / 256
        let shape = TreeShape(size: size)
        var asked = bundle
        var bytes: [UInt8] = []
        var hasStopped = false
        while bundle > oldest {
            while asked > oldest, asked + bundlesAhead > bundle {
                asked -= 1
                files.startReading(shape.tile(.entries, holding: asked * 256).path)
            }
            bundle -= 1
            let tile = shape.tile(.entries, holding: bundle * 256)
            let isThere: Bool
            do throws(LogSystemError) { isThere = try files.readOnce(tile.path, into: &bytes) } catch {
                throw .system(error)
            }
            guard isThere, let ranges = EntryFraming.split(bytes) else {
                throw .damaged("\(tile.path) is missing or cut off")
            }
            for (position, range) in ranges.enumerated().reversed() {
                let isEvent = { (name) in Self.isEvent(bytes[range], name) }
                if hasStopped, !isEvent("log-full") { return allowed.subtracting(completed).sorted() }
                hasStopped = false
                switch EntryHead(bytes.span.extracting(range))?.kind {
                case .allow: allowed.insert(bundle * 256 + UInt64(position))
                case .completion(let indexes): completed.formUnion(indexes)
                case .event where isEvent("start"): return allowed.subtracting(completed).sorted()
                case .event: hasStopped = isEvent("stop")
                case .refuse, .leftOpen, .pruned, nil: break
                }
            }
        }
        return allowed.subtracting(completed).sorted()
    }

    private static func isEvent(_ entry: ArraySlice<UInt8>, _ name: String) -> Bool {
        String(decoding: entry.prefix(220), as: UTF8.self).contains("\"event\":\"\(name)\"")
    }
}
