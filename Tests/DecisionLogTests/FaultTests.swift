import Glibc
import TestSupport
import Testing

@testable import DecisionLog

/// Each call fails, once or from then on, by seed: the log closes itself or goes on, never lies, and opens again on a disk that is well.
@Suite struct FaultTests {
    enum Kind: CaseIterable {
        case ioError, full, short
        /// From that call on, for good.
        case staysBroken, staysFull

        func fault(_ call: SimulatedDisk.Call, isFirst: Bool) -> SimulatedDisk.Fault? {
            switch self {
            case .ioError: isFirst ? .error(EIO) : nil
            case .full: isFirst && FaultTests.fills.contains(call) ? .error(ENOSPC) : nil
            case .short: isFirst ? .short : nil
            case .staysBroken: .error(EIO)
            case .staysFull: FaultTests.fills.contains(call) ? .error(ENOSPC) : nil
            }
        }
    }

    private static let seeds: [UInt64] = [2, 3]
    /// Calls that want room.
    private static let fills: Set<SimulatedDisk.Call> = [
        .create, .pwrite, .fsync, .syncfs, .allocate, .rename, .unlink, .mkdir,
    ]
    private static let pointsMin = 1_000

    @Test func everyAnsweredDecisionSurvivesEveryFailure() async throws {
        let points = try await withThrowingTaskGroup(of: Int.self) { group in
            for seed in Self.seeds { group.addTask { try Self.explore(seed) } }
            return try await group.reduce(0, +)
        }
        #expect(points >= Self.pointsMin)
    }

    private static func explore(_ seed: UInt64) throws -> Int {
        var random = Seeded(seed)
        let (diskSeed, runSeed) = (random.next(), random.next())
        let (sectorBytes, hasDirectIO) = (random.chance(50) ? 512 : 4096, random.chance(60))
        var begun = SimulatedFiles()
        if random.chance(25) {
            let disk = SimulatedDisk(begun, seed: diskSeed, sectorBytes: sectorBytes, hasDirectIO: hasDirectIO)
            var run = Run(disk: disk, name: "f", random: Seeded(runSeed))
            try run.fill(to: 240)
            begun = disk.files
        }
        func fresh() -> (SimulatedDisk, Run) {
            let disk = SimulatedDisk(begun, seed: diskSeed, sectorBytes: sectorBytes, hasDirectIO: hasDirectIO)
            var run = Run(disk: disk, name: "a", random: Seeded(runSeed))
            run.reserveBytes = 16 << 10
            return (disk, run)
        }
        var (disk, run) = fresh()
        try run.go(steps: 14)
        let calls = disk.calls
        var points = 0
        for call in 1...calls {
            for kind in Kind.allCases {
                (disk, run) = fresh()
                var made: SimulatedDisk.Call?
                disk.fault = { number, name in
                    guard number >= call else { return nil }
                    if number == call { made = name }
                    return kind.fault(name, isFirst: number == call)
                }
                do { try run.go(steps: 14) } catch let error as LogError {
                    if error.isDamage {
                        throw TestFailure("seed \(seed), call \(call) \(made.map(\.rawValue) ?? "?") \(kind): \(error)")
                    }
                }
                let known = run.world.look(disk)
                for losesPower in [false, true] {
                    var files = disk.files
                    if losesPower { files.losePower(&random, sectorBytes: sectorBytes) }
                    points += 1
                    do {
                        let again = SimulatedDisk(
                            files, seed: random.next(), sectorBytes: sectorBytes, hasDirectIO: hasDirectIO)
                        var next = Run(disk: again, name: "b", random: Seeded(random.next()), known: known)
                        try next.go(steps: 2)
                        try CrashExplorer.check(again.files, next.world.look(again))
                    } catch {
                        throw TestFailure(
                            "seed \(seed), call \(call) (\(made.map(\.rawValue) ?? "?")), \(kind), power \(losesPower ? "lost" : "kept"): \(error)"
                        )
                    }
                }
            }
        }
        return points
    }
}
