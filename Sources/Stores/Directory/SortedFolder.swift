internal import OpenSSL
internal import Synchronization

/// One folder's names, as components of keys, in the byte order of those keys. All names lie in one buffer: a folder of 100,000 costs
/// some megabytes and no allocation for each.
struct SortedFolder: Sendable {
    struct Item: Sendable {
        enum Kind: Sendable {
            /// The key that ends with this component, when an object lies under it.
            case object
            /// All keys that go on with a slash after this component.
            case subtree
        }

        /// The name or names (of a split component), relative to the folder.
        let path: [UInt8]
        let kind: Kind
        /// What the item's keys begin with, after the folder's own prefix: the component, and a slash for a subtree.
        let order: [UInt8]
    }

    private struct Entry: Sendable {
        /// The first eight bytes of the order, big-endian, padded with zeros: no key holds one.
        let head: UInt64
        let component: Range<UInt32>
        let path: Range<UInt32>
        let kind: Item.Kind

        var orderCount: Int { component.count + (kind == .subtree ? 1 : 0) }
    }

    private var names: [UInt8] = []
    private var entries: [Entry] = []
    /// A split component's names lie in folders of their own.
    private(set) var hasSplitNames = false

    var count: Int { entries.count }
    var byteCount: Int { names.capacity + entries.capacity * MemoryLayout<Entry>.stride + 64 }

    subscript(index: Int) -> Item {
        let entry = entries[index]
        return Item(path: bytes(entry.path), kind: entry.kind, order: order(entry))
    }

    /// The first item whose order is not before `bound`.
    func firstIndex(notBefore bound: ArraySlice<UInt8>) -> Int {
        let head = Self.head(bound)
        var (low, high) = (0, entries.count)
        while low < high {
            let middle = (low + high) / 2
            let entry = entries[middle]
            let isBefore =
                entry.head != head ? entry.head < head : order(entry).lexicographicallyPrecedes(bound)
            if isBefore { low = middle + 1 } else { high = middle }
        }
        return low
    }

    private func bytes(_ range: Range<UInt32>) -> [UInt8] {
        Array(names[Int(range.lowerBound)..<Int(range.upperBound)])
    }

    private func order(_ entry: Entry) -> [UInt8] {
        var order = bytes(entry.component)
        if entry.kind == .subtree { order.append(UInt8(ascii: "/")) }
        return order
    }

    // MARK: - Reading

    /// Reads a folder. Names that no key has are left out; what a name is that the folder does not say is asked for.
    static func read(_ folder: borrowing FileDescriptor) throws(SystemError) -> SortedFolder {
        var sorted = SortedFolder()
        try sorted.read(folder, piece: [], path: [])
        sorted.sort()
        return sorted
    }

    private mutating func read(_ folder: borrowing FileDescriptor, piece: [UInt8], path: [UInt8]) throws(SystemError) {
        var pieces: [([UInt8], [UInt8])] = []
        var unknown: [(component: [UInt8], path: [UInt8])] = []
        var folderEntries = FolderEntries()
        try folderEntries.read(folder) { (name, kind) throws(SystemError) in
            if piece.isEmpty, path.isEmpty, kind != .unknown, Self.isPlain(name) {
                let range = append(name)
                append(component: range, path: range, kind)
                return true
            }
            let raw = [UInt8](copying: name)
            let whole = path.isEmpty ? raw : path + [UInt8(ascii: "/")] + raw
            switch EscapedPath.read(name) {
            case .component(let bytes):
                let component = piece + bytes
                guard raw != EscapedPath.internalFolder || !path.isEmpty,
                    EscapedPath.isCanonical(whole, of: component)
                else { return true }
                if kind == .unknown {
                    unknown.append((component, whole))
                } else {
                    append(component: append(component.span), path: append(whole.span), kind)
                }
            case .piece(let bytes): pieces.append((piece + bytes, raw))
            case .folderObject, .foreign: break
            }
            return true
        }
        for (component, whole) in unknown {
            let status = try status(of: RelativePath(EscapedPath.split(whole).name), in: folder)
            let kind: FolderEntries.Kind =
                switch status?.kind {
                case .folder: .folder
                case .file: .file
                case .other, nil: .other
                }
            append(component: append(component.span), path: append(whole.span), kind)
        }
        if !path.isEmpty { hasSplitNames = true }
        for (bytes, raw) in pieces {
            hasSplitNames = true
            let inner: FileDescriptor
            do throws(SystemError) { inner = try open(RelativePath(raw), below: folder, .folder) } catch { continue }
            try read(inner, piece: bytes, path: path.isEmpty ? raw : path + [UInt8(ascii: "/")] + raw)
        }
    }

    /// Is a name its own component, with nothing escaped?
    private static func isPlain(_ name: borrowing Span<UInt8>) -> Bool {
        guard name.count <= StoreLimits.nameBytesMax, name[0] != UInt8(ascii: ".") else { return false }
        for index in name.indices where name[index] >= 0x80 || name[index] == UInt8(ascii: "%") { return false }
        return true
    }

    private mutating func append(_ bytes: borrowing Span<UInt8>) -> Range<UInt32> {
        let start = UInt32(names.count)
        for index in bytes.indices { names.append(bytes[index]) }
        return start..<UInt32(names.count)
    }

    private mutating func append(component: Range<UInt32>, path: Range<UInt32>, _ kind: FolderEntries.Kind) {
        switch kind {
        case .file: append(component, path, .object)
        case .folder:
            append(component, path, .object)
            append(component, path, .subtree)
        case .other, .unknown: break
        }
    }

    private mutating func append(_ component: Range<UInt32>, _ path: Range<UInt32>, _ kind: Item.Kind) {
        var head: UInt64 = 0
        for position in 0..<8 {
            let at = Int(component.lowerBound) + position
            let byte: UInt8
            if at < Int(component.upperBound) {
                byte = names[at]
            } else {
                byte = at == Int(component.upperBound) && kind == .subtree ? UInt8(ascii: "/") : 0
            }
            head = head << 8 | UInt64(byte)
        }
        entries.append(Entry(head: head, component: component, path: path, kind: kind))
    }

    private static func head(_ bytes: ArraySlice<UInt8>) -> UInt64 {
        var head: UInt64 = 0
        for position in 0..<8 {
            head = head << 8 | UInt64(position < bytes.count ? bytes[bytes.startIndex + position] : 0)
        }
        return head
    }

    private mutating func sort() {
        let names = names
        entries.sort { left, right in
            if left.head != right.head { return left.head < right.head }
            let count = min(left.orderCount, right.orderCount)
            var at = 8
            while at < count {
                let (one, other) = (Self.byte(at, of: left, names), Self.byte(at, of: right, names))
                if one != other { return one < other }
                at += 1
            }
            return left.orderCount < right.orderCount
        }
    }

    private static func byte(_ at: Int, of entry: Entry, _ names: [UInt8]) -> UInt8 {
        at < entry.component.count ? names[Int(entry.component.lowerBound) + at] : UInt8(ascii: "/")
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

    /// Folders in memory now.
    var keptCount: Int { state.withLock { $0.kept.count } }

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
        if rested, !folder.hasSplitNames, folder.byteCount <= bytesMax / 2 {
            state.withLock { state in
                if state.bytes + folder.byteCount > bytesMax { state = State() }
                state.bytes += folder.byteCount - (state.kept[path]?.folder.byteCount ?? 0)
                state.kept[path] = Kept(
                    identity: status.identity, modified: status.modified, changed: status.changed, folder: folder)
            }
        }
        return folder
    }
}
