import DecisionLog
import Testing

@testable import Gateway

@Suite struct StatusTests {
    @Test(arguments: [(0, "0"), (7, "7"), (999, "999"), (1000, "1,000"), (1204, "1,204"), (12_345_678, "12,345,678")])
    func numbersAreGroupedForReaders(number: UInt64, text: String) {
        #expect(Gateway.grouped(number) == text)
    }

    @Test func theRateIsThatBetweenTheLastTwoMeasures() {
        let rate = DecisionRate()
        #expect(rate.begin())
        // One that is under way is not begun again.
        #expect(!rate.begin())
        rate.take(5000, at: 1_000_000_000)
        // The first measure has nothing before it: a start is no burst.
        #expect(rate.perSecond == 0)
        #expect(rate.begin())
        rate.take(5600, at: 1_500_000_000)
        #expect(rate.perSecond == 1200)
        #expect(rate.begin())
        rate.take(5600, at: 2_500_000_000)
        #expect(rate.perSecond == 0)
    }

    /// The slots are written out in code beside the table of bounds: each bound is the last value of its own.
    @Test func everyBoundOfAHistogramIsInItsOwnSlot() {
        for (slot, bound) in Histogram.boundsMicroseconds.enumerated() {
            var histogram = Histogram()
            histogram.record(microseconds: bound)
            histogram.record(microseconds: bound + 1)
            #expect(histogram.counts[slot] == 1 && histogram.counts[slot + 1] == 1, "\(bound)")
        }
    }

    @Test func aCheckThatOnlyWarnsLeavesTheGatewayReady() {
        let checks = [
            Check(name: "log", outcome: .ok), Check(name: "witnesses", outcome: .warning("none")),
            Check(name: "disk", outcome: .failed("full")),
        ]
        #expect(checks.map(\.isFailed) == [false, false, true])
        #expect(checks.map(\.line) == ["log: ok\n", "witnesses: warning: none\n", "disk: NOT OK: full\n"])
    }
}
