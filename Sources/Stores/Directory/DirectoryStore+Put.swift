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
        let draft = draft
        store.root.jobs.run(on: loop) { () throws(StoreError) in
            try draft.append(piece)
        } _: {
            done($0)
        }
    }

    /// Publishes the object: it is durable, and visible, when `done` is called with success.
    package func finish(_ completion: PutCompletion, _ done: @escaping (Result<PutOutcome, StoreError>) -> Void) {
        let piece = buffered
        buffered = ByteBuffer()
        let draft = draft
        store.root.jobs.run(on: loop) { () throws(StoreError) -> PutOutcome in
            if piece.readableBytes > 0 { try draft.append(piece) }
            return try draft.publish(completion)
        } _: {
            done($0)
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

    func publish(_ completion: PutCompletion) throws(StoreError) -> PutOutcome {
        if let failure { throw failure }
        if let declared = options.size, declared != size { throw .sizeMismatch }
        let content = digests.finish()
        if let md5 = completion.md5, md5 != content.md5 { throw .md5Mismatch }
        if let sha256 = completion.sha256, sha256 != content.sha256.bytes { throw .sha256Mismatch }
        let etag = completion.etag ?? hexadecimal(content.md5)
        let residency = options.residency ?? ResidencyFacts(place: store.place, receivedSeconds: options.time.seconds)
        let rest = StoredRest(
            etag: etag, checksums: completion.checksums, metadata: options.metadata, partSizes: completion.partSizes)
        let sealed = try SealedObject.seal(
            rest, residency: residency, taggedSeconds: options.time.seconds, size: size, contentDigest: content.sha256,
            binding: key.utf8, keyring: store.keyring)
        do throws(SystemError) {
            try openIfNeeded()
            if let (side, bytes) = sealed.sideFile { try store.root.writeSideFile(side, bytes) }
        } catch { throw StoreError(error) }
        guard let file = file.take() else { throw .outOfTurn }
        let status: FileStatus
        do throws(SystemError) {
            try ExtendedAttribute.set(sealed.attribute, of: file, .creating)
            try file.synchronize()
            status = try file.status()
        } catch {
            if let (side, _) = sealed.sideFile { store.root.removeSideFile(side) }
            throw StoreError(error)
        }
        let replaced = try store.publish(file, under: key, options.condition, sideFile: sealed.sideFile?.0)
        return PutOutcome(
            etag: etag, size: size, residency: residency, lastModifiedSeconds: status.modified.seconds,
            replaced: replaced)
    }

    private func openIfNeeded() throws(SystemError) {
        if file == nil { file = try open(RelativePath("."), below: store.root.stage, .unnamedFile) }
    }
}

func hexadecimal(_ bytes: [UInt8]) -> String {
    let digits = Array("0123456789abcdef".utf8)
    return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
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
    /// Gives a whole, tagged, durable file its name. True when an object was there before.
    func publish(
        _ file: consuming FileDescriptor, under key: ObjectKey, _ condition: PutOptions.Condition, sideFile: SideFile?
    ) throws(StoreError) -> Bool {
        let file = file
        do throws(StoreError) {
            return try publish(file, under: key, condition)
        } catch {
            // Nobody will ever see the object: what it alone names goes too.
            if let sideFile, (try? file.status())?.links == 0 { root.removeSideFile(sideFile) }
            throw error
        }
    }

    private func publish(
        _ file: borrowing FileDescriptor, under key: ObjectKey, _ condition: PutOptions.Condition
    ) throws(StoreError) -> Bool {
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
            let result = try root.locks.withLock(path) { () throws(StoreError) -> Bool? in
                do throws(SystemError) {
                    return .some(try give(file, name: name, in: folderPath, key: key, condition))
                } catch {
                    switch error.code {
                    case ENOENT, ENOTDIR, EISDIR: return nil
                    case EEXIST where error.call == "exists": throw .exists
                    case ECANCELED where error.call == "etag": throw .preconditionFailed
                    case ENODATA where error.call == "etag": throw .absent
                    default: throw StoreError(error)
                    }
                }
            }
            if let result {
                if result { resting.forget(key) }
                return result
            }
            // A folder on the way is gone: by a DELETE, or by somebody's hand, of which nothing was remembered.
            root.durable.forget(folderPath)
        }
        throw .contended
    }

    private func give(
        _ file: borrowing FileDescriptor, name: [UInt8], in folderPath: [UInt8], key: ObjectKey,
        _ condition: PutOptions.Condition
    ) throws(SystemError) -> Bool {
        var folder = try root.openFolder(folderPath)
        var name = RelativePath(name)
        if try status(of: name, in: folder)?.kind == .folder {
            folder = try Stores.open(name, below: folder, .folder)
            name = RelativePath(EscapedPath.folderObject)
        }
        if case .mustMatch(let tags) = condition {
            guard let before = try findFile(key) else { throw SystemError("etag", ENODATA) }
            guard tags.isEmpty || tags.contains(before.sealed?.rest.etag ?? "") else {
                throw SystemError("etag", ECANCELED)
            }
        } else {
            do throws(SystemError) {
                try link(file, as: name, in: folder)
                try folder.synchronize()
                return false
            } catch {
                guard error.code == EEXIST else { throw error }
                // A folder that was made meanwhile is no object: ours goes into it at the next attempt.
                if try status(of: name, in: folder)?.kind == .folder { throw SystemError("linkat", EISDIR) }
                if case .mustBeAbsent = condition { throw SystemError("exists", EEXIST) }
            }
        }
        let old = try findFile(key)
        let staged = root.stageName()
        try link(file, as: staged, in: root.stage)
        do throws(SystemError) {
            try rename(staged, in: root.stage, to: name, in: folder)
        } catch {
            try? removeFile(staged, in: root.stage)
            throw error
        }
        try folder.synchronize()
        if let side = old?.sealed?.rest.sideFile { root.removeSideFile(side) }
        return old != nil
    }
}
