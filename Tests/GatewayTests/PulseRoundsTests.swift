import Testing

@testable import Gateway

/// What feeds the watchdog: a round in which every thread passed its token, and nothing else.
@Suite struct PulseRoundsTests {
    let threads = ["loop-0", "loop-1", "log-writer", "log-integrator", "file-0", "file-1"]

    @Test func theFirstStepFeedsAndAsks() {
        var rounds = PulseRounds(threads)
        #expect(rounds.step(at: 0) == .feed(round: 1))
        #expect(rounds.step(at: 5) == .wait(round: 1, missing: threads, microseconds: 5))
    }

    @Test(arguments: 0..<6)
    func oneThreadThatDoesNotPassKeepsTheWatchdogHungry(stuck: Int) {
        var rounds = PulseRounds(threads)
        _ = rounds.step(at: 0)
        for (number, name) in threads.enumerated() where number != stuck { rounds.passed(name, round: 1) }
        for time: Int64 in [1, 1000, 1_000_000] {
            #expect(rounds.step(at: time) == .wait(round: 1, missing: [threads[stuck]], microseconds: time))
        }
        rounds.passed(threads[stuck], round: 1)
        #expect(rounds.step(at: 2_000_000) == .feed(round: 2))
        #expect(rounds.isMissing(where: { $0 == threads[stuck] }))
    }

    @Test func aTokenOfAnEarlierRoundSaysNothingOfThisOne() {
        var rounds = PulseRounds(["loop-0"])
        _ = rounds.step(at: 0)
        rounds.passed("loop-0", round: 1)
        _ = rounds.step(at: 1)
        rounds.passed("loop-0", round: 1)
        #expect(rounds.step(at: 2) == .wait(round: 2, missing: ["loop-0"], microseconds: 1))
    }

    @Test func passingTwiceIsPassingOnce() {
        var rounds = PulseRounds(["file-0", "file-1"])
        _ = rounds.step(at: 0)
        rounds.passed("file-0", round: 1)
        rounds.passed("file-0", round: 1)
        #expect(rounds.step(at: 9) == .wait(round: 1, missing: ["file-1"], microseconds: 9))
    }
}
