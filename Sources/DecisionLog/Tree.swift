internal import OpenSSL
internal import Residency

/// The tree on disk: takes durable entries, writes tiles and bundles, publishes checkpoints. Owned by the integrator's thread.
struct Tree: ~Copyable {
    private let files: LogFolder
    private let origin: String
    private let signers: [NoteSigner]
    let writer: TileWriter
    private var hasher = MerkleHasher()
    /// Entries in the tree.
    private(set) var size: UInt64 = 0
    /// The hashes of each level's partial tile.
    private var levels: [[SHA256Digest]] = []
    /// The partial bundle's bytes, and how many entries they are.
    private var bundle: [UInt8] = []
    private(set) var publishedSize: UInt64 = 0
    private var published: Checkpoint?
    /// Files that became full since the last checkpoint: their partial forms may go once it is published.
    private var filled: [TilePath] = []
    /// The last published note.
    private(set) var note: [UInt8] = []
    /// Which file `checkpoint` was when it was published or read.
    private var noteIdentity: FileIdentity?
    /// Opens what is there: only the right edge is read.
    init(_ files: LogFolder, origin: String, signers: [NoteSigner]) throws(LogError) {
        self.files = files
        self.origin = origin
        self.signers = signers
        writer = TileWriter(files)
        let found = try Self.publishedCheckpoint(files, origin: origin, signers: signers)
        guard let (checkpoint, note) = found else { return }
        self.note = note
        size = checkpoint.size
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
        guard root() == checkpoint.root else {
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
            size += 1
            try append(hasher.leaf(entries.extracting(range)), level: 0)
            if size % 256 == 0 {
                bundle.append(contentsOf: framed[start..<range.upperBound])
                start = range.upperBound
                try writeFull(TilePath(.entries, index: size / 256 - 1), bundle)
                bundle.removeAll(keepingCapacity: true)
            }
        }
        bundle.append(contentsOf: framed[start...])
    }

    private mutating func append(_ hash: SHA256Digest, level: Int) throws(LogError) {
        if levels.count == level { levels.append([]) }
        levels[level].append(hash)
        guard levels[level].count == 256 else { return }
        try writeFull(
            TilePath(.hashes(level: level), index: (size >> (8 * UInt64(level + 1))) - 1), Self.bytes(levels[level]))
        let root = hasher.root(ofPerfect: levels[level])
        levels[level].removeAll(keepingCapacity: true)
        try append(root, level: level + 1)
    }

    private mutating func writeFull(_ tile: TilePath, _ bytes: [UInt8]) throws(LogError) {
        try write(tile, bytes)
        filled.append(tile)
    }

    private mutating func write(_ tile: TilePath, _ bytes: [UInt8]) throws(LogError) {
        do throws(LogSystemError) { try writer.write(tile, bytes) } catch { throw .system(error) }
    }

    /// MTH of all entries: of what the partial tiles stand for, from the largest subtrees to the smallest.
    private mutating func root() -> SHA256Digest {
        var frontier = MerkleFrontier()
        for level in levels.indices.reversed() {
            for hash in levels[level] { frontier.append(hash, level: 8 * level, &hasher) }
        }
        return frontier.root(&hasher)
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
        do throws(LogSystemError) { try writer.sync() } catch { throw .system(error) }
        let checkpoint = Checkpoint(origin: origin, size: size, root: root())
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
                guard error.isFull, writer.makeRoom() else { throw error }
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

    private mutating func removePartials() throws(LogError) {
        do throws(LogSystemError) { for tile in filled { try writer.removePartials(of: tile) } } catch {
            throw .system(error)
        }
        filled = []
    }

    private static func bytes(_ hashes: [SHA256Digest]) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 32 * hashes.count)
        for index in hashes.indices { hashes[index].write(to: &bytes, at: 32 * index) }
        return bytes
    }

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
