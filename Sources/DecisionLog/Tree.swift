internal import OpenSSL
internal import Residency

/// The tree on disk: takes durable entries, writes tiles and bundles, publishes checkpoints. Owned by the integrator's thread.
struct Tree: ~Copyable {
    private let files: LogFolder
    private let origin: String
    private let signers: [NoteSigner]
    private var hasher = MerkleHasher()
    private var frontier = MerkleFrontier()
    /// The hashes of each level's partial tile.
    private var levels: [[SHA256Digest]] = []
    /// The partial bundle's bytes, and how many entries they are.
    private var bundle: [UInt8] = []
    private(set) var publishedSize: UInt64 = 0
    private var published: Checkpoint?
    /// Tiles and bundles that are in place and not yet durable. Nothing rests on them before the next checkpoint: until it is published
    /// their entries are in the write-ahead log too, and a start after a crash writes them again.
    private var unsynced: [String] = []
    /// Folders whose existence is known.
    private var folders: Set<String> = []
    /// Files that became full since the last checkpoint: their partial forms may go once it is published.
    private var filled: [TilePath] = []
    /// The last published note.
    private(set) var note: [UInt8] = []
    /// Which file `checkpoint` was when it was published or read.
    private var noteIdentity: FileIdentity?
    /// Asked for room when the disk is full; says whether there is some now.
    var makeRoom: () -> Bool = { false }

    var size: UInt64 { frontier.size }

    /// Opens what is there: only the right edge is read.
    init(_ files: LogFolder, origin: String, signers: [NoteSigner]) throws(LogError) {
        self.files = files
        self.origin = origin
        self.signers = signers
        let found = try Self.publishedCheckpoint(files, origin: origin, signers: signers)
        guard let (checkpoint, note) = found else { return }
        self.note = note
        publishedSize = checkpoint.size
        published = checkpoint
        do throws(LogSystemError) { noteIdentity = try files.identity("checkpoint") } catch { throw .system(error) }
        let shape = TreeShape(size: checkpoint.size)
        for level in 0..<shape.levels {
            guard let tile = shape.partialTile(.hashes(level: level)) else {
                levels.append([])
                continue
            }
            let bytes = try Self.require(files, tile.path)
            guard bytes.count == 32 * tile.width else {
                throw .damaged("\(tile.path) holds \(bytes.count) bytes, expected \(32 * tile.width)")
            }
            levels.append((0..<tile.width).compactMap { SHA256Digest(bytes: Array(bytes[32 * $0..<32 * $0 + 32])) })
        }
        for level in (0..<shape.levels).reversed() {
            for hash in levels[level] { frontier.append(hash, level: 8 * level, &hasher) }
        }
        if let tile = shape.partialTile(.entries) {
            bundle = try Self.require(files, tile.path)
            guard let ranges = EntryFraming.split(bundle), ranges.count == tile.width else {
                throw .damaged("\(tile.path) does not hold \(tile.width) entries")
            }
            let bytes = bundle
            for (index, range) in ranges.enumerated() {
                guard hasher.leaf(bytes.span.extracting(range)) == levels[0][index] else {
                    throw .damaged("\(tile.path): entry \(tile.index * 256 + UInt64(index)) is not the one in the tree")
                }
            }
        }
        guard frontier.size == checkpoint.size, frontier.root(&hasher) == checkpoint.root else {
            throw .damaged("the tiles do not give the published checkpoint's root")
        }
    }

    /// The published checkpoint and its note, verified; nil where there is none yet.
    static func publishedCheckpoint(
        _ files: LogFolder, origin: String, signers: [NoteSigner]
    ) throws(LogError) -> (Checkpoint, [UInt8])? {
        do {
            guard let bytes = try files.readFromDisk("checkpoint") else { return nil }
            let note = try SignedNote(bytes)
            // A rotated key's checkpoint is still ours when one of the keys in force signed it.
            guard signers.contains(where: { (try? note.verify(by: $0.verifier)) != nil }) else {
                throw LogError.damaged("checkpoint is not signed by any of the configured signing_keys")
            }
            let checkpoint = try Checkpoint(text: note.text)
            guard checkpoint.origin == origin else {
                throw LogError.damaged("checkpoint is of \(checkpoint.origin), not of \(origin)")
            }
            return (checkpoint, bytes)
        } catch let error as LogError {
            throw error
        } catch let error as LogSystemError {
            throw .system(error)
        } catch {
            throw .damaged("checkpoint: \(error)")
        }
    }

    /// The time of the last entry that the published tree holds.
    func lastTime() throws(LogError) -> Timestamp? {
        guard size > 0 else { return nil }
        var bytes = bundle
        if bytes.isEmpty { bytes = try Self.require(files, TilePath(.entries, index: (size - 1) / 256).path) }
        guard let last = EntryFraming.split(bytes)?.last else { return nil }
        return EntryTime.read(Array(bytes[last]))
    }

    // MARK: - Growing

    /// Takes entries that are durable, each after its length.
    mutating func append(_ framed: [UInt8], from first: Int = 0) throws(LogError) {
        guard let ranges = EntryFraming.split(framed) else { throw .damaged("a group's entries do not add up") }
        let entries = framed.span
        var start = first < ranges.count ? ranges[first].lowerBound - 2 : framed.count
        for range in ranges.dropFirst(first) {
            let end = range.upperBound
            try append(hasher.leaf(entries.extracting(range)), level: 0)
            if frontier.size % 256 == 0 {
                bundle.append(contentsOf: framed[start..<end])
                start = end
                try writeFull(TilePath(.entries, index: frontier.size / 256 - 1), bundle)
                bundle.removeAll(keepingCapacity: true)
            }
        }
        bundle.append(contentsOf: framed[start...])
    }

    private mutating func append(_ hash: SHA256Digest, level: Int) throws(LogError) {
        if levels.count == level { levels.append([]) }
        levels[level].append(hash)
        if level == 0 { frontier.append(hash, &hasher) }
        guard levels[level].count == 256 else { return }
        let hashes = levels[level]
        levels[level] = []
        try writeFull(
            TilePath(.hashes(level: level), index: (frontier.size >> (8 * UInt64(level + 1))) - 1), Self.bytes(hashes))
        try append(hasher.root(ofPerfect: hashes), level: level + 1)
    }

    private mutating func writeFull(_ tile: TilePath, _ bytes: [UInt8]) throws(LogError) {
        try write(tile, bytes)
        filled.append(tile)
    }

    /// Writes a tile, and holds what is read back against what was meant.
    private mutating func write(_ tile: TilePath, _ bytes: [UInt8]) throws(LogError) {
        do throws(LogSystemError) {
            do throws(LogSystemError) { try publish(tile, bytes) } catch {
                guard error.isFull, makeRoom() else { throw error }
                try publish(tile, bytes)
            }
            guard let read = try files.read(tile.path), isSame(read, bytes) else {
                throw LogSystemError(call: "read back", path: tile.path, code: 5)
            }
        } catch {
            throw .system(error)
        }
    }

    private mutating func publish(_ tile: TilePath, _ bytes: [UInt8]) throws(LogSystemError) {
        for folder in tile.folders where !folders.contains(folder) {
            try files.makeFolder(folder)
            folders.insert(folder)
        }
        try files.place(tile.path, bytes)
        unsynced.append(tile.path)
    }

    /// One fsync for each file, and one for each folder instead of for each file.
    private mutating func sync() throws(LogError) {
        do throws(LogSystemError) { try files.sync(unsynced) } catch { throw .system(error) }
        unsynced = []
    }

    // MARK: - Publishing

    /// Makes the tree as it is now the published one.
    mutating func publish() throws(LogError) {
        guard size > publishedSize || note.isEmpty else { return }
        let shape = TreeShape(size: size)
        // A partial tile that the last checkpoint has is not written again: it is the same, and that checkpoint rests on it.
        let before = TreeShape(size: publishedSize)
        for level in 0..<shape.levels {
            let kind = TileKind.hashes(level: level)
            guard let tile = shape.partialTile(kind), tile != before.partialTile(kind) else { continue }
            try write(tile, Self.bytes(levels[level]))
        }
        if let tile = shape.partialTile(.entries), tile != before.partialTile(.entries) { try write(tile, bundle) }
        try sync()
        let checkpoint = Checkpoint(origin: origin, size: size, root: frontier.root(&hasher))
        try publish(checkpoint, cosignatures: [])
        published = checkpoint
        publishedSize = size
        try removePartials()
    }

    /// Publishes the last checkpoint once more, with what witnesses say of it.
    /// - Parameter cosignatures: signature lines without their line ends.
    mutating func publish(cosignatures: [String]) throws(LogError) {
        if let published { try publish(published, cosignatures: cosignatures) }
    }

    private mutating func publish(_ checkpoint: Checkpoint, cosignatures: [String]) throws(LogError) {
        let note: [UInt8]
        do throws(NoteError) {
            note = try checkpoint.signed(by: signers) + Array(cosignatures.map { $0 + "\n" }.joined().utf8)
        } catch { throw .note(error) }
        do throws(LogSystemError) {
            do throws(LogSystemError) { noteIdentity = try files.publish("checkpoint", note) } catch {
                guard error.isFull, makeRoom() else { throw error }
                noteIdentity = try files.publish("checkpoint", note)
            }
        } catch { throw .system(error) }
        self.note = note
    }

    /// Holds `checkpoint` against the one that was published last.
    func requireInPlace() throws(LogError) {
        let identity: FileIdentity?
        do throws(LogSystemError) { identity = try files.identity("checkpoint") } catch { throw .system(error) }
        guard identity == noteIdentity else { throw .replaced("checkpoint") }
    }

    /// Partial tiles may go once the full tile is published (tlog-tiles, "Partial Tiles").
    private mutating func removePartials() throws(LogError) {
        for tile in filled {
            let folder = tile.path + ".p"
            do throws(LogSystemError) {
                for name in try files.names(folder) { files.remove(folder + "/" + name) }
            } catch {
                throw .system(error)
            }
            files.removeFolder(folder)
            folders.remove(folder)
        }
        filled = []
    }

    private static func bytes(_ hashes: [SHA256Digest]) -> [UInt8] { hashes.flatMap(\.bytes) }

    private static func require(_ files: LogFolder, _ name: String) throws(LogError) -> [UInt8] {
        let bytes: [UInt8]?
        do throws(LogSystemError) { bytes = try files.readFromDisk(name) } catch { throw .system(error) }
        guard let bytes else { throw .damaged("\(name) is missing") }
        return bytes
    }
}

/// The time in an entry's line.
enum EntryTime {
    /// The time of an entry of any kind; nil when it has none.
    static func read(_ entry: [UInt8]) -> Timestamp? {
        let marker = Array(#""time":""#.utf8)
        let head = entry.prefix(64)
        guard head.count > marker.count + 27 else { return nil }
        for start in 0..<head.count - marker.count - 27 + 1
        where head[start..<start + marker.count].elementsEqual(marker) {
            let from = start + marker.count
            guard from + 27 <= entry.count else { return nil }
            return Timestamp(rfc3339: String(decoding: entry[from..<from + 27], as: UTF8.self))
        }
        return nil
    }
}
