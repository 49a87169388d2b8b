import Glibc

@testable import DecisionLog

/// Random numbers from a seed (SplitMix64, Steele, Lea and Flood).
struct Seeded: RandomNumberGenerator {
    private var state: UInt64

    init(_ seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &self) < percent }
}

/// A file system as a value: what programs see, and what the disk is certain to hold.
struct SimulatedFiles {
    /// What was done to a file and is not yet certain to be on the disk.
    enum FileOp {
        case write(offset: Int, bytes: [UInt8])
        case resize(Int)
    }

    struct File {
        var seen: [UInt8] = []
        var kept: [UInt8] = []
        var ops: [FileOp] = []
    }

    /// What was done to names, each whole: a name and what it then names.
    typealias NameOp = [(name: String, inode: Int?)]

    struct Folder {
        var seen: [String: Int] = [:]
        var kept: [String: Int] = [:]
        var ops: [NameOp] = []
    }

    enum Node {
        case file(File)
        case folder(Folder)
    }

    static let root = 1
    var nodes: [Int: Node] = [root: .folder(Folder())]
    private var lastInode = root

    // MARK: - Names

    func find(_ path: String) -> Int? {
        var inode = Self.root
        for part in path.split(separator: "/") {
            guard case .folder(let folder) = nodes[inode], let next = folder.seen[String(part)] else { return nil }
            inode = next
        }
        return inode
    }

    static func split(_ path: String) -> (parent: String, name: String) {
        guard let slash = path.lastIndex(of: "/") else { return ("", path) }
        return (String(path[..<slash]), String(path[path.index(after: slash)...]))
    }

    mutating func make(_ node: Node) -> Int {
        lastInode += 1
        nodes[lastInode] = node
        return lastInode
    }

    mutating func apply(_ op: NameOp, in folder: Int) {
        update(folder: folder) {
            for (name, inode) in op { $0.seen[name] = inode }
            $0.ops.append(op)
        }
    }

    // MARK: - Contents

    mutating func update(file inode: Int, _ change: (inout File) -> Void) {
        guard case .file(var file) = nodes.removeValue(forKey: inode) else { preconditionFailure("no file") }
        change(&file)
        nodes[inode] = .file(file)
    }

    mutating func update(folder inode: Int, _ change: (inout Folder) -> Void) {
        guard case .folder(var folder) = nodes.removeValue(forKey: inode) else { preconditionFailure("no folder") }
        change(&folder)
        nodes[inode] = .folder(folder)
    }

    static func write(_ bytes: ArraySlice<UInt8>, at offset: Int, to content: inout [UInt8]) {
        if content.count < offset + bytes.count {
            content += [UInt8](repeating: 0, count: offset + bytes.count - content.count)
        }
        content.replaceSubrange(offset..<offset + bytes.count, with: bytes)
    }

    static func resize(_ count: Int, _ content: inout [UInt8]) {
        if content.count > count { content.removeLast(content.count - count) }
        if content.count < count { content += [UInt8](repeating: 0, count: count - content.count) }
    }

    /// All that was done is on the disk.
    mutating func sync(_ inode: Int) {
        switch nodes[inode] {
        case .file:
            update(file: inode) {
                for op in $0.ops {
                    switch op {
                    case .write(let offset, let bytes): Self.write(bytes[...], at: offset, to: &$0.kept)
                    case .resize(let count): Self.resize(count, &$0.kept)
                    }
                }
                $0.ops = []
            }
        case .folder:
            update(folder: inode) {
                $0.kept = $0.seen
                $0.ops = []
            }
        case nil: break
        }
    }

    // MARK: - Crashes

    /// The power goes: of what is not certain, some is on the disk and some is not, whatever the order; writes tear at sectors.
    mutating func losePower(_ random: inout Seeded, sectorBytes: Int) {
        // Now and then a well-behaved disk: everything made it, nothing did, or everything up to a moment.
        let keeps: Int = [0, 100, 50, 50, 80, 20].randomElement(using: &random)!
        for inode in nodes.keys.sorted() {
            switch nodes[inode]! {
            case .file:
                update(file: inode) { file in
                    Self.settle(file.ops, into: &file.kept, keeps, &random, sectorBytes)
                    file.ops = []
                    file.seen = file.kept
                }
            case .folder:
                update(folder: inode) { folder in
                    for op in folder.ops where random.chance(keeps) {
                        for (name, inode) in op { folder.kept[name] = inode }
                    }
                    folder.ops = []
                    folder.seen = folder.kept
                }
            }
        }
    }

    /// Some of the writes reach the disk, sector by sector.
    static func settle(
        _ ops: [FileOp], into content: inout [UInt8], _ keeps: Int, _ random: inout Seeded, _ sectorBytes: Int
    ) {
        for op in ops {
            switch op {
            case .resize(let count): if random.chance(keeps) { resize(count, &content) }
            case .write(let offset, let bytes):
                var at = 0
                while at < bytes.count {
                    let end = min(bytes.count, (offset + at) / sectorBytes * sectorBytes + sectorBytes - offset)
                    if random.chance(keeps) { write(bytes[at..<end], at: offset + at, to: &content) }
                    at = end
                }
            }
        }
    }

    // MARK: - Looking

    func read(_ path: String) -> [UInt8]? {
        guard let inode = find(path), case .file(let file) = nodes[inode] else { return nil }
        return file.seen
    }

    func names(_ path: String) -> [String] {
        guard let inode = find(path), case .folder(let folder) = nodes[inode] else { return [] }
        return folder.seen.keys.sorted()
    }

    /// Damage: changes a file on the disk itself.
    mutating func damage(_ path: String, _ change: (inout [UInt8]) -> Void) {
        update(file: find(path)!) {
            change(&$0.seen)
            $0.kept = $0.seen
            $0.ops = []
        }
    }

    /// Damage: a name is gone, or names another file.
    mutating func lose(_ path: String) {
        let (parent, name) = Self.split(path)
        update(folder: find(parent)!) {
            $0.seen[name] = nil
            $0.kept[name] = nil
        }
    }
}

/// The log's disk in the tests: keeps what `O_DSYNC` and `fsync` promise and nothing else, and does with the rest as the seed says.
/// Used by one thread.
final class SimulatedDisk: LogDisk, @unchecked Sendable {
    enum Call: String, CaseIterable {
        case open, create, pread, pwrite, fsync, syncfs, allocate, rename, unlink, mkdir, rmdir, names, status, lock

        /// Does it leave the disk as it was?
        var onlyLooks: Bool {
            switch self {
            case .open, .pread, .names, .status, .lock: true
            case .create, .pwrite, .fsync, .syncfs, .allocate, .rename, .unlink, .mkdir, .rmdir: false
            }
        }
    }

    enum Fault {
        /// The call fails and does nothing; a failed write or sync does some of it.
        case error(Int32)
        /// A write takes less than it was given.
        case short
    }

    var files: SimulatedFiles
    let sectorBytes: Int
    let hasDirectIO: Bool
    private var random: Seeded
    private var descriptors: [Int32: (inode: Int, way: OpenWay)] = [:]
    private var locks: Set<Int> = []
    private var nextDescriptor: Int32 = 3
    /// Calls made so far.
    private(set) var calls = 0
    /// Asked before each call, with its number; what it says goes wrong.
    var fault: ((Int, Call) -> Fault?)?
    /// Told before each call that changes something. A durable write is given with it: it can tear.
    var beforeChange: ((Call, TornWrite?) -> Void)?
    /// Bytes that files may hold; nil for no end.
    var capacityBytes: Int?

    struct TornWrite {
        let inode: Int
        let offset: Int
        let bytes: [UInt8]
    }

    init(_ files: SimulatedFiles, seed: UInt64, sectorBytes: Int = 512, hasDirectIO: Bool = true) {
        self.files = files
        self.sectorBytes = sectorBytes
        self.hasDirectIO = hasDirectIO
        random = Seeded(seed)
    }

    private func begin(_ call: Call, _ write: TornWrite? = nil) throws(Errno) -> Fault? {
        calls += 1
        if !call.onlyLooks { beforeChange?(call, write) }
        guard let fault = fault?(calls, call) else { return nil }
        if case .error(let code) = fault, call != .fsync, call != .syncfs, call != .pwrite { throw Errno(code: code) }
        return fault
    }

    // MARK: - LogDisk

    func open(_ path: String, _ way: OpenWay) throws(Errno) -> Int32 {
        let found = files.find(path)
        switch way {
        case .read, .folder, .durable:
            _ = try begin(.open)
            guard let found else { throw Errno(code: ENOENT) }
            if case .durable(isDirect: true) = way, !hasDirectIO { throw Errno(code: EINVAL) }
            return add(found, way)
        case .create, .createNew, .keep:
            _ = try begin(.create)
            if let found {
                if case .createNew = way { throw Errno(code: EEXIST) }
                if case .create = way {
                    files.update(file: found) {
                        $0.seen = []
                        $0.ops.append(.resize(0))
                    }
                }
                return add(found, way)
            }
            let (parent, name) = SimulatedFiles.split(path)
            guard let folder = files.find(parent) else { throw Errno(code: ENOENT) }
            let inode = files.make(.file(.init()))
            files.apply([(name, inode)], in: folder)
            return add(inode, way)
        }
    }

    private func add(_ inode: Int, _ way: OpenWay) -> Int32 {
        nextDescriptor += 1
        descriptors[nextDescriptor] = (inode, way)
        return nextDescriptor
    }

    func close(_ descriptor: Int32) {
        if let open = descriptors.removeValue(forKey: descriptor), case .keep = open.way { locks.remove(open.inode) }
    }

    func pread(_ descriptor: Int32, into bytes: inout [UInt8], from start: Int, at offset: Int) throws(Errno) -> Int {
        if case .short = try begin(.pread) {}
        guard case .file(let file) = files.nodes[inode(descriptor)] else { throw Errno(code: EISDIR) }
        let count = max(0, min(bytes.count - start, file.seen.count - offset))
        bytes.replaceSubrange(start..<start + count, with: file.seen[offset..<offset + count])
        return count
    }

    func pwrite(_ descriptor: Int32, _ bytes: Span<UInt8>, at offset: Int) throws(Errno) -> Int {
        let all = bytes.withUnsafeBufferPointer { Array($0) }
        let inode = inode(descriptor)
        let way = descriptors[descriptor]!.way
        guard case .durable(let isDirect) = way else {
            let fault = try begin(.pwrite)
            let part = fault == nil ? all : Array(all.prefix(Int.random(in: 0..<max(1, all.count), using: &random)))
            try spend(inode, offset + part.count)
            files.update(file: inode) {
                SimulatedFiles.write(part[...], at: offset, to: &$0.seen)
                $0.ops.append(.write(offset: offset, bytes: part))
            }
            if case .error(let code) = fault { throw Errno(code: code) }
            return part.count
        }
        if isDirect, offset % 512 != 0 || all.count % 512 != 0 { throw Errno(code: EINVAL) }
        let fault = try begin(.pwrite, TornWrite(inode: inode, offset: offset, bytes: all))
        switch fault {
        case nil:
            try spend(inode, offset + all.count)
            writeDurably(inode, all, offset)
            return all.count
        case .short:
            let part = Array(all.prefix(Int.random(in: 1...max(1, all.count / 512), using: &random) * 512))
            writeDurably(inode, part, offset)
            return part.count
        case .error(let code):
            // Some of it is on the disk. Without O_DIRECT the page cache shows it as written, and forgets that it is not.
            let sectors = sectorBytes
            let keeps = Int.random(in: 0...100, using: &random)
            files.update(file: inode) {
                SimulatedFiles.settle([.write(offset: offset, bytes: all)], into: &$0.kept, keeps, &random, sectors)
                if isDirect { $0.seen = $0.kept } else { SimulatedFiles.write(all[...], at: offset, to: &$0.seen) }
            }
            throw Errno(code: code)
        }
    }

    private func writeDurably(_ inode: Int, _ bytes: [UInt8], _ offset: Int) {
        files.update(file: inode) {
            SimulatedFiles.write(bytes[...], at: offset, to: &$0.seen)
            SimulatedFiles.write(bytes[...], at: offset, to: &$0.kept)
        }
    }

    func fsync(_ descriptor: Int32) throws(Errno) {
        let fault = try begin(.fsync)
        let inode = inode(descriptor)
        guard case .error(let code) = fault else { return files.sync(inode) }
        settle(inode)
        throw Errno(code: code)
    }

    /// After an error the kernel marks the pages clean: some reached the disk, and no later sync brings the others there.
    private func settle(_ inode: Int) {
        guard case .file = files.nodes[inode] else { return }
        let sectors = sectorBytes
        let keeps = Int.random(in: 0...100, using: &random)
        files.update(file: inode) {
            SimulatedFiles.settle($0.ops, into: &$0.kept, keeps, &random, sectors)
            $0.ops = []
        }
    }

    /// Is its syncfs(2) one that makes everything durable?
    var isSyncedAtOnce = true
    func syncsWithItsFileSystem(_ descriptor: Int32) -> Bool { isSyncedAtOnce }

    func syncFileSystem(_ descriptor: Int32) throws(Errno) {
        let fault = try begin(.syncfs)
        for inode in files.nodes.keys.sorted() {
            if case .error = fault { settle(inode) } else if isSyncedAtOnce { files.sync(inode) }
        }
        if case .error(let code) = fault { throw Errno(code: code) }
    }

    func startReading(_ descriptor: Int32) {}

    /// Promises nothing: what is not synced reaches the disk or does not, with or without it.
    func startWriting(_ descriptor: Int32) {}

    func dropCache(_ descriptor: Int32) {
        let inode = inode(descriptor)
        files.update(file: inode) { if $0.ops.isEmpty { $0.seen = $0.kept } }
    }

    func allocate(_ descriptor: Int32, byteCount: Int) throws(Errno) {
        _ = try begin(.allocate)
        try spend(inode(descriptor), byteCount)
        files.update(file: inode(descriptor)) {
            SimulatedFiles.resize(byteCount, &$0.seen)
            $0.ops.append(.resize(byteCount))
        }
    }

    func rename(_ from: String, _ to: String) throws(Errno) {
        _ = try begin(.rename)
        let (parent, name) = SimulatedFiles.split(from)
        let (target, newName) = SimulatedFiles.split(to)
        precondition(parent == target, "a rename to another folder")
        guard let inode = files.find(from), let folder = files.find(parent) else { throw Errno(code: ENOENT) }
        files.apply([(name, nil), (newName, inode)], in: folder)
    }

    func unlink(_ path: String) throws(Errno) {
        _ = try begin(.unlink)
        let (parent, name) = SimulatedFiles.split(path)
        guard files.find(path) != nil, let folder = files.find(parent) else { throw Errno(code: ENOENT) }
        files.apply([(name, nil)], in: folder)
    }

    func mkdir(_ path: String, mode: UInt32) throws(Errno) {
        _ = try begin(.mkdir)
        let (parent, name) = SimulatedFiles.split(path)
        guard let folder = files.find(parent) else { throw Errno(code: ENOENT) }
        guard files.find(path) == nil else { throw Errno(code: EEXIST) }
        files.apply([(name, files.make(.folder(.init())))], in: folder)
    }

    func rmdir(_ path: String) throws(Errno) {
        _ = try begin(.rmdir)
        let (parent, name) = SimulatedFiles.split(path)
        guard let inode = files.find(path), case .folder(let folder) = files.nodes[inode] else {
            throw Errno(code: ENOENT)
        }
        guard folder.seen.isEmpty else { throw Errno(code: ENOTEMPTY) }
        files.apply([(name, nil)], in: files.find(parent)!)
    }

    func names(_ folder: String) throws(Errno) -> [String] {
        _ = try begin(.names)
        guard files.find(folder) != nil else { throw Errno(code: ENOENT) }
        return files.names(folder)
    }

    func status(_ path: String) throws(Errno) -> FileStatus {
        _ = try begin(.status)
        guard let inode = files.find(path) else { throw Errno(code: ENOENT) }
        return status(of: inode)
    }

    func status(_ descriptor: Int32) throws(Errno) -> FileStatus {
        _ = try begin(.status)
        return status(of: inode(descriptor))
    }

    func lock(_ descriptor: Int32) throws(Errno) -> Bool {
        _ = try begin(.lock)
        return locks.insert(inode(descriptor)).inserted
    }

    // MARK: - Inside

    private func inode(_ descriptor: Int32) -> Int {
        guard let open = descriptors[descriptor] else { preconditionFailure("a descriptor that is not open") }
        return open.inode
    }

    private func status(of inode: Int) -> FileStatus {
        var count = 0
        if case .file(let file) = files.nodes[inode] { count = file.seen.count }
        return FileStatus(identity: FileIdentity(device: 1, inode: UInt64(inode)), byteCount: count)
    }

    /// Is there room for a file to grow to this size?
    private func spend(_ inode: Int, _ byteCount: Int) throws(Errno) {
        guard let capacityBytes else { return }
        if byteCount - status(of: inode).byteCount > capacityBytes - usedBytes { throw Errno(code: ENOSPC) }
    }

    /// Bytes of all files that have a name.
    var usedBytes: Int { used(SimulatedFiles.root) }

    private func used(_ inode: Int) -> Int {
        switch files.nodes[inode] {
        case .file(let file): file.seen.count
        case .folder(let folder): folder.seen.values.reduce(0) { $0 + used($1) }
        case nil: 0
        }
    }
}
