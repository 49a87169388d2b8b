internal import Glibc

/// How full the file system of a path is (statvfs(3)).
package struct DiskSpace: Hashable, Sendable {
    /// What an unprivileged process may still write.
    package let freeBytes: UInt64
    package let sizeBytes: UInt64
    package let isReadOnly: Bool

    /// nil when there is no such path.
    package init?(path: String) {
        var facts = statvfs()
        guard unsafe statvfs(path, &facts) == 0 else { return nil }
        let unit = UInt64(facts.f_frsize)
        freeBytes = UInt64(facts.f_bavail) * unit
        sizeBytes = UInt64(facts.f_blocks) * unit
        isReadOnly = facts.f_flag & UInt(ST_RDONLY) != 0
    }
}
