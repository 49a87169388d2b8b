internal import CLinux
internal import Glibc

/// A path below some folder, as the bytes that the kernel takes: without a leading slash, ended by NUL.
struct RelativePath: Hashable, Sendable {
    private(set) var bytes: [UInt8]

    /// - Parameter bytes: components joined by `/`; no NUL among them.
    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        self.bytes.append(0)
    }

    init(_ text: String) { self.init(Array(text.utf8)) }

    /// Without the NUL.
    var withoutTerminator: ArraySlice<UInt8> { bytes.dropLast() }

    func withCString<T, E: Error>(_ body: (UnsafePointer<CChar>) throws(E) -> T) throws(E) -> T {
        var result: Result<T, E>?
        unsafe bytes.withUnsafeBufferPointer { buffer in
            unsafe buffer.withMemoryRebound(to: CChar.self) { characters in
                guard let base = characters.baseAddress else { return }
                do throws(E) { result = .success(unsafe try body(base)) } catch { result = .failure(error) }
            }
        }
        switch result {
        case .success(let value): return value
        case .failure(let error): throw error
        case nil: preconditionFailure("an array with a terminator is never empty")
        }
    }
}

extension RelativePath: CustomStringConvertible {
    var description: String { String(decoding: withoutTerminator, as: UTF8.self) }
}

/// What to open, and how.
enum Opening: Equatable {
    /// For reading, whatever is there; a FIFO does not block.
    case reading
    /// The same, but only as far as the kernel has the names in memory: EAGAIN otherwise.
    case readingCached
    case folder
    /// A new file without a name, in the folder that the path names (O_TMPFILE).
    case unnamedFile
    /// A new file under a name that nobody has yet.
    case newFile
}

/// openat2(2) below `folder`, through no symbolic link and no mount point.
func open(_ path: RelativePath, below folder: borrowing FileDescriptor, _ opening: Opening) throws(SystemError)
    -> FileDescriptor
{
    let flags: Int32
    switch opening {
    case .reading, .readingCached: flags = O_RDONLY | O_NONBLOCK | O_NOCTTY
    case .folder: flags = O_RDONLY | O_DIRECTORY
    case .unnamedFile: flags = O_RDWR | clinux_flag_temporary_file()
    case .newFile: flags = O_RDWR | O_CREAT | O_EXCL
    }
    let mode: Int32 = opening == .unnamedFile || opening == .newFile ? 0o640 : 0
    let number = folder.number
    // The kernel gives up with EAGAIN when it lost a race against renames; it has to be asked again.
    for _ in 0..<SystemLimits.openAttemptsMax {
        let result = unsafe path.withCString { path in
            unsafe clinux_open_beneath(number, path, flags, mode, opening == .readingCached ? 1 : 0)
        }
        if result >= 0 { return FileDescriptor(owning: Int32(result)) }
        let code = Int32(-result)
        guard code == EINTR || (code == EAGAIN && opening != .readingCached) else { throw SystemError("openat2", code) }
    }
    throw SystemError("openat2", EAGAIN)
}

/// Opens a folder by an absolute path or one relative to the working folder, as an operator wrote it.
func openRoot(_ path: String) throws(SystemError) -> FileDescriptor {
    let number = unsafe Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard number >= 0 else { throw SystemError("open") }
    return FileDescriptor(owning: number)
}

enum SystemLimits {
    /// How often openat2 is asked again when the kernel lost a race.
    static let openAttemptsMax = 64
}
