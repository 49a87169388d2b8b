internal import CLinux
internal import Glibc

/// The real disk. Calls that a signal interrupted are made again.
struct LinuxDisk: LogDisk {
    func open(_ path: String, _ way: OpenWay) throws(Errno) -> Int32 {
        let descriptor =
            switch way {
            case .read: unsafe Glibc.open(path, O_RDONLY | O_CLOEXEC)
            case .folder: unsafe Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
            case .create(let mode): unsafe Glibc.open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode)
            case .createNew(let mode): unsafe Glibc.open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode)
            case .durable(let isDirect):
                unsafe Glibc.open(path, O_WRONLY | O_DSYNC | O_CLOEXEC | (isDirect ? directIO : 0))
            case .keep: unsafe Glibc.open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
            }
        guard descriptor >= 0 else { throw Errno(code: errno) }
        return descriptor
    }

    func close(_ descriptor: Int32) { _ = Glibc.close(descriptor) }

    func pread(_ descriptor: Int32, into bytes: inout [UInt8], from start: Int, at offset: Int) throws(Errno) -> Int {
        while true {
            let got = unsafe bytes.withUnsafeMutableBytes { buffer in
                unsafe Glibc.pread(
                    descriptor, buffer.baseAddress?.advanced(by: start), buffer.count - start, off_t(offset))
            }
            if got >= 0 { return got }
            if errno != EINTR { throw Errno(code: errno) }
        }
    }

    func pwrite(_ descriptor: Int32, _ bytes: Span<UInt8>, at offset: Int) throws(Errno) -> Int {
        while true {
            let put = unsafe bytes.withUnsafeBytes {
                unsafe Glibc.pwrite(descriptor, $0.baseAddress, $0.count, off_t(offset))
            }
            if put >= 0 { return put }
            if errno != EINTR { throw Errno(code: errno) }
        }
    }

    func fsync(_ descriptor: Int32) throws(Errno) {
        try DiskWaits.during { () throws(Errno) in if Glibc.fsync(descriptor) != 0 { throw Errno(code: errno) } }
    }

    func startReading(_ descriptor: Int32) { _ = posix_fadvise(descriptor, 0, 0, POSIX_FADV_WILLNEED) }

    func startWriting(_ descriptor: Int32) { _ = clinux_start_writing(descriptor, 0, 0) }

    func syncsWithItsFileSystem(_ descriptor: Int32) -> Bool { clinux_syncs_with_file_system(descriptor) }

    func syncFileSystem(_ descriptor: Int32) throws(Errno) {
        try DiskWaits.during { () throws(Errno) in
            let result = clinux_sync_file_system(descriptor)
            if result < 0 { throw Errno(code: Int32(-result)) }
        }
    }

    func dropCache(_ descriptor: Int32) { _ = posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED) }

    func allocate(_ descriptor: Int32, byteCount: Int) throws(Errno) {
        // posix_fallocate writes where the file system cannot allocate; it gives the error, not errno.
        let code = posix_fallocate(descriptor, 0, off_t(byteCount))
        if code != 0 { throw Errno(code: code) }
        if ftruncate(descriptor, off_t(byteCount)) != 0 { throw Errno(code: errno) }
    }

    func rename(_ from: String, _ to: String) throws(Errno) {
        if unsafe Glibc.rename(from, to) != 0 { throw Errno(code: errno) }
    }

    func unlink(_ path: String) throws(Errno) { if unsafe Glibc.unlink(path) != 0 { throw Errno(code: errno) } }

    func mkdir(_ path: String, mode: UInt32) throws(Errno) {
        if unsafe Glibc.mkdir(path, mode) != 0 { throw Errno(code: errno) }
    }

    func rmdir(_ path: String) throws(Errno) { if unsafe Glibc.rmdir(path) != 0 { throw Errno(code: errno) } }

    func names(_ folder: String) throws(Errno) -> [String] {
        guard let stream = unsafe opendir(folder) else { throw Errno(code: errno) }
        defer { unsafe closedir(stream) }
        var names: [String] = []
        while true {
            errno = 0
            guard let entry = unsafe readdir(stream) else { break }
            let name = unsafe withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { names.append(name) }
        }
        if errno != 0 { throw Errno(code: errno) }
        return names
    }

    func status(_ path: String) throws(Errno) -> FileStatus { try status(AT_FDCWD, path) }

    func status(_ descriptor: Int32) throws(Errno) -> FileStatus { try status(descriptor, "") }

    private func status(_ directory: Int32, _ path: String) throws(Errno) -> FileStatus {
        var status = clinux_file_status()
        let result = unsafe clinux_file_status(directory, path, &status)
        if result < 0 { throw Errno(code: Int32(-result)) }
        return FileStatus(
            identity: FileIdentity(device: status.device, inode: status.inode), byteCount: Int(status.size))
    }

    func lock(_ descriptor: Int32) throws(Errno) -> Bool {
        if flock(descriptor, LOCK_EX | LOCK_NB) == 0 { return true }
        if errno == EWOULDBLOCK { return false }
        throw Errno(code: errno)
    }
}

extension LogSystemError {
    package var isFull: Bool { code == ENOSPC || code == EDQUOT }

    /// O_DIRECT on a file system that has none.
    var isUnsupported: Bool { code == EINVAL }

    package var description: String { "\(call) \(path): \(unsafe String(cString: strerror(code)))" }
}

/// `O_DIRECT`, which the C library's header hides from Swift (asm-generic/fcntl.h, and arm64's own).
#if arch(arm64)
let directIO: Int32 = 0o200000
#else
let directIO: Int32 = 0o40000
#endif
