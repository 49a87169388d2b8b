internal import OpenSSL
internal import Residency

/// A stretch of neighbouring bundles, hashed and read by one thread: all that can be held against the tiles without knowing the rest
/// of the log. What reaches over its borders is left to `LogVerifier`, which takes the stretches in order.
struct VerifiedStretch: Sendable {
    /// Bundles of one stretch: small enough to share out a log of ten thousand entries, large enough that taking turns costs nothing.
    static let bundles: UInt64 = 16

    struct Close: Sendable {
        /// The decision that was closed.
        let index: UInt64
        /// By this entry, which stands there.
        let by: UInt64
        let file: String
        let offset: Int
        /// Closed by the event that a start after a crash writes.
        let isLeftOpen: Bool
    }

    let firstBundle: UInt64
    /// One for each full bundle: the hash that stands for it in the tile above.
    var roots: [SHA256Digest] = []
    /// The hashes of the log's last bundle, when it is not full.
    var partial: [SHA256Digest] = []
    var report = LogReport()
    var first: EntryMoment?
    var last: EntryMoment?
    /// Where the first entry stands, for a fault about the time before it.
    var firstPlace: (file: String, offset: Int)?
    /// Decisions to allow that the stretch itself does not close, in order.
    var opened: [UInt64] = []
    /// What it closes of earlier stretches, in order.
    var closes: [Close] = []
    /// The first thing wrong; nothing after it was read.
    var fault: LogFault?

    init(_ reader: LogReader, bundles: Range<UInt64>) {
        firstBundle = bundles.lowerBound
        var hasher = MerkleHasher()
        var isOpen = [Bool](repeating: false, count: bundles.count * 256)
        do throws(LogFault) {
            for number in bundles { try read(reader, number, &hasher, &isOpen) }
        } catch { fault = error }
        opened = isOpen.indices.filter { isOpen[$0] }.map { firstBundle * 256 + UInt64($0) }
    }

    private mutating func read(
        _ reader: LogReader, _ number: UInt64, _ hasher: inout MerkleHasher, _ isOpen: inout [Bool]
    ) throws(LogFault) {
        let (bundle, bytes, entries) = try reader.bundle(number)
        let tile = TilePath(.hashes(level: 0), index: number, width: entries.count)
        let tileBytes = try reader.read(tile)
        guard tileBytes.count == 32 * entries.count else {
            throw LogFault(file: tile.path, what: "holds \(tileBytes.count) bytes, expected \(32 * entries.count)")
        }
        var hashes: [SHA256Digest] = []
        hashes.reserveCapacity(entries.count)
        for (position, range) in entries.enumerated() {
            let index = number * 256 + UInt64(position)
            let entry = bytes.span.extracting(range)
            let hash = hasher.leaf(entry)
            guard hash == SHA256Digest(tileBytes.span, at: 32 * position) else {
                throw LogFault(
                    index: index, file: bundle.path, offset: range.lowerBound,
                    what: "the entry is not the one that \(tile.path) holds at offset \(32 * position)")
            }
            hashes.append(hash)
            try read(entry, Place(index: index, bundle: bundle, offset: range.lowerBound), &isOpen)
        }
        report.entries += UInt64(entries.count)
        report.bytes += UInt64(bytes.count + tileBytes.count)
        if hashes.count == TilePath.widthMax {
            roots.append(hasher.root(ofPerfect: hashes))
        } else {
            partial = hashes
        }
    }

    private struct Place {
        let index: UInt64
        let bundle: TilePath
        let offset: Int

        func fault(_ what: String) -> LogFault {
            LogFault(index: index, file: bundle.path, offset: offset, what: what)
        }
    }

    private mutating func read(_ entry: Span<UInt8>, _ place: Place, _ isOpen: inout [Bool]) throws(LogFault) {
        guard let head = EntryHead(entry) else { throw place.fault("is no entry") }
        if let last, head.time < last {
            throw place.fault("its time \(head.time.timestamp.rfc3339) is before that of the entry before")
        }
        if first == nil {
            first = head.time
            firstPlace = (place.bundle.path, place.offset)
        }
        last = head.time
        switch head.kind {
        case .allow:
            report.decisions += 1
            report.allowed += 1
            isOpen[Int(place.index - firstBundle * 256)] = true
        case .refuse: report.decisions += 1
        case .completion(let indexes):
            report.completions += 1
            try close(indexes, place, isLeftOpen: false, &isOpen)
        case .event: report.events += 1
        case .pruned(let index):
            report.events += 1
            report.toldMinimumIndex = max(report.toldMinimumIndex, index)
        case .leftOpen(let indexes):
            report.events += 1
            try close(indexes, place, isLeftOpen: true, &isOpen)
        }
    }

    private mutating func close(
        _ indexes: [UInt64], _ place: Place, isLeftOpen: Bool, _ isOpen: inout [Bool]
    ) throws(LogFault) {
        for index in indexes {
            guard index < place.index else { throw place.fault("completes an entry that is not before it") }
            guard index >= firstBundle * 256 else {
                closes.append(
                    Close(
                        index: index, by: place.index, file: place.bundle.path, offset: place.offset,
                        isLeftOpen: isLeftOpen))
                continue
            }
            let at = Int(index - firstBundle * 256)
            guard isOpen[at] || isLeftOpen else {
                throw place.fault("completes entry \(index), which is no open decision to allow")
            }
            if isOpen[at], isLeftOpen { report.leftOpen.append(index) }
            isOpen[at] = false
        }
    }
}
