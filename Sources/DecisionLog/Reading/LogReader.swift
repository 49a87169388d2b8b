internal import JSON

/// A log folder, or a copy of one, read offline; also while the daemon runs: what counts is the published checkpoint.
package struct LogReader: Sendable {
    package let checkpoint: Checkpoint
    package let note: SignedNote
    let files: LogFolder

    /// - Parameter verifier: who must have signed the checkpoint; nil to read without verifying.
    package init(folder: String, verifier: NoteVerifier?) throws(LogFault) {
        files = LogFolder(path: folder)
        let bytes: [UInt8]
        do throws(LogSystemError) {
            guard let read = try files.read("checkpoint") else {
                throw LogSystemError(call: "open", path: folder + "/checkpoint", code: 2)
            }
            bytes = read
        } catch { throw LogFault(file: "checkpoint", what: "\(error)") }
        do throws(NoteError) {
            note = try SignedNote(bytes)
            if let verifier { try note.verify(by: verifier) }
            checkpoint = try Checkpoint(text: note.text)
        } catch { throw LogFault(file: "checkpoint", what: Self.words(error)) }
        if let verifier, checkpoint.origin != verifier.name {
            throw LogFault(
                file: "checkpoint", what: "the origin is \(checkpoint.origin), the key is of \(verifier.name)")
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

    /// Calls `body` with each entry's index and line, in order.
    package func forEachEntry(from first: UInt64 = 0, _ body: (UInt64, [UInt8]) throws -> Void) throws {
        var number = first / 256
        while number < bundleCount {
            let (_, bytes, entries) = try bundle(number)
            for (position, range) in entries.enumerated() {
                let index = number * 256 + UInt64(position)
                if index >= first { try body(index, Array(bytes[range])) }
            }
            number += 1
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

    private static func words(_ error: NoteError) -> String {
        switch error {
        case .malformedKey: "the key is malformed"
        case .malformedNote: "is no signed note"
        case .malformedCheckpoint: "is no checkpoint"
        case .signingFailed: "signing failed"
        case .unsigned(let name): "is not signed by \(name)"
        case .badSignature(let name): "the signature of \(name) does not verify"
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
