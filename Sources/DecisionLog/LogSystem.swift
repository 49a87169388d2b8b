internal import Glibc
internal import Residency

/// A system call that failed.
package struct LogSystemError: Error, Hashable, Sendable, CustomStringConvertible {
    package let call: String
    package let path: String
    package let code: Int32

    package var isFull: Bool { code == ENOSPC || code == EDQUOT }

    package var description: String { "\(call) \(path): \(unsafe String(cString: strerror(code)))" }
}

/// The files of one log folder, by the system calls that make them durable. Everything the log does to the disk is here.
struct LogFolder: Sendable {
    let path: String

    func full(_ name: String) -> String { name.isEmpty ? path : path + "/" + name }

    /// Makes a folder that may be there already, and makes its name durable.
    func makeFolder(_ name: String, mode: mode_t = 0o755) throws(LogSystemError) {
        if unsafe mkdir(full(name), mode) == 0 {
            try syncFolder(parent(of: name))
        } else if errno != EEXIST {
            throw error("mkdir", name)
        }
    }

    func makeFolders(_ name: String) throws(LogSystemError) {
        var partial = ""
        for part in name.split(separator: "/") {
            partial += (partial.isEmpty ? "" : "/") + part
            try makeFolder(partial)
        }
    }

    func syncFolder(_ name: String) throws(LogSystemError) {
        let descriptor = unsafe open(full(name), O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw error("open", name) }
        defer { _ = Glibc.close(descriptor) }
        guard fsync(descriptor) == 0 else { throw error("fsync", name) }
    }

    /// Writes a whole file under a temporary name, makes it durable, gives it its name, makes the name durable.
    func publish(_ name: String, _ bytes: [UInt8], mode: mode_t = 0o644) throws(LogSystemError) {
        let temporary = name + ".tmp"
        let descriptor = unsafe open(full(temporary), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode)
        guard descriptor >= 0 else { throw error("open", temporary) }
        do throws(LogSystemError) {
            defer { _ = Glibc.close(descriptor) }
            try write(descriptor, bytes, at: 0, name: temporary)
            guard fsync(descriptor) == 0 else { throw error("fsync", temporary) }
        } catch {
            unsafe unlink(full(temporary))
            throw error
        }
        guard unsafe Glibc.rename(full(temporary), full(name)) == 0 else { throw error("rename", name) }
        try syncFolder(parent(of: name))
    }

    /// The whole of a file; nil when there is none.
    func read(_ name: String) throws(LogSystemError) -> [UInt8]? {
        let descriptor = unsafe open(full(name), O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            if errno == ENOENT { return nil }
            throw error("open", name)
        }
        defer { _ = Glibc.close(descriptor) }
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else { throw error("fstat", name) }
        return try read(descriptor, count: Int(status.st_size), at: 0, name: name)
    }

    func read(_ descriptor: Int32, count: Int, at offset: Int, name: String) throws(LogSystemError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var done = 0
        while done < count {
            let got = unsafe bytes.withUnsafeMutableBytes {
                unsafe pread(descriptor, $0.baseAddress?.advanced(by: done), count - done, off_t(offset + done))
            }
            if got < 0 && errno == EINTR { continue }
            guard got >= 0 else { throw error("pread", name) }
            if got == 0 { break }
            done += got
        }
        if done < count { bytes.removeLast(count - done) }
        return bytes
    }

    func write(_ descriptor: Int32, _ bytes: [UInt8], at offset: Int, name: String) throws(LogSystemError) {
        var done = 0
        while done < bytes.count {
            let put = unsafe bytes.withUnsafeBytes {
                unsafe pwrite(descriptor, $0.baseAddress?.advanced(by: done), bytes.count - done, off_t(offset + done))
            }
            if put < 0 && errno == EINTR { continue }
            guard put > 0 else { throw error("pwrite", name) }
            done += put
        }
    }

    func remove(_ name: String) { _ = unsafe unlink(full(name)) }

    func removeFolder(_ name: String) { _ = unsafe rmdir(full(name)) }

    func rename(_ from: String, to name: String) throws(LogSystemError) {
        guard unsafe Glibc.rename(full(from), full(name)) == 0 else { throw error("rename", name) }
        try syncFolder(parent(of: name))
    }

    func exists(_ name: String) -> Bool { unsafe access(full(name), F_OK) == 0 }

    /// The names in a folder, sorted; none when there is no such folder.
    func names(_ folder: String) -> [String] {
        guard let stream = unsafe opendir(full(folder)) else { return [] }
        defer { unsafe closedir(stream) }
        var names: [String] = []
        while let entry = unsafe readdir(stream) {
            let name = unsafe withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    /// Device and inode of what a path names now; nil when it names nothing.
    func identity(_ name: String) -> FileIdentity? {
        var status = stat()
        return unsafe stat(full(name), &status) == 0
            ? FileIdentity(device: UInt64(status.st_dev), inode: UInt64(status.st_ino)) : nil
    }

    func identity(of descriptor: Int32) -> FileIdentity? {
        var status = stat()
        return unsafe fstat(descriptor, &status) == 0
            ? FileIdentity(device: UInt64(status.st_dev), inode: UInt64(status.st_ino)) : nil
    }

    /// Holds the log against a second daemon as long as the descriptor is open; nil when another one has it.
    func lock(_ name: String) throws(LogSystemError) -> Int32? {
        let descriptor = unsafe open(full(name), O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw error("open", name) }
        if flock(descriptor, LOCK_EX | LOCK_NB) == 0 { return descriptor }
        _ = Glibc.close(descriptor)
        return nil
    }

    func error(_ call: String, _ name: String) -> LogSystemError {
        LogSystemError(call: call, path: full(name), code: errno)
    }

    private func parent(of name: String) -> String {
        guard let slash = name.lastIndex(of: "/") else { return "" }
        return String(name[..<slash])
    }
}

/// Which file it is, whatever its name.
struct FileIdentity: Hashable, Sendable {
    let device: UInt64
    let inode: UInt64
}

/// Memory on a page's boundary, as O_DIRECT wants it.
@safe final class AlignedBuffer {
    static let alignment = 4096
    private(set) var capacity: Int
    private var memory: UnsafeMutableRawPointer

    init(capacity: Int) {
        self.capacity = capacity
        unsafe memory = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: Self.alignment)
    }

    deinit { unsafe memory.deallocate() }

    /// Takes `bytes`, padded with zeros to whole pages, and gives the padded count.
    func fill(_ bytes: [UInt8]) -> Int {
        let padded = (bytes.count + Self.alignment - 1) / Self.alignment * Self.alignment
        if padded > capacity {
            unsafe memory.deallocate()
            capacity = padded * 2
            unsafe memory = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: Self.alignment)
        }
        unsafe bytes.withUnsafeBytes { source in
            if let start = source.baseAddress { unsafe memory.copyMemory(from: start, byteCount: bytes.count) }
        }
        unsafe memset(memory.advanced(by: bytes.count), 0, padded - bytes.count)
        return padded
    }

    func write(_ descriptor: Int32, count: Int, at offset: Int) -> Bool {
        var done = 0
        while done < count {
            let put = unsafe pwrite(descriptor, memory.advanced(by: done), count - done, off_t(offset + done))
            if put < 0 && errno == EINTR { continue }
            guard put > 0 else { return false }
            done += put
        }
        return true
    }
}

/// A mutex with a condition, for the log's own threads.
@safe final class Monitor: @unchecked Sendable {
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let condition: UnsafeMutablePointer<pthread_cond_t>

    init() {
        unsafe mutex = .allocate(capacity: 1)
        unsafe condition = .allocate(capacity: 1)
        unsafe pthread_mutex_init(mutex, nil)
        var attributes = pthread_condattr_t()
        unsafe pthread_condattr_init(&attributes)
        unsafe pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        unsafe pthread_cond_init(condition, &attributes)
    }

    deinit {
        unsafe pthread_cond_destroy(condition)
        unsafe pthread_mutex_destroy(mutex)
        unsafe condition.deallocate()
        unsafe mutex.deallocate()
    }

    func withLock<Result, Failure: Error>(_ body: () throws(Failure) -> Result) throws(Failure) -> Result {
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        return try body()
    }

    func signal() { unsafe pthread_cond_signal(condition) }
    func broadcast() { unsafe pthread_cond_broadcast(condition) }

    /// Only with the lock held.
    func wait() { unsafe pthread_cond_wait(condition, mutex) }

    /// Only with the lock held.
    func wait(milliseconds: Int) {
        var until = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &until)
        until.tv_sec += milliseconds / 1000
        until.tv_nsec += milliseconds % 1000 * 1_000_000
        if until.tv_nsec >= 1_000_000_000 {
            until.tv_sec += 1
            until.tv_nsec -= 1_000_000_000
        }
        unsafe pthread_cond_timedwait(condition, mutex, &until)
    }
}

/// One of the log's threads.
@safe final class LogThread: @unchecked Sendable {
    private var thread = pthread_t()

    init(_ body: @escaping @Sendable () -> Void) {
        let box = unsafe Unmanaged.passRetained(Body(body)).toOpaque()
        let status = unsafe pthread_create(
            &thread, nil,
            { argument in
                if let argument = unsafe argument {
                    unsafe Unmanaged<Body>.fromOpaque(argument).takeRetainedValue().run()
                }
                return nil
            }, box)
        precondition(status == 0, "pthread_create")
    }

    func join() { _ = pthread_join(thread, nil) }

    private final class Body {
        let run: @Sendable () -> Void
        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }
}

/// The log's time; tests pass their own.
protocol LogClock: Sendable {
    func wall() -> Timestamp
    /// Microseconds that only go forward.
    func monotonicMicroseconds() -> Int64
}

/// The machine's clocks.
struct SystemClock: LogClock {
    func wall() -> Timestamp {
        var time = timespec()
        unsafe clock_gettime(CLOCK_REALTIME, &time)
        return Timestamp(microseconds: Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000)
    }

    func monotonicMicroseconds() -> Int64 {
        var time = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000
    }
}

/// `O_DIRECT`, which the C library's header hides from Swift (asm-generic/fcntl.h, and arm64's own).
#if arch(arm64)
let directIO: Int32 = 0o200000
#else
let directIO: Int32 = 0o40000
#endif
