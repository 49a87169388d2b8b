internal import JSON
internal import OpenSSL
package import Residency

/// What a whole verification found.
package struct LogReport: Sendable {
    package var entries: UInt64 = 0
    package var decisions: UInt64 = 0
    package var allowed: UInt64 = 0
    package var completions: UInt64 = 0
    package var events: UInt64 = 0
    /// Decisions to allow that nothing closed, in order.
    package var open: [UInt64] = []
    package var first: Timestamp?
    package var last: Timestamp?

    package init() {}
}

/// Verifies a log from the bytes on disk: every bundle and every tile of every level, the root, the order of time, and each decision's
/// completion.
package struct LogVerifier: ~Copyable {
    private let reader: LogReader
    private var hasher = MerkleHasher()
    private var report = LogReport()
    /// Decisions to allow that wait for their completion.
    private var open: Set<UInt64> = []

    package init(_ reader: LogReader) { self.reader = reader }

    /// - Parameters:
    ///   - since: a checkpoint that somebody kept: this log must hold it as a prefix.
    ///   - progress: called now and then with the share that is done.
    package mutating func verify(since: Checkpoint? = nil, progress: (Double) -> Void = { _ in }) throws(LogFault)
        -> LogReport
    {
        var frontier = MerkleFrontier()
        var levels: [[SHA256Digest]] = []
        var number: UInt64 = 0
        while number < reader.bundleCount {
            let (tile, bytes, entries) = try reader.bundle(number)
            var hashes: [SHA256Digest] = []
            hashes.reserveCapacity(entries.count)
            for (position, range) in entries.enumerated() {
                let index = number * 256 + UInt64(position)
                hashes.append(hasher.leaf(bytes.span.extracting(range)))
                try read(Array(bytes[range]), index: index, file: tile.path, offset: range.lowerBound)
            }
            try compare(hashes, level: 0, tileIndex: number, entriesOf: entries, bundle: tile)
            for (position, hash) in hashes.enumerated() {
                frontier.append(hash, &hasher)
                if let since, number * 256 + UInt64(position) + 1 == since.size { try compare(frontier, since) }
            }
            try append(hashes, level: 0, tileIndex: number, to: &levels)
            number += 1
            if number % 64 == 0 { progress(Double(number) / Double(reader.bundleCount)) }
        }
        for level in 1..<max(1, TreeShape(size: reader.checkpoint.size).levels)
        where levels.count > level && !levels[level].isEmpty {
            try compare(
                levels[level], level: level,
                tileIndex: TreeShape(size: reader.checkpoint.size).fullTiles(.hashes(level: level)))
        }
        guard frontier.root(&hasher) == reader.checkpoint.root else {
            throw LogFault(file: "checkpoint", what: "the root is not that of the \(frontier.size) entries")
        }
        if let since, since.size > reader.checkpoint.size {
            throw LogFault(
                file: "checkpoint",
                what: "covers \(reader.checkpoint.size) entries, the earlier checkpoint \(since.size)")
        }
        report.entries = frontier.size
        report.open = open.sorted()
        return report
    }

    /// Full tiles give the hash above; partial ones are compared at the end.
    private mutating func append(
        _ hashes: [SHA256Digest], level: Int, tileIndex: UInt64, to levels: inout [[SHA256Digest]]
    ) throws(LogFault) {
        while levels.count <= level + 1 { levels.append([]) }
        guard hashes.count == 256 else { return }
        levels[level + 1].append(hasher.root(ofPerfect: hashes))
        guard levels[level + 1].count == 256 else { return }
        let full = levels[level + 1]
        levels[level + 1] = []
        try compare(full, level: level + 1, tileIndex: tileIndex / 256)
        try append(full, level: level + 1, tileIndex: tileIndex / 256, to: &levels)
    }

    private func compare(
        _ hashes: [SHA256Digest], level: Int, tileIndex: UInt64, entriesOf entries: [Range<Int>] = [],
        bundle: TilePath? = nil
    ) throws(LogFault) {
        let tile = TilePath(.hashes(level: level), index: tileIndex, width: hashes.count)
        let bytes = try reader.read(tile)
        guard bytes.count == 32 * hashes.count else {
            throw LogFault(file: tile.path, what: "holds \(bytes.count) bytes, expected \(32 * hashes.count)")
        }
        for (position, hash) in hashes.enumerated() where Array(bytes[32 * position..<32 * position + 32]) != hash.bytes
        {
            guard let bundle else {
                throw LogFault(file: tile.path, offset: 32 * position, what: "the hash is not that of the tile below")
            }
            throw LogFault(
                index: tileIndex * 256 + UInt64(position), file: bundle.path, offset: entries[position].lowerBound,
                what: "the entry is not the one that \(tile.path) holds at offset \(32 * position)")
        }
    }

    private mutating func compare(_ frontier: MerkleFrontier, _ since: Checkpoint) throws(LogFault) {
        guard frontier.root(&hasher) == since.root else {
            throw LogFault(
                file: "checkpoint",
                what: "the first \(since.size) entries are not those of the earlier checkpoint: history was rewritten")
        }
    }

    // MARK: - What entries say

    private mutating func read(_ line: [UInt8], index: UInt64, file: String, offset: Int) throws(LogFault) {
        func fault(_ what: String) -> LogFault { LogFault(index: index, file: file, offset: offset, what: what) }
        guard let object = (try? JSONValue(parsing: line))?.object, let kind = object["kind"]?.string,
            let time = object["time"]?.string.flatMap({ Timestamp(rfc3339: $0) })
        else { throw fault("is no entry") }
        if let last = report.last, time < last {
            throw fault("its time \(time.rfc3339) is before that of the entry before")
        }
        if report.first == nil { report.first = time }
        report.last = time
        switch kind {
        case "decision":
            report.decisions += 1
            if object["decision"]?.string == "allow" {
                report.allowed += 1
                open.insert(index)
            }
        case "completion":
            report.completions += 1
            for item in object["completed"]?.array ?? [] {
                guard let number = item.object?["index"]?.integer, number >= 0, UInt64(number) < index else {
                    throw fault("completes an entry that is not before it")
                }
                guard open.remove(UInt64(number)) != nil else {
                    throw fault("completes entry \(number), which is no open decision to allow")
                }
            }
        case "event": report.events += 1
        default: throw fault("is of no known kind")
        }
    }
}
