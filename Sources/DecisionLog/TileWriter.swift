internal import Glibc

/// Writes tiles and bundles where they belong. None of them is durable before `sync`, and nothing rests on them before the checkpoint that
/// follows it: until then their entries are in the write-ahead log too, and a start after a crash writes them again. So a tile is written
/// under its own name at once, and what a crash left there is put away, not written over: a tile that a checkpoint covers never comes here.
///
/// Called by one thread. Between `start` and `stop` another one writes meanwhile, in the same order, and `sync` waits for it.
final class TileWriter: @unchecked Sendable {
    /// Up to so many files are made durable one by one; for more, the file system is made durable at once where that is the same, which is
    /// one wait for the disk instead of one each, and also waits for what others wrote.
    private static let syncedSinglyMax = 8
    /// Tiles that wait for the thread: 1.5 MiB of bundles.
    private static let waitingMax = 8

    /// Of more files than that only so many of the last are kept open: those before them are on the disk by then, or made durable when they
    /// are closed, and memory need not hold what is read once in a while. Its pages serve the next tiles; new ones are dear where memory is the host's to give.
    private static let openMax = 16

    private struct Written {
        let tile: TilePath
        let descriptor: Int32
    }

    private let files: LogFolder
    /// The log's folder, open from before the first write: the file system tells it of every write that failed later.
    private var folder: Int32?
    /// The file system can be made durable at once.
    private var isSyncedAtOnce = false
    /// Folders with names that are not durable.
    private var unsyncedFolders: Set<String> = []
    /// Folders whose existence is known.
    private var folders: Set<String> = []
    /// The last of what was written and is not durable.
    private var written: [Written] = []
    /// How many that are in all.
    private var count = 0
    /// What is read back, used again.
    private var copy: [UInt8] = []
    /// Asked for room when the disk is full; says whether there is some now.
    var makeRoom: () -> Bool = { false }

    private let monitor = Monitor()
    /// Guarded by the monitor, with all below.
    private var waiting: [(tile: TilePath, bytes: [UInt8])] = []
    /// The thread has one in its hands.
    private var isWriting = false
    private var isStopping = false
    private var failure: LogSystemError?
    private var thread: LogThread?

    init(_ files: LogFolder) { self.files = files }

    deinit {
        for file in written { files.disk.close(file.descriptor) }
        if let folder { files.disk.close(folder) }
    }

    /// Writes a tile, and holds what is read back against what was meant.
    /// - Throws: what went wrong with it, or with one before it.
    func write(_ tile: TilePath, _ bytes: [UInt8]) throws(LogSystemError) {
        guard thread != nil else { return try place(tile, bytes) }
        let failed = monitor.withLock { () -> LogSystemError? in
            while waiting.count >= Self.waitingMax, failure == nil { monitor.wait() }
            waiting.append((tile, bytes))
            monitor.broadcast()
            return failure
        }
        if let failed { throw failed }
    }

    /// Makes all that was written durable, with its names: each folder once.
    func sync() throws(LogSystemError) {
        try finishWriting()
        defer {
            while !written.isEmpty { closeFirst() }
            count = 0
            unsyncedFolders = []
        }
        if count > Self.syncedSinglyMax, isSyncedAtOnce, let folder {
            return try files.attempt("syncfs", "") { () throws(Errno) in try files.disk.syncFileSystem(folder) }
        }
        for file in written { try sync(file) }
        for folder in unsyncedFolders.sorted() { try files.syncFolder(folder) }
    }

    private func sync(_ file: Written) throws(LogSystemError) {
        try files.attempt("fsync", file.tile.path) { () throws(Errno) in try files.disk.fsync(file.descriptor) }
    }

    private func closeFirst() {
        let file = written.removeFirst()
        if !file.tile.isPartial { files.disk.dropCache(file.descriptor) }
        files.disk.close(file.descriptor)
    }

    /// Removes the partial forms of a tile that is published in full: they may go then (tlog-tiles, "Partial Tiles").
    func removePartials(of tile: TilePath) throws(LogSystemError) {
        try finishWriting()
        let folder = tile.path + ".p"
        for name in try files.names(folder) { files.remove(folder + "/" + name) }
        files.removeFolder(folder)
        folders.remove(folder)
    }

    // MARK: - The thread

    /// Has a thread of its own write from here on: tiles are hashed while others are written.
    func start() { thread = LogThread("log-tiles") { [self] in writeUntilStopped() } }

    /// Writes what waits and ends the thread.
    func stop() {
        monitor.withLock {
            isStopping = true
            monitor.broadcast()
        }
        thread?.join()
        thread = nil
    }

    /// From here on until the next `write`, what the thread owned is the caller's.
    private func finishWriting() throws(LogSystemError) {
        let failed = monitor.withLock { () -> LogSystemError? in
            while isWriting || !waiting.isEmpty, failure == nil { monitor.wait() }
            return failure
        }
        if let failed { throw failed }
    }

    private func writeUntilStopped() {
        while let (tile, bytes) = next() {
            var failed: LogSystemError?
            do throws(LogSystemError) { try place(tile, bytes) } catch { failed = error }
            monitor.withLock {
                isWriting = false
                failure = failed
                monitor.broadcast()
            }
            if failed != nil { return }
        }
    }

    private func next() -> (tile: TilePath, bytes: [UInt8])? {
        monitor.withLock {
            while waiting.isEmpty, !isStopping { monitor.wait() }
            guard !waiting.isEmpty else { return nil }
            isWriting = true
            monitor.broadcast()
            return waiting.removeFirst()
        }
    }

    // MARK: - One tile

    private func place(_ tile: TilePath, _ bytes: [UInt8]) throws(LogSystemError) {
        do throws(LogSystemError) { try make(tile, bytes) } catch {
            guard error.isFull, makeRoom() else { throw error }
            try make(tile, bytes)
        }
    }

    private func make(_ tile: TilePath, _ bytes: [UInt8]) throws(LogSystemError) {
        if folder == nil {
            let folder = try files.open("", .folder)
            self.folder = folder
            isSyncedAtOnce = files.disk.syncsWithItsFileSystem(folder)
        }
        let folders = tile.folders
        for folder in folders where !self.folders.contains(folder) {
            try files.makeFolder(folder)
            self.folders.insert(folder)
        }
        let path = tile.path
        let descriptor = try create(path)
        do throws(LogSystemError) {
            try files.write(descriptor, bytes.span, at: 0, name: path)
            if !tile.isPartial { files.disk.startWriting(descriptor) }
            if copy.count < bytes.count { copy = [UInt8](repeating: 0, count: bytes.count) }
            let count = try files.read(descriptor, into: &copy, name: path)
            guard count == bytes.count, isSame(copy, bytes, count: count) else {
                throw LogSystemError(call: "read back", path: path, code: EIO)
            }
        } catch {
            files.disk.close(descriptor)
            files.remove(path)
            throw error
        }
        count += 1
        unsyncedFolders.insert(folders.last ?? "")
        written.append(Written(tile: tile, descriptor: descriptor))
        guard written.count > Self.openMax else { return }
        if !isSyncedAtOnce { try sync(written[0]) }
        closeFirst()
    }

    private func create(_ path: String) throws(LogSystemError) -> Int32 {
        do throws(LogSystemError) { return try files.open(path, .createNew(mode: 0o644)) } catch {
            guard error.code == EEXIST else { throw error }
            files.remove(path)
            return try files.open(path, .createNew(mode: 0o644))
        }
    }
}
