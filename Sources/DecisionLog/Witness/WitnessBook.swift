internal import OpenSSL
internal import Synchronization

/// What a witness has cosigned, in one folder: for each log that it knows, the last checkpoint, as a file named by the SHA-256 of the
/// origin. A checkpoint is durable there before its cosignature leaves (C2SP tlog-witness).
package final class WitnessBook: Sendable {
    private let files: LogFolder
    private let signer: NoteSigner
    /// The keys of each log, by origin.
    private let logs: [String: [NoteVerifier]]
    private let lock: Int32
    /// The last cosigned checkpoint of each origin. Held while one is checked and written: of two requests one is first.
    private let last: Mutex<[String: Checkpoint]>

    /// Opens the folder, and keeps others out of it.
    /// - Parameters:
    ///   - signer: a key of type cosignature.
    ///   - logs: whose checkpoints it cosigns; a log whose key is rotated has several.
    package convenience init(folder: String, signer: NoteSigner, logs: [NoteVerifier]) throws(LogError) {
        try self.init(LogFolder(path: folder), signer: signer, logs: logs)
    }

    init(_ files: LogFolder, signer: NoteSigner, logs: [NoteVerifier]) throws(LogError) {
        self.files = files
        self.signer = signer
        self.logs = Dictionary(grouping: logs, by: \.name)
        let found: Int32?
        do throws(LogSystemError) {
            try files.makeFolder("", mode: 0o700)
            found = try files.lock("lock")
        } catch { throw .system(error) }
        guard let found else { throw .locked(files.path) }
        lock = found
        var last: [String: Checkpoint] = [:]
        for (origin, verifiers) in self.logs { last[origin] = try Self.read(files, origin, verifiers) }
        self.last = Mutex(last)
    }

    deinit { files.disk.close(lock) }

    /// How far each log has been cosigned.
    package var sizes: [(origin: String, size: UInt64)] {
        let last = last.withLock { $0 }
        return logs.keys.sorted().map { ($0, last[$0]?.size ?? 0) }
    }

    /// Answers one `POST /add-checkpoint`. Waits for the disk.
    package func add(_ body: [UInt8], atSeconds seconds: UInt64) -> WitnessAnswer {
        guard let request = AddCheckpoint(body: body), let note = try? SignedNote(request.note),
            let checkpoint = try? Checkpoint(text: note.text)
        else { return WitnessAnswer(400, "the body is no add-checkpoint request (c2sp.org/tlog-witness)") }
        guard let verifiers = logs[checkpoint.origin] else { return WitnessAnswer(404, "this log is not known here") }
        guard verifiers.contains(where: { (try? note.verify(by: $0)) != nil }) else {
            return WitnessAnswer(403, "no signature is by a key that is known of this log")
        }
        guard request.oldSize <= checkpoint.size else {
            return WitnessAnswer(400, "the old size is beyond the checkpoint's")
        }
        return last.withLock { last in
            let known = last[checkpoint.origin]
            let size = known?.size ?? 0
            guard request.oldSize == size else { return .conflict(size) }
            if let known, checkpoint.size == size, checkpoint.root != known.root { return .conflict(size) }
            let root = known?.root ?? MerkleHasher.emptyRoot
            let isConsistent =
                size == 0
                ? request.proof.isEmpty && (checkpoint.size > 0 || checkpoint.root == root)
                : MerkleProof.verifyConsistency(
                    from: size, root: root, to: checkpoint.size, root: checkpoint.root, proof: request.proof)
            guard isConsistent else {
                return WitnessAnswer(422, "the proof does not show that the log has only grown")
            }
            do {
                if known != checkpoint {
                    // With the log's own signatures: whoever finds a fork needs both of them.
                    try files.publish(Self.file(checkpoint.origin), request.note, mode: 0o600)
                    last[checkpoint.origin] = checkpoint
                }
                return WitnessAnswer(
                    status: 200, body: Array("\(try signer.cosign(note.text, atSeconds: seconds))\n".utf8))
            } catch {
                return WitnessAnswer(500, "the checkpoint cannot be kept: \(error)")
            }
        }
    }

    private static func file(_ origin: String) -> String { SHA256Digest(hashing: Array(origin.utf8)).hex }

    /// What was cosigned last. A file that is there and cannot be believed is damage: to begin anew would be to forget.
    private static func read(
        _ files: LogFolder, _ origin: String, _ verifiers: [NoteVerifier]
    ) throws(LogError) -> Checkpoint? {
        let bytes: [UInt8]?
        do throws(LogSystemError) { bytes = try files.read(file(origin)) } catch { throw .system(error) }
        guard let bytes else { return nil }
        guard let note = try? SignedNote(bytes), let checkpoint = try? Checkpoint(text: note.text),
            checkpoint.origin == origin, verifiers.contains(where: { (try? note.verify(by: $0)) != nil })
        else {
            throw .damaged(
                "\(files.path)/\(file(origin)) is no checkpoint of \(origin) by a key that was given with --log")
        }
        return checkpoint
    }
}
