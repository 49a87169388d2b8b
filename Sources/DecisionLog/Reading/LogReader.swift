internal import JSON

/// A log folder, or a copy of one, read offline; also while the daemon runs: what counts is the published checkpoint.
package struct LogReader: Sendable {
    package let checkpoint: Checkpoint
    package let note: SignedNote
    /// The signed note as it stands in the file.
    package let noteBytes: [UInt8]
    /// Entries before this one were pruned; 0 where none were (tlog-tiles, "Pruning").
    package let minimumIndex: UInt64
    let files: LogFolder

    /// - Parameter verifier: who must have signed the checkpoint; nil to read without verifying.
    package init(folder: String, verifier: NoteVerifier?) throws(LogFault) {
        try self.init(LogFolder(path: folder), verifier: verifier)
    }

    /// - Parameter note: the checkpoint to read by, when it is not the folder's own.
    init(_ files: LogFolder, note given: [UInt8]? = nil, verifier: NoteVerifier?) throws(LogFault) {
        self.files = files
        do throws(LogSystemError) {
            var read = given
            if read == nil { read = try files.read("checkpoint") }
            guard let read else {
                throw LogSystemError(call: "open", path: files.full("checkpoint"), code: 2)
            }
            noteBytes = read
        } catch { throw LogFault(file: "checkpoint", what: "\(error)") }
        do throws(NoteError) {
            note = try SignedNote(noteBytes)
            if let verifier { try note.verify(by: verifier) }
            checkpoint = try Checkpoint(text: note.text)
        } catch { throw LogFault(file: "checkpoint", what: error.words) }
        if let verifier, checkpoint.origin != verifier.name {
            throw LogFault(
                file: "checkpoint", what: "the origin is \(checkpoint.origin), the key is of \(verifier.name)")
        }
        minimumIndex = try MinimumIndex.read(files)
        guard minimumIndex <= checkpoint.size else {
            throw LogFault(
                file: MinimumIndex.file,
                what: "says \(minimumIndex), the checkpoint covers \(checkpoint.size) entries only")
        }
    }

    /// The entries of one bundle, with the offset of each in its file.
    package func bundle(_ index: UInt64) throws(LogFault) -> (tile: TilePath, bytes: [UInt8], entries: [Range<Int>]) {
        let tile = TreeShape(size: checkpoint.size).tile(.entries, holding: index * 256)
        let bytes = try read(tile)
        guard let ranges = EntryFraming.split(bytes), ranges.count == tile.width else {
            throw LogFault(index: index * 256, file: tile.path, what: "does not hold \(tile.width) whole entries")
        }
        return (tile, bytes, ranges)
    }

    package var bundleCount: UInt64 { (checkpoint.size + 255) / 256 }

    /// One entry's bytes. `index` is below the checkpoint's size.
    package func entry(_ index: UInt64) throws(LogFault) -> [UInt8] {
        guard index < checkpoint.size else {
            throw LogFault(file: "checkpoint", what: "covers \(checkpoint.size) entries: there is no entry \(index)")
        }
        try requireKept(index)
        let (_, bytes, entries) = try bundle(index / 256)
        return Array(bytes[entries[Int(index % 256)]])
    }

    /// Calls `body` with each entry's index and line, in order. Begins at the first entry that was not pruned.
    package func forEachEntry(from first: UInt64 = 0, _ body: (UInt64, [UInt8]) throws -> Void) throws {
        var cursor = LogCursor(self, from: first)
        while let entry = try cursor.next() { try body(entry.index, entry.line) }
    }

    func requireKept(_ index: UInt64) throws(LogFault) {
        guard index >= minimumIndex else {
            throw LogFault(
                index: index, file: MinimumIndex.file,
                what: "entries before \(minimumIndex) were pruned: ask the archive")
        }
    }

    /// A tile as wide as the tree has it, or, where the log has gone on, wider.
    func read(_ tile: TilePath) throws(LogFault) -> [UInt8] {
        do throws(LogSystemError) {
            if let bytes = try files.read(tile.path) { return bytes }
            if tile.isPartial, let bytes = try files.read(tile.full.path) { return Self.prefix(bytes, of: tile) }
        } catch { throw LogFault(file: tile.path, what: "\(error)") }
        throw LogFault(file: tile.path, what: "is missing")
    }

    private static func prefix(_ bytes: [UInt8], of tile: TilePath) -> [UInt8] {
        switch tile.kind {
        case .hashes: return Array(bytes.prefix(32 * tile.width))
        case .entries:
            guard let ranges = EntryFraming.split(bytes), ranges.count >= tile.width else { return bytes }
            return Array(bytes.prefix(ranges[tile.width - 1].upperBound))
        }
    }
}

/// The first thing that is wrong with a log.
package struct LogFault: Error, Hashable, Sendable, CustomStringConvertible {
    /// The entry at fault, where it is one.
    package let index: UInt64?
    package let file: String
    /// Bytes from the file's beginning, where they are known.
    package let offset: Int?
    package let what: String

    package init(index: UInt64? = nil, file: String, offset: Int? = nil, what: String) {
        self.index = index
        self.file = file
        self.offset = offset
        self.what = what
    }

    package var description: String {
        (index.map { "entry \($0): " } ?? "") + file + (offset.map { " at offset \($0)" } ?? "") + ": " + what
    }
}
