import OpenSSL
import Residency
import TestSupport
import Testing

@testable import DecisionLog

/// Archiving and pruning, crashed at every call that changes something: what is left is a good log and a good archive, and the next
/// run ends the work.
@Suite struct KeepingCrashTests {
    private static let verifier = LogTests.signer.verifier
    private static let start = Timestamp(seconds: 1_790_000_000)

    /// Entries one second apart.
    /// - Parameter name: what their requests are called.
    private static func grow(
        _ disk: any LogDisk, to size: Int, in path: String = "/log", named name: String = "r"
    ) throws {
        let files = LogFolder(path: path, disk: disk)
        for folder in ["", "evidence", "policy"] { try files.makeFolder(folder) }
        var tree = try Tree(files, origin: LogTests.origin, signers: [LogTests.signer])
        var framed: [UInt8] = []
        for index in Int(tree.size)..<size {
            var line: [UInt8] = []
            LogTests.entry("\(name)-\(index)", .authorizationRequired, at: start.adding(seconds: Int64(index)))
                .append(to: &line)
            EntryFraming.append(line, to: &framed)
        }
        try tree.append(framed)
        try tree.publish()
        let token = LogTests.evidence("token of \(size)")
        try files.publish("evidence/\(token.sha256.hex)", token.bytes, mode: 0o600)
    }

    private static func reader(_ path: String, _ disk: any LogDisk) throws -> LogReader {
        try LogReader(LogFolder(path: path, disk: disk), verifier: verifier)
    }

    private static func archive(_ disk: any LogDisk, from path: String = "/log") throws -> LogArchive.Report {
        var archive = LogArchive(
            try reader(path, disk), to: LogFolder(path: "/archive", disk: disk), verifier: verifier)
        return try archive.run()
    }

    private static func prune(_ disk: any LogDisk, before index: Int) throws -> LogPruning.Report {
        var pruning = LogPruning(
            LogFolder(path: "/log", disk: disk), archive: LogFolder(path: "/archive", disk: disk), verifier: verifier)
        return try pruning.run(before: start.adding(seconds: Int64(index)))
    }

    /// Runs `work`, and hands the disk as a crash would leave it at each change to `check`: killed, and without power.
    private func crash(
        _ files: SimulatedFiles, seed: UInt64, _ work: (any LogDisk) throws -> Void,
        _ check: (any LogDisk) throws -> Void
    ) throws -> Int {
        let disk = SimulatedDisk(files, seed: seed)
        var random = Seeded(seed)
        var images: [(Int, SimulatedFiles)] = []
        disk.beforeChange = { _, _ in
            var lost = disk.files
            lost.losePower(&random, sectorBytes: 512)
            images += [(disk.calls, disk.files), (disk.calls, lost)]
        }
        try work(LockedDisk(disk))
        disk.beforeChange = nil
        for (call, image) in images {
            do { try check(LockedDisk(SimulatedDisk(image, seed: random.next()))) } catch {
                throw TestFailure("seed \(seed), call \(call): \(error)")
            }
        }
        return images.count
    }

    private func verified(_ path: String, _ disk: any LogDisk, from minimumIndex: UInt64, to size: UInt64) throws {
        let reader = try Self.reader(path, disk)
        guard reader.minimumIndex == minimumIndex, reader.checkpoint.size == size else {
            throw TestFailure("\(path) holds \(reader.minimumIndex) to \(reader.checkpoint.size)")
        }
        let report = try reader.verifyArchive { _ in }
        guard report.entries == size - minimumIndex else { throw TestFailure("\(path): \(report.entries) entries") }
    }

    @Test(arguments: [1, 2, 3] as [UInt64]) func anArchivingThatIsCutOffIsEndedByTheNext(seed: UInt64) throws {
        let first = SimulatedDisk(SimulatedFiles(), seed: seed)
        try Self.grow(LockedDisk(first), to: 700)
        let fresh = first.files
        _ = try Self.archive(LockedDisk(first))
        try Self.grow(LockedDisk(first), to: 1300)
        for (files, before) in [(fresh, 0), (first.files, 700)] as [(SimulatedFiles, UInt64)] {
            let size: UInt64 = before == 0 ? 700 : 1300
            let points = try crash(files, seed: seed) { disk in
                let report = try Self.archive(disk)
                #expect(report.added == size - before)
            } _: { disk in
                // What the archive says it holds, it holds.
                if let reader = try? Self.reader("/archive", disk) {
                    let held = reader.checkpoint.size
                    guard held == before || held == size else { throw TestFailure("it says \(held)") }
                    try self.verified("/archive", disk, from: 0, to: held)
                } else if before > 0 {
                    throw TestFailure("the archive is gone")
                }
                _ = try Self.archive(disk)
                try self.verified("/archive", disk, from: 0, to: size)
                try self.verified("/log", disk, from: 0, to: size)
            }
            #expect(points > 40)
        }
    }

    @Test(arguments: [1, 2, 3] as [UInt64]) func aPruningThatIsCutOffIsEndedByTheNext(seed: UInt64) throws {
        let first = SimulatedDisk(SimulatedFiles(), seed: seed)
        try Self.grow(LockedDisk(first), to: 1900)
        _ = try Self.archive(LockedDisk(first))
        let points = try crash(first.files, seed: seed) { disk in
            // In the middle of the sixth bundle: five go.
            let report = try Self.prune(disk, before: 1400)
            #expect(report.pruned == 1280)
            #expect(report.minimumIndex == 1280)
        } _: { disk in
            let held = try Self.reader("/log", disk).minimumIndex
            guard held == 0 || held == 1280 else { throw TestFailure("it begins with \(held)") }
            try self.verified("/log", disk, from: held, to: 1900)
            try self.verified("/archive", disk, from: 0, to: 1900)
            _ = try Self.prune(disk, before: 1400)
            try self.verified("/log", disk, from: 1280, to: 1900)
            let left = try LogFolder(path: "/log", disk: disk).names("tile/entries")
            guard left == ["005", "006", "007.p"] else { throw TestFailure("left: \(left)") }
            // The daemon goes on with it.
            try Self.grow(disk, to: 2100)
            try self.verified("/log", disk, from: 1280, to: 2100)
        }
        #expect(points > 20)
    }

    /// The archive is what shows that a log was put in the place of another: a run that finds it out must leave it whole.
    @Test(arguments: [1000, 1001, 1300]) func anotherHistoryLeavesTheArchiveAsItWas(size: Int) throws {
        let disk = LockedDisk(SimulatedDisk(SimulatedFiles(), seed: 11))
        try Self.grow(disk, to: 1000)
        _ = try Self.archive(disk)
        // The log anew, with entries that are others from the first on, or from one in the last bundle on.
        for fork in [0, 900] {
            let other = "/other-\(fork)"
            if fork > 0 { try Self.grow(disk, to: fork, in: other) }
            try Self.grow(disk, to: size, in: other, named: "other")
            #expect(throws: KeepingError.self) { try Self.archive(disk, from: other) }
            try verified("/archive", disk, from: 0, to: 1000)
        }
        // The log itself goes on.
        try Self.grow(disk, to: 1400)
        #expect(try Self.archive(disk).added == 400)
        try verified("/archive", disk, from: 0, to: 1400)
    }

    @Test func everyLevelIsPrunedAndTheRestStillProves() throws {
        let disk = LockedDisk(SimulatedDisk(SimulatedFiles(), seed: 5))
        try Self.grow(disk, to: 66_500)
        _ = try Self.archive(disk)
        #expect(try Self.prune(disk, before: 66_000).minimumIndex == 65_792)
        let files = LogFolder(path: "/log", disk: disk)
        #expect(try files.names("tile/1") == ["001.p"])
        #expect(try files.names("tile/0") == ["257", "258", "259.p"])
        try verified("/log", disk, from: 65_792, to: 66_500)
        let reader = try Self.reader("/log", disk)
        for index in [65_792, 66_000, 66_499] as [UInt64] {
            let proof = try TlogProof(of: index, in: reader)
            _ = try proof.verify(try reader.entry(index), by: Self.verifier)
        }
        #expect(throws: LogFault.self) { try TlogProof(of: 65_791, in: reader) }
        // A second archiving goes on, also from the pruned log; one that was pruned past the archive's end does not.
        try Self.grow(disk, to: 67_000)
        #expect(try Self.archive(disk).added == 500)
        try verified("/archive", disk, from: 0, to: 67_000)
    }

    @Test func whatIsNotArchivedIsNotPruned() throws {
        let disk = SimulatedDisk(SimulatedFiles(), seed: 9)
        let locked = LockedDisk(disk)
        try Self.grow(locked, to: 1000)
        func refusal() -> KeepingError? {
            do {
                _ = try Self.prune(locked, before: 900)
                return nil
            } catch { return error as? KeepingError }
        }
        guard case .archive? = refusal() else { throw TestFailure("without an archive: \(refusal().debugDescription)") }
        _ = try Self.archive(locked)
        let good = disk.files
        // One byte of a bundle, of a tile, of a token.
        let token = try LogFolder(path: "/archive", disk: locked).names("evidence")[0]
        for name in ["tile/entries/001", "tile/0/002", "tile/1/000.p/3", "evidence/\(token)"] {
            disk.files.damage("/archive/\(name)") { $0[40 % $0.count] ^= 1 }
            guard case .archive? = refusal() else { throw TestFailure("\(name): \(refusal().debugDescription)") }
            disk.files = good
        }
        disk.files.lose("/archive/tile/entries/000")
        guard case .archive? = refusal() else { throw TestFailure("a lost bundle") }
        disk.files = good
        // The archive ends before what is to go.
        try Self.grow(locked, to: 3000)
        do {
            _ = try Self.prune(locked, before: 2500)
            throw TestFailure("pruned beyond the archive")
        } catch KeepingError.notArchived(let from, let to, _, let archived) {
            #expect((from, to, archived) == (0, 2304, 1000))
        }
        #expect(try Self.reader("/log", locked).minimumIndex == 0)
        // What it does hold may go.
        #expect(try Self.prune(locked, before: 900).minimumIndex == 768)
        // Where all of it went already, or nothing is to go, the archive is called good only when it is.
        disk.files.damage("/archive/tile/entries/001") { $0[40] ^= 1 }
        guard case .archive? = refusal() else { throw TestFailure("again: \(refusal().debugDescription)") }
    }
}
