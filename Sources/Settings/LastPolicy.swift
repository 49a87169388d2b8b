internal import Glibc

/// The settings snapshots that a log keeps, by their digests.
enum LastPolicy {
    /// The one that the log in this folder was last served under: a reload has the snapshot before it, a start has only
    /// what the log kept (DESIGN section 5: `iat` never goes back).
    ///
    /// Nil where nothing is kept yet, or it cannot be read here: there is nothing to hold settings against.
    /// - Parameter digest: its digest, where the log tells; else the file that was written last is taken for it.
    static func load(log folder: String, digest: String?) -> PolicySnapshot? {
        // Longer than any file that settings name: it holds them all.
        guard let path = digest.map({ "\(folder)/policy/\($0)" }) ?? newest(in: folder + "/policy"),
            let bytes = try? FileReader.read(path, isPrivate: false, bytesMax: PolicySnapshot.bytesMax)
        else { return nil }
        return try? PolicySnapshot(parsing: bytes)
    }

    /// The path of the one that was written last; nil where there is none.
    private static func newest(in folder: String) -> String? {
        guard let entries = unsafe opendir(folder) else { return nil }
        defer { unsafe closedir(entries) }
        var newest: (path: String, modified: timespec)?
        while let entry = unsafe readdir(entries) {
            let name = unsafe withUnsafeBytes(of: entry.pointee.d_name) {
                unsafe String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            var status = stat()
            guard name.utf8.count == 64, unsafe stat("\(folder)/\(name)", &status) == 0 else { continue }
            let modified = status.st_mtim
            if let newest,
                (newest.modified.tv_sec, newest.modified.tv_nsec) >= (modified.tv_sec, modified.tv_nsec)
            {
                continue
            }
            newest = ("\(folder)/\(name)", modified)
        }
        return newest?.path
    }
}
