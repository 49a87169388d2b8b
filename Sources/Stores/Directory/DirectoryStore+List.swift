package import DecisionLog
internal import Glibc
package import NIOCore
package import Residency
internal import S3

extension DirectoryStore {
    package func list(
        _ query: ListQuery, for operation: Operation, permit: consuming Permit, on loop: any EventLoop,
        _ done: @escaping (Result<ListPage, StoreError>) -> Void
    ) {
        let release: Release
        do throws(StoreError) {
            release = try redeem(permit, operation, target: query.prefix, identity: .none)
        } catch { return done(.failure(error)) }
        root.jobs.runLong(on: loop) { () throws(StoreError) -> ListPage in
            var listing = Listing(store: self, query: query, release: release)
            return try listing.page()
        } _: {
            done($0)
        }
    }
}

/// One walk over a store's folders in the byte order of keys, until a page is full.
private struct Listing {
    let store: DirectoryStore
    let query: ListQuery
    let release: Release
    private var result = ListPage()
    private var lastCommonPrefix: [UInt8]?
    /// Looked at so far.
    private var items = 0
    /// No key before this is shown: the later of the prefix and the marker.
    private let bound: [UInt8]
    private static let slash = UInt8(ascii: "/")

    init(store: DirectoryStore, query: ListQuery, release: Release) {
        self.store = store
        self.query = query
        self.release = release
        let after = query.after ?? []
        bound = query.prefix.lexicographicallyPrecedes(after) ? after : query.prefix
    }

    mutating func page() throws(StoreError) -> ListPage {
        if query.keysMax > 0 { _ = try walk(prefix: [], path: []) }
        return result
    }

    /// Visits every key that begins with `prefix` (empty, or ending with a slash). False when the page is full.
    private mutating func walk(prefix: [UInt8], path: [UInt8]) throws(StoreError) -> Bool {
        guard let folder = try sortedFolder(path) else { return true }
        var ahead = Ahead()
        for index in firstIndex(in: folder, prefix: prefix)..<folder.count {
            try goesOn()
            let item = folder[index]
            let key = prefix + item.order
            if isBehindPrefix(key) { return true }
            let whole = path.isEmpty ? item.path : path + [Self.slash] + item.path
            switch item.kind {
            case .object:
                guard key.starts(with: query.prefix), isAfter(key) else { continue }
                if index >= ahead.end { ahead = lookAhead(in: folder, from: index, prefix: prefix, path: path) }
                guard try object(key, path: whole, seen: ahead.found[index]) else { return false }
            case .subtree:
                guard key.starts(with: query.prefix) || query.prefix.starts(with: key) else { continue }
                // All of it comes before the marker.
                if let after = query.after, !after.starts(with: key), key.lexicographicallyPrecedes(after) { continue }
                guard try subtree(key, path: whole) else { return false }
            }
        }
        return true
    }

    /// Where in a folder to begin: at the bound, and before it at the items whose keys the bound goes on from.
    private func firstIndex(in folder: SortedFolder, prefix: [UInt8]) -> Int {
        guard bound.starts(with: prefix) else { return 0 }
        let rest = bound[prefix.count...]
        var index = folder.firstIndex(notBefore: rest)
        while index > 0, rest.starts(with: folder[index - 1].order) { index -= 1 }
        return index
    }

    /// Every key from this one on lies behind those that begin with the prefix.
    private func isBehindPrefix(_ key: [UInt8]) -> Bool {
        !key.starts(with: query.prefix) && query.prefix.lexicographicallyPrecedes(key)
    }

    private mutating func subtree(_ key: [UInt8], path: [UInt8]) throws(StoreError) -> Bool {
        guard let common = commonPrefix(of: key) else { return try walk(prefix: key, path: path) }
        // Every key in here is shown as this one prefix: it is enough to know of one that may be shown.
        guard common != lastCommonPrefix, common != query.after else { return true }
        guard try hasAdmitted(prefix: key, path: path) else { return true }
        return emit(commonPrefix: common)
    }

    /// Objects of a folder that were looked at before their turn, by index, and the index up to which this was tried.
    private struct Ahead {
        var end = 0
        var found: [Int: Glances.Found] = [:]
    }

    /// Looks at as many of the following objects as the page may take, several at a time; not beyond a folder that is walked before them,
    /// which may fill the page.
    private func lookAhead(in folder: SortedFolder, from start: Int, prefix: [UInt8], path: [UInt8]) -> Ahead {
        let room = query.keysMax - result.entries.count - result.commonPrefixes.count + 1
        var end = min(start + max(room, 1), folder.count)
        var indices: [Int] = []
        var items: [Glances.Item] = []
        for index in start..<end {
            let item = folder[index]
            let key = prefix + item.order
            if isBehindPrefix(key) { break }
            if item.kind == .subtree {
                guard commonPrefix(of: key) == nil else { continue }
                end = index
                break
            }
            guard key.starts(with: query.prefix), isAfter(key), commonPrefix(of: key) == nil else { continue }
            indices.append(index)
            items.append((key, path.isEmpty ? item.path : path + [Self.slash] + item.path))
        }
        guard items.count >= Glances.itemsMin else { return Ahead(end: end) }
        return Ahead(
            end: end, found: Dictionary(uniqueKeysWithValues: zip(indices, Glances.of(items, in: store))))
    }

    /// - Parameter seen: what the object is, where it was looked at before.
    private mutating func object(
        _ key: [UInt8], path: [UInt8], seen: Glances.Found?
    ) throws(StoreError) -> Bool {
        let common = commonPrefix(of: key)
        if let common, common == lastCommonPrefix || common == query.after { return true }
        guard let glance = try look(at: key, path: path, seen: seen) else { return true }
        guard admits(glance) else {
            result.excluded += 1
            return true
        }
        if let common { return emit(commonPrefix: common) }
        guard hasRoom() else { return false }
        result.entries.append(
            ListEntry(
                key: glance.key, size: glance.size, lastModifiedSeconds: glance.lastModifiedSeconds,
                etag: release.withholdsEntityTag ? nil : glance.etag))
        result.next = key
        return true
    }

    /// What an object is; nil where there is none. What may not be opened is left out, as what has no tag is: a file system's own
    /// `lost+found` hides nothing that lies beside it.
    private mutating func look(
        at key: [UInt8], path: [UInt8], seen: Glances.Found?
    ) throws(StoreError) -> Glance? {
        do throws(SystemError) {
            if let seen { return try seen.get() }
            return try store.glance(at: key, path: path)
        } catch {
            guard error.isDenied else { throw StoreError(error) }
            result.excluded += 1
            return nil
        }
    }

    private mutating func emit(commonPrefix: [UInt8]) -> Bool {
        guard hasRoom() else { return false }
        lastCommonPrefix = commonPrefix
        result.commonPrefixes.append(commonPrefix)
        result.next = commonPrefix
        return true
    }

    /// Room for one more; what finds none tells that the page is not all.
    private mutating func hasRoom() -> Bool {
        guard result.entries.count + result.commonPrefixes.count >= query.keysMax else { return true }
        result.isTruncated = true
        return false
    }

    /// Is there an entry below that the decision admits? Any one will do.
    private mutating func hasAdmitted(prefix: [UInt8], path: [UInt8]) throws(StoreError) -> Bool {
        guard let folder = try sortedFolder(path) else { return false }
        for index in firstIndex(in: folder, prefix: prefix)..<folder.count {
            try goesOn()
            let item = folder[index]
            let key = prefix + item.order
            if isBehindPrefix(key) { return false }
            let whole = path + [Self.slash] + item.path
            switch item.kind {
            case .object:
                guard key.starts(with: query.prefix), isAfter(key) else { continue }
                guard let glance = try look(at: key, path: whole, seen: nil) else { continue }
                if admits(glance) { return true }
                result.excluded += 1
            case .subtree:
                if let after = query.after, !after.starts(with: key), key.lexicographicallyPrecedes(after) { continue }
                if try hasAdmitted(prefix: key, path: whole) { return true }
            }
        }
        return false
    }

    private func isAfter(_ key: [UInt8]) -> Bool {
        guard let after = query.after else { return true }
        return after.lexicographicallyPrecedes(key)
    }

    /// The key up to the delimiter's first place after the prefix, where it has one.
    private func commonPrefix(of key: [UInt8]) -> [UInt8]? {
        guard let delimiter = query.delimiter, key.count >= query.prefix.count + delimiter.count else { return nil }
        var at = query.prefix.count
        while at + delimiter.count <= key.count {
            if key[at..<at + delimiter.count].elementsEqual(delimiter) { return Array(key[..<(at + delimiter.count)]) }
            at += 1
        }
        return nil
    }

    private func admits(_ glance: Glance) -> Bool {
        release.admission?.admits(mailbox: store.mailboxRule.mailbox(of: glance.key), object: glance.state) ?? false
    }

    private func sortedFolder(_ path: [UInt8]) throws(StoreError) -> SortedFolder? {
        do throws(SystemError) {
            return try store.root.sortedFolders.folder(path, try store.root.openFolder(path))
        } catch {
            switch error.code {
            case ENOENT, ENOTDIR, ELOOP, EXDEV: return nil
            // Counted as the object that the folder may have.
            case _ where error.isDenied: return nil
            default: throw StoreError(error)
            }
        }
    }

    /// How many items may be looked at without a word.
    private static let quietItemsMax = 64

    /// What a decision does not admit fills no page: a walk may pass a whole store before one is full, and would be taken for stuck.
    private mutating func goesOn() throws(StoreError) {
        items += 1
        guard items % Self.quietItemsMax == 0 else { return }
        try LongWork.goesOn()
    }
}
