/// The system calls that the log makes on files: all of them. One conformer ships, `LinuxDisk`; tests put a simulated disk in its
/// place, which keeps what these calls promise and nothing else.
protocol LogDisk: Sendable {
    func open(_ path: String, _ way: OpenWay) throws(Errno) -> Int32
    func close(_ descriptor: Int32)
    /// Bytes read into `bytes` from `start` on; 0 at the file's end.
    func pread(_ descriptor: Int32, into bytes: inout [UInt8], from start: Int, at offset: Int) throws(Errno) -> Int
    /// Bytes written; they may be fewer than asked for.
    func pwrite(_ descriptor: Int32, _ bytes: Span<UInt8>, at offset: Int) throws(Errno) -> Int
    func fsync(_ descriptor: Int32) throws(Errno)
    /// Has the disk begin to read a file. Promises nothing.
    func startReading(_ descriptor: Int32)
    /// Has the disk begin with what was written to a file: less is left for the sync that makes it durable. Promises nothing.
    func startWriting(_ descriptor: Int32)
    /// Does `syncFileSystem` make everything durable that `fsync` of each file and folder would? Not on every file system.
    func syncsWithItsFileSystem(_ descriptor: Int32) -> Bool
    /// Makes all that was written to the file system of an open file or folder durable, names too (syncfs(2)). Fails when any of it did since
    /// the descriptor was opened.
    func syncFileSystem(_ descriptor: Int32) throws(Errno)
    /// Forgets what memory holds of a file and the disk has: what is read next comes from the disk.
    func dropCache(_ descriptor: Int32)
    /// Gives a file this size and blocks of its own for all of it.
    func allocate(_ descriptor: Int32, byteCount: Int) throws(Errno)
    func rename(_ from: String, _ to: String) throws(Errno)
    func unlink(_ path: String) throws(Errno)
    func mkdir(_ path: String, mode: UInt32) throws(Errno)
    func rmdir(_ path: String) throws(Errno)
    /// Names in a folder, in any order, without `.` and `..`.
    func names(_ folder: String) throws(Errno) -> [String]
    func status(_ path: String) throws(Errno) -> FileStatus
    func status(_ descriptor: Int32) throws(Errno) -> FileStatus
    /// Takes the lock of an open file; false when somebody else has it.
    func lock(_ descriptor: Int32) throws(Errno) -> Bool
}

/// What `errno` said.
struct Errno: Error, Hashable, Sendable {
    let code: Int32
}

/// How a file is opened.
enum OpenWay: Hashable, Sendable {
    case read
    case folder
    /// For writing, made new, or emptied when it is there.
    case create(mode: UInt32)
    /// For writing and reading, and made new: it is an error when it is there.
    case createNew(mode: UInt32)
    /// For writing, each write durable when it returns; with `isDirect`, past the page cache.
    case durable(isDirect: Bool)
    /// For its lock or its room only; made when it is not there.
    case keep
}

struct FileStatus: Hashable, Sendable {
    let identity: FileIdentity
    let byteCount: Int
}

/// Which file it is, whatever its name.
struct FileIdentity: Hashable, Sendable {
    let device: UInt64
    let inode: UInt64
}
