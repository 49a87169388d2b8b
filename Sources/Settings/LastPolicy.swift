internal import Glibc
internal import JSON
internal import Tokens

extension Settings {
    /// Reports every revocation list that is older than the one that was in force when this log was last served under: a reload
    /// holds a list against the snapshot before it, and a start has only what the log kept (DESIGN section 5: `iat` never goes back).
    ///
    /// Where nothing is kept yet, or it cannot be read here, there is nothing to hold a list against.
    func holdRevocationsAgainstLastPolicy(_ problems: Problems) {
        guard let name = LastPolicy.newest(in: log.directory + "/policy"),
            let bytes = try? FileReader.read(name, isPrivate: false),
            let last = try? PolicySnapshot(parsing: bytes)
        else { return }
        for issuer in last.issuerList {
            guard let before = issuer.revocations,
                let now = issuers[JSONString(issuer.id)]?.revocations, now.issuedAtSeconds < before.issuedAtSeconds
            else { continue }
            problems.add(
                "issuer",
                "revocations of \"\(issuer.id)\": the list went back: iat \(now.issuedAtSeconds) is before "
                    + "\(before.issuedAtSeconds), the list that was in force; ask the issuer for its newest")
        }
    }
}

/// The settings snapshots that a log keeps, by their digests.
private enum LastPolicy {
    /// The path of the one that was written last; nil where there is none.
    static func newest(in folder: String) -> String? {
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
