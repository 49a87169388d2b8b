package import OpenSSL
package import Residency
internal import Synchronization

/// The decision log of one gateway: durable before release, closed on failure (DESIGN section 7).
///
/// Two threads. The writer takes all that waits as one group, writes it to the write-ahead log with one durable write, and wakes each
/// loop once (`commitWaiting`). The integrator moves what is durable into the tree and publishes a checkpoint every interval
/// (`integrate`). Tests call those two steps themselves.
package final class DecisionLog: @unchecked Sendable {
    /// Bytes that may wait for the writer; beyond it decisions are `overloaded`.
    static let pendingBytesMax = 4 << 20
    /// Bytes that are durable and may wait for the integrator; beyond it decisions are `overloaded`.
    static let integratingBytesMax = 64 << 20
    /// Bytes of one group.
    static let groupBytesMax = 2 << 20
    /// Durable bytes that the integrator is woken for before a checkpoint is due.
    static let integrationBytes = 256 << 10
    /// A group of so many entries says that more are about to come: it costs less to look for them a while than to sleep and be woken.
    static let busyGroupCount = 16
    static let lookingMicroseconds: Int64 = 100
    /// The same where several loops queue, of which each turn brings fewer: the others' are worth waiting for.
    static let busyGroupCountOfSeveral = 6
    static let gatheringMicroseconds: Int64 = 1_000
    /// A clock that goes back further than this is an event.
    static let clockStepMicroseconds: Int64 = 5_000_000

    enum Phase {
        case open
        /// What waits is still written, then no more.
        case stopping
        /// The disk is full: only the last words are still written.
        case full
        case closed
    }

    let files: LogFolder
    let gateway: GatewayName
    let configuration: LogConfiguration
    let clock: any LogClock
    let wal: WriteAheadLog
    let reserve: LogReserve
    /// The integrator's alone.
    var tree: Tree
    var nextCheckpoint: Int64
    var pruned: PrunedPrefix
    /// The writer's alone.
    var keptEvidence: Set<SHA256Digest> = []
    /// Entries of the last group. The writer's to change.
    let lastGroupCount = Atomic(0)
    /// Entries of the largest of the last groups: an eighth is taken off with each. The writer's alone.
    var gatheredCount = 0

    /// Guards everything below it.
    let monitor = Monitor()
    /// Where the writer waits for entries; everybody else waits at the monitor.
    let writersPlace = WaitingPlace()
    /// The last entry's time. Changed under the monitor only; who read it without is told when it has moved on (`RecordResult.timeMoved`).
    private let lastMicroseconds = Atomic<Int64>(0)
    var lastTime: Timestamp {
        get { Timestamp(microseconds: lastMicroseconds.load(ordering: .relaxed)) }
        set { lastMicroseconds.store(newValue.microseconds, ordering: .relaxed) }
    }
    /// What is queued may become a group: more of it was not at hand. Changed under the monitor only.
    let hasWork = Atomic(false)
    /// `pending.count`, for who looks without the monitor. Changed under it only.
    let pendingCount = Atomic(0)
    /// What is queued will soon become a group.
    var isWorkExpected = false
    /// The writer waits for so many entries, and is not woken for fewer; 0 when it does not.
    var gatheringCount = 0
    /// Ports that were made; they stay.
    private(set) var ports = 0
    /// Threads that wait in `recordDurably`.
    var durabilityWaiters = 0
    private var lockDescriptor: Int32
    private let lockIdentity: FileIdentity
    var pending: Pending
    var phase = Phase.open
    var closedBecause: String?
    var hasSteppedBack = false
    var completions: [CompletionEntry.Item] = []
    var toIntegrate: [[UInt8]] = []
    var integratingBytes = 0
    var isWriterDone = false
    var pulses = Pulses()
    var durableSize: UInt64
    var checkpointSize: UInt64
    var checkpointAt: Int64
    var checkpointNote: [UInt8]
    /// Entries before it were pruned.
    var prunedSize: UInt64 = 0
    /// What witnesses said of the checkpoint of that size; the integrator publishes it.
    var cosignatures: (size: UInt64, lines: [String])?
    /// No checkpoint is published before that time of the monotonic clock: the last one's witnesses are being asked.
    var heldUntil: Int64 = 0
    var suspendedBecause: String?
    /// A witness has seen another history: this one is not published any further.
    var isContradicted = false
    var groups: UInt64 = 0
    var commits = Histogram()
    private var threads: [LogThread] = []

    /// Opens the log, recovers what a crash left, and starts its threads.
    /// - Parameter start: members of the `start` event.
    package static func open(
        _ configuration: LogConfiguration, gateway: GatewayName,
        start: [(name: StaticString, value: EventEntry.Value)]
    ) throws(LogError) -> DecisionLog {
        let log = try openStill(configuration, gateway: gateway, start: start)
        log.run()
        return log
    }

    /// Opens the log without its threads: nothing is written until somebody takes their steps.
    static func openStill(
        _ configuration: LogConfiguration, gateway: GatewayName,
        start: [(name: StaticString, value: EventEntry.Value)]
    ) throws(LogError) -> DecisionLog {
        let files = LogFolder(path: configuration.directory, disk: configuration.disk)
        let found: Int32?
        do throws(LogSystemError) {
            try files.makeFolder("")
            found = try files.lock("lock")
        } catch {
            throw .system(error)
        }
        guard let lock = found else { throw .locked(configuration.directory) }
        do throws(LogError) {
            return try DecisionLog(configuration, gateway: gateway, files: files, lock: lock, start: start)
        } catch {
            files.disk.close(lock)
            throw error
        }
    }

    private init(
        _ configuration: LogConfiguration, gateway: GatewayName, files: LogFolder, lock: Int32,
        start: [(name: StaticString, value: EventEntry.Value)]
    ) throws(LogError) {
        self.files = files
        self.gateway = gateway
        self.configuration = configuration
        clock = configuration.clock
        lockDescriptor = lock
        do throws(LogSystemError) {
            lockIdentity = try files.identity(of: lock, name: "lock")
            try Self.prepareFolders(files)
        } catch {
            throw .system(error)
        }
        var tree = try Tree(files, origin: configuration.origin, signers: configuration.signers)
        let recovered = try WriteAheadRecovery.read(files, coveredSize: tree.publishedSize, exists: !tree.note.isEmpty)
        // The first segment before the first checkpoint: a checkpoint without a segment is damage.
        wal = try WriteAheadLog(files, segmentBytes: configuration.segmentBytes, recovered: recovered)
        for group in recovered.groups {
            guard group.firstIndex <= tree.size else {
                throw .damaged("wal/ begins at entry \(group.firstIndex), the tree has \(tree.size)")
            }
            try tree.append(group.entries, from: Int(tree.size - group.firstIndex))
        }
        try tree.publish()
        do throws(LogSystemError) { reserve = try LogReserve(files, byteCount: configuration.reserveBytes) } catch {
            throw .system(error)
        }
        let lastTime = try tree.lastTime()
        pending = Pending(firstIndex: tree.size)
        durableSize = tree.size
        checkpointSize = tree.publishedSize
        nextCheckpoint = clock.monotonicMicroseconds()
        if configuration.isWitnessed { heldUntil = .max }
        checkpointAt = nextCheckpoint
        checkpointNote = tree.note
        pruned = try PrunedPrefix(files)
        prunedSize = pruned.minimumIndex
        let open = try OpenDecisions.read(files, size: tree.size, minimumIndex: pruned.minimumIndex)
        self.tree = tree
        if let lastTime { self.lastTime = lastTime }
        self.tree.writer.makeRoom = { [unowned self] in makeRoom() }
        if let event = pruned.event(gateway) { queue(event) }
        if recovered.droppedTornGroup { queue(EventEntry(gateway: gateway, name: "torn-group")) }
        queue(EventEntry(gateway: gateway, name: "start", members: start + [("open", .number(Int64(open.count)))]))
        for slice in stride(from: 0, to: open.count, by: 2000) {
            queue(
                EventEntry(
                    gateway: gateway, name: "open-decisions",
                    members: [("indexes", .numbers(Array(open[slice..<min(slice + 2000, open.count)])))]))
        }
    }

    /// Makes the folders, and makes durable what a process that was killed had only begun to: a name that is read from here on is
    /// there after a power cut too.
    private static func prepareFolders(_ files: LogFolder) throws(LogSystemError) {
        let folders = ["wal", "evidence", "policy", "tile"]
        for folder in folders { try files.makeFolder(folder, mode: folder == "tile" ? 0o755 : 0o700) }
        for folder in folders { try files.syncFolder(folder) }
        files.remove("checkpoint.tmp")
        for name in try files.names("wal") where name.hasSuffix(".tmp") { files.remove("wal/" + name) }
    }

    deinit { if lockDescriptor >= 0 { files.disk.close(lockDescriptor) } }

    // MARK: - What the gateway calls

    /// A port for one event loop. `wake` is called from the log's threads, once for each group that holds something of the port's.
    /// - Parameter later: has the loop call `flush` once it has no more requests at hand, so that they become one group; nil to have
    ///   each decision flushed as it comes. Called on the loop.
    package func makePort(wake: @escaping @Sendable () -> Void, later: (() -> Void)? = nil) -> LogPort {
        monitor.withLock { ports += 1 }
        return LogPort(log: self, wake: wake, later: later)
    }

    /// The first of a turn's decisions was queued: a writer that sleeps wakes while the others are made, since to be woken takes as long as
    /// to write. Only where a busy time lets expect others.
    func expectWork() {
        guard lastGroupCount.load(ordering: .relaxed) >= Self.busyGroupCount else { return }
        monitor.withLock {
            isWorkExpected = true
            if gatheringCount == 0 { writersPlace.signal() }
        }
    }

    /// Decisions were queued.
    func wakeWriter() { monitor.withLock { callWriter() } }

    /// What is queued may become a group now. With the monitor held.
    func callWriter() {
        hasWork.store(true, ordering: .releasing)
        if pending.count >= gatheringCount { writersPlace.signal() }
    }

    /// The later of the clock and the last entry's time.
    package func now() -> Timestamp {
        Timestamp(microseconds: max(clock.wall().microseconds, lastMicroseconds.load(ordering: .relaxed)))
    }

    /// Records an event. Never delays an answer; nothing waits for it.
    package func record(_ event: EventEntry) {
        monitor.withLock {
            guard phase == .open else { return }
            queue(event)
            callWriter()
        }
    }

    /// Records an event and waits until it is on disk. Not on a loop's thread.
    package func recordDurably(_ event: EventEntry) throws(LogError) {
        let isDurable = monitor.withLock { () -> Bool in
            guard phase == .open, queue(event) else { return false }
            let size = pending.end
            callWriter()
            durabilityWaiters += 1
            defer { durabilityWaiters -= 1 }
            while durableSize < size, closedBecause == nil { monitor.wait() }
            // On a full disk what waits is dropped, and the last words take its index.
            return durableSize >= size && closedBecause == nil
        }
        guard isDurable else { throw .closed }
    }

    /// Keeps a settings snapshot under its digest; durable on return. Not on a loop's thread.
    package func keepPolicy(_ sha256: SHA256Digest, _ bytes: [UInt8]) throws(LogError) {
        do throws(LogSystemError) {
            // Written again where it is there: where the log cannot tell, the newest file is the one that was in force last.
            try files.publish("policy/\(sha256.hex)", bytes, mode: 0o600)
        } catch {
            throw .system(error)
        }
    }

    package var status: LogStatus {
        let usesDirectIO = wal.isDirect
        return monitor.withLock {
            var status = LogStatus()
            status.closedBecause = closedBecause
            status.suspendedBecause = suspendedBecause
            status.size = pending.end
            status.durableSize = durableSize
            status.aheadMicroseconds = max(0, lastTime.microseconds - clock.wall().microseconds)
            status.checkpointSize = checkpointSize
            status.minimumIndex = prunedSize
            status.checkpointAgeMilliseconds = (clock.monotonicMicroseconds() - checkpointAt) / 1000
            status.groups = groups
            status.commits = commits
            status.usesDirectIO = usesDirectIO
            status.reserveBytes = reserve.byteCount
            status.reserveHeldBytes = reserve.heldBytes
            status.missedByFollower = configuration.follower?.missedEntries
            return status
        }
    }

    /// The last published checkpoint, as a signed note.
    package var checkpoint: [UInt8] { monitor.withLock { checkpointNote } }

    /// A published file of the log by its C2SP name; nil where there is none.
    package func tile(_ path: TilePath) -> [UInt8]? {
        guard TreeShape(size: monitor.withLock { checkpointSize }).covers(path) else { return nil }
        return (try? files.read(path.path)) ?? nil
    }

    // MARK: - Witnesses

    /// The witnesses of the published checkpoint have been asked.
    /// - Parameters:
    ///   - cosignatures: the lines of those who cosigned it, without line ends; they are published with it, unless it is not the last
    ///     one any more.
    ///   - size: the checkpoint's.
    package func settle(_ cosignatures: [String], size: UInt64) {
        monitor.withLock {
            heldUntil = 0
            if size == checkpointSize, !cosignatures.isEmpty { self.cosignatures = (size, cosignatures) }
            monitor.broadcast()
        }
    }

    /// A witness has seen what is not here: nothing is decided any more, nothing is published.
    package func close(becauseOfWitness what: String) {
        monitor.withLock { isContradicted = true }
        fail(.witnessed(what), [])
    }

    /// Refuses decisions for the time being, or no longer (nil). Events are still recorded.
    package func suspend(_ why: String?) { monitor.withLock { suspendedBecause = why } }

    /// Commits and integrates everything queued, with a `stop` event; the last checkpoint covers all that was answered. Another daemon
    /// may open the folder then.
    /// - Parameter witness: asks the witnesses of the last checkpoint, and gives their lines.
    package func close(_ witness: (_ note: [UInt8]) -> [String] = { _ in [] }) {
        monitor.withLock {
            guard phase == .open || phase == .full else { return }
            if phase == .open { flushCompletions() }
            queue(EventEntry(gateway: gateway, name: "stop"))
            phase = .stopping
            callWriter()
        }
        if threads.isEmpty {
            while commitWaiting() {}
            writerIsDone()
            _ = integrate()
        }
        for thread in threads { thread.join() }
        threads = []
        if configuration.isWitnessed, phase != .closed {
            let lines = witness(tree.note)
            // What is not cosigned now is at the next start.
            if !lines.isEmpty { try? tree.publish(cosignatures: lines) }
        }
        monitor.withLock {
            if lockDescriptor >= 0 { files.disk.close(lockDescriptor) }
            lockDescriptor = -1
        }
    }

    private func run() {
        threads = [
            LogThread("log-writer") { [self] in writeUntilStopped() },
            LogThread("log-integrator") { [self] in integrateUntilStopped() },
        ]
    }

    /// Holds the folder's own files against those that this log opened or wrote.
    func requireInPlace() throws(LogError) {
        try wal.requireInPlace()
        try tree.requireInPlace()
        do throws(LogSystemError) {
            if try files.identity("lock") == lockIdentity { return }
        } catch {
            throw .system(error)
        }
        throw .replaced("lock")
    }
}
