/// A moment in UTC, in microseconds since 1970-01-01T00:00:00Z.
package struct Timestamp: Hashable, Comparable, Sendable {
    package let microseconds: Int64

    package init(microseconds: Int64) { self.microseconds = microseconds }

    /// Saturates: a token may name any second.
    package init(seconds: Int64) {
        let (product, overflows) = seconds.multipliedReportingOverflow(by: 1_000_000)
        microseconds = overflows ? (seconds < 0 ? .min : .max) : product
    }

    /// Later by that many seconds; saturates.
    package func adding(seconds: Int64) -> Timestamp {
        let (sum, overflows) = microseconds.addingReportingOverflow(Timestamp(seconds: seconds).microseconds)
        return overflows ? Timestamp(microseconds: seconds < 0 ? .min : .max) : Timestamp(microseconds: sum)
    }

    /// Whole seconds, rounded towards the past.
    package var seconds: Int64 {
        let quotient = microseconds / 1_000_000
        return microseconds % 1_000_000 < 0 ? quotient - 1 : quotient
    }

    package static func < (left: Timestamp, right: Timestamp) -> Bool { left.microseconds < right.microseconds }
}

/// A day of the proleptic Gregorian calendar and its time, for writing and reading dates by hand: a formatter costs
/// twenty times as much.
package struct CivilTime: Hashable, Sendable {
    package var year: Int
    package var month: Int
    package var day: Int
    package var hour: Int
    package var minute: Int
    package var second: Int

    package init(year: Int, month: Int, day: Int, hour: Int, minute: Int, second: Int) {
        self.year = year
        self.month = month
        self.day = day
        self.hour = hour
        self.minute = minute
        self.second = second
    }

    /// The civil time of a count of unix seconds (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
    package init(unixSeconds: Int64) {
        var days = unixSeconds / 86_400
        var rest = unixSeconds % 86_400
        if rest < 0 {
            rest += 86_400
            days -= 1
        }
        let z = days + 719_468
        let era = (z >= 0 ? z : z - 146_096) / 146_097
        let dayOfEra = z - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let m = (5 * dayOfYear + 2) / 153
        let month = m < 10 ? m + 3 : m - 9
        self.init(
            year: Int(yearOfEra + era * 400 + (month <= 2 ? 1 : 0)), month: Int(month),
            day: Int(dayOfYear - (153 * m + 2) / 5 + 1), hour: Int(rest / 3600), minute: Int(rest % 3600 / 60),
            second: Int(rest % 60))
    }

    /// Seconds since 1970; nil when a field is out of its range (a leap second is not accepted).
    package var unixSeconds: Int64? {
        guard (1...9999).contains(year), (1...12).contains(month), (0...23).contains(hour), (0...59).contains(minute),
            (0...59).contains(second), day >= 1, day <= Self.days(inMonth: month, year: year)
        else { return nil }
        let y = Int64(month <= 2 ? year - 1 : year)
        let era = y / 400
        let yearOfEra = y - era * 400
        let dayOfYear = Int64((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1)
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return (era * 146_097 + dayOfEra - 719_468) * 86_400 + Int64(hour * 3600 + minute * 60 + second)
    }

    /// 0 is Sunday.
    package static func weekday(unixSeconds: Int64) -> Int {
        // Rounded down after the division: a token may name any second.
        let days = unixSeconds / 86_400 - (unixSeconds % 86_400 < 0 ? 1 : 0)
        return Int(((days + 4) % 7 + 7) % 7)
    }

    private static func days(inMonth month: Int, year: Int) -> Int {
        switch month {
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }
}

extension Timestamp {
    /// `2026-11-23T22:30:00.000000Z`, always 27 bytes (RFC 3339, UTC, microseconds).
    package var rfc3339: String {
        var text: [UInt8] = []
        appendRFC3339(to: &text)
        return String(decoding: text, as: UTF8.self)
    }

    /// What four digits of year can say: a time outside is written as the nearest inside.
    private static let writable = -62_135_596_800_000_000...253_402_300_799_999_999 as ClosedRange<Int64>

    /// Appends the 27 bytes of `rfc3339`.
    package func appendRFC3339(to bytes: inout [UInt8]) {
        let text = rfc3339Bytes
        bytes.append(addingCapacity: text.count) { out in
            for index in text.indices { out.append(text[index]) }
        }
    }

    /// The bytes of `rfc3339`.
    package var rfc3339Bytes: InlineArray<27, UInt8> {
        let microseconds = min(max(microseconds, Self.writable.lowerBound), Self.writable.upperBound)
        let seconds = Timestamp(microseconds: microseconds).seconds
        let civil = CivilTime(unixSeconds: seconds)
        let fraction = Int(microseconds - seconds * 1_000_000)
        var text = InlineArray<27, UInt8>(repeating: UInt8(ascii: "-"))
        Self.putTwo(civil.year / 100, at: 0, in: &text)
        Self.putTwo(civil.year % 100, at: 2, in: &text)
        Self.putTwo(civil.month, at: 5, in: &text)
        Self.putTwo(civil.day, at: 8, in: &text)
        text[10] = UInt8(ascii: "T")
        Self.putTwo(civil.hour, at: 11, in: &text)
        text[13] = UInt8(ascii: ":")
        Self.putTwo(civil.minute, at: 14, in: &text)
        text[16] = UInt8(ascii: ":")
        Self.putTwo(civil.second, at: 17, in: &text)
        text[19] = UInt8(ascii: ".")
        Self.putFraction(fraction, in: &text)
        text[26] = UInt8(ascii: "Z")
        return text
    }

    /// Writes times of which one is mostly of the same second as the one before.
    package struct Writer: Sendable {
        private var second: Int64?
        private var text = InlineArray<27, UInt8>(repeating: 0)

        package init() {}

        /// The bytes of `rfc3339`.
        package mutating func rfc3339Bytes(_ time: Timestamp) -> InlineArray<27, UInt8> {
            let seconds = time.seconds
            guard seconds == second, Timestamp.writable.contains(time.microseconds) else {
                text = time.rfc3339Bytes
                second = seconds
                return text
            }
            Timestamp.putFraction(Int(time.microseconds - seconds * 1_000_000), in: &text)
            return text
        }
    }

    /// Parses RFC 3339 (`date-time`, with `Z` or a numeric offset, 0 to 6 fraction digits); nil for anything else.
    package init?(rfc3339 text: some StringProtocol) { self.init(rfc3339: Array(text.utf8)) }

    /// The same by its bytes.
    package init?(rfc3339 bytes: [UInt8]) {
        guard bytes.count >= 20, bytes.count <= 32 else { return nil }
        func number(_ range: Range<Int>) -> Int? {
            var value = 0
            for index in range {
                guard index < bytes.count, (0x30...0x39).contains(bytes[index]) else { return nil }
                value = value * 10 + Int(bytes[index] - 0x30)
            }
            return value
        }
        guard let year = number(0..<4), bytes[4] == 0x2D, let month = number(5..<7), bytes[7] == 0x2D,
            let day = number(8..<10), bytes[10] == UInt8(ascii: "T"), let hour = number(11..<13), bytes[13] == 0x3A,
            let minute = number(14..<16), bytes[16] == 0x3A, let second = number(17..<19),
            let whole = CivilTime(year: year, month: month, day: day, hour: hour, minute: minute, second: second)
                .unixSeconds
        else { return nil }
        var at = 19
        var fraction: Int64 = 0
        if bytes[at] == UInt8(ascii: ".") {
            at += 1
            var scale: Int64 = 100_000
            let start = at
            while at < bytes.count, (0x30...0x39).contains(bytes[at]) {
                guard at - start < 6 else { return nil }
                fraction += Int64(bytes[at] - 0x30) * scale
                scale /= 10
                at += 1
            }
            guard at > start else { return nil }
        }
        guard at < bytes.count else { return nil }
        var offset: Int64 = 0
        if bytes[at] == UInt8(ascii: "Z") {
            guard at + 1 == bytes.count else { return nil }
        } else {
            guard bytes[at] == 0x2B || bytes[at] == 0x2D, at + 6 == bytes.count, let hours = number(at + 1..<at + 3),
                hours <= 23, bytes[at + 3] == 0x3A, let minutes = number(at + 4..<at + 6), minutes <= 59
            else { return nil }
            offset = Int64(hours * 3600 + minutes * 60) * (bytes[at] == 0x2B ? 1 : -1)
        }
        self.init(microseconds: (whole - offset) * 1_000_000 + fraction)
    }

    private static func putFraction(_ microseconds: Int, in text: inout InlineArray<27, UInt8>) {
        putTwo(microseconds / 10_000, at: 20, in: &text)
        putTwo(microseconds / 100 % 100, at: 22, in: &text)
        putTwo(microseconds % 100, at: 24, in: &text)
    }

    private static func putTwo(_ value: Int, at start: Int, in text: inout InlineArray<27, UInt8>) {
        text[start] = UInt8(0x30 + value / 10)
        text[start + 1] = UInt8(0x30 + value % 10)
    }
}
