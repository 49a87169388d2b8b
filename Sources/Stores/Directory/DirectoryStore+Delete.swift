package import DecisionLog
internal import Glibc
package import NIOCore
package import Residency
package import S3

extension DirectoryStore {
    package func delete(
        _ key: ObjectKey, located: Located?, for operation: Operation, permit: consuming Permit, on loop: any EventLoop,
        _ done: @escaping (Result<Bool, StoreError>) -> Void
    ) {
        do throws(StoreError) {
            _ = try redeem(permit, operation, target: key.utf8, identity: located?.identity ?? .none)
        } catch { return done(.failure(error)) }
        // Nothing was there to decide on: what came since stays.
        if let located, located.file == nil { return done(.success(false)) }
        let wanted = located?.file?.status.identity
        root.jobs.run(on: loop) { () throws(StoreError) in
            try remove(key, only: wanted)
        } _: {
            done($0)
        }
    }

    /// Removes the file of a key, durably, and the folders that this left empty.
    private func remove(_ key: ObjectKey, only wanted: FileIdentity?) throws(StoreError) -> Bool {
        let path = EscapedPath.file(key)
        let (folderPath, fileName) = EscapedPath.split(path)
        do throws(SystemError) {
            let removed = try root.locks.withLock(path) { () throws(SystemError) -> Bool in
                guard let old = try findFile(key) else { return false }
                if let wanted, wanted != old.status.identity { return false }
                var folder = try root.openFolder(folderPath)
                var name = RelativePath(fileName)
                if try status(of: name, in: folder)?.kind == .folder {
                    folder = try Stores.open(name, below: folder, .folder)
                    name = RelativePath(EscapedPath.folderObject)
                }
                try removeFile(name, in: folder)
                try folder.synchronize()
                if let side = old.sealed?.rest.sideFile { root.removeSideFile(side) }
                return true
            }
            if removed {
                resting.forget(key)
                // The key's own name may be a folder that is empty now.
                prune(path)
            }
            return removed
        } catch {
            if error.code == ENOENT || error.code == ENOTDIR { return false }
            throw StoreError(error)
        }
    }

    /// Removes empty folders from `path` upwards. A PUT that loses its folder to this makes it again.
    private func prune(_ path: [UInt8]) {
        var path = path
        while !path.isEmpty {
            let (parent, name) = EscapedPath.split(path)
            guard let folder = try? root.openFolder(parent) else { return }
            let isFolder = (try? status(of: RelativePath(name), in: folder))??.kind == .folder
            if isFolder {
                guard (try? root.durable.removeIfEmpty(RelativePath(name), path: path, in: folder)) == true else {
                    return
                }
            }
            path = parent
        }
    }
}
