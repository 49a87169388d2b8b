import Testing

@testable import HTTP

@Suite struct HTTPDateTests {
    private static let now: Int64 = 1_785_542_400  // 2026

    @Test(
        arguments: [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"), (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (951_782_399, "Mon, 28 Feb 2000 23:59:59 GMT"), (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
            (1_785_542_400, "Sat, 01 Aug 2026 00:00:00 GMT"), (2_147_483_648, "Tue, 19 Jan 2038 03:14:08 GMT"),
            (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"), (-1, "Wed, 31 Dec 1969 23:59:59 GMT"),
            (-2_208_988_800, "Mon, 01 Jan 1900 00:00:00 GMT"), (253_402_300_799, "Fri, 31 Dec 9999 23:59:59 GMT"),
        ] as [(Int64, String)])
    func areWrittenAndReadBack(_ seconds: Int64, _ expected: String) {
        #expect(HTTPDate.format(unixSeconds: seconds) == expected)
        #expect(HTTPDate.parse(expected, nowUnixSeconds: Self.now) == seconds)
    }

    /// A file's time may be any number of seconds, and a year has four digits.
    @Test(
        arguments: [
            (253_402_300_800, "Fri, 31 Dec 9999 23:59:59 GMT"), (.max, "Fri, 31 Dec 9999 23:59:59 GMT"),
            (-62_135_596_800, "Mon, 01 Jan 0001 00:00:00 GMT"), (-62_135_596_801, "Mon, 01 Jan 0001 00:00:00 GMT"),
            (.min, "Mon, 01 Jan 0001 00:00:00 GMT"),
        ] as [(Int64, String)])
    func aYearThatHasNoFourDigitsIsTheNearestThatHas(_ seconds: Int64, _ expected: String) {
        #expect(HTTPDate.format(unixSeconds: seconds) == expected)
        var bytes: [UInt8] = []
        HTTPDate.write(unixSeconds: seconds, into: &bytes)
        #expect(bytes == Array(expected.utf8))
    }

    /// RFC 9110, section 5.6.7: the three forms, of one moment.
    @Test(arguments: [
        "Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994",
    ])
    func threeFormsAreOneMoment(_ text: String) {
        #expect(HTTPDate.parse(text, nowUnixSeconds: Self.now) == 784_111_777)
    }

    @Test func asctimeTakesADayOfTwoDigits() {
        #expect(HTTPDate.parse("Wed Nov 16 08:49:37 1994", nowUnixSeconds: Self.now) == 784_975_777)
    }

    /// A year of two digits that would be over 50 years ahead is the last one past (RFC 9110, section 5.6.7).
    @Test(
        arguments: [
            ("Friday, 01-Jan-70 00:00:00 GMT", 3_155_760_000), ("Wednesday, 01-Jan-76 00:00:00 GMT", 3_345_062_400),
            ("Saturday, 01-Jan-77 00:00:00 GMT", 220_924_800), ("Friday, 31-Dec-99 23:59:59 GMT", 946_684_799),
        ] as [(String, Int64)])
    func twoDigitYearsAreNear(_ text: String, _ expected: Int64) {
        #expect(HTTPDate.parse(text, nowUnixSeconds: Self.now) == expected)
    }

    /// A leap second is the second before it: unix time has no other.
    @Test func leapSecond() {
        #expect(HTTPDate.parse("Sat, 31 Dec 2016 23:59:60 GMT", nowUnixSeconds: Self.now) == 1_483_228_799)
    }

    @Test(arguments: [
        "", "GMT", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 UTC", "Sun, 06 Nov 1994 08:49:37 +0000",
        "Sun, 6 Nov 1994 08:49:37 GMT", "Sun, 06 nov 1994 08:49:37 GMT", "SUN, 06 Nov 1994 08:49:37 GMT",
        "Sun 06 Nov 1994 08:49:37 GMT", "Xyz, 06 Nov 1994 08:49:37 GMT", "Sunday, 06 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 94 08:49:37 GMT", "Sun, 06-Nov-94 08:49:37 GMT", "Sunday, 06-Nov-1994 08:49:37 GMT",
        "Sun, 00 Nov 1994 08:49:37 GMT", "Sun, 31 Nov 1994 08:49:37 GMT", "Sun, 29 Feb 1900 08:49:37 GMT",
        "Sun, 30 Feb 2000 08:49:37 GMT", "Sun, 06 Nov 1994 24:00:00 GMT", "Sun, 06 Nov 1994 08:60:00 GMT",
        "Sun, 06 Nov 1994 08:49:61 GMT", "Sun, 06 Nov 1994 08:49:99 GMT", "Sun, 06 Nov 1994 8:49:37 GMT",
        "Sun, 06 Nov 1994 08:49 GMT", "Sun, +6 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 -8:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 GMT x", "Sun, \u{0660}6 Nov 1994 08:49:37 GMT", "784111777",
        "Sun Nov  6 08:49:37 94", "Sun Nov 006 08:49:37 1994",
    ])
    func othersAreNone(_ text: String) {
        #expect(HTTPDate.parse(text, nowUnixSeconds: Self.now) == nil)
    }

    @Test func everyDayOfACycleComesBack() {
        // 400 years are the calendar's whole cycle.
        for day in stride(from: -25_567 as Int64, to: 120_530, by: 1) {
            let seconds = day * 86_400 + 43_201
            guard HTTPDate.parse(HTTPDate.format(unixSeconds: seconds), nowUnixSeconds: Self.now) != seconds else {
                continue
            }
            Issue.record("\(seconds)")
            return
        }
    }

    @Test func theCacheFollowsTheClock() {
        var cache = HTTPDateCache()
        #expect(cache.value(unixSeconds: 0) == Array("Thu, 01 Jan 1970 00:00:00 GMT".utf8))
        #expect(cache.value(unixSeconds: 0) == Array("Thu, 01 Jan 1970 00:00:00 GMT".utf8))
        #expect(cache.value(unixSeconds: 784_111_777) == Array("Sun, 06 Nov 1994 08:49:37 GMT".utf8))
    }
}
