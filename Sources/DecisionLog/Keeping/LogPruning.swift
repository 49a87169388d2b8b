internal import OpenSSL
package import Residency

/// Removes a log's oldest entries, which an archive holds (tlog-tiles, "Pruning"): the tree stays as it is, and everything from the
/// minimum index on can be verified and proved as before.
///
/// May run beside the daemon. It takes away only whole bundles and the full tiles over them, which the daemon wrote once and will not
/// write again, and of which it reads none but to answer an auditor; the last bundle always stays. The minimum index is durable
/// before the first file goes, so that a crash leaves a log that says what it has, and the next run ends the work.
package struct LogPruning {
    package struct Report: Sendable {
        /// The first entry that is still there.
        package var minimumIndex: UInt64 = 0
        /// Entries that this run pruned.
        package var pruned: UInt64 = 0
        package var removedFiles = 0
        /// What the archive holds.
        package var archivedFrom: UInt64 = 0
        package var archivedSize: UInt64 = 0
    }

    static let lockName = "prune.lock"

    private let files: LogFolder
    private let archive: LogFolder
    private let verifier: NoteVerifier
    private var report = Report()

    package init(folder: String, archive: String, verifier: NoteVerifier) {
        self.init(LogFolder(path: folder), archive: LogFolder(path: archive), verifier: verifier)
    }

    init(_ files: LogFolder, archive: LogFolder, verifier: NoteVerifier) {
        self.files = files
        self.archive = archive
        self.verifier = verifier
    }

    /// Prunes the entries before a time, as far as whole bundles hold none but those.
    /// - Parameter progress: called now and then with the share of the archive that is verified.
    package mutating func run(
        before time: Timestamp, progress: (Double) -> Void = { _ in }
    ) throws(KeepingError) -> Report {
        let files = files
        let isSame = try files.keeping { () throws(LogSystemError) in
            try files.identity("") == archive.identity("")
        }
        guard !isSame else { throw .sameFolder }
        var copy = self
        defer { self = copy }
        return try files.alone(Self.lockName) { () throws(KeepingError) in try copy.prune(before: time, progress) }
    }

    private mutating func prune(
        before time: Timestamp, _ progress: (Double) -> Void
    ) throws(KeepingError) -> Report {
        // The archive is opened first: a checkpoint that the daemon publishes meanwhile makes the log longer, never the archive.
        let archived: LogReader
        do throws(LogFault) { archived = try LogReader(archive, verifier: verifier) } catch { throw .archive(error) }
        let log: LogReader
        let target: UInt64
        do throws(LogFault) {
            log = try LogReader(files, verifier: verifier)
            target = try Self.target(log, before: time)
        } catch { throw .log(error) }
        report.archivedFrom = archived.minimumIndex
        report.archivedSize = archived.checkpoint.size
        report.minimumIndex = target
        report.pruned = target - log.minimumIndex
        // Where nothing is added to what was pruned too: a run that was cut off may have left all of that to this one.
        try requireArchived(archived, log, target, progress)
        guard target > 0 else { return report }
        let files = files
        try files.keeping { () throws(LogSystemError) in
            if try MinimumIndex.value(files) != target { try MinimumIndex.publish(target, files) }
        }
        try removeTiles(TreeShape(size: log.checkpoint.size), before: target)
        return report
    }

    /// A whole number of bundles, not less than what was pruned already, and never the last one.
    private static func target(_ log: LogReader, before time: Timestamp) throws(LogFault) -> UInt64 {
        guard log.checkpoint.size > 0 else { return 0 }
        let first = min(try log.firstIndex(notBefore: time), log.checkpoint.size - 1)
        return max(log.minimumIndex, first / 256 * 256)
    }

    /// The archive is whole and good now, is of the same history, and holds all that is to go.
    private func requireArchived(
        _ archived: LogReader, _ log: LogReader, _ target: UInt64, _ progress: (Double) -> Void
    ) throws(KeepingError) {
        let size = archived.checkpoint.size
        guard size <= log.checkpoint.size else {
            throw .archiveIsAhead(archived: size, size: log.checkpoint.size)
        }
        guard archived.minimumIndex <= log.minimumIndex, target <= size else {
            throw .notArchived(
                from: log.minimumIndex, to: target, archivedFrom: archived.minimumIndex, archivedTo: size)
        }
        do throws(LogFault) { _ = try archived.verifyArchive(progress: progress) } catch { throw .archive(error) }
        let proof: [SHA256Digest]
        do throws(LogFault) { proof = try log.consistencyProof(from: size) } catch { throw .log(error) }
        guard
            MerkleProof.verifyConsistency(
                from: size, root: archived.checkpoint.root, to: log.checkpoint.size, root: log.checkpoint.root,
                proof: proof)
        else { throw .otherHistory }
    }

    // MARK: - Removing

    /// Every full tile and bundle that ends at or before the minimum index. Begins at the first one each time: what an earlier run
    /// left when it was cut off goes too.
    private mutating func removeTiles(_ shape: TreeShape, before target: UInt64) throws(KeepingError) {
        for kind in shape.kinds {
            for index in 0..<shape.keptTiles(kind, minimumIndex: target).lowerBound {
                let tile = TilePath(kind, index: index)
                try remove(tile)
                // The last of its folder takes the folder with it; names of a thousand are in one.
                if index % 1000 == 999 {
                    for folder in tile.folders.dropFirst(2).reversed() { files.removeFolder(folder) }
                }
            }
        }
    }

    private mutating func remove(_ tile: TilePath) throws(KeepingError) {
        let (files, partials) = (files, tile.path + ".p")
        let isThere = try files.keeping { () throws(LogSystemError) -> Bool in
            // Partial forms that a crash of the daemon left.
            for name in try files.names(partials) { files.remove(partials + "/" + name) }
            guard try files.exists(tile.path) else { return false }
            try files.attempt("unlink", tile.path) { () throws(Errno) in try files.disk.unlink(files.full(tile.path)) }
            return true
        }
        files.removeFolder(partials)
        if isThere { report.removedFiles += 1 }
    }
}
