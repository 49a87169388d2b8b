internal import Glibc

/// What the commands that handle keys and tokens do with files: whole, bounded, and never over something that is there
/// unless they say so.
enum KeyFiles {
    /// No file that these commands read is longer.
    static let bytesMax = 16 << 20

    /// A file's bytes; `-` is standard input.
    static func read(_ path: String) throws(KeyFileError) -> [UInt8] {
        if path == "-" { return try readAll(STDIN_FILENO, "standard input") }
        let descriptor = try open(path, O_RDONLY | O_CLOEXEC)
        defer { close(descriptor) }
        return try readAll(descriptor, path)
    }

    /// A private key's bytes: refused when others than its owner may read the file (DESIGN section 9). Where systemd hands
    /// credentials over, an access list stands behind a mode that looks wider.
    static func readPrivate(_ path: String) throws(KeyFileError) -> [UInt8] {
        let descriptor = try open(path, O_RDONLY | O_CLOEXEC)
        defer { close(descriptor) }
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else { throw .system("read", path, errno) }
        if status.st_mode & 0o077 != 0, !isCredential(path) { throw .openToOthers(path, mode: status.st_mode & 0o777) }
        return try readAll(descriptor, path)
    }

    /// Writes a new file, durable when this returns.
    /// - Throws: `.exists` where something has that name: a key is never overwritten.
    static func create(_ path: String, _ bytes: [UInt8], mode: mode_t) throws(KeyFileError) {
        let descriptor = try open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode)
        defer { close(descriptor) }
        do throws(KeyFileError) {
            try writeAll(descriptor, bytes, path)
            guard fsync(descriptor) == 0 else { throw .system("write", path, errno) }
        } catch {
            _ = unsafe unlink(path)
            throw error
        }
        try synchronizeFolder(of: path)
    }

    /// Puts a file in the place of another at once, durable when this returns. Its mode is that one whatever the umask is: a daemon of
    /// another user reads it.
    static func replace(_ path: String, _ bytes: [UInt8], mode: mode_t) throws(KeyFileError) {
        let temporary = "\(path).\(getpid()).new"
        try create(temporary, bytes, mode: mode)
        guard unsafe chmod(temporary, mode) == 0, unsafe rename(temporary, path) == 0 else {
            let code = errno
            _ = unsafe unlink(temporary)
            throw .system("replace", path, code)
        }
        try synchronizeFolder(of: path)
    }

    /// Appends one line by one write, under a lock, durable when this returns. The file is made where there is none, for all to read
    /// whatever the umask is: a daemon that could not read it would refuse its reload.
    static func append(_ line: [UInt8], to path: String) throws(KeyFileError) {
        let isNew = unsafe access(path, F_OK) != 0
        let descriptor = try open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0o644)
        defer { close(descriptor) }
        var status = stat()
        guard flock(descriptor, LOCK_EX) == 0, unsafe fstat(descriptor, &status) == 0,
            !isNew || fchmod(descriptor, 0o644) == 0
        else {
            throw .system("append to", path, errno)
        }
        // A line that an earlier crash cut off is refused whole by whoever reads the file; it must not swallow ours as well.
        if status.st_size > 0 {
            var last: UInt8 = 0
            guard unsafe pread(descriptor, &last, 1, status.st_size - 1) == 1 else {
                throw .system("append to", path, errno)
            }
            guard last == UInt8(ascii: "\n") else { throw .unfinishedLine(path) }
        }
        let count = unsafe line.withUnsafeBytes { unsafe Glibc.write(descriptor, $0.baseAddress, $0.count) }
        guard count == line.count else {
            let code = errno
            _ = ftruncate(descriptor, status.st_size)
            throw .system("append to", path, code)
        }
        guard fsync(descriptor) == 0 else { throw .system("append to", path, errno) }
        if isNew { try synchronizeFolder(of: path) }
    }

    static func exists(_ path: String) -> Bool { unsafe access(path, F_OK) == 0 }

    /// Says something to the person, not to the program that reads the output.
    static func tell(_ text: String) {
        let bytes = Array((text + "\n").utf8)
        _ = unsafe bytes.withUnsafeBytes { unsafe Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }

    private static func open(_ path: String, _ flags: Int32, _ mode: mode_t = 0) throws(KeyFileError) -> Int32 {
        let descriptor = unsafe Glibc.open(path, flags, mode)
        guard descriptor >= 0 else {
            if errno == EEXIST { throw .exists(path) }
            throw .system(flags & O_CREAT == 0 ? "read" : "write", path, errno)
        }
        return descriptor
    }

    private static func readAll(_ descriptor: Int32, _ path: String) throws(KeyFileError) -> [UInt8] {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = unsafe buffer.withUnsafeMutableBytes { unsafe Glibc.read(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw .system("read", path, errno) }
            if count == 0 { return bytes }
            bytes.append(contentsOf: buffer[..<count])
            guard bytes.count <= bytesMax else { throw .tooLarge(path) }
        }
    }

    private static func writeAll(_ descriptor: Int32, _ bytes: [UInt8], _ path: String) throws(KeyFileError) {
        var written = 0
        while written < bytes.count {
            let rest = Array(bytes[written...])
            let count = unsafe rest.withUnsafeBytes { unsafe Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw .system("write", path, errno) }
            written += count
        }
    }

    static func synchronizeFolder(of path: String) throws(KeyFileError) {
        let slash = path.lastIndex(of: "/")
        let folder = slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        let descriptor = try open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw .system("write", folder, errno) }
    }

    private static func isCredential(_ path: String) -> Bool {
        guard let folder = unsafe getenv("CREDENTIALS_DIRECTORY") else { return false }
        return path.hasPrefix(unsafe String(cString: folder) + "/")
    }
}

/// Why a file could not be read or written.
enum KeyFileError: Error, Hashable, CustomStringConvertible {
    case system(String, String, Int32)
    case exists(String)
    case openToOthers(String, mode: mode_t)
    case tooLarge(String)
    case unfinishedLine(String)

    var description: String {
        switch self {
        case .system(let verb, let path, let code): "cannot \(verb) \(path): \(Self.text(code))"
        case .exists(let path):
            "\(path) exists, and is never overwritten: choose another name, or remove it yourself"
        case .openToOthers(let path, let mode):
            "\(path) can be read by others than its owner (mode \(String(mode, radix: 8))): chmod 600 \(path)"
        case .tooLarge(let path): "\(path) has more than \(KeyFiles.bytesMax) bytes"
        case .unfinishedLine(let path):
            "the last line of \(path) has no end (an earlier append was cut off): complete or remove that line first"
        }
    }

    static func text(_ code: Int32) -> String {
        guard let text = unsafe strerror(code) else { return "error \(code)" }
        return unsafe String(cString: text)
    }
}
