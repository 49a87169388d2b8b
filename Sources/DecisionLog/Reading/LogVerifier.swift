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
    /// Decisions to allow that a crash left open, as the start after it recorded.
    package var leftOpen: [UInt64] = []
    package var first: Timestamp?
    package var last: Timestamp?
    /// The first entry that was read: those before it were pruned, and stand in the tree by their hashes only.
    package var minimumIndex: UInt64 = 0
    /// The highest such entry that the log's own `pruned` events tell. `minimum-index` is signed by nobody: whoever may write in the
    /// folder can have a beginning that he took away look pruned.
    package var toldMinimumIndex: UInt64 = 0
    /// Bytes of bundles and of the tiles above them.
    package var bytes: UInt64 = 0

    package init() {}

    /// Was more taken away than the log itself tells, so far?
    package var isPruningUntold: Bool { minimumIndex > toldMinimumIndex }
}

/// Verifies a log from the bytes on disk: every bundle and every tile of every level, the root, the order of time, and each decision's
/// completion. Bundles are hashed by several threads; what joins them is done in order by the caller's, so that the first thing wrong
/// is the first in the log.
package struct LogVerifier: ~Copyable {
    private let reader: LogReader
    private let shape: TreeShape
    private var hasher = MerkleHasher()
    private var report = LogReport()
    private var frontier = MerkleFrontier()
    /// The hashes of the tile that is being filled, by level; level 0 is the stretches' own.
    private var levels: [[SHA256Digest]]
    private var last: EntryMoment?
    /// Decisions to allow that wait for their completion.
    private var open: Set<UInt64> = []

    package init(_ reader: LogReader) {
        self.reader = reader
        shape = TreeShape(size: reader.checkpoint.size)
        levels = Array(repeating: [], count: max(shape.levels, 1) + 1)
        report.minimumIndex = reader.minimumIndex
    }

    /// - Parameters:
    ///   - since: a checkpoint that somebody kept: this log must hold it as a prefix.
    ///   - threads: that hash; 0 for one a core.
    ///   - progress: called now and then with the share that is done.
    package mutating func verify(
        since: Checkpoint? = nil, threads: Int = 0, progress: (Double) -> Void = { _ in }
    ) throws(LogFault) -> LogReport {
        if let since { try admit(since) }
        try takePruned()
        try compareIfReached(since)
        let stretches = StretchQueue(reader, threads: threads)
        defer { stretches.stop() }
        while let stretch = stretches.next() {
            try take(stretch, since)
            progress(Double(frontier.size) / Double(max(1, shape.size)))
        }
        for level in levels.indices.dropFirst() where !levels[level].isEmpty {
            try compare(levels[level], level: level, tileIndex: shape.fullTiles(.hashes(level: level)))
        }
        guard frontier.root(&hasher) == reader.checkpoint.root else {
            throw LogFault(file: "checkpoint", what: "the root is not that of the \(frontier.size) entries")
        }
        report.open = open.sorted()
        report.leftOpen.sort()
        report.last = last?.timestamp
        return report
    }

    // MARK: - In order

    private mutating func take(_ stretch: VerifiedStretch, _ since: Checkpoint?) throws(LogFault) {
        if let first = stretch.first {
            if let last, first < last, let place = stretch.firstPlace {
                throw LogFault(
                    index: stretch.firstBundle * 256, file: place.file, offset: place.offset,
                    what: "its time \(first.timestamp.rfc3339) is before that of the entry before")
            }
            if report.first == nil { report.first = first.timestamp }
        }
        last = stretch.last ?? last
        for close in stretch.closes where close.index >= report.minimumIndex {
            let wasOpen = open.remove(close.index) != nil
            guard wasOpen || close.isLeftOpen else {
                throw LogFault(
                    index: close.by, file: close.file, offset: close.offset,
                    what: "completes entry \(close.index), which is no open decision to allow")
            }
            if wasOpen, close.isLeftOpen { report.leftOpen.append(close.index) }
        }
        if let fault = stretch.fault { throw fault }
        open.formUnion(stretch.opened)
        report.add(stretch.report)
        for (position, root) in stretch.roots.enumerated() {
            let bundle = stretch.firstBundle + UInt64(position)
            if let since, since.size / 256 == bundle, since.size % 256 > 0 { try compareInside(bundle, since) }
            frontier.append(root, level: 8, &hasher)
            try append(root, level: 1)
            try compareIfReached(since)
        }
        for hash in stretch.partial {
            frontier.append(hash, &hasher)
            try compareIfReached(since)
        }
    }

    /// The prefix that was pruned, by the hashes that tlog-tiles lets nobody prune: those of the largest full tiles that it fills.
    private mutating func takePruned() throws(LogFault) {
        var position: UInt64 = 0
        while position < report.minimumIndex {
            var level = 1
            while level + 1 < shape.levels, position % (1 << UInt64(8 * (level + 1))) == 0,
                position + 1 << UInt64(8 * (level + 1)) <= report.minimumIndex
            {
                level += 1
            }
            let index = position >> UInt64(8 * level)
            let hash = try reader.hash(level: level, index)
            frontier.append(hash, level: 8 * level, &hasher)
            try append(hash, level: level)
            position = frontier.size
        }
    }

    /// Full tiles give the hash above; partial ones are compared at the end.
    private mutating func append(_ hash: SHA256Digest, level: Int) throws(LogFault) {
        levels[level].append(hash)
        guard levels[level].count == TilePath.widthMax else { return }
        let full = levels[level]
        levels[level] = []
        try compare(full, level: level, tileIndex: (frontier.size >> UInt64(8 * (level + 1))) - 1)
        try append(hasher.root(ofPerfect: full), level: level + 1)
    }

    private func compare(_ hashes: [SHA256Digest], level: Int, tileIndex: UInt64) throws(LogFault) {
        let tile = TilePath(.hashes(level: level), index: tileIndex, width: hashes.count)
        let bytes = try reader.read(tile)
        guard bytes.count == 32 * hashes.count else {
            throw LogFault(file: tile.path, what: "holds \(bytes.count) bytes, expected \(32 * hashes.count)")
        }
        for (position, hash) in hashes.enumerated() where SHA256Digest(bytes.span, at: 32 * position) != hash {
            throw LogFault(file: tile.path, offset: 32 * position, what: "the hash is not that of the tile below")
        }
    }

    // MARK: - An earlier checkpoint

    private func admit(_ since: Checkpoint) throws(LogFault) {
        guard since.size <= shape.size else {
            throw LogFault(
                file: "checkpoint", what: "covers \(shape.size) entries, the earlier checkpoint \(since.size)")
        }
        guard since.size >= report.minimumIndex else {
            throw LogFault(
                file: MinimumIndex.file,
                what:
                    "entries before \(report.minimumIndex) were pruned: the earlier checkpoint of \(since.size) can only be held against the archive"
            )
        }
    }

    private mutating func compareIfReached(_ since: Checkpoint?) throws(LogFault) {
        guard let since, since.size == frontier.size else { return }
        guard frontier.root(&hasher) == since.root else { throw Self.rewritten(since) }
    }

    /// The earlier checkpoint ends inside this bundle, whose tile was found to be right.
    private mutating func compareInside(_ bundle: UInt64, _ since: Checkpoint) throws(LogFault) {
        let bytes = try reader.read(TilePath(.hashes(level: 0), index: bundle))
        var frontier = frontier
        for position in 0..<Int(since.size % 256) {
            frontier.append(SHA256Digest(bytes.span, at: 32 * position), &hasher)
        }
        guard frontier.root(&hasher) == since.root else { throw Self.rewritten(since) }
    }

    private static func rewritten(_ since: Checkpoint) -> LogFault {
        LogFault(
            file: "checkpoint",
            what: "the first \(since.size) entries are not those of the earlier checkpoint: history was rewritten")
    }
}

extension LogReport {
    fileprivate mutating func add(_ other: LogReport) {
        entries += other.entries
        decisions += other.decisions
        allowed += other.allowed
        completions += other.completions
        events += other.events
        leftOpen += other.leftOpen
        toldMinimumIndex = max(toldMinimumIndex, other.toldMinimumIndex)
        bytes += other.bytes
    }
}
