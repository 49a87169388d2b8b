import Residency
import Testing

@Suite struct TimestampTests {
    @Test(
        "RFC 3339 is read to the microsecond",
        arguments: [
            ("1970-01-01T00:00:00Z", 0),
            ("1970-01-01T00:00:00.000001Z", 1),
            ("1969-12-31T23:59:59.999999Z", -1),
            ("2026-11-23T22:30:00+00:00", 1_795_473_000_000_000),
            ("2026-11-23T23:30:00+01:00", 1_795_473_000_000_000),
            ("2026-11-23T17:00:00-05:30", 1_795_473_000_000_000),
            ("2026-11-23T22:30:00.5Z", 1_795_473_000_500_000),
            ("2000-02-29T00:00:00Z", 951_782_400_000_000),
            ("2024-02-29T12:00:00Z", 1_709_208_000_000_000),
            ("2024-03-01T00:00:00Z", 1_709_251_200_000_000),
            ("1900-03-01T00:00:00Z", -2_203_891_200_000_000),
            ("9999-12-31T23:59:59.999999Z", 253_402_300_799_999_999),
            ("0001-01-01T00:00:00Z", -62_135_596_800_000_000),
        ])
    func reads(text: String, microseconds: Int64) {
        #expect(Timestamp(rfc3339: text)?.microseconds == microseconds)
    }

    @Test(
        "what is not RFC 3339 is nil",
        arguments: [
            "", "2026", "2026-11-23", "2026-11-23T22:30:00", "2026-11-23 22:30:00Z", "2026-11-23t22:30:00Z",
            "2026-11-23T22:30:00z",
            "2026-02-29T00:00:00Z", "1900-02-29T00:00:00Z", "2026-04-31T00:00:00Z", "2026-13-01T00:00:00Z",
            "2026-00-01T00:00:00Z",
            "2026-01-00T00:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z", "2026-12-31T23:59:60Z",
            "0000-01-01T00:00:00Z",
            "2026-01-01T00:00:00.Z", "2026-01-01T00:00:00.1234567Z", "2026-01-01T00:00:00,5Z", "2026-01-01T00:00:00Z ",
            " 2026-01-01T00:00:00Z", "2026-01-01T00:00:00ZZ", "2026-01-01T00:00:00+24:00", "2026-01-01T00:00:00+00:60",
            "2026-01-01T00:00:00+0000", "2026-01-01T00:00:00+00", "2026-01-01T00:00:00.123456", "+026-01-01T00:00:00Z",
            "2026-01-01T00:00:00−01:00", "２026-01-01T00:00:00Z", "2026-1-01T00:00:00.0Z", "20260101T000000.000000Z",
        ])
    func refuses(text: String) {
        #expect(Timestamp(rfc3339: text) == nil)
    }

    @Test(
        "what is written is read back, in 27 bytes",
        arguments: [0, 1, -1, 999_999, -62_135_596_800_000_000, 1_709_208_000_000_000])
    func roundTrip(microseconds: Int64) {
        let text = Timestamp(microseconds: microseconds).rfc3339
        #expect(text.utf8.count == 27)
        #expect(Timestamp(rfc3339: text)?.microseconds == microseconds)
    }

    @Test("times outside the years that can be written are written as the nearest")
    func clamps() {
        #expect(Timestamp(microseconds: .max).rfc3339 == "9999-12-31T23:59:59.999999Z")
        #expect(Timestamp(microseconds: .min).rfc3339 == "0001-01-01T00:00:00.000000Z")
    }

    @Test("seconds saturate and round towards the past")
    func seconds() {
        #expect(Timestamp(seconds: .max).microseconds == .max)
        #expect(Timestamp(seconds: .min).microseconds == .min)
        #expect(Timestamp(seconds: .max).adding(seconds: 1).microseconds == .max)
        #expect(Timestamp(seconds: .min).adding(seconds: -1).microseconds == .min)
        #expect(Timestamp(microseconds: -1).seconds == -1)
        #expect(Timestamp(microseconds: -1_000_000).seconds == -1)
        #expect(Timestamp(microseconds: 1_999_999).seconds == 1)
        #expect(Timestamp(seconds: 5).adding(seconds: -7).seconds == -2)
    }

    @Test("every day from 1600 to 2400 goes to its date and back, in order, with the right weekday")
    func everyDay() {
        var previous = (year: 1599, month: 12, day: 31)
        // 1600-01-01 was a Saturday (proleptic Gregorian).
        var weekday = 6
        var wrong: [Int64] = []
        for days in Int64(-135_140)...Int64(157_419) {
            let civil = CivilTime(unixSeconds: days * 86_400 + 86_399)
            let isNext =
                (civil.year, civil.month, civil.day) == (previous.year, previous.month, previous.day + 1)
                || (civil.year, civil.month, civil.day) == (previous.year, previous.month + 1, 1)
                || (civil.year, civil.month, civil.day) == (previous.year + 1, 1, 1)
            let isWhole = (civil.hour, civil.minute, civil.second) == (23, 59, 59)
            if !isNext || !isWhole || civil.unixSeconds != days * 86_400 + 86_399
                || CivilTime.weekday(unixSeconds: days * 86_400) != weekday
            {
                wrong.append(days)
            }
            previous = (civil.year, civil.month, civil.day)
            weekday = (weekday + 1) % 7
        }
        #expect(wrong.prefix(3) == [])
        #expect(previous == (2400, 12, 31))
        // What a token may name, as Python has it.
        #expect(CivilTime.weekday(unixSeconds: .min) == 0)
        #expect(CivilTime.weekday(unixSeconds: .max) == 0)
        #expect(CivilTime.weekday(unixSeconds: -1) == 3)
    }
}
