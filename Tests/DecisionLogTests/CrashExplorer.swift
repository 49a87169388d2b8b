import JSON
import Residency
import Synchronization
import TestSupport

@testable import DecisionLog

/// Time that passes a little with every look, and never by itself.
final class StepClock: LogClock {
    private let microseconds: Mutex<Int64>

    init(_ microseconds: Int64 = 1_800_000_000_000_000) { self.microseconds = Mutex(microseconds) }

    func wall() -> Timestamp { Timestamp(microseconds: next()) }
    func monotonicMicroseconds() -> Int64 { next() }
    func move(microseconds by: Int64) { microseconds.withLock { $0 += by } }

    private func next() -> Int64 {
        microseconds.withLock {
            $0 += 7
            return $0
        }
    }
}

/// What the outside world knows of a log: what was answered, and which checkpoints were seen.
struct Witnessed {
    /// Index by request, of every answered decision.
    var answered: [String: UInt64] = [:]
    /// Checkpoints that were published: their return was seen.
    var published: Checkpoint?
    /// Checkpoints that somebody may have read.
    var seen: Set<Checkpoint> = []
}

/// One run of the log on a simulated disk, with a crash at every call that changes something, and a recovery after each.
final class CrashExplorer {
    static let folder = "/log"

    private(set) var points = 0
    private let seed: UInt64
    private var random: Seeded
    private let sectorBytes: Int
    private let hasDirectIO: Bool

    init(seed: UInt64) {
        self.seed = seed
        random = Seeded(seed)
        sectorBytes = random.chance(50) ? 512 : 4096
        hasDirectIO = random.chance(60)
    }

    func explore() throws {
        let disk = SimulatedDisk(
            SimulatedFiles(), seed: random.next(), sectorBytes: sectorBytes, hasDirectIO: hasDirectIO)
        var run = Run(disk: disk, name: "a", random: Seeded(random.next()))
        // A disk that somebody has used before: crosses a tile's boundary.
        if random.chance(25) { try run.fill(to: 240) }
        var images = Seeded(random.next())
        var failure: (any Error)?
        let world = run.world
        disk.beforeChange = { [self] call, write in
            guard failure == nil else { return }
            let known = world.look(disk)
            do {
                try crash(disk, call, write, known, depth: 0, &images)
            } catch {
                failure = TestFailure("seed \(seed), call \(disk.calls) (\(call)), point \(points): \(error)")
            }
        }
        try run.go(steps: 14)
        disk.beforeChange = nil
        if let failure { throw failure }
    }

    /// Crashes here in several ways, and recovers after each.
    private func crash(
        _ disk: SimulatedDisk, _ call: SimulatedDisk.Call, _ write: SimulatedDisk.TornWrite?, _ known: Witnessed,
        depth: Int, _ random: inout Seeded
    ) throws {
        enum Way: CaseIterable { case killed, powerCut, killedInTheWrite, powerCutInTheWrite }
        for way in Way.allCases {
            var files = disk.files
            if way == .killedInTheWrite || way == .powerCutInTheWrite {
                guard let write else { continue }
                // Submitted, and not yet acknowledged: all of it may be seen, and any of it may be on the disk.
                let part =
                    hasDirectIO || random.chance(50)
                    ? write.bytes : Array(write.bytes.prefix(Int.random(in: 0...write.bytes.count, using: &random)))
                files.update(file: write.inode) {
                    SimulatedFiles.write(part[...], at: write.offset, to: &$0.seen)
                    $0.ops.append(.write(offset: write.offset, bytes: part))
                }
            }
            if way == .powerCut || way == .powerCutInTheWrite {
                files.losePower(&random, sectorBytes: sectorBytes)
            }
            points += 1
            do {
                try recover(files, known, depth: depth, &random)
            } catch {
                throw TestFailure("\(way): \(error)")
            }
        }
    }

    /// Opens what a crash left, goes on with it, and holds it against what the world knows.
    private func recover(_ files: SimulatedFiles, _ known: Witnessed, depth: Int, _ random: inout Seeded)
        throws
    {
        let disk = SimulatedDisk(files, seed: random.next(), sectorBytes: sectorBytes, hasDirectIO: hasDirectIO)
        var run = Run(disk: disk, name: "b\(depth)", random: Seeded(random.next()), known: known)
        var failure: (any Error)?
        if depth < 2, random.chance(depth == 0 ? 1 : 2) {
            // The recovery is crashed too.
            var inner = Seeded(random.next())
            let world = run.world
            disk.beforeChange = { [self] call, write in
                guard failure == nil else { return }
                let known = world.look(disk)
                do { try crash(disk, call, write, known, depth: depth + 1, &inner) } catch {
                    failure = TestFailure("in the recovery at call \(disk.calls) (\(call)): \(error)")
                }
            }
        }
        try run.go(steps: 1)
        disk.beforeChange = nil
        if let failure { throw failure }
        try Self.check(disk.files, run.world.look(disk))
    }

    /// Every answered decision is there once, at its index; every checkpoint that was seen is a prefix.
    static func check(_ files: SimulatedFiles, _ known: Witnessed) throws {
        let (checkpoint, entries) = try entries(files)
        if let published = known.published, published.size > checkpoint.size {
            throw TestFailure("the tree has \(checkpoint.size) entries, \(published.size) were published")
        }
        var roots: [UInt64: Set<Checkpoint>] = [:]
        for seen in known.seen { roots[seen.size, default: []].insert(seen) }
        var hasher = MerkleHasher()
        var frontier = MerkleFrontier()
        var requests: [String: UInt64] = [:]
        var last: [UInt8] = []
        for (index, entry) in entries.enumerated() {
            for seen in roots[UInt64(index)] ?? [] where seen.root != frontier.root(&hasher) {
                throw TestFailure("the checkpoint over \(index) entries that was seen is no prefix")
            }
            frontier.append(hasher.leaf(entry.span), &hasher)
            if let request = request(entry) {
                guard requests.updateValue(UInt64(index), forKey: request) == nil else {
                    throw TestFailure("\(request) is there twice")
                }
            }
            let time = Array(entry[(entry[9] == 0x64 ? 33 : entry[9] == 0x65 ? 30 : 35)...].prefix(27))
            guard !time.lexicographicallyPrecedes(last) else { throw TestFailure("time goes back at \(index)") }
            last = time
        }
        guard frontier.root(&hasher) == checkpoint.root else { throw TestFailure("the root is not the entries'") }
        for (request, index) in known.answered where requests[request] != index {
            throw TestFailure(
                "\(request) was answered at \(index), and is at \(requests[request].map(String.init) ?? "none")")
        }
    }

    /// What is published.
    static func entries(_ files: SimulatedFiles) throws -> (Checkpoint, [[UInt8]]) {
        guard let bytes = files.read("\(folder)/checkpoint") else { throw TestFailure("no checkpoint") }
        let checkpoint = try Checkpoint(text: try SignedNote(bytes).text)
        let shape = TreeShape(size: checkpoint.size)
        var entries: [[UInt8]] = []
        var first: UInt64 = 0
        while first < checkpoint.size {
            let tile = shape.tile(.entries, holding: first)
            guard let bytes = files.read("\(folder)/\(tile.path)"), let ranges = EntryFraming.split(bytes),
                ranges.count == tile.width
            else { throw TestFailure("\(tile.path) is not whole") }
            for range in ranges { entries.append(Array(bytes[range])) }
            first += 256
        }
        return (checkpoint, entries)
    }

    /// The request of a decision: it stands behind fields of one length.
    private static func request(_ entry: [UInt8]) -> String? {
        guard entry[9] == 0x64 else { return nil }
        let start = 33 + 27 + 13 + 8 + 13
        return String(decoding: entry[start...].prefix { $0 != 0x22 }, as: UTF8.self)
    }
}

/// What the world knows of one run, kept while it goes on.
final class RunWorld {
    var known: Witnessed
    var log: DecisionLog?
    var loop: SteppedLoop?

    init(_ known: Witnessed) { self.known = known }

    /// Takes what was answered by now, and reads the checkpoint that is there.
    func look(_ disk: SimulatedDisk) -> Witnessed {
        loop?.port.drain()
        if let log, let checkpoint = checkpoint(log.checkpoint) { known.published = checkpoint }
        if let bytes = disk.files.read("\(CrashExplorer.folder)/checkpoint"), let checkpoint = checkpoint(bytes) {
            known.seen.insert(checkpoint)
        }
        return known
    }

    /// Read once: a note is looked at before each call.
    private var read: [[UInt8]: Checkpoint] = [:]

    private func checkpoint(_ note: [UInt8]) -> Checkpoint? {
        if let known = read[note] { return known }
        guard let signed = try? SignedNote(note), let checkpoint = try? Checkpoint(text: signed.text) else {
            return nil
        }
        read[note] = checkpoint
        return checkpoint
    }
}

/// A loop whose waiters write into what the world knows.
final class SteppedLoop {
    let port: LogPort
    private unowned let world: RunWorld
    private(set) var unavailable = 0
    private(set) var permitted: [UInt64] = []

    init(_ log: DecisionLog, _ world: RunWorld) {
        port = log.makePort {}
        self.world = world
    }

    func record(_ request: String, _ reason: Reason, at time: Timestamp, evidence: [TokenEvidence]) -> RecordResult {
        port.record(
            LogTests.entry(request, reason, at: time), release: reason.allows ? LogTests.release : nil,
            evidence: evidence,
            waiter: Waiter(request) { [unowned self] request, answer in
                guard let index = answer.index else {
                    unavailable += 1
                    return
                }
                precondition(world.known.answered.updateValue(index, forKey: request) == nil)
                if case .allowed = answer { permitted.append(index) }
            })
    }

    func takePermitted() -> [UInt64] {
        defer { permitted = [] }
        return permitted
    }
}

/// A log on a simulated disk, driven by a seed.
struct Run {
    let disk: SimulatedDisk
    let world: RunWorld
    private let name: String
    private var random: Seeded
    private var requests = 0
    private let clock: StepClock
    /// Room that is kept for the last words.
    var reserveBytes = 0
    /// The integrator's thread would have ended: nothing takes its step any more.
    private var hasEnded = false

    init(disk: SimulatedDisk, name: String, random: Seeded, known: Witnessed = Witnessed()) {
        self.disk = disk
        self.name = name
        self.random = random
        clock = StepClock(1_800_000_000_000_000 + Int64(name.utf8.count) * 1_000_000)
        world = RunWorld(known)
    }

    mutating func open() throws {
        var configuration = LogConfiguration(
            directory: CrashExplorer.folder, origin: LogTests.origin, signers: [LogTests.signer])
        configuration.segmentBytes = 32 << 10
        configuration.checkpointIntervalMilliseconds = 1
        configuration.clock = clock
        configuration.disk = disk
        configuration.reserveBytes = reserveBytes
        let log = try DecisionLog.openStill(configuration, gateway: LogTests.gateway, start: [])
        world.log = log
        world.loop = SteppedLoop(log, world)
    }

    /// So many entries, committed and published.
    mutating func fill(to size: UInt64) throws {
        try open()
        guard let log = world.log else { return }
        while log.status.size < size { record(log) }
        close()
    }

    mutating func go(steps: Int) throws {
        try open()
        for _ in 0..<steps {
            guard let log = world.log, let loop = world.loop else { break }
            switch Int.random(in: 0..<100, using: &random) {
            case ..<45:
                for _ in 0..<Int.random(in: 1...8, using: &random) { record(log) }
            case ..<55: log.record(EventEntry(gateway: LogTests.gateway, name: "reload"))
            case ..<65:
                for index in loop.takePermitted() {
                    loop.port.complete(.init(index: index, status: 200, bytes: 1, outcome: .whole))
                }
            case ..<70: clock.move(microseconds: Int64.random(in: -8_000_000...1_000_000, using: &random))
            case ..<76:
                close()
                try open()
            default: break
            }
            if random.chance(60) { _ = world.log?.commitWaiting() }
            if random.chance(60) {
                if random.chance(50) { clock.move(microseconds: 2000) }
                if let log = world.log, !hasEnded { hasEnded = !log.integrate() }
            }
            loop.port.drain()
        }
        close()
    }

    private mutating func close() {
        if !hasEnded { world.log?.close() }
        hasEnded = false
        world.loop?.port.drain()
        _ = world.look(disk)
        world.log = nil
        world.loop = nil
    }

    private mutating func record(_ log: DecisionLog) {
        requests += 1
        let evidence = random.chance(5) ? [LogTests.evidence("token \(Int.random(in: 0..<3, using: &random))")] : []
        let result = world.loop?.record(
            "\(name)-\(requests)", random.chance(70) ? .domestic : .authorizationRequired, at: log.now(),
            evidence: evidence)
        precondition(result == .queued || log.status.closedBecause != nil)
    }
}
