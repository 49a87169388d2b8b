import Testing

@testable import DecisionLog

/// Crashes at every system call that changes something, by seed, and what is left after each.
@Suite struct CrashTests {
    /// Seeds of one run each: a run meets some hundred calls, and each is crashed in several ways. 28 once found a header that was
    /// half of an older one's.
    private static let seeds = Array(1...12) + [28] as [UInt64]
    private static let pointsMin = 20_000

    @Test func everyAnsweredDecisionSurvivesEveryCrash() async throws {
        let points = try await withThrowingTaskGroup(of: Int.self) { group in
            for seed in Self.seeds {
                group.addTask {
                    let explorer = CrashExplorer(seed: seed)
                    try explorer.explore()
                    return explorer.points
                }
            }
            return try await group.reduce(0, +)
        }
        #expect(points >= Self.pointsMin)
    }
}
