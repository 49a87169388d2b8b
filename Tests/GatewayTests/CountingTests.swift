import DecisionLog
import NIOCore
import Residency
import Settings
import Testing

@testable import Gateway

@Suite struct CountingTests {
    let gateway = GatewayName("dub1-gw1")!
    let alice = PrincipalName("alice")!
    let bob = PrincipalName("bob")!

    func lines(_ events: [EventEntry]) -> [String] {
        events.map { event in
            var line: [UInt8] = []
            event.append(to: &line, time: Timestamp(seconds: 0))
            return String(decoding: line, as: UTF8.self)
        }
    }

    /// A quarter of all for the stores' objects, and some for the log.
    @Test(arguments: [(65_536, 39_936), (20_000, 11_476), (1024, 512), (128, 64), (0, 32)] as [(UInt64, Int)])
    func connectionsAreAShareOfTheDescriptors(descriptors: UInt64, connections: Int) {
        #expect(Limits.connectionsMax(descriptorsMax: descriptors) == connections)
    }

    /// DESIGN section 7: one event a minute per reason and /24 or /48, with a count.
    @Test func strangersAreCountedByReasonAndNetwork() throws {
        let aggregates = Aggregates()
        for host in 1...200 { aggregates.count(.unauthenticated, from: try #require(Address("192.0.2.\(host)"))) }
        aggregates.count(.unauthenticated, from: try #require(Address("192.0.3.1")))
        aggregates.count(.badRequest, from: try #require(Address("2001:db8:1::1")))
        aggregates.count(.badRequest, from: try #require(Address("2001:db8:1:ffff::1")))
        let events = lines(aggregates.takeEvents(gateway))
        #expect(events.count == 3)
        #expect(events.contains { $0.contains("192.0.2.0/24") && $0.contains("\"count\":200") })
        #expect(events.contains { $0.contains("2001:db8:1:0:0:0:0:0/48") && $0.contains("\"count\":2") })
        #expect(aggregates.takeEvents(gateway).isEmpty)
    }

    /// A disk that fails at each request is told of, with how often, and does not fill the journal.
    @Test func storesThatFailAreToldOfSomeTimesAMinute() throws {
        var reports = StorageReports()
        let bucket = try #require(BucketName("mail-dub1"))
        func take(_ second: Int64, _ error: String = "pread: EIO") -> Int? {
            reports.take(bucket, error, at: .uptimeNanoseconds(0) + .seconds(second))
        }
        #expect((0..<100).map { _ in take(1) } == Array(repeating: 0, count: 10) + Array(repeating: nil, count: 90))
        // Another error is another matter.
        #expect(take(2, "fsync: EIO") == 0)
        #expect(take(60) == nil)
        #expect(take(61) == 91)
        #expect(take(61) == 0)
    }

    /// A flood from everywhere does not grow the log by more than its bound.
    @Test func aFloodFromEverywhereIsBounded() throws {
        let aggregates = Aggregates()
        for network in 0..<5000 {
            aggregates.count(
                .unauthenticated, from: try #require(Address("10.\(network / 256).\(network % 256).1")))
        }
        let events = lines(aggregates.takeEvents(gateway))
        #expect(events.count == Limits.strangerNetworksMax + 1)
        #expect(
            events.contains {
                $0.contains("\"others\"") && $0.contains("\"count\":\(5000 - Limits.strangerNetworksMax)")
            })
    }

    @Test func aPrincipalIsHeldToItsRateByTheSecond() {
        let rates = RequestRates()
        #expect((0..<10).map { _ in rates.admits(alice, max: 3, atSecond: 1) }.filter { $0 }.count == 3)
        #expect(rates.admits(bob, max: 3, atSecond: 1))
        #expect(rates.admits(alice, max: 3, atSecond: 2))
        // A loop whose turn began before opens no second anew.
        #expect((0..<10).map { _ in rates.admits(alice, max: 3, atSecond: 1) }.filter { $0 }.count == 2)
        #expect(!rates.admits(alice, max: 3, atSecond: 2))
    }

    /// DESIGN 3.7: after 10 such answers in a minute all foreign writes are overloaded for the rest of it.
    @Test func foreignOverwritesSuspendAPrincipalForTheRestOfTheMinute() {
        let overwrites = ForeignOverwrites()
        for count in 0..<10 {
            #expect(!overwrites.areSuspended(for: alice, at: Timestamp(seconds: 60 + Int64(count))))
            overwrites.count(for: alice, at: Timestamp(seconds: 60 + Int64(count)))
        }
        #expect(overwrites.areSuspended(for: alice, at: Timestamp(seconds: 119)))
        #expect(!overwrites.areSuspended(for: bob, at: Timestamp(seconds: 119)))
        #expect(!overwrites.areSuspended(for: alice, at: Timestamp(seconds: 120)))
    }

    @Test func countersAddUpAcrossLoopsAndKeepTheirStores() {
        var one = Counters(stores: 1)
        one.count(.domestic, store: 0, crossing: false)
        one.count(.unauthenticated, store: nil, crossing: false)
        one.grow(stores: 2)
        one.count(.authorized, store: 1, crossing: true)
        var sum = Counters(stores: 2)
        sum.add(one)
        sum.add(one)
        var seen: [String: UInt64] = [:]
        sum.forEachDecision { store, reason, crossing, count in
            seen["\(store.map(String.init) ?? "-") \(reason.rawValue) \(crossing)"] = count
        }
        #expect(seen == ["0 domestic false": 2, "- unauthenticated false": 2, "1 authorized true": 2])
    }

    @Test func aHistogramCountsUpToItsBounds() {
        var histogram = Histogram()
        for value: Int64 in [1, 50, 51, 10_000_000, 10_000_001] { histogram.record(microseconds: value) }
        #expect(histogram.counts.first == 2)
        #expect(histogram.counts[1] == 1)
        #expect(histogram.counts.last == 1)
        #expect(histogram.sumMicroseconds == 20_000_103)
    }

    @Test func requestIdsAreSixteenDigitsAndDistinct() {
        let ids = (0..<1000).map { _ in RequestID.next().text }
        #expect(Set(ids).count == 1000)
        #expect(ids.allSatisfy { $0.count == 16 && $0.allSatisfy(\.isHexDigit) })
    }
}
