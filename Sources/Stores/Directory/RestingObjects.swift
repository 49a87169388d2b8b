internal import NIOCore
internal import S3
internal import Synchronization

/// A folder on the way from a store's root to an object, open, with what fstat said of it and the folders above it. Whoever gives, takes
/// or changes a name in a folder, and whoever moves the folder, changes its `ctime`: while none of them has another, a path through them
/// leads where it led.
final class RestingFolder: Sendable {
    let descriptor: FileDescriptor
    private let changed: FileTime
    private let above: RestingFolder?
    /// The last round that asked.
    private let asked = Atomic<UInt64>(0)

    private init(_ descriptor: consuming FileDescriptor, changed: FileTime, above: RestingFolder?) {
        self.descriptor = descriptor
        self.changed = changed
        self.above = above
    }

    /// Opens the folders of an escaped path, from the root to the last of them.
    /// - Parameter now: not after the call. A change within a tick of the kernel's clock leaves the same time.
    /// - Returns: nil when one of them has not rested by then.
    static func open(
        _ path: [UInt8], below root: borrowing FileDescriptor, now: FileTime
    ) throws(SystemError) -> RestingFolder? {
        guard var last = try open(RelativePath("."), below: root, under: nil, now: now) else { return nil }
        for name in path.split(separator: UInt8(ascii: "/")) {
            guard let next = try open(RelativePath(Array(name)), below: last.descriptor, under: last, now: now) else {
                return nil
            }
            last = next
        }
        return last
    }

    private static func open(
        _ name: RelativePath, below folder: borrowing FileDescriptor, under above: RestingFolder?, now: FileTime
    ) throws(SystemError) -> RestingFolder? {
        guard StoreDescriptors.haveRoomToRest else { return nil }
        // On an event loop: no further than the kernel has the names in memory.
        let descriptor = try Stores.open(name, below: folder, .readingCached)
        let status = try descriptor.status()
        guard status.kind == .folder, now.nanoseconds(since: status.changed) >= StoreLimits.restNanosecondsMin else {
            return nil
        }
        return RestingFolder(descriptor, changed: status.changed, above: above)
    }

    /// Asks each of them, from the last to the root, once in a round.
    func isUnchanged(in round: LookupRound) -> Bool {
        var next: RestingFolder? = self
        while let folder = next {
            if folder.asked.load(ordering: .relaxed) == round.number { return true }
            guard let status = try? folder.descriptor.status(), status.changed == folder.changed else { return false }
            next = folder.above
        }
        asked.store(round.number, ordering: .relaxed)
        return true
    }
}

/// Look-ups that are made together, after all that asks for them had come: what fstat says to one of them it says to all. Nobody can tell
/// that from having asked again, for each of the requests was under way when it was asked.
package struct LookupRound: Sendable {
    /// No two of the process have one number.
    let number: UInt64
    private static let last = Atomic<UInt64>(0)

    /// Begins now: for requests that came before.
    package init() { number = Self.last.wrappingAdd(1, ordering: .relaxed).newValue }
}

/// Objects that are read again and again, kept open while they and the folders on the way to them stay as they were. A look-up asks fstat
/// of each of them, and opens nothing: what it finds is what a walk down the path would have found at that moment, for any change of a
/// name, a file or an attribute, by us or by somebody else, changes a `ctime` that is asked for.
///
/// An object is kept when it is looked up the second time, and for a second or two: then it is looked for by its path again, for what a
/// `ctime` does not tell (a file system mounted over a folder), and what somebody else removed gives its blocks back. A cache belongs to
/// one store under one snapshot of the settings, as `JudgedTags` does.
final class RestingObjects: Sendable {
    private final class Kept: Sendable {
        let located: Located
        private let folder: RestingFolder
        /// How many sweeps there had been.
        let sweeps: UInt64
        /// The last round that asked.
        private let asked = Atomic<UInt64>(0)

        init(_ located: Located, in folder: RestingFolder, sweeps: UInt64) {
            self.located = located
            self.folder = folder
            self.sweeps = sweeps
        }

        func isUnchanged(in round: LookupRound) -> Bool {
            if asked.load(ordering: .relaxed) == round.number { return true }
            guard folder.isUnchanged(in: round), let file = located.file, let status = try? file.descriptor.status()
            else {
                return false
            }
            guard status == file.status else { return false }
            asked.store(round.number, ordering: .relaxed)
            return true
        }
    }

    private struct Slots {
        var objects: [Kept?]
        /// The last folder of the latest ways, by its escaped path: objects of one folder share it.
        var folders: [[UInt8]: RestingFolder] = [:]
        var count = 0
        var sweeps: UInt64 = 0
    }

    /// An object has one slot, which the next one takes from it.
    private let slots: Mutex<Slots>
    private let mask: Int
    private let isSweeping = Atomic(false)

    /// - Parameter count: a power of two.
    init(count: Int) {
        precondition(count & (count - 1) == 0, "the slots are a power of two")
        slots = Mutex(Slots(objects: Array(repeating: nil, count: count)))
        mask = count - 1
    }

    /// How many objects a store may keep open where a process may have so many descriptors.
    static func count(descriptorsMax: UInt64) -> Int {
        var count = StoreLimits.restingObjectsMax
        while count > 1, UInt64(count) > descriptorsMax / StoreLimits.descriptorsForEachRestingObject { count /= 2 }
        return count
    }

    /// The object of a key, where it and the way to it are as they were; nil where it has to be looked for.
    @inline(__always)
    func object(_ key: ObjectKey, in round: LookupRound) -> Located? {
        let slot = slot(of: key)
        guard let kept = slots.withLock({ $0.objects[slot] }), kept.located.key == key else { return nil }
        guard kept.isUnchanged(in: round) else {
            forget(key)
            return nil
        }
        return kept.located
    }

    /// Keeps what was looked up, where all of it has rested. What cannot be kept is not, whyever.
    /// - Parameters:
    ///   - located: an object whose tag was known again: its file had rested before it was judged.
    ///   - path: the escaped path that it was opened by.
    ///   - now: not after the call.
    func keep(_ located: Located, path: [UInt8], below root: borrowing FileDescriptor, now: FileTime) {
        let (folderPath, name) = EscapedPath.split(path)
        guard StoreDescriptors.haveRoomToRest,
            folderPath.count(where: { $0 == UInt8(ascii: "/") }) < StoreLimits.restingFoldersMax,
            let folder = folder(folderPath, below: root, now: now),
            // Asked after the folders were: from here on what gives the name to another changes a time.
            let found = try? status(of: RelativePath(name), in: folder.descriptor), found == located.file?.status
        else { return }
        let slot = slot(of: located.key)
        let before = slots.withLock { slots in
            let before = slots.objects[slot]
            if before == nil { slots.count += 1 }
            slots.objects[slot] = Kept(located, in: folder, sweeps: slots.sweeps)
            return before
        }
        // What is dropped closes a file: not with the lock held.
        withExtendedLifetime(before) {}
    }

    /// Lets an object go that was removed or replaced, with the blocks that it holds.
    func forget(_ key: ObjectKey) {
        let slot = slot(of: key)
        let dropped = slots.withLock { slots -> Kept? in
            guard let kept = slots.objects[slot], kept.located.key == key else { return nil }
            slots.objects[slot] = nil
            slots.count -= 1
            return kept
        }
        withExtendedLifetime(dropped) {}
    }

    private func folder(_ path: [UInt8], below root: borrowing FileDescriptor, now: FileTime) -> RestingFolder? {
        if let known = slots.withLock({ $0.folders[path] }), known.isUnchanged(in: LookupRound()) { return known }
        guard let folder = try? RestingFolder.open(path, below: root, now: now) else { return nil }
        slots.withLock { slots in
            if slots.folders.count >= StoreLimits.restingWaysMax { slots.folders = [:] }
            slots.folders[path] = folder
        }
        return folder
    }

    private func slot(of key: ObjectKey) -> Int { Int(truncatingIfNeeded: key.slotHash) & mask }

    // MARK: - Letting go

    /// Sweeps once a second, for as long as something is kept.
    func sweepLater(on loop: any EventLoop) {
        guard !isSweeping.load(ordering: .relaxed), count > 0, !isSweeping.exchange(true, ordering: .relaxed) else {
            return
        }
        loop.scheduleTask(in: .seconds(StoreLimits.restingSweepSeconds)) { [self] in
            sweep()
            isSweeping.store(false, ordering: .relaxed)
            sweepLater(on: loop)
        }
    }

    /// Lets go what was kept before the last sweep.
    func sweep() {
        let dropped = slots.withLock { slots in
            var dropped: [Kept] = []
            for (slot, kept) in slots.objects.enumerated() {
                guard let kept, kept.sweeps < slots.sweeps else { continue }
                dropped.append(kept)
                slots.objects[slot] = nil
            }
            slots.count -= dropped.count
            slots.sweeps += 1
            let folders = slots.folders
            slots.folders = [:]
            return (dropped, folders)
        }
        withExtendedLifetime(dropped) {}
    }

    /// Objects that are kept open.
    var count: Int { slots.withLock { $0.count } }
}
