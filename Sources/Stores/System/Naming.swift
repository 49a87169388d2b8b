internal import CLinux
internal import Glibc

// The calls that give, change and take names. Each is atomic; each needs the folder's fsync to be durable.

/// mkdirat(2); false when something has that name already.
func makeFolder(_ name: RelativePath, in folder: borrowing FileDescriptor) throws(SystemError) -> Bool {
    let number = folder.number
    return try unsafe name.withCString { (name) throws(SystemError) in
        if unsafe mkdirat(number, name, 0o750) == 0 { return true }
        guard errno == EEXIST else { throw SystemError("mkdirat") }
        return false
    }
}

/// Gives an open file a name (linkat(2)); EEXIST when the name is taken. By its descriptor where the kernel trusts whoever opened it (Linux
/// 6.10), else by `/proc/self/fd`, which needs no capability either and takes longer.
func link(_ file: borrowing FileDescriptor, as name: RelativePath, in folder: borrowing FileDescriptor)
    throws(SystemError)
{
    let (from, to) = (file.number, folder.number)
    let isLinked = unsafe name.withCString { name in
        if unsafe linkat(from, "", to, name, clinux_flag_empty_path()) == 0 { return true }
        // ENOENT: of a kernel that does not, or of a folder that is gone.
        guard errno == ENOENT else { return false }
        let source = RelativePath("/proc/self/fd/\(from)")
        return unsafe source.withCString { unsafe linkat(AT_FDCWD, $0, to, name, AT_SYMLINK_FOLLOW) } == 0
    }
    guard isLinked else { throw SystemError("linkat") }
}

/// Gives a named file a second name.
func link(
    _ name: RelativePath, in folder: borrowing FileDescriptor, as newName: RelativePath,
    in newFolder: borrowing FileDescriptor
) throws(SystemError) {
    let (from, to) = (folder.number, newFolder.number)
    let result = unsafe name.withCString { name in
        unsafe newName.withCString { newName in unsafe linkat(from, name, to, newName, 0) }
    }
    guard result == 0 else { throw SystemError("linkat") }
}

/// How a rename treats what has the new name already.
enum Renaming {
    case replacing, exchanging
}

/// renameat2(2).
func rename(
    _ name: RelativePath, in folder: borrowing FileDescriptor, to newName: RelativePath,
    in newFolder: borrowing FileDescriptor, _ renaming: Renaming = .replacing
) throws(SystemError) {
    let (from, to) = (folder.number, newFolder.number)
    let flags: UInt32
    switch renaming {
    case .replacing: flags = 0
    case .exchanging: flags = clinux_rename_exchange()
    }
    let result = unsafe name.withCString { name in
        unsafe newName.withCString { newName in unsafe clinux_rename(from, name, to, newName, flags) }
    }
    guard result == 0 else { throw SystemError("renameat2", Int32(-result)) }
}

/// unlinkat(2) of a file.
func removeFile(_ name: RelativePath, in folder: borrowing FileDescriptor) throws(SystemError) {
    let number = folder.number
    guard unsafe name.withCString({ unsafe unlinkat(number, $0, 0) }) == 0 else { throw SystemError("unlinkat") }
}

/// unlinkat(2) of a folder; false when it holds something.
func removeFolder(_ name: RelativePath, in folder: borrowing FileDescriptor) throws(SystemError) -> Bool {
    let number = folder.number
    if unsafe name.withCString({ unsafe unlinkat(number, $0, AT_REMOVEDIR) }) == 0 { return true }
    guard errno == ENOTEMPTY || errno == EEXIST else { throw SystemError("unlinkat") }
    return false
}

/// What a name is, by fstatat(2) without following a symbolic link; nil when there is none.
func status(of name: RelativePath, in folder: borrowing FileDescriptor) throws(SystemError) -> FileStatus? {
    var status = stat()
    let number = folder.number
    let result = unsafe name.withCString { unsafe fstatat(number, $0, &status, AT_SYMLINK_NOFOLLOW) }
    if result == 0 { return FileStatus(status) }
    guard errno == ENOENT || errno == ENOTDIR else { throw SystemError("fstatat") }
    return nil
}
