internal import Glibc
package import OpenSSL
package import Residency

/// The decision log of one gateway: durable before release, closed on failure (DESIGN section 7).
///
/// Two threads. The writer takes all that waits as one group, writes it to the write-ahead log with one durable write, and wakes each
/// loop once. The integrator moves what is durable into the tree and publishes a checkpoint every interval.
package final class DecisionLog: @unchecked Sendable {
    /// Bytes that may wait for the writer; beyond it decisions are `overloaded`.
    private static let pendingBytesMax = 4 << 20
    /// Bytes of one group.
    private static let groupBytesMax = 2 << 20
    /// A clock that goes back further than this is an event.
    private static let clockStepMicroseconds: Int64 = 5_000_000

    private struct Pending {
        var bytes: [UInt8] = []
        var count = 0
        var firstIndex: UInt64
        var waiting: [LogPort.Waiting] = []
        var evidence: [TokenEvidence] = []
    }

    private enum Phase { case open, stopping, closed }

    private let files: LogFolder
    private let gateway: GatewayName
    private let configuration: LogConfiguration
    private let clock: any LogClock
    private var lockDescriptor: Int32
    private let wal: WriteAheadLog
    /// Guards everything below it.
    private let monitor = Monitor()
    private var pending: Pending
    private var phase = Phase.open
    private var closedBecause: String?
    private var lastTime: Timestamp
    private var hasSteppedBack = false
    private var completions: [CompletionEntry.Item] = []
    private var toIntegrate: [[UInt8]] = []
    private var isWriterDone = false
    private var keptEvidence: Set<SHA256Digest> = []
    private var durableSize: UInt64
    private var checkpointSize: UInt64
    private var checkpointAt: Int64
    private var checkpointNote: [UInt8]
    private var groups: UInt64 = 0
    private var commitSum: Int64 = 0
    private var commitMax: Int64 = 0
    private var wantsCheckpoint = false
    private var threads: [LogThread] = []

    /// Opens the log, recovers what a crash left, and starts its threads.
    /// - Parameter start: members of the `start` event.
    package static func open(
        _ configuration: LogConfiguration, gateway: GatewayName,
        start: [(name: StaticString, value: EventEntry.Value)]
    ) throws(LogError) -> DecisionLog {
        let files = LogFolder(path: configuration.directory)
        let lock: Int32
        do throws(LogSystemError) {
            try files.makeFolder("")
            guard let descriptor = try files.lock("lock") else {
                throw LogSystemError(call: "flock", path: "lock", code: EWOULDBLOCK)
            }
            lock = descriptor
            for folder in ["wal", "evidence", "policy", "tile"] {
                try files.makeFolder(folder, mode: folder == "tile" ? 0o755 : 0o700)
            }
        } catch {
            if error.code == EWOULDBLOCK { throw .locked(configuration.directory) }
            throw .system(error)
        }
        do throws(LogError) {
            return try DecisionLog(configuration, gateway: gateway, files: files, lock: lock, start: start)
        } catch {
            Glibc.close(lock)
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
        var tree = try Tree(files, origin: configuration.origin, signers: configuration.signers)
        let recovered = try WriteAheadRecovery.read(files, coveredSize: tree.publishedSize, exists: !tree.note.isEmpty)
        for group in recovered.groups {
            let skip = tree.size > group.firstIndex ? Int(tree.size - group.firstIndex) : 0
            guard group.firstIndex <= tree.size else {
                throw .damaged("wal/ begins at entry \(group.firstIndex), the tree has \(tree.size)")
            }
            try tree.append(group.entries, from: skip)
        }
        try tree.publish()
        lastTime = try tree.lastTime() ?? Timestamp(microseconds: 0)
        wal = try WriteAheadLog(files, segmentBytes: configuration.segmentBytes, recovered: recovered)
        pending = Pending(firstIndex: tree.size)
        durableSize = tree.size
        checkpointSize = tree.publishedSize
        checkpointAt = clock.monotonicMicroseconds()
        checkpointNote = tree.note
        let open = try OpenDecisions.read(files, size: tree.size)
        if recovered.droppedTornGroup { queue(EventEntry(gateway: gateway, name: "torn-group")) }
        queue(EventEntry(gateway: gateway, name: "start", members: start + [("open", .number(Int64(open.count)))]))
        for slice in stride(from: 0, to: open.count, by: 2000) {
            queue(
                EventEntry(
                    gateway: gateway, name: "open-decisions",
                    members: [("indexes", .numbers(Array(open[slice..<min(slice + 2000, open.count)])))]))
        }
        run(consume tree)
    }

    deinit { if lockDescriptor >= 0 { Glibc.close(lockDescriptor) } }

    // MARK: - What the gateway calls

    /// A port for one event loop. `wake` is called from the log's threads, once for each group that holds something of the port's.
    package func makePort(wake: @escaping @Sendable () -> Void) -> LogPort { LogPort(log: self, wake: wake) }

    /// The later of the clock and the last entry's time.
    package func now() -> Timestamp {
        let clock = self.clock.wall()
        return monitor.withLock { max(clock, lastTime) }
    }

    /// Records an event. Never delays an answer; nothing waits for it.
    package func record(_ event: EventEntry) {
        monitor.withLock {
            guard phase == .open else { return }
            queue(event)
            monitor.broadcast()
        }
    }

    /// Records an event and waits until it is on disk. Not on a loop's thread.
    package func recordDurably(_ event: EventEntry) throws(LogError) {
        let isDurable = monitor.withLock { () -> Bool in
            guard phase == .open else { return false }
            queue(event)
            let size = pending.firstIndex + UInt64(pending.count)
            monitor.broadcast()
            while durableSize < size, closedBecause == nil { monitor.wait() }
            return durableSize >= size
        }
        guard isDurable else { throw .replaced("the log is closed; the event") }
    }

    /// Keeps a settings snapshot under its digest; durable on return. Not on a loop's thread.
    package func keepPolicy(_ sha256: SHA256Digest, _ bytes: [UInt8]) throws(LogError) {
        do throws(LogSystemError) {
            let name = "policy/\(sha256.hex)"
            if !files.exists(name) { try files.publish(name, bytes, mode: 0o600) }
        } catch {
            throw .system(error)
        }
    }

    package var status: LogStatus {
        monitor.withLock {
            var status = LogStatus()
            status.closedBecause = closedBecause
            status.size = pending.firstIndex + UInt64(pending.count)
            status.durableSize = durableSize
            status.checkpointSize = checkpointSize
            status.checkpointAgeMilliseconds = (clock.monotonicMicroseconds() - checkpointAt) / 1000
            status.groups = groups
            status.commitMicrosecondsSum = commitSum
            status.commitMicrosecondsMax = commitMax
            status.usesDirectIO = wal.isDirect
            return status
        }
    }

    /// The last published checkpoint, as a signed note.
    package var checkpoint: [UInt8] { monitor.withLock { checkpointNote } }

    /// A published file of the log by its C2SP name; nil where there is none.
    package func tile(_ path: TilePath) -> [UInt8]? { (try? files.read(path.path)) ?? nil }

    /// Commits and integrates everything queued, with a `stop` event; the last checkpoint covers all that was answered. Another daemon
    /// may open the folder then.
    package func close() {
        monitor.withLock {
            guard phase == .open else { return }
            flushCompletions()
            queue(EventEntry(gateway: gateway, name: "stop"))
            phase = .stopping
            monitor.broadcast()
        }
        for thread in threads { thread.join() }
        threads = []
        monitor.withLock {
            if lockDescriptor >= 0 { Glibc.close(lockDescriptor) }
            lockDescriptor = -1
        }
    }

    // MARK: - Queueing

    func enqueue(
        _ entry: DecisionEntry, release: Release?, evidence: [TokenEvidence], waiter: any DecisionWaiter, port: LogPort
    ) -> RecordResult {
        var line: [UInt8] = []
        line.reserveCapacity(1024)
        entry.append(to: &line)
        guard line.count <= DecisionEntry.bytesMax else { return .unavailable }
        return monitor.withLock {
            guard phase == .open else { return .unavailable }
            guard pending.bytes.count < Self.pendingBytesMax else { return .overloaded }
            if entry.time < lastTime {
                // Tokens were judged by the time: only a decision without any may take the later one.
                guard entry.authorizations.isEmpty else { return .timeMoved(lastTime) }
                var time: [UInt8] = []
                lastTime.appendRFC3339(to: &time)
                line.replaceSubrange(DecisionEntry.timeOffset..<DecisionEntry.timeOffset + 27, with: time)
            } else {
                lastTime = entry.time
            }
            let index = append(line)
            pending.waiting.append(LogPort.Waiting(port: port, waiter: waiter, index: index, release: release))
            pending.evidence.append(contentsOf: evidence)
            monitor.broadcast()
            return .queued
        }
    }

    func complete(_ item: CompletionEntry.Item) {
        monitor.withLock {
            completions.append(item)
            if completions.count >= CompletionEntry.itemsMax, phase == .open {
                flushCompletions()
                monitor.broadcast()
            }
        }
    }

    /// With the monitor held, or before the threads run.
    private func queue(_ event: EventEntry) {
        var line: [UInt8] = []
        event.append(to: &line, time: nextTime())
        if line.count <= DecisionEntry.bytesMax { append(line) }
    }

    private func flushCompletions() {
        while !completions.isEmpty {
            let items = Array(completions.prefix(CompletionEntry.itemsMax))
            completions.removeFirst(items.count)
            var line: [UInt8] = []
            CompletionEntry(gateway: gateway, items: items).append(to: &line, time: nextTime())
            append(line)
        }
    }

    @discardableResult
    private func append(_ line: [UInt8]) -> UInt64 {
        let index = pending.firstIndex + UInt64(pending.count)
        EntryFraming.append(line, to: &pending.bytes)
        pending.count += 1
        return index
    }

    private func nextTime() -> Timestamp {
        let clock = self.clock.wall()
        if clock.microseconds < lastTime.microseconds - Self.clockStepMicroseconds {
            if !hasSteppedBack {
                hasSteppedBack = true
                queue(
                    EventEntry(
                        gateway: gateway, name: "clock-step",
                        members: [("microseconds", .number(clock.microseconds - lastTime.microseconds))]))
            }
        } else {
            hasSteppedBack = false
        }
        lastTime = max(clock, lastTime)
        return lastTime
    }

    // MARK: - Threads

    private func run(_ tree: consuming Tree) {
        let box = TreeBox(tree)
        threads = [
            LogThread { [self] in writeUntilStopped() },
            LogThread { [self] in integrateUntilStopped(box) },
        ]
    }

    private func writeUntilStopped() {
        while true {
            let group = monitor.withLock { () -> Pending? in
                while pending.count == 0, phase == .open { monitor.wait() }
                guard pending.count > 0, phase != .closed else { return nil }
                let group = pending
                pending = Pending(firstIndex: group.firstIndex + UInt64(group.count))
                pending.bytes.reserveCapacity(group.bytes.count)
                return group
            }
            guard let group else { break }
            commit(group)
        }
        monitor.withLock {
            isWriterDone = true
            monitor.broadcast()
        }
    }

    private func commit(_ group: Pending) {
        let started = clock.monotonicMicroseconds()
        do throws(LogError) {
            for token in group.evidence where !keptEvidence.contains(token.sha256) { try keep(token) }
            for part in Self.split(group.bytes, firstIndex: group.firstIndex) {
                try wal.write(entries: part.bytes, firstIndex: part.firstIndex, count: part.count)
            }
        } catch {
            return fail(error, group.waiting)
        }
        let took = clock.monotonicMicroseconds() - started
        monitor.withLock {
            durableSize = group.firstIndex + UInt64(group.count)
            toIntegrate.append(group.bytes)
            groups += 1
            commitSum += took
            commitMax = max(commitMax, took)
            monitor.broadcast()
        }
        settle(group.waiting, isDurable: true)
    }

    /// Groups of at most `groupBytesMax`.
    private static func split(_ bytes: [UInt8], firstIndex: UInt64) -> [(
        bytes: [UInt8], firstIndex: UInt64, count: Int
    )] {
        guard bytes.count > groupBytesMax, let ranges = EntryFraming.split(bytes) else {
            return [(bytes, firstIndex, EntryFraming.split(bytes)?.count ?? 0)]
        }
        var parts: [(bytes: [UInt8], firstIndex: UInt64, count: Int)] = []
        var start = 0
        var first = 0
        for (position, range) in ranges.enumerated()
        where range.upperBound - start >= groupBytesMax || position == ranges.count - 1 {
            parts.append((Array(bytes[start..<range.upperBound]), firstIndex + UInt64(first), position + 1 - first))
            start = range.upperBound
            first = position + 1
        }
        return parts
    }

    private func keep(_ token: TokenEvidence) throws(LogError) {
        do throws(LogSystemError) {
            let name = "evidence/\(token.sha256.hex)"
            if !files.exists(name) { try files.publish(name, token.bytes, mode: 0o600) }
        } catch {
            throw .system(error)
        }
        if keptEvidence.count > 100_000 { keptEvidence.removeAll() }
        keptEvidence.insert(token.sha256)
    }

    private func integrateUntilStopped(_ box: TreeBox) {
        var nextCheckpoint = clock.monotonicMicroseconds()
        while true {
            var isLast = false
            let groups = monitor.withLock { () -> [[UInt8]] in
                while toIntegrate.isEmpty, !isWriterDone {
                    let left = nextCheckpoint - clock.monotonicMicroseconds()
                    if left <= 0 { break }
                    monitor.wait(milliseconds: Int(left / 1000) + 1)
                }
                if phase == .open, clock.monotonicMicroseconds() >= nextCheckpoint, !completions.isEmpty {
                    flushCompletions()
                    monitor.broadcast()
                }
                isLast = isWriterDone
                let groups = toIntegrate
                toIntegrate = []
                return groups
            }
            do throws(LogError) {
                for group in groups { try box.tree.append(group) }
                if isLast || clock.monotonicMicroseconds() >= nextCheckpoint {
                    try publish(box)
                    nextCheckpoint =
                        clock.monotonicMicroseconds() + Int64(configuration.checkpointIntervalMilliseconds) * 1000
                }
            } catch {
                fail(error, [])
                return
            }
            if isLast { return }
        }
    }

    private func publish(_ box: TreeBox) throws(LogError) {
        guard wal.isInPlace() else { throw .replaced("wal/") }
        let before = box.tree.publishedSize
        guard box.tree.note.isEmpty || (files.exists("checkpoint") && files.exists("tile")) else {
            throw .replaced("checkpoint")
        }
        try box.tree.publish()
        let note = box.tree.note
        let size = box.tree.publishedSize
        monitor.withLock {
            checkpointSize = size
            checkpointNote = note
            checkpointAt = clock.monotonicMicroseconds()
        }
        if size > before { wal.retire(coveredSize: size) }
    }

    // MARK: - Failing closed

    /// From here on nothing is decided: every request is answered `log-unavailable` until an operator restarts.
    private func fail(_ error: LogError, _ waiting: [LogPort.Waiting]) {
        let abandoned = monitor.withLock { () -> [LogPort.Waiting] in
            if closedBecause == nil { closedBecause = "\(error)" }
            phase = .closed
            let abandoned = waiting + pending.waiting
            pending.waiting = []
            monitor.broadcast()
            return abandoned
        }
        settle(abandoned, isDurable: false)
    }

    private func settle(_ waiting: [LogPort.Waiting], isDurable: Bool) {
        guard let first = waiting.first else { return }
        if waiting.allSatisfy({ $0.port === first.port }) { return first.port.settle(waiting, isDurable: isDurable) }
        for (_, group) in Dictionary(grouping: waiting, by: { ObjectIdentifier($0.port) }) {
            group.first?.port.settle(group, isDurable: isDurable)
        }
    }
}

/// The tree, handed to the integrator's thread.
private final class TreeBox: @unchecked Sendable {
    var tree: Tree

    init(_ tree: consuming Tree) { self.tree = tree }
}
