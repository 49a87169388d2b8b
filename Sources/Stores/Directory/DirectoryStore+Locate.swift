internal import Glibc
internal import NIOCore
internal import OpenSSL
internal import S3

/// A regular file that was opened, and what fstat said of it.
struct OpenedFile: ~Copyable {
    let descriptor: FileDescriptor
    let status: FileStatus

    consuming func intoDescriptor() -> FileDescriptor { descriptor }
}

extension DirectoryRoot {
    /// Opens the file of an escaped path below `folder`, or the object of the folder that has this path. nil when there is
    /// neither, or what is there is no regular file. Throws EAGAIN when `opening` is `.readingCached` and the kernel would wait.
    static func openFile(
        _ path: [UInt8], below folder: borrowing FileDescriptor, _ opening: Opening
    ) throws(SystemError) -> OpenedFile? {
        guard let opened = try openAny(path, below: folder, opening) else { return nil }
        switch opened.status.kind {
        case .file: return opened
        case .other: return nil
        case .folder:
            let inner = path + [UInt8(ascii: "/")] + EscapedPath.folderObject
            guard let object = try openAny(inner, below: folder, opening), object.status.kind == .file else {
                return nil
            }
            return object
        }
    }

    private static func openAny(
        _ path: [UInt8], below folder: borrowing FileDescriptor, _ opening: Opening
    ) throws(SystemError) -> OpenedFile? {
        do throws(SystemError) {
            let descriptor = try open(RelativePath(path), below: folder, opening)
            let status = try descriptor.status()
            return OpenedFile(descriptor: descriptor, status: status)
        } catch {
            switch error.code {
            // Symbolic links, mount points, sockets and names that cannot be are no objects.
            case ENOENT, ENOTDIR, ELOOP, EXDEV, ENXIO, ENAMETOOLONG: return nil
            default: throw error
            }
        }
    }
}

extension DirectoryStore {
    /// Looks a key up as far as the kernel has it in memory; nil when it would have to wait.
    @inline(__always)
    func locateCached(_ key: ObjectKey, in round: LookupRound) throws(StoreError) -> Located? {
        if let located = resting.object(key, in: round) { return located }
        let (path, now) = (EscapedPath.file(key), FileTime.now())
        do throws(SystemError) {
            try StoreDescriptors.requireRoom()
            guard let opened = try DirectoryRoot.openFile(path, below: root.folder, .readingCached)
            else { return Located(absent: key) }
            if let tag = judged.tag(of: opened.status, binding: key.utf8) {
                let status = opened.status
                let located = Located(key, ObjectFile(opened.intoDescriptor(), status, tag), root.jobs)
                resting.keep(located, path: path, below: root.folder, now: now)
                return located
            }
            let file = judged.keep(try read(opened, binding: key.utf8), binding: key.utf8, now: now)
            return file.needsSideFile ? nil : Located(key, file, root.jobs)
        } catch {
            if error.code == EAGAIN { return nil }
            throw StoreError(error)
        }
    }

    /// Looks a key up, waiting as long as it takes.
    func locate(_ key: ObjectKey) throws(StoreError) -> Located {
        do throws(SystemError) {
            guard let file = try findFile(key) else { return Located(absent: key) }
            return Located(key, file, root.jobs)
        } catch { throw StoreError(error) }
    }

    /// The file of a key with its tag judged and its side file read; nil when there is none.
    func findFile(_ key: ObjectKey) throws(SystemError) -> ObjectFile? {
        let path = EscapedPath.file(key)
        var before: FileIdentity?
        for _ in 0..<StoreLimits.locateAttemptsMax {
            guard let opened = try DirectoryRoot.openFile(path, below: root.folder, .reading) else { return nil }
            let file = try read(opened, binding: key.utf8)
            guard file.needsSideFile, let complete = try withSideFile(file) else { return file }
            switch complete.tagState {
            case .sealed, .missing: return complete
            case .invalid:
                // Replacing an object removes its side file after its name: only when the name still has this very file is the
                // side file lost.
                if before == file.status.identity { return complete }
                before = file.status.identity
            }
        }
        throw SystemError("openat2", EAGAIN)
    }

    /// Reads and judges an opened file's tag.
    func read(_ opened: consuming OpenedFile, binding: [UInt8]) throws(SystemError) -> ObjectFile {
        let attribute = try ExtendedAttribute.value(of: opened.descriptor, bytesMax: StoreLimits.attributeBytesMax)
        let status = opened.status
        return ObjectFile(
            opened.intoDescriptor(), status,
            JudgedTag(attribute: attribute, state: judge(attribute, size: status.size, binding: binding)))
    }

    func judge(_ attribute: [UInt8]?, size: Int64, binding: [UInt8]) -> ObjectFile.TagState {
        guard let attribute else { return .missing }
        do throws(TagProblem) {
            return .sealed(
                try SealedObject.judge(attribute, size: size, binding: binding, keyring: keyring))
        } catch { return .invalid(error) }
    }

    /// The same object with what its side file holds, `.invalid` when that is missing or not what was sealed; nil when it has
    /// none.
    private func withSideFile(_ file: ObjectFile) throws(SystemError) -> ObjectFile? {
        guard var sealed = file.sealed, let side = sealed.rest.sideFile else { return nil }
        let state: ObjectFile.TagState
        if let bytes = try readSideFile(side), SHA256Digest(hashing: bytes) == side.digest,
            sealed.rest.takeSideFile(bytes.span)
        {
            state = .sealed(sealed)
        } else {
            state = .invalid(.sideFile)
        }
        return file.with(state)
    }

    func readSideFile(_ side: SideFile) throws(SystemError) -> [UInt8]? {
        guard let opened = try DirectoryRoot.openFile(Array(side.fileName.utf8), below: root.sides, .reading),
            opened.status.size <= StoreLimits.sideFileBytesMax
        else { return nil }
        var buffer = ByteBuffer()
        _ = try opened.descriptor.read(at: 0, count: Int(opened.status.size), into: &buffer)
        return Array(buffer.readableBytesView)
    }
}
