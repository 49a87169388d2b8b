internal import Glibc

/// The user whom a folder that the daemon writes belongs to.
enum DaemonsUser {
    /// Makes root that user, for good: what root made in a log or a store the daemon could not write on later, and its log
    /// would close. Keys that only root may read are to be read before.
    static func become(ownerOf folder: String) throws(DaemonsUserError) {
        var status = stat()
        guard unsafe stat(folder, &status) == 0 else { throw .noFolder(folder, errno) }
        let user = status.st_uid
        guard user != geteuid() else { return }
        guard geteuid() == 0 else { throw .another(folder, user) }
        let entry = unsafe getpwuid(user)
        let group = unsafe entry?.pointee.pw_gid ?? status.st_gid
        let groups = unsafe entry.map { unsafe initgroups($0.pointee.pw_name, group) } ?? setgroups(0, nil)
        guard groups == 0, setgid(group) == 0, setuid(user) == 0 else { throw .refused(folder, user, errno) }
    }
}

/// Why this process is not the daemon's user.
enum DaemonsUserError: Error, CustomStringConvertible {
    case noFolder(String, Int32)
    case another(String, uid_t)
    case refused(String, uid_t, Int32)

    var description: String {
        switch self {
        case .noFolder(let folder, let code): "\(folder): \(KeyFileError.text(code))"
        case .another(let folder, let user): "\(folder) belongs to the user \(user): run this as that user, or as root"
        case .refused(let folder, let user, let code):
            "\(folder) belongs to the user \(user), whom this cannot become (\(KeyFileError.text(code))): run it as that user"
        }
    }
}
