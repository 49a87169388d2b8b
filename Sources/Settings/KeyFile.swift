internal import Glibc
internal import OpenSSL
internal import Residency

/// A named symmetric key: one line `KEYID:base64(32 bytes)`.
package struct NamedKey: Hashable, Sendable {
    package let id: String
    /// 32 bytes.
    package let bytes: [UInt8]

    /// Reads a key file; nil when it is not such a line.
    package init?(file: [UInt8]) {
        let lines = String(decoding: file, as: UTF8.self).split(whereSeparator: \.isNewline).map(String.init)
        let parts =
            lines.first?.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init) ?? []
        guard lines.count == 1, parts.count == 2, let key = Base64.standard.decode(parts[1]), key.count == 32,
            Name<NamedKey>(parts[0]) != nil
        else { return nil }
        (id, bytes) = (parts[0], key)
    }
}

/// Reads the files that settings name.
struct FileReader {
    /// The longest file that settings may name.
    static let bytesMax = 16 << 20

    enum Failure: Error {
        case missing(String)
        case unreadable(String)
        case readableByOthers(mode: UInt32)

        var words: String {
            switch self {
            case .missing(let reason), .unreadable(let reason): "cannot be read: \(reason)"
            case .readableByOthers(let mode):
                "has mode 0\(String(mode, radix: 8)): a private key must not be readable by group or others (chmod 600)"
            }
        }
    }

    /// - Parameters:
    ///   - name: a path, or `credential:NAME` for a file below $CREDENTIALS_DIRECTORY.
    ///   - isPrivate: refuse what group or others may read. systemd's credentials carry an ACL that shows as group bits.
    ///   - bytesMax: the longest that is read.
    static func read(_ name: String, isPrivate: Bool, bytesMax: Int = bytesMax) throws(Failure) -> [UInt8] {
        let isCredential = name.hasPrefix("credential:")
        let path = try isCredential ? credential(String(name.dropFirst(11))) : name
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw errno == ENOENT ? .missing(reason(path)) : .unreadable(reason(path)) }
        defer { _ = close(descriptor) }
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else { throw .unreadable(reason(path)) }
        guard status.st_mode & S_IFMT == S_IFREG, status.st_size <= bytesMax else {
            throw .unreadable("\(path) is no file of at most \(bytesMax) bytes")
        }
        if isPrivate, !isCredential, status.st_mode & 0o077 != 0 {
            throw .readableByOthers(mode: status.st_mode & 0o777)
        }
        var bytes = [UInt8](repeating: 0, count: Int(status.st_size))
        var done = 0
        while done < bytes.count {
            let count = unsafe bytes.withUnsafeMutableBytes {
                unsafe Glibc.read(descriptor, $0.baseAddress?.advanced(by: done), $0.count - done)
            }
            guard count >= 0 else { throw .unreadable(reason(path)) }
            if count == 0 { break }
            done += count
        }
        return Array(bytes.prefix(done))
    }

    private static func credential(_ name: String) throws(Failure) -> String {
        guard !name.isEmpty, !name.contains("/"), let folder = unsafe getenv("CREDENTIALS_DIRECTORY") else {
            throw .unreadable("credential:\(name): no $CREDENTIALS_DIRECTORY; is LoadCredential=\(name) in the unit?")
        }
        return unsafe String(cString: folder) + "/" + name
    }

    private static func reason(_ path: String) -> String { unsafe "\(path): \(String(cString: strerror(errno)))" }
}

extension Section {
    /// The bytes of the file that a setting names.
    func file(_ name: String, isPrivate: Bool = false) -> [UInt8]? {
        guard let path = requiredString(name) else { return nil }
        return file(path, for: name, isPrivate: isPrivate)
    }

    func file(_ path: String, for name: String, isPrivate: Bool) -> [UInt8]? {
        do throws(FileReader.Failure) {
            return try FileReader.read(path, isPrivate: isPrivate)
        } catch {
            problem(name, "\(path) \(error.words)")
            return nil
        }
    }

    /// The keys of a list of files. Tags and entries name a key by its id alone, so that no two may have one.
    func namedKeys(_ name: String) -> [NamedKey] {
        var ids: Set<String> = []
        return strings(name).enumerated().compactMap { index, path in
            guard let bytes = file(path, for: "\(name)[\(index)]", isPrivate: true) else { return nil }
            guard let key = NamedKey(file: bytes) else {
                problem(
                    "\(name)[\(index)]",
                    "\(path) is not one line KEYID:base64(32 bytes); make one with `bailiwick keys new`")
                return nil
            }
            if !ids.insert(key.id).inserted {
                problem(
                    "\(name)[\(index)]",
                    "\(path) is a second key with the id \(key.id): what it made would be held against the first; make one with another --id"
                )
            }
            return key
        }
    }
}
