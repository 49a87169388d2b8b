/// Dates as HTTP writes them (RFC 9110, section 5.6.7).
package enum HTTPDate {
    private static let days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
    private static let longDays = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"]
    private static let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

    /// An IMF-fixdate, 29 bytes: `Sun, 06 Nov 1994 08:49:37 GMT`.
    package static func format(unixSeconds: Int64) -> String {
        let civil = writable(unixSeconds)
        return
            "\(days[civil.weekday]), \(two(civil.day)) \(months[civil.month - 1]) \(four(civil.year)) "
            + "\(two(civil.hour)):\(two(civil.minute)):\(two(civil.second)) GMT"
    }

    /// Appends what `format` gives, without making text of it.
    package static func write(unixSeconds: Int64, into buffer: inout [UInt8]) {
        let civil = writable(unixSeconds)
        var date = InlineArray<29, UInt8>(repeating: UInt8(ascii: " "))
        put(days[civil.weekday], at: 0, in: &date)
        date[3] = UInt8(ascii: ",")
        putTwo(civil.day, at: 5, in: &date)
        put(months[civil.month - 1], at: 8, in: &date)
        putTwo(civil.year / 100, at: 12, in: &date)
        putTwo(civil.year % 100, at: 14, in: &date)
        putTwo(civil.hour, at: 17, in: &date)
        date[19] = UInt8(ascii: ":")
        putTwo(civil.minute, at: 20, in: &date)
        date[22] = UInt8(ascii: ":")
        putTwo(civil.second, at: 23, in: &date)
        put("GMT", at: 26, in: &date)
        unsafe date.span.withUnsafeBufferPointer { unsafe buffer.append(contentsOf: $0) }
    }

    /// Four digits of year say 0001 to 9999. A file's time may lie outside, and is written as the nearest inside.
    private static func writable(_ unixSeconds: Int64) -> Civil {
        Civil(unixSeconds: min(max(unixSeconds, -62_135_596_800), 253_402_300_799))
    }

    private static func put(_ text: String, at start: Int, in date: inout InlineArray<29, UInt8>) {
        var at = start
        for byte in text.utf8 {
            date[at] = byte
            at += 1
        }
    }

    private static func putTwo(_ value: Int, at start: Int, in date: inout InlineArray<29, UInt8>) {
        date[start] = UInt8(truncatingIfNeeded: 0x30 + value / 10)
        date[start + 1] = UInt8(truncatingIfNeeded: 0x30 + value % 10)
    }

    /// Reads any of the three forms that a recipient must accept; nil for anything else.
    package static func parse(_ text: String, nowUnixSeconds: Int64) -> Int64? {
        let words = text.split(separator: " ", omittingEmptySubsequences: true).map(String.init)
        switch words.count {
        case 6 where words[5] == "GMT" && words[0].hasSuffix(","):
            // Sun, 06 Nov 1994 08:49:37 GMT
            guard days.contains(String(words[0].dropLast())), let year = number(words[3], digits: 4) else { return nil }
            return assemble(day: number(words[1], digits: 2), month: words[2], year: year, time: words[4])
        case 4 where words[3] == "GMT" && words[0].hasSuffix(","):
            // Sunday, 06-Nov-94 08:49:37 GMT
            let parts = words[1].split(separator: "-", omittingEmptySubsequences: false).map(String.init)
            guard longDays.contains(String(words[0].dropLast())), parts.count == 3,
                let short = number(parts[2], digits: 2)
            else { return nil }
            let thisYear = Civil(unixSeconds: nowUnixSeconds).year
            var year = thisYear / 100 * 100 + short
            if year > thisYear + 50 { year -= 100 }
            return assemble(day: number(parts[0], digits: 2), month: parts[1], year: year, time: words[2])
        case 5:
            // Sun Nov  6 08:49:37 1994
            guard days.contains(words[0]), words[2].utf8.count <= 2, let year = number(words[4], digits: 4) else {
                return nil
            }
            return assemble(
                day: number(words[2], digits: words[2].utf8.count), month: words[1], year: year, time: words[3])
        default: return nil
        }
    }

    private static func assemble(day: Int?, month: String, year: Int, time: String) -> Int64? {
        let clock = time.split(separator: ":", omittingEmptySubsequences: false).map { number(String($0), digits: 2) }
        guard let day, let month = months.firstIndex(of: month), clock.count == 3, let hour = clock[0],
            let minute = clock[1], let second = clock[2], second <= 60
        else { return nil }
        // A leap second has no unix time of its own.
        return Civil.unixSeconds(
            year: year, month: month + 1, day: day, hour: hour, minute: minute, second: min(second, 59))
    }

    private static func number(_ text: String, digits: Int) -> Int? {
        guard text.utf8.count == digits, (1...4).contains(digits), text.utf8.allSatisfy(Byte.isDigit) else {
            return nil
        }
        return Int(text)
    }

    private static func two(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
    private static func four(_ value: Int) -> String {
        String(repeating: "0", count: max(0, 4 - "\(value)".count)) + "\(value)"
    }
}

/// A `Date` field's value, made once a second. Owned by one event loop.
package struct HTTPDateCache {
    private var second: Int64 = .min
    private var bytes: [UInt8] = []

    package init() {}

    /// The IMF-fixdate of this second, 29 bytes.
    package mutating func value(unixSeconds: Int64) -> [UInt8] {
        if unixSeconds != second {
            second = unixSeconds
            bytes = Array(HTTPDate.format(unixSeconds: unixSeconds).utf8)
        }
        return bytes
    }
}

/// A date of the proleptic Gregorian calendar (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
private struct Civil {
    let year: Int
    let month: Int
    let day: Int
    let hour: Int
    let minute: Int
    let second: Int
    let weekday: Int

    init(unixSeconds: Int64) {
        var days = unixSeconds / 86_400
        var rest = unixSeconds % 86_400
        if rest < 0 {
            rest += 86_400
            days -= 1
        }
        weekday = Int(((days + 4) % 7 + 7) % 7)
        let z = days + 719_468
        let era = (z >= 0 ? z : z - 146_096) / 146_097
        let dayOfEra = z - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let m = (5 * dayOfYear + 2) / 153
        month = Int(m < 10 ? m + 3 : m - 9)
        day = Int(dayOfYear - (153 * m + 2) / 5 + 1)
        year = Int(yearOfEra + era * 400) + (month <= 2 ? 1 : 0)
        hour = Int(rest / 3600)
        minute = Int(rest % 3600 / 60)
        second = Int(rest % 60)
    }

    static func unixSeconds(year: Int, month: Int, day: Int, hour: Int, minute: Int, second: Int) -> Int64? {
        guard (1...31).contains(day), (0...23).contains(hour), (0...59).contains(minute), (0...59).contains(second)
        else {
            return nil
        }
        let y = Int64(month <= 2 ? year - 1 : year)
        let era = (y >= 0 ? y : y - 399) / 400
        let yearOfEra = y - era * 400
        let dayOfYear = Int64((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1)
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        let seconds = (era * 146_097 + dayOfEra - 719_468) * 86_400 + Int64(hour * 3600 + minute * 60 + second)
        // A day that the month does not have comes back as another day.
        return Civil(unixSeconds: seconds).day == day ? seconds : nil
    }
}
