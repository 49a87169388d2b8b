internal import OpenSSL

/// Copies a log to another folder, which is then a log of the same form: whatever reads a log reads its archive.
///
/// What is new since the last time is copied, each file durable before the next one; then the whole archive is verified; only then
/// does its `checkpoint` say so. A crash leaves the archive as its checkpoint says, and files beyond it that the next run writes over.
package struct LogArchive {
    package struct Report: Sendable {
        /// Entries that the archive holds: `from` to `size`.
        package var from: UInt64 = 0
        package var size: UInt64 = 0
        /// Entries that this run added.
        package var added: UInt64 = 0
        package var copiedFiles = 0
        package var copiedBytes = 0
        package var verified = LogReport()
    }

    static let lockName = "lock"

    private let source: LogReader
    private let archive: LogFolder
    private let verifier: NoteVerifier
    private var report = Report()

    /// - Parameters:
    ///   - source: opened under `verifier`.
    ///   - folder: made when it is not there; its parent is.
    package init(_ source: LogReader, to folder: String, verifier: NoteVerifier) {
        self.init(source, to: LogFolder(path: folder), verifier: verifier)
    }

    init(_ source: LogReader, to archive: LogFolder, verifier: NoteVerifier) {
        self.source = source
        self.archive = archive
        self.verifier = verifier
    }

    /// - Parameter progress: called now and then with the share that is done.
    package mutating func run(progress: (Double) -> Void = { _ in }) throws(KeepingError) -> Report {
        let archive = archive
        try archive.keeping { () throws(LogSystemError) in try archive.makeFolder("") }
        let isSame = try archive.keeping { () throws(LogSystemError) in
            try archive.identity("") == source.files.identity("")
        }
        guard !isSame else { throw .sameFolder }
        var copy = self
        defer { self = copy }
        return try archive.alone(Self.lockName) { () throws(KeepingError) in try copy.copy(progress) }
    }

    private mutating func copy(_ progress: (Double) -> Void) throws(KeepingError) -> Report {
        let before = try archived()
        if let before {
            guard before.checkpoint.size <= source.checkpoint.size else {
                throw .archiveIsAhead(archived: before.checkpoint.size, size: source.checkpoint.size)
            }
            guard before.checkpoint.size < source.checkpoint.size || before.checkpoint.root == source.checkpoint.root
            else { throw .otherHistory }
            guard before.checkpoint.size >= source.minimumIndex else {
                throw .gap(archived: before.checkpoint.size, from: source.minimumIndex)
            }
        }
        try prepare(isNew: before == nil)
        try copyTiles(after: before?.checkpoint.size, progress)
        for folder in ["policy", "evidence"] { try copyKept(folder) }
        try verify(since: before?.checkpoint, progress)
        try publish()
        if let before { try removePartials(of: before.checkpoint.size) }
        report.size = source.checkpoint.size
        report.added = source.checkpoint.size - (before?.checkpoint.size ?? report.from)
        progress(1)
        return report
    }

    /// What an earlier run archived; nil where none did.
    private func archived() throws(KeepingError) -> LogReader? {
        let archive = archive
        guard try archive.keeping({ () throws(LogSystemError) in try archive.exists("checkpoint") }) else { return nil }
        do throws(LogFault) { return try LogReader(archive, verifier: verifier) } catch { throw .archive(error) }
    }

    private func prepare(isNew: Bool) throws(KeepingError) {
        let (archive, minimumIndex) = (archive, source.minimumIndex)
        try archive.keeping { () throws(LogSystemError) in
            for folder in ["tile", "policy", "evidence"] {
                try archive.makeFolder(folder, mode: folder == "tile" ? 0o755 : 0o700)
            }
            // An archive that begins with a pruned log begins where that does.
            if isNew, minimumIndex > 0 { try MinimumIndex.publish(minimumIndex, archive) }
        }
    }

    // MARK: - Copying

    private mutating func copyTiles(after archived: UInt64?, _ progress: (Double) -> Void) throws(KeepingError) {
        let shape = TreeShape(size: source.checkpoint.size)
        let before = archived.map { TreeShape(size: $0) }
        var folders: Set<String> = []
        for kind in shape.kinds {
            let needed = shape.keptTiles(kind, minimumIndex: source.minimumIndex)
            let first = max(needed.lowerBound, before?.fullTiles(kind) ?? 0)
            for index in first..<max(first, needed.upperBound) {
                try copy(TilePath(kind, index: index), &folders)
                // Bundles are most of it, and the verification takes about as long.
                if kind == .entries, index % 64 == 0 { progress(Double(index) / Double(needed.upperBound) / 2) }
            }
            // What the archive's checkpoint rests on is not written over: the source may be damaged, or another history.
            guard let partial = shape.partialTile(kind), partial != before?.partialTile(kind) else { continue }
            try copy(partial, &folders)
        }
    }

    private mutating func copy(_ tile: TilePath, _ folders: inout Set<String>) throws(KeepingError) {
        let bytes: [UInt8]
        do throws(LogFault) { bytes = try source.read(tile) } catch { throw .log(error) }
        let archive = archive
        let missing = tile.folders.filter { !folders.contains($0) }
        folders.formUnion(missing)
        try archive.keeping { () throws(LogSystemError) in
            for folder in missing { try archive.makeFolder(folder) }
            try archive.publish(tile.path, bytes)
        }
        count(bytes)
    }

    /// Tokens and settings snapshots, each under its own hash. All of them: which of them an entry names is the entry's to say.
    private mutating func copyKept(_ folder: String) throws(KeepingError) {
        let (archive, source) = (archive, source)
        let names = try archive.keeping { () throws(LogSystemError) in try source.keptNames(folder) }
        var known = Set(try archive.keeping { () throws(LogSystemError) in try archive.keptNames(folder) })
        for name in names where known.insert(name).inserted {
            let bytes: [UInt8]
            do throws(LogFault) { bytes = try source.kept(folder, name) } catch { throw .log(error) }
            _ = try archive.keeping { () throws(LogSystemError) in
                try archive.publish("\(folder)/\(name)", bytes, mode: 0o600)
            }
            count(bytes)
        }
    }

    private mutating func count(_ bytes: [UInt8]) {
        report.copiedFiles += 1
        report.copiedBytes += bytes.count
    }

    // MARK: - Verifying, and saying so

    private mutating func verify(since: Checkpoint?, _ progress: (Double) -> Void) throws(KeepingError) {
        do throws(LogFault) {
            let reader = try LogReader(archive, note: source.noteBytes, verifier: verifier)
            report.verified = try reader.verifyArchive(since: since) { progress(0.5 + $0 / 2) }
            report.from = reader.minimumIndex
        } catch { throw .archive(error) }
    }

    private func publish() throws(KeepingError) {
        let (archive, note) = (archive, source.noteBytes)
        _ = try archive.keeping { () throws(LogSystemError) in try archive.publish("checkpoint", note) }
    }

    /// Partial tiles of the checkpoint before, where wider ones have come (tlog-tiles, "Partial Tiles").
    private func removePartials(of size: UInt64) throws(KeepingError) {
        let (archive, now) = (archive, TreeShape(size: source.checkpoint.size))
        for kind in TreeShape(size: size).kinds {
            guard let old = TreeShape(size: size).partialTile(kind), old != now.partialTile(kind) else { continue }
            archive.remove(old.path)
            if now.partialTile(kind)?.index != old.index { archive.removeFolder(old.full.path + ".p") }
        }
    }
}

extension LogReader {
    /// Verifies a log and what is kept beside it: the tree, and that every token and snapshot is the one that its name says.
    func verifyArchive(since: Checkpoint? = nil, progress: (Double) -> Void) throws(LogFault) -> LogReport {
        var verifier = LogVerifier(self)
        let report = try verifier.verify(since: since, progress: progress)
        for folder in ["policy", "evidence"] {
            let names: [String]
            do throws(LogSystemError) { names = try keptNames(folder) } catch {
                throw LogFault(file: folder, what: "\(error)")
            }
            for name in names { _ = try kept(folder, name) }
        }
        return report
    }

    func keptNames(_ folder: String) throws(LogSystemError) -> [String] { try files.keptNames(folder) }
}

extension LogFolder {
    /// The files of `policy` or `evidence` that have a hash for a name: not what a crash left half made.
    func keptNames(_ folder: String) throws(LogSystemError) -> [String] {
        try names(folder).filter { $0.utf8.count == 64 && Hex.decode($0) != nil }
    }
}
