internal import CLinux
internal import DecisionLog
internal import Glibc
internal import Synchronization

/// What the stores hold open, of all descriptors that the process may have: the log, which cannot write a checkpoint without one, has
/// what is left, with the connections.
enum StoreDescriptors {
    fileprivate static let open = Atomic<Int>(0)
    private static let max = Int(clamping: Swift.max(16, ProcessFacts.descriptorsMax() / 4))

    /// Objects of requests have a quarter of all. What a request opens besides, folders on the way to a name, closes soon.
    static func requireRoom() throws(SystemError) {
        guard open.load(ordering: .relaxed) < max else { throw SystemError("openat2", EMFILE) }
    }

    /// What rests open leaves half of that.
    static var haveRoomToRest: Bool { open.load(ordering: .relaxed) < max / 2 }
}

/// An open descriptor, closed when its owner goes.
struct FileDescriptor: ~Copyable, Sendable {
    let number: Int32

    init(owning number: Int32) {
        self.number = number
        StoreDescriptors.open.add(1, ordering: .relaxed)
    }

    deinit {
        close(number)
        StoreDescriptors.open.subtract(1, ordering: .relaxed)
    }

    /// fstat(2).
    func status() throws(SystemError) -> FileStatus {
        var status = stat()
        guard unsafe fstat(number, &status) == 0 else { throw SystemError("fstat") }
        return FileStatus(status)
    }

    /// fsync(2): contents, attributes and, for a folder, names are on disk when it returns.
    func synchronize() throws(SystemError) { try Stores.synchronize(number) }

    /// Does syncfs(2) make everything durable here that fsync(2) of each file and folder would?
    func syncsWithItsFileSystem() -> Bool { clinux_syncs_with_file_system(number) }

    /// flock(2), exclusive and without waiting; false when another process holds it. Held until the descriptor is closed.
    func lockExclusively() throws(SystemError) -> Bool {
        if flock(number, LOCK_EX | LOCK_NB) == 0 { return true }
        guard errno == EWOULDBLOCK else { throw SystemError("flock") }
        return false
    }
}

func synchronize(_ number: Int32) throws(SystemError) {
    try DiskWaits.during { () throws(SystemError) in guard fsync(number) == 0 else { throw SystemError("fsync") } }
}

/// syncfs(2), by an open file or folder of the file system: EIO also when something of anybody's there could not be written since it was
/// opened, or since the last such call by the same descriptor, which alone is told.
func synchronizeFileSystem(of number: Int32) throws(SystemError) {
    try DiskWaits.during { () throws(SystemError) in
        let result = clinux_sync_file_system(number)
        guard result == 0 else { throw SystemError("syncfs", Int32(-result)) }
    }
}

/// What fstat(2) says that anybody here asks for.
struct FileStatus: Equatable, Sendable {
    enum Kind: Equatable, Sendable { case file, folder, other }

    let kind: Kind
    let identity: FileIdentity
    let size: Int64
    let links: UInt64
    let modified: FileTime
    let changed: FileTime

    init(_ status: stat) {
        switch status.st_mode & S_IFMT {
        case S_IFREG: kind = .file
        case S_IFDIR: kind = .folder
        default: kind = .other
        }
        identity = FileIdentity(device: UInt64(status.st_dev), inode: UInt64(status.st_ino))
        size = Int64(status.st_size)
        links = UInt64(status.st_nlink)
        modified = FileTime(seconds: Int64(status.st_mtim.tv_sec), nanoseconds: Int64(status.st_mtim.tv_nsec))
        changed = FileTime(seconds: Int64(status.st_ctim.tv_sec), nanoseconds: Int64(status.st_ctim.tv_nsec))
    }
}

struct FileIdentity: Hashable, Sendable {
    let device: UInt64
    let inode: UInt64
}

struct FileTime: Hashable, Comparable, Sendable {
    let seconds: Int64
    let nanoseconds: Int64

    /// The clock that the kernel stamps files with, which advances in ticks of 1 to 10 ms.
    static func now() -> FileTime {
        var time = timespec()
        unsafe clock_gettime(CLOCK_REALTIME_COARSE, &time)
        return FileTime(seconds: Int64(time.tv_sec), nanoseconds: Int64(time.tv_nsec))
    }

    /// At most what an Int64 holds: a file's times are whatever somebody set.
    func nanoseconds(since earlier: FileTime) -> Int64 {
        Int64(
            clamping: (Int128(seconds) - Int128(earlier.seconds)) * 1_000_000_000
                + Int128(nanoseconds) - Int128(earlier.nanoseconds))
    }

    static func < (left: FileTime, right: FileTime) -> Bool {
        (left.seconds, left.nanoseconds) < (right.seconds, right.nanoseconds)
    }
}
