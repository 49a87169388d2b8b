/// A latency histogram with the bounds of Prometheus' conventions: 1-2.5-5 steps from 50 µs to 10 s.
package struct Histogram: Sendable {
    package static let boundsMicroseconds: [Int64] = [
        50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000,
        5_000_000, 10_000_000,
    ]

    /// One more than there are bounds: the last counts what is above all of them.
    package private(set) var counts = [UInt64](repeating: 0, count: boundsMicroseconds.count + 1)
    package private(set) var sumMicroseconds: Int64 = 0

    package init() {}

    /// What was counted by `slot` elsewhere.
    package init(counts: [UInt64], sumMicroseconds: Int64) {
        precondition(counts.count == Self.boundsMicroseconds.count + 1, "one count for each slot")
        self.counts = counts
        self.sumMicroseconds = sumMicroseconds
    }

    package mutating func record(microseconds: Int64) {
        counts[Self.slot(microseconds)] += 1
        sumMicroseconds += microseconds
    }

    /// The first bound that is not below. Written out: it is asked several times in a request.
    package static func slot(_ microseconds: Int64) -> Int {
        switch microseconds {
        case ...50: 0
        case ...100: 1
        case ...250: 2
        case ...500: 3
        case ...1_000: 4
        case ...2_500: 5
        case ...5_000: 6
        case ...10_000: 7
        case ...25_000: 8
        case ...50_000: 9
        case ...100_000: 10
        case ...250_000: 11
        case ...500_000: 12
        case ...1_000_000: 13
        case ...2_500_000: 14
        case ...5_000_000: 15
        case ...10_000_000: 16
        default: 17
        }
    }

    package mutating func add(_ other: Histogram) {
        for slot in counts.indices { counts[slot] += other.counts[slot] }
        sumMicroseconds += other.sumMicroseconds
    }
}
