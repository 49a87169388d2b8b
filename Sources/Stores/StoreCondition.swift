/// How a store is, for `/ready` and metrics.
package struct StoreCondition: Hashable, Sendable {
    /// Why nothing can be read from it; nil when it is well.
    package var problem: String?
    /// Of the disk that it lies on; nil where it lies on none of ours.
    package var space: DiskSpace?

    package init(problem: String? = nil, space: DiskSpace? = nil) {
        self.problem = problem
        self.space = space
    }
}

extension Store {
    /// A driver that cannot tell is taken to be well.
    package func condition() -> StoreCondition { StoreCondition() }
}

extension DirectoryStore {
    package func condition() -> StoreCondition { root.condition(path) }
}

extension DirectoryRoot {
    /// The folder must still be the one that was locked: a file system that was unmounted or mounted over it is another one.
    func condition(_ path: String) -> StoreCondition {
        let space = DiskSpace(path: path)
        do throws(SystemError) {
            let there = try openRoot(path)
            guard try there.status().identity == folder.status().identity else {
                return StoreCondition(
                    problem:
                        "\(path) is not the folder that was opened: it was replaced, or something is mounted there",
                    space: space)
            }
            var entries = FolderEntries(bufferBytes: 4096)
            try entries.read(there) { (_, _) throws(SystemError) in false }
        } catch {
            return StoreCondition(problem: "\(DirectoryStoreError(error, path: path))", space: space)
        }
        let isReadOnly = space?.isReadOnly ?? false
        return StoreCondition(problem: isReadOnly ? "\(path) is read-only" : nil, space: space)
    }
}
