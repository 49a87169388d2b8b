internal import CLinux
internal import Glibc

/// Reads a folder's entries with getdents64(2), in the order in which the file system keeps them, a buffer at a time.
struct FolderEntries: ~Copyable {
    /// A name's kind, as far as the folder itself says.
    enum Kind: Equatable { case file, folder, other, unknown }

    private var buffer: [UInt8]

    /// - Parameter bufferBytes: a small one is quicker where the first few names are enough.
    init(bufferBytes: Int = 128 << 10) { buffer = [UInt8](repeating: 0, count: bufferBytes) }

    /// Calls `visit` with each name but `.` and `..` until it returns false. Reading begins where the descriptor stands.
    mutating func read(
        _ folder: borrowing FileDescriptor, _ visit: (borrowing Span<UInt8>, Kind) throws(SystemError) -> Bool
    ) throws(SystemError) {
        while true {
            let number = folder.number
            let count = unsafe buffer.withUnsafeMutableBytes {
                unsafe clinux_directory_entries(number, $0.baseAddress, $0.count)
            }
            guard count >= 0 else { throw SystemError("getdents64", Int32(-count)) }
            if count == 0 { return }
            // struct linux_dirent64: inode (8 bytes), offset (8), record length (2, native order), type (1), name, NUL.
            let bytes = buffer.span
            var at = 0
            while at + 19 < count {
                let length = Int(bytes[at + 16]) | Int(bytes[at + 17]) << 8
                guard length > 19, at + length <= count else { throw SystemError("getdents64", EIO) }
                var end = at + 19
                while end < at + length, bytes[end] != 0 { end += 1 }
                let name = bytes.extracting(at + 19..<end)
                let isDots =
                    name.count <= 2 && name[0] == UInt8(ascii: ".") && (name.count == 1 || name[1] == UInt8(ascii: "."))
                if !isDots, try !visit(name, Self.kind(bytes[at + 18])) { return }
                at += length
            }
        }
    }

    private static func kind(_ type: UInt8) -> Kind {
        switch Int(type) {
        case 8: .file
        case 4: .folder
        case 0: .unknown
        default: .other
        }
    }
}
