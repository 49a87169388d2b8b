internal import Glibc

/// Why a folder cannot be a store, in words that an operator can act on.
package enum DirectoryStoreError: Error, Hashable, Sendable {
    case missing(path: String)
    case notAFolder(path: String)
    case permissionDenied(path: String)
    /// Another process holds the folder's lock.
    case locked(path: String)
    case noUnnamedFiles(path: String)
    case noExtendedAttributes(path: String)
    case extendedAttributesTooSmall(path: String)
    case noOpenat2
    case system(path: String, call: String, code: Int32)

    init(_ error: SystemError, path: String) {
        switch (error.call, error.code) {
        case (_, ENOENT): self = .missing(path: path)
        case ("open", ENOTDIR): self = .notAFolder(path: path)
        case (_, EACCES), (_, EPERM), (_, EROFS): self = .permissionDenied(path: path)
        case ("openat2", ENOSYS): self = .noOpenat2
        case ("openat2", EOPNOTSUPP), ("openat2", EISDIR): self = .noUnnamedFiles(path: path)
        case ("fsetxattr", EOPNOTSUPP): self = .noExtendedAttributes(path: path)
        case ("fsetxattr", ENOSPC), ("fsetxattr", E2BIG), ("fsetxattr", ERANGE), ("fsetxattr", EDQUOT):
            self = .extendedAttributesTooSmall(path: path)
        default: self = .system(path: path, call: error.call, code: error.code)
        }
    }
}

extension DirectoryStoreError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .missing(let path): "\(path) does not exist: make the folder, owned by the daemon's user"
        case .notAFolder(let path): "\(path) is not a folder"
        case .permissionDenied(let path): "\(path) cannot be read and written by this user"
        case .locked(let path): "\(path) is in use by another process: one daemon for each store"
        case .noUnnamedFiles(let path):
            "\(path) is on a file system without O_TMPFILE: use ext4, XFS, Btrfs or ZFS"
        case .noExtendedAttributes(let path):
            "\(path) is on a file system without user.* extended attributes: use ext4, XFS, Btrfs or ZFS"
        case .extendedAttributesTooSmall(let path):
            "\(path) is on a file system that does not hold an extended attribute of "
                + "\(StoreLimits.attributeBytesMax) bytes (or is full): on ext4 make it with 4 KiB blocks"
        case .noOpenat2: "this kernel has no openat2: Linux 5.12 or later is needed"
        case .system(let path, let call, let code): "\(path): \(call): \(systemMessage(code))"
        }
    }
}
