internal import Glibc

/// Standard output, or a file, in large pieces: `print` costs a lock and a call for each line when an export has millions.
struct Output: ~Copyable {
    private static let bytesMax = 1 << 16
    private var buffer: [UInt8] = []
    private let descriptor: Int32
    private let name: String

    /// Standard output.
    init() { self.init(STDOUT_FILENO, "standard output") }

    private init(_ descriptor: Int32, _ name: String) {
        self.descriptor = descriptor
        self.name = name
        buffer.reserveCapacity(Self.bytesMax + 4096)
    }

    /// Writes a new file by way of `body`. It has its name only once it is whole and durable: what an interruption leaves is called
    /// `.partial`.
    /// - Throws: `.exists` where something has that name.
    static func write(newFile path: String, _ body: (inout Output) throws -> Void) throws {
        if KeyFiles.exists(path) { throw KeyFileError.exists(path) }
        let partial = path + ".partial"
        let descriptor = unsafe open(partial, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw KeyFileError.system("write", partial, errno) }
        defer { close(descriptor) }
        var output = Output(descriptor, partial)
        try body(&output)
        try output.flush()
        guard fsync(descriptor) == 0 else { throw KeyFileError.system("write", partial, errno) }
        // A link does not replace what somebody else made meanwhile.
        guard unsafe link(partial, path) == 0 else {
            throw errno == EEXIST ? KeyFileError.exists(path) : KeyFileError.system("write", path, errno)
        }
        _ = unsafe unlink(partial)
        try KeyFiles.synchronizeFolder(of: path)
    }

    /// Writes a text to standard output for whoever keeps it, as a token or a key: `print` does not tell that a disk is full.
    static func text(_ text: String) throws {
        var output = Output()
        try output.bytes(Array(text.utf8))
        try output.flush()
    }

    mutating func line(_ text: String) throws { try line(Array(text.utf8)) }

    mutating func line(_ bytes: [UInt8]) throws {
        buffer.append(contentsOf: bytes)
        buffer.append(0x0A)
        if buffer.count >= Self.bytesMax { try flush() }
    }

    mutating func bytes(_ bytes: [UInt8]) throws {
        buffer.append(contentsOf: bytes)
        if buffer.count >= Self.bytesMax { try flush() }
    }

    /// Everything so far is with the reader on return.
    mutating func flush() throws {
        var done = 0
        while done < buffer.count {
            let put = unsafe buffer.withUnsafeBytes {
                unsafe Glibc.write(descriptor, $0.baseAddress?.advanced(by: done), $0.count - done)
            }
            if put < 0, errno == EINTR { continue }
            guard put > 0 else { throw KeyFileError.system("write", name, errno) }
            done += put
        }
        buffer.removeAll(keepingCapacity: true)
    }
}
