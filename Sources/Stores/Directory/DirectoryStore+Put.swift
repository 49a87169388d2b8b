package import DecisionLog
internal import Glibc
package import NIOCore
internal import OpenSSL
package import Residency
package import S3

extension DirectoryStore {
    package func put(
        _ key: ObjectKey, replacing located: Located?, _ options: PutOptions, for operation: Operation,
        permit: consuming Permit, on loop: any EventLoop
    ) throws(StoreError) -> ObjectWriter {
        _ = try redeem(permit, operation, target: key.utf8, identity: located?.identity ?? .none)
        return ObjectWriter(store: self, key: key, options: options, loop: loop)
    }
}

/// A new object on its way to disk: a file without a name until it is whole, tagged and durable. Confined to one event loop; one call
/// at a time.
package final class ObjectWriter {
    private let store: DirectoryStore
    private let loop: any EventLoop
    private let draft: Draft
    private var buffered = ByteBuffer()
    /// What went to the pool before the end.
    private var writtenBytes = 0

    init(store: DirectoryStore, key: ObjectKey, options: PutOptions, loop: any EventLoop) {
        self.store = store
        self.loop = loop
        draft = Draft(store: store, key: key, options: options)
    }

    /// Takes a piece of the content. `done` may be called before this returns: pieces are gathered in memory first.
    package func write(_ bytes: ByteBuffer, _ done: @escaping (Result<Void, StoreError>) -> Void) {
        var bytes = bytes
        if buffered.readableBytes == 0 { buffered = bytes } else { buffered.writeBuffer(&bytes) }
        guard buffered.readableBytes >= StoreLimits.writeBufferBytes else { return done(.success(())) }
        let piece = buffered
        buffered = ByteBuffer()
        writtenBytes += piece.readableBytes
        let draft = draft
        store.root.jobs.run(on: loop) { () throws(StoreError) in
            try draft.append(piece)
        } _: {
            done($0)
        }
    }

    /// Publishes the object: it is durable, and visible, when `done` is called with success.
    /// - Parameter time: when its tag is sealed.
    package func finish(
        _ completion: PutCompletion, at time: Timestamp, _ done: @escaping (Result<PutOutcome, StoreError>) -> Void
    ) {
        let piece = buffered
        buffered = ByteBuffer()
        let (draft, root) = (draft, store.root)
        let reply = root.jobs.reply(on: loop, done)
        let prepare = { @Sendable () -> UnnamedObject? in
            do throws(StoreError) { return try draft.finish(piece, completion, at: time, reply) } catch {
                reply(.failure(error))
                return nil
            }
        }
        guard writtenBytes + piece.readableBytes > StoreLimits.groupedBytesMax else {
            return root.publisher.publish(.init(prepare: prepare) { reply(.failure(.closing)) })
        }
        // Those beside whom it gets its name need not wait until so much is hashed and written.
        root.jobs.submit { isActive in
            guard isActive else { return reply(.failure(.closing)) }
            guard let object = prepare(), object.synchronize() else { return }
            root.publisher.publish(.init(prepare: { object }) { object.fail(.closing) })
        }
    }
}

/// The unnamed file. Used by one thread of the pool after the other.
private final class Draft: @unchecked Sendable {
    private let store: DirectoryStore
    private let key: ObjectKey
    private let options: PutOptions
    private var file: FileDescriptor?
    private var digests = ContentDigests()
    private var size: Int64 = 0
    private var startedBytes: Int64 = 0
    /// Why a piece was not stored: an object without it must never be published.
    private var failure: StoreError?

    init(store: DirectoryStore, key: ObjectKey, options: PutOptions) {
        self.store = store
        self.key = key
        self.options = options
    }

    func append(_ piece: ByteBuffer) throws(StoreError) {
        if let failure { throw failure }
        do throws(SystemError) {
            try openIfNeeded()
            try file?.write(piece, at: size)
            digests.update(piece)
            size += Int64(piece.readableBytes)
            if size - startedBytes >= StoreLimits.writeBehindBytes {
                file?.startWriting(at: startedBytes, count: size - startedBytes)
                startedBytes = size
            }
        } catch {
            failure = StoreError(error)
            throw StoreError(error)
        }
    }

    /// Writes the last piece, checks what was declared of the content, and tags it.
    /// - Parameter reply: told by whoever publishes what is returned.
    func finish(
        _ piece: ByteBuffer, _ completion: PutCompletion, at time: Timestamp, _ reply: @escaping Reply<PutOutcome>
    ) throws(StoreError) -> UnnamedObject {
        if piece.readableBytes > 0 { try append(piece) }
        if let failure { throw failure }
        if let declared = options.size, declared != size { throw .sizeMismatch }
        let content = digests.finish()
        if let md5 = completion.md5, md5 != content.md5 { throw .md5Mismatch }
        if let sha256 = completion.sha256, sha256 != content.sha256.bytes { throw .sha256Mismatch }
        let etag = completion.etag ?? Hex.encode(content.md5)
        let residency = options.residency ?? ResidencyFacts(place: store.place, receivedSeconds: time.seconds)
        let rest = StoredRest(
            etag: etag, checksums: completion.checksums, metadata: options.metadata, partSizes: completion.partSizes)
        let sealed = try SealedObject.seal(
            rest, residency: residency, taggedSeconds: time.seconds, size: size, contentDigest: content.sha256,
            binding: key.utf8, keyring: store.keyring)
        do throws(SystemError) {
            try openIfNeeded()
            if let (side, bytes) = sealed.sideFile { try store.root.writeSideFile(side, bytes) }
        } catch { throw StoreError(error) }
        guard let file = file.take() else { throw .outOfTurn }
        do throws(SystemError) {
            try ExtendedAttribute.set(sealed.attribute, of: file, .creating)
        } catch {
            if let (side, _) = sealed.sideFile { store.root.removeSideFile(side) }
            throw StoreError(error)
        }
        let size = size
        return UnnamedObject(
            store: store, key: key, condition: options.condition, file: file, sideFile: sealed.sideFile?.0
        ) { result in
            reply(result.map { PutOutcome(etag: etag, size: size, residency: residency, replaced: $0) })
        }
    }

    private func openIfNeeded() throws(SystemError) {
        guard file == nil else { return }
        try StoreDescriptors.requireRoom()
        file = try open(RelativePath("."), below: store.root.stage, .unnamedFile)
    }
}

extension DirectoryRoot {
    /// Makes a side file durable; an object that names it may be published after.
    func writeSideFile(_ side: SideFile, _ bytes: [UInt8]) throws(SystemError) {
        let file = try open(RelativePath(side.fileName), below: sides, .newFile)
        do throws(SystemError) {
            try file.write(ByteBuffer(bytes: bytes), at: 0)
            try file.synchronize()
            try sides.synchronize()
        } catch {
            removeSideFile(side)
            throw error
        }
    }

    func removeSideFile(_ side: SideFile) { try? removeFile(RelativePath(side.fileName), in: sides) }

    /// Makes every folder of a path, each durable before a name in it is. An object in the way becomes the folder's own object.
    func makeFolders(_ path: [UInt8]) throws(SystemError) {
        guard !path.isEmpty, !durable.isDurable(path) else { return }
        var parent: [UInt8] = []
        for name in path.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false) {
            let whole = parent.isEmpty ? Array(name) : parent + [UInt8(ascii: "/")] + name
            if !durable.isDurable(whole) {
                let folder = try openFolder(parent)
                if let token = try durable.make(RelativePath(Array(name)), path: whole, in: folder) {
                    switch try status(of: RelativePath(Array(name)), in: folder)?.kind {
                    case .folder: break
                    case .file: try turnIntoFolder(Array(name), path: whole, in: folder)
                    case .other: throw SystemError("mkdirat", ELOOP)
                    // It was deleted since mkdirat met it: nothing may be remembered of it.
                    case nil: throw SystemError("mkdirat", ENOENT)
                    }
                    try folder.synchronize()
                    durable.remember(whole, since: token)
                    // A key may have a thousand folders.
                    LongWork.wentOn()
                }
            }
            parent = whole
        }
    }

    /// The object `name` becomes `name/%=`: a folder that holds it takes its place in one step, so that it is never missing.
    private func turnIntoFolder(_ name: [UInt8], path: [UInt8], in folder: borrowing FileDescriptor) throws(SystemError)
    {
        let parent = copy(folder)
        try locks.withLock(path) { () throws(SystemError) in
            guard try Stores.status(of: RelativePath(name), in: parent)?.kind == .file else {
                throw SystemError("renameat2", ENOENT)
            }
            let staged = stageName()
            _ = try makeFolder(staged, in: stage)
            do throws(SystemError) {
                let inner = try open(staged, below: stage, .folder)
                try link(RelativePath(name), in: parent, as: RelativePath(EscapedPath.folderObject), in: inner)
                try inner.synchronize()
                try rename(RelativePath(name), in: parent, to: staged, in: stage, .exchanging)
                try parent.synchronize()
            } catch {
                try? Self.discard(staged, in: stage)
                throw error
            }
            try Self.discard(staged, in: stage)
        }
    }

    /// A borrowed descriptor cannot go into a closure: a second one of the same folder can.
    private func copy(_ folder: borrowing FileDescriptor) -> FileDescriptor {
        FileDescriptor(owning: dup(folder.number))
    }
}

extension DirectoryStore {
    /// Gives a whole, tagged, durable file its name.
    /// - Parameter folders: those that its group has open, by their escaped paths.
    func name(_ object: UnnamedObject, in folders: inout [[UInt8]: OpenFolder]) throws(StoreError) -> NamedObject {
        let key = object.key
        let path = EscapedPath.file(key)
        let (folderPath, name) = EscapedPath.split(path)
        for _ in 0..<StoreLimits.publishAttemptsMax {
            do throws(SystemError) {
                try root.makeFolders(folderPath)
            } catch {
                guard error.code == ENOENT || error.code == ENOTDIR else { throw StoreError(error) }
                root.durable.forget(folderPath)
                continue
            }
            let named = try root.locks.withLock(path) { () throws(StoreError) -> NamedObject? in
                do throws(SystemError) {
                    let known = folders[folderPath]
                    let folder = if let known { known } else { OpenFolder(try root.openFolder(folderPath)) }
                    folders[folderPath] = folder
                    return try give(object.file, name: RelativePath(name), in: folder, key: key, object.condition)
                } catch {
                    switch error.code {
                    case ENOENT, ENOTDIR, EISDIR: return nil
                    case EEXIST where error.call == "exists": throw .exists
                    case ECANCELED where error.call == "etag": throw .preconditionFailed
                    case ESTALE where error.call == "etag": throw .notDecidedOn
                    case ENODATA where error.call == "etag": throw .absent
                    default: throw StoreError(error)
                    }
                }
            }
            if let named {
                if named.replaced { resting.forget(key) }
                return named
            }
            // A folder on the way is gone: by a DELETE, or by somebody's hand, of which nothing was remembered.
            folders[folderPath] = nil
            root.durable.forget(folderPath)
        }
        throw .contended
    }

    private func give(
        _ file: borrowing FileDescriptor, name: RelativePath, in folder: OpenFolder, key: ObjectKey,
        _ condition: PutOptions.Condition
    ) throws(SystemError) -> NamedObject {
        var (folder, name) = (folder, name)
        var onlyReplaces = false
        if case .mustMatch(let tags, of: let subject) = condition {
            guard let before = try findFile(key) else { throw SystemError("etag", ENODATA) }
            guard holds(subject, for: before) else { throw SystemError("etag", ESTALE) }
            guard tags.isEmpty || before.sealed.map({ tags.contains($0.rest.etag) }) ?? false else {
                throw SystemError("etag", ECANCELED)
            }
            onlyReplaces = true
        }
        if !onlyReplaces, try isLinked(file, as: name, in: folder.descriptor) {
            return NamedObject(folder: folder, replaced: false, oldSideFile: nil)
        }
        switch try status(of: name, in: folder.descriptor)?.kind {
        case .folder:
            // The object of this name lies in the folder.
            folder = OpenFolder(try Stores.open(name, below: folder.descriptor, .folder))
            name = RelativePath(EscapedPath.folderObject)
            if !onlyReplaces, try isLinked(file, as: name, in: folder.descriptor) {
                return NamedObject(folder: folder, replaced: false, oldSideFile: nil)
            }
        case nil where !onlyReplaces: throw SystemError("linkat", ENOENT)
        default: break
        }
        if case .mustBeAbsent = condition { throw SystemError("exists", EEXIST) }
        let old = try findFile(key)
        let staged = root.stageName()
        try link(file, as: staged, in: root.stage)
        do throws(SystemError) {
            try rename(staged, in: root.stage, to: name, in: folder.descriptor)
        } catch {
            try? removeFile(staged, in: root.stage)
            throw error
        }
        return NamedObject(folder: folder, replaced: old != nil, oldSideFile: old?.sealed?.rest.sideFile)
    }

    /// May the outcome of a condition tell of this object? Where no tag is sound, it tells of none.
    private func holds(_ subject: PutOptions.Subject, for file: ObjectFile) -> Bool {
        switch subject {
        case .anyNative: return file.sealed.map { $0.tag.residency.place == place } ?? true
        case .only(.descriptor(_, let device, let inode)):
            return FileIdentity(device: device, inode: inode) == file.status.identity
        case .only: return false
        }
    }

    /// False when the name is taken.
    private func isLinked(
        _ file: borrowing FileDescriptor, as name: RelativePath, in folder: borrowing FileDescriptor
    ) throws(SystemError) -> Bool {
        do throws(SystemError) {
            try link(file, as: name, in: folder)
            return true
        } catch {
            guard error.code == EEXIST else { throw error }
            return false
        }
    }
}
