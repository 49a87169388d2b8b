internal import Synchronization

/// One folder's names, as components of keys, in the byte order of those keys.
final class SortedFolder: Sendable {
    struct Item: Sendable {
        enum Kind: Sendable {
            /// The key that ends with this component, when an object lies under it.
            case object
            /// All keys that go on with a slash after this component.
            case subtree
        }

        let component: [UInt8]
        /// The name or names (of a split component), relative to the folder.
        let path: [UInt8]
        let kind: Kind

        /// What the item's keys begin with, after the folder's own prefix.
        var order: [UInt8] {
            switch kind {
            case .object: component
            case .subtree: component + [UInt8(ascii: "/")]
            }
        }
    }

    let items: [Item]
    let bytes: Int

    init(items: [Item]) {
        let keyed = items.map { ($0.order, $0) }.sorted { $0.0.lexicographicallyPrecedes($1.0) }
        self.items = keyed.map(\.1)
        bytes = items.reduce(64) { $0 + 2 * $1.component.count + 96 }
    }

    /// Reads a folder. Names that no key has are left out; what a name is that the folder does not say is asked for.
    static func read(_ folder: borrowing FileDescriptor) throws(SystemError) -> SortedFolder {
        var items: [Item] = []
        try read(folder, piece: [], path: [], into: &items)
        return SortedFolder(items: items)
    }

    private static func read(
        _ folder: borrowing FileDescriptor, piece: [UInt8], path: [UInt8], into items: inout [Item]
    ) throws(SystemError) {
        var pieces: [([UInt8], [UInt8])] = []
        var names: [([UInt8], [UInt8], FolderEntries.Kind)] = []
        var entries = FolderEntries()
        try entries.read(folder) { (name, kind) throws(SystemError) in
            let raw = array(name)
            let whole = path.isEmpty ? raw : path + [UInt8(ascii: "/")] + raw
            switch EscapedPath.read(name) {
            case .component(let bytes):
                let component = piece + bytes
                if raw != EscapedPath.internalFolder || !path.isEmpty, EscapedPath.isCanonical(whole, of: component) {
                    names.append((component, whole, kind))
                }
            case .piece(let bytes): pieces.append((piece + bytes, raw))
            case .folderObject, .foreign: break
            }
            return true
        }
        for (component, whole, kind) in names {
            let name = RelativePath(EscapedPath.split(whole).name)
            var isFolder = kind == .folder
            var isFile = kind == .file
            if kind == .unknown {
                let status = try status(of: name, in: folder)
                isFolder = status?.kind == .folder
                isFile = status?.kind == .file
            }
            if isFile || isFolder { items.append(Item(component: component, path: whole, kind: .object)) }
            if isFolder { items.append(Item(component: component, path: whole, kind: .subtree)) }
        }
        for (bytes, raw) in pieces {
            let inner: FileDescriptor
            do throws(SystemError) { inner = try open(RelativePath(raw), below: folder, .folder) } catch { continue }
            try read(inner, piece: bytes, path: path.isEmpty ? raw : path + [UInt8(ascii: "/")] + raw, into: &items)
        }
    }
}

/// Sorted folders, kept as long as their folder has not changed, and only when it had rested before it was read: a change within one
/// tick of the kernel's clock leaves the same stamp (git calls such a file racy).
final class SortedFolderCache: Sendable {
    private struct Kept {
        let identity: FileIdentity
        let modified: FileTime
        let changed: FileTime
        let folder: SortedFolder
    }

    private struct State {
        var kept: [[UInt8]: Kept] = [:]
        var bytes = 0
    }

    private let bytesMax: Int
    private let state = Mutex(State())

    init(bytesMax: Int) { self.bytesMax = bytesMax }

    /// The folder at `path`, from memory when it is as it was.
    func folder(_ path: [UInt8], _ descriptor: borrowing FileDescriptor) throws(SystemError) -> SortedFolder {
        let status = try descriptor.status()
        let kept = state.withLock { $0.kept[path] }
        if let kept, kept.identity == status.identity, kept.modified == status.modified, kept.changed == status.changed
        {
            return kept.folder
        }
        let now = FileTime.now()
        let folder = try SortedFolder.read(descriptor)
        let rested = now.nanoseconds(since: max(status.modified, status.changed)) >= StoreLimits.restNanosecondsMin
        // A split component's names lie in folders of their own, whose changes this folder's stamp does not show.
        let isFlat = folder.items.allSatisfy { !$0.path.contains(UInt8(ascii: "/")) }
        if rested, isFlat, folder.bytes <= bytesMax / 2 {
            state.withLock { state in
                if state.bytes + folder.bytes > bytesMax { state = State() }
                state.bytes += folder.bytes - (state.kept[path]?.folder.bytes ?? 0)
                state.kept[path] = Kept(
                    identity: status.identity, modified: status.modified, changed: status.changed, folder: folder)
            }
        }
        return folder
    }
}
