internal import Synchronization

/// The folders that are on disk with all their parents, as far as is known since the start: a new name in any other needs the
/// fsync of its parents first. Making and removing folders goes through here, so that the knowledge is never wrong.
final class DurableFolders: Sendable {
    private struct State {
        var known: Set<[UInt8]> = []
        /// Counts removals: who began before one knows nothing any more.
        var removals: UInt64 = 0
    }

    private let state = Mutex(State())

    func isDurable(_ path: [UInt8]) -> Bool { path.isEmpty || state.withLock { $0.known.contains(path) } }

    /// Makes sure that a folder is there. Gives a token for `remember` when its parent needs an fsync, nil when not.
    func make(
        _ name: RelativePath, path: [UInt8], in folder: borrowing FileDescriptor
    ) throws(SystemError) -> UInt64? {
        return try state.withLock { (state) throws(SystemError) in
            if try makeFolder(name, in: folder) { state.known.remove(path) }
            return state.known.contains(path) ? nil : state.removals
        }
    }

    /// Records that a folder's parent was synchronized since `make` gave this token.
    func remember(_ path: [UInt8], since token: UInt64) {
        state.withLock { state in
            guard state.removals == token else { return }
            if state.known.count >= StoreLimits.durableFoldersMax { state.known.removeAll() }
            state.known.insert(path)
        }
    }

    /// Knows nothing any more of a folder and its parents: one of them was found missing.
    func forget(_ path: [UInt8]) {
        state.withLock { state in
            var path = path
            while !path.isEmpty {
                state.known.remove(path)
                path = EscapedPath.split(path).folder
            }
        }
    }

    /// Removes a folder if it is empty.
    func removeIfEmpty(
        _ name: RelativePath, path: [UInt8], in folder: borrowing FileDescriptor
    ) throws(SystemError) -> Bool {
        return try state.withLock { (state) throws(SystemError) in
            guard try removeFolder(name, in: folder) else { return false }
            state.known.remove(path)
            state.removals += 1
            return true
        }
    }
}
