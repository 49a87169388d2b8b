internal import Glibc
internal import NIOPosix
internal import OpenSSL
internal import Synchronization

/// The folder of a directory store: its lock, its internal folders, and what is remembered of it. Lives across reloads.
final class DirectoryRoot: Sendable {
    let folder: FileDescriptor
    /// New files that wait for their name. Emptied at start.
    let stage: FileDescriptor
    /// Side files.
    let sides: FileDescriptor
    let jobs: FileJobs
    let locks = KeyLocks()
    let durable = DurableFolders()
    let publisher: Publisher
    let sortedFolders = SortedFolderCache(bytesMax: StoreLimits.sortedFolderBytesMax)
    private let stageNames = Atomic<UInt64>(0)

    private struct Living {
        weak var root: DirectoryRoot?
    }

    /// Every root of the process that somebody still has: settings that name it no more leave it to the requests in hand.
    private static let living = Mutex<[FileIdentity: Living]>([:])

    /// The root of the folder that a path leads to now.
    static func living(at path: String) -> DirectoryRoot? {
        guard let folder = try? openRoot(path), let identity = try? folder.status().identity else { return nil }
        return living.withLock { $0[identity]?.root }
    }

    /// Locks a folder and makes it ready.
    init(path: String, pool: NIOThreadPool) throws(DirectoryStoreError) {
        jobs = FileJobs(pool: pool)
        do throws(SystemError) {
            let folder = try openRoot(path)
            guard try folder.lockExclusively() else { throw SystemError("flock", EWOULDBLOCK) }
            try Self.probe(folder)
            let own = RelativePath(EscapedPath.internalFolder)
            var isNew = try makeFolder(own, in: folder)
            let internals = try open(own, below: folder, .folder)
            for name in ["stage", "side"] where try makeFolder(RelativePath(name), in: internals) { isNew = true }
            stage = try open(RelativePath("stage"), below: internals, .folder)
            sides = try open(RelativePath("side"), below: internals, .folder)
            if isNew {
                try internals.synchronize()
                try folder.synchronize()
            }
            try Self.empty(stage)
            publisher = Publisher(jobs, stage: stage)
            let identity = try folder.status().identity
            self.folder = folder
            Self.living.withLock { living in
                living = living.filter { $0.value.root != nil }
                living[identity] = Living(root: self)
            }
        } catch {
            if error.call == "flock", error.code == EWOULDBLOCK { throw .locked(path: path) }
            throw DirectoryStoreError(error, path: path)
        }
    }

    /// Tries what a store needs of its file system, and leaves nothing behind.
    static func probe(_ folder: borrowing FileDescriptor) throws(SystemError) {
        let file = try open(RelativePath("."), below: folder, .unnamedFile)
        try ExtendedAttribute.set(
            [UInt8](repeating: 0, count: StoreLimits.attributeBytesMax), of: file, .creating)
    }

    /// A name in the stage that nobody else uses.
    func stageName() -> RelativePath {
        RelativePath("\(stageNames.wrappingAdd(1, ordering: .relaxed).newValue)")
    }

    /// Opens a folder by its escaped path below the root.
    func openFolder(_ path: [UInt8]) throws(SystemError) -> FileDescriptor {
        try open(path.isEmpty ? RelativePath(".") : RelativePath(path), below: folder, .folder)
    }

    /// What a crash left: files, and folders with at most one file.
    private static func empty(_ stage: borrowing FileDescriptor) throws(SystemError) {
        var names: [[UInt8]] = []
        var entries = FolderEntries()
        try entries.read(stage) { (name, _) throws(SystemError) in
            names.append([UInt8](copying: name))
            return true
        }
        for name in names { try discard(RelativePath(name), in: stage) }
    }

    /// Removes a file of the stage, or a folder with at most its own object in it.
    static func discard(_ name: RelativePath, in stage: borrowing FileDescriptor) throws(SystemError) {
        guard let status = try status(of: name, in: stage) else { return }
        guard status.kind == .folder else { return try removeFile(name, in: stage) }
        let inner = try open(name, below: stage, .folder)
        let object = RelativePath(EscapedPath.folderObject)
        if try Stores.status(of: object, in: inner) != nil { try removeFile(object, in: inner) }
        _ = try removeFolder(name, in: stage)
    }
}
