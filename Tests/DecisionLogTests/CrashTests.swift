import Residency
import Synchronization
import Testing

@testable import DecisionLog

/// Crashes at every system call that changes something, by seed, and what is left after each.
@Suite struct CrashTests {
    /// How many crash points were explored.
    private static let points = Mutex(0)

    /// Seeds of one run each. A run meets some hundred calls, and each is crashed in several ways.
    @Test(arguments: Array(1...30) as [UInt64]) func everyAnsweredDecisionSurvivesEveryCrash(seed: UInt64) throws {
        let explorer = CrashExplorer(seed: seed)
        let begin = ContinuousClock.now
        defer { print("seed \(seed): \(explorer.points) crash points, \(ContinuousClock.now - begin)") }
        try explorer.explore()
        let points = explorer.points
        Self.points.withLock {
            $0 += points; print("seed \(seed): \(points) crash points, \($0) in all")
        }
    }
}
