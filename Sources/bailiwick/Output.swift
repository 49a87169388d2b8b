internal import Glibc

/// Standard output in large pieces: `print` costs a lock and a call for each line when an export has millions.
struct Output: ~Copyable {
    private static let bytesMax = 1 << 16
    private var buffer: [UInt8] = []

    init() { buffer.reserveCapacity(Self.bytesMax + 4096) }

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
                unsafe Glibc.write(STDOUT_FILENO, $0.baseAddress?.advanced(by: done), $0.count - done)
            }
            if put < 0, errno == EINTR { continue }
            guard put > 0 else { throw KeyFileError.system("write", "standard output", errno) }
            done += put
        }
        buffer.removeAll(keepingCapacity: true)
    }
}
