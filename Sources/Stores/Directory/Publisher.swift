internal import NIOCore
internal import S3
internal import Synchronization

/// A new object that is whole and tagged, before it has a name. In the hands of one thread after the other.
final class UnnamedObject: @unchecked Sendable {
    let store: DirectoryStore
    let key: ObjectKey
    let condition: PutOptions.Condition
    let file: FileDescriptor
    let sideFile: SideFile?
    /// Told once: whether an object was replaced, when the new one is durable under its name.
    let done: @Sendable (Result<Bool, StoreError>) -> Void

    init(
        store: DirectoryStore, key: ObjectKey, condition: PutOptions.Condition, file: consuming FileDescriptor,
        sideFile: SideFile?, done: @escaping @Sendable (Result<Bool, StoreError>) -> Void
    ) {
        self.store = store
        self.key = key
        self.condition = condition
        self.file = file
        self.sideFile = sideFile
        self.done = done
    }

    /// Makes it durable, or fails.
    func synchronize(_ sync: (Int32) throws(SystemError) -> Void = Stores.synchronize) -> Bool {
        do throws(SystemError) {
            try sync(file.number)
            return true
        } catch {
            fail(StoreError(error))
            return false
        }
    }

    /// Nobody will ever see it: what it alone names goes too.
    func fail(_ error: StoreError) {
        if let sideFile, (try? file.status())?.links == 0 { store.root.removeSideFile(sideFile) }
        done(.failure(error))
    }
}

/// What has its name and waits for the name to be durable.
struct NamedObject {
    let folder: OpenFolder
    /// An object had the name before.
    let replaced: Bool
    /// The replaced object's: to be removed when nothing on disk names it any more.
    let oldSideFile: SideFile?
}

/// A folder that several may hold.
final class OpenFolder: Sendable {
    let descriptor: FileDescriptor

    init(_ descriptor: consuming FileDescriptor) { self.descriptor = descriptor }
}

/// Makes new objects durable and gives them their names: first the objects, then the names, each durable before the next step, and all
/// that wait by then in one go. A group's syncfs costs little more than the fsync of one object, and most of what that costs is the
/// processor's (docs/PERFORMANCE.md).
///
/// A thread of the pool takes all that waits, publishes it as a group, and goes back to the pool; another job follows for as long as
/// something waits. No thread waits for another.
final class Publisher: Sendable {
    /// An object to come.
    struct Waiting: Sendable {
        /// Writes and tags it; nil where that failed, and was told.
        let prepare: @Sendable () -> UnnamedObject?
        /// Tells that it will not be done.
        let cancel: @Sendable () -> Void
    }

    private struct State {
        var waiting: [Waiting] = []
        /// Jobs of the pool that publish, or are about to.
        var publishing = 0
        /// No groups before that: others write so much to the same file system that to wait for all of it is dear.
        var groupsAgain = NIODeadline.uptimeNanoseconds(0)
        /// What an object alone took to be made durable, the last time.
        var alone = TimeAmount.zero
    }

    /// What makes things durable. The tests' own say when it was asked, and fail.
    struct Syncing: Sendable {
        /// All that was written to the file system; nil where that takes an fsync of each. Fails where something could not be written
        /// since the file was opened whose descriptor it takes.
        var all: (@Sendable (Int32) throws(SystemError) -> Void)?
        /// One file or folder, by its descriptor.
        var one: @Sendable (Int32) throws(SystemError) -> Void = synchronize
    }

    private let jobs: FileJobs
    private let syncing: Syncing
    private let state = Mutex(State())

    init(_ jobs: FileJobs, _ syncing: Syncing) {
        self.jobs = jobs
        self.syncing = syncing
    }

    /// - Parameter stage: a folder of the store's file system, seldom changed, open for as long as the value lives.
    convenience init(_ jobs: FileJobs, stage: borrowing FileDescriptor) {
        guard stage.syncsWithItsFileSystem() else {
            self.init(jobs, Syncing())
            return
        }
        let stage = stage.number
        self.init(
            jobs,
            Syncing { file throws(SystemError) in
                try synchronizeFileSystem(of: file)
                // Without a journal ext4 writes inodes after it flushed the disk's own cache: this flushes it again.
                try synchronize(stage)
            })
    }

    /// Publishes an object on the pool, with all that come meanwhile.
    func publish(_ object: Waiting) {
        let publishes = state.withLock { state in
            state.waiting.append(object)
            guard isEnoughForAnother(state) else { return false }
            state.publishing += 1
            return true
        }
        if publishes { publishOnThePool() }
    }

    /// One group a job: a thread that went on for as long as objects wait would not come back under a steady load, and whatever else waits for
    /// the pool, the watchdog's token too, would wait with it.
    private func publishOnThePool() {
        jobs.submit { [self] isActive in
            guard isActive else {
                while let group = next() { for object in group { object.cancel() } }
                return
            }
            guard let group = next() else { return }
            publish(group.compactMap { $0.prepare() })
            publishOnThePool()
        }
    }

    private func publishesGroups(_ state: State) -> Bool { syncing.all != nil && state.groupsAgain <= .now() }

    /// Is what waits enough for another thread? While one group is on its way to the disk a second one is prepared, if it is worth a sync.
    private func isEnoughForAnother(_ state: State) -> Bool {
        guard state.publishing > 0, publishesGroups(state) else { return !state.waiting.isEmpty }
        return state.publishing < StoreLimits.groupsAtOnce && state.waiting.count >= StoreLimits.secondGroupCountMin
    }

    private func next() -> [Waiting]? {
        state.withLock { state in
            state.publishing -= 1
            guard isEnoughForAnother(state) else { return nil }
            state.publishing += 1
            guard publishesGroups(state) else { return [state.waiting.removeFirst()] }
            defer { state.waiting = [] }
            return state.waiting
        }
    }

    private func publish(_ group: [UnnamedObject]) {
        var named: [(object: UnnamedObject, name: NamedObject)] = []
        var folders: [[UInt8]: OpenFolder] = [:]
        for object in makeDurable(group) {
            do throws(StoreError) {
                named.append((object, try object.store.name(object, in: &folders)))
            } catch { object.fail(error) }
        }
        let failures = makeDurable(named.map(\.name.folder))
        for (object, name) in named {
            if let error = failures[ObjectIdentifier(name.folder)] {
                object.fail(StoreError(error))
                continue
            }
            if let side = name.oldSideFile { object.store.root.removeSideFile(side) }
            object.done(.success(name.replaced))
        }
    }

    // MARK: - Objects

    /// That something could not be written the kernel tells each open file once. The group asks by its first object's, opened before any
    /// other's here was: of a descriptor that groups share, one might hear what befell another. Whatever it is told of, and of whomever, none of
    /// the group is taken for durable: what one sync could not write, a later one of a single file need not be told of (an inode, on ext4
    /// without a journal).
    /// - Parameter group: prepared one after the other, but for those that were made durable by themselves.
    /// - Returns: those that are on disk; the others were told.
    private func makeDurable(_ group: [UnnamedObject]) -> [UnnamedObject] {
        let started = NIODeadline.now()
        if let first = group.first, group.count > 1, let sync = syncing.all {
            do throws(SystemError) {
                try sync(first.file.number)
            } catch {
                for object in group { object.fail(StoreError(error)) }
                return []
            }
            judge(group.count, took: .now() - started)
            return group
        }
        let durable = group.filter { $0.synchronize(syncing.one) }
        if group.count == 1 { state.withLock { $0.alone = .now() - started } }
        return durable
    }

    /// A group that took longer than its objects would have taken one by one is the last one for a while.
    private func judge(_ count: Int, took time: TimeAmount) {
        guard time >= StoreLimits.slowGroup else { return }
        state.withLock { state in
            guard time.nanoseconds > Int64(count) * state.alone.nanoseconds else { return }
            state.groupsAgain = .now() + StoreLimits.groupsRest
        }
    }

    // MARK: - Names

    /// Makes the names in some folders durable, each folder once.
    /// - Returns: what went wrong with which of them.
    private func makeDurable(_ folders: [OpenFolder]) -> [ObjectIdentifier: SystemError] {
        var failures: [ObjectIdentifier: SystemError] = [:]
        var known: Set<ObjectIdentifier> = []
        for folder in folders where known.insert(ObjectIdentifier(folder)).inserted {
            do throws(SystemError) { try syncing.one(folder.descriptor.number) } catch {
                failures[ObjectIdentifier(folder)] = error
            }
        }
        return failures
    }
}
