internal import JSON
internal import Residency

/// What a verification needs of an entry: its kind, its time, and what it opens or closes. Entries are written in one order of members
/// (DESIGN section 7), so that is read by position; anything else goes to the JSON parser.
struct EntryHead {
    enum Kind {
        case allow, refuse, event
        case completion([UInt64])
        /// The event that a start after a crash writes: decisions that nothing will close.
        case leftOpen([UInt64])
        /// The event that tells that entries before this one were pruned.
        case pruned(UInt64)
    }

    let kind: Kind
    let time: EntryMoment

    /// nil when the bytes are no entry.
    init?(_ entry: Span<UInt8>) {
        guard let head = Self.read(entry) ?? Self.parse(entry) else { return nil }
        self = head
    }

    private init(kind: Kind, time: EntryMoment) {
        self.kind = kind
        self.time = time
    }

    // MARK: - By position

    private static let decision = Array(#"{"kind":"decision","v":1,"time":""#.utf8)
    private static let completion = Array(#"{"kind":"completion","v":1,"time":""#.utf8)
    private static let gateway = Array(#"","gateway":""#.utf8)
    private static let request = Array(#"","request":""#.utf8)
    private static let allow = Array(#"","decision":"allow","reason":""#.utf8)
    private static let refuse = Array(#"","decision":"refuse","reason":""#.utf8)
    private static let completed = Array(#"","completed":["#.utf8)
    private static let index = Array(#"{"index":"#.utf8)

    private static func read(_ entry: Span<UInt8>) -> EntryHead? {
        var at = 0
        guard entry.count > 64, entry[entry.count - 1] == UInt8(ascii: "}") else { return nil }
        if skip(decision, entry, &at) {
            guard let time = EntryMoment(entry, at: at) else { return nil }
            at += EntryMoment.bytes
            guard skip(gateway, entry, &at), skipText(entry, &at), skip(request, entry, &at), skipText(entry, &at)
            else {
                return nil
            }
            if skip(allow, entry, &at) { return EntryHead(kind: .allow, time: time) }
            return skip(refuse, entry, &at) ? EntryHead(kind: .refuse, time: time) : nil
        }
        guard skip(completion, entry, &at), let time = EntryMoment(entry, at: at) else { return nil }
        at += EntryMoment.bytes
        guard skip(gateway, entry, &at), skipText(entry, &at), skip(completed, entry, &at) else { return nil }
        return items(entry, at).map { EntryHead(kind: .completion($0), time: time) }
    }

    /// `{"index":N,…},…]}`; no member of an item holds a brace.
    private static func items(_ entry: Span<UInt8>, _ start: Int) -> [UInt64]? {
        var at = start
        var indexes: [UInt64] = []
        while skip(index, entry, &at) {
            var number: UInt64 = 0
            let first = at
            while at < entry.count, entry[at] &- 0x30 < 10, at - first < 19 {
                number = number * 10 + UInt64(entry[at] - 0x30)
                at += 1
            }
            guard at > first else { return nil }
            indexes.append(number)
            while at < entry.count, entry[at] != UInt8(ascii: "}") {
                guard entry[at] != UInt8(ascii: "{"), entry[at] != UInt8(ascii: "\\") else { return nil }
                at += 1
            }
            at += 1
            guard at < entry.count, entry[at] == UInt8(ascii: ",") else { break }
            at += 1
        }
        return !indexes.isEmpty && at + 2 == entry.count && entry[at] == UInt8(ascii: "]") ? indexes : nil
    }

    private static func skip(_ text: [UInt8], _ entry: Span<UInt8>, _ at: inout Int) -> Bool {
        guard at + text.count <= entry.count else { return false }
        let text = text.span
        for offset in text.indices where entry[at + offset] != text[offset] { return false }
        at += text.count
        return true
    }

    /// To the quotation mark that ends a text without escapes.
    private static func skipText(_ entry: Span<UInt8>, _ at: inout Int) -> Bool {
        while at < entry.count, entry[at] != UInt8(ascii: "\"") {
            guard entry[at] != UInt8(ascii: "\\") else { return false }
            at += 1
        }
        return at < entry.count
    }

    // MARK: - By the parser

    private static func parse(_ entry: Span<UInt8>) -> EntryHead? {
        let bytes = entry.indices.map { entry[$0] }
        guard let object = (try? JSONValue(parsing: bytes))?.object, let kind = object["kind"]?.string,
            let text = object["time"]?.string, let time = EntryMoment(Array(text.utf8).span, at: 0)
        else { return nil }
        func numbers(_ values: [JSONValue]) -> [UInt64]? {
            let numbers = values.compactMap { $0.integer.flatMap { UInt64(exactly: $0) } }
            return numbers.count == values.count ? numbers : nil
        }
        switch kind {
        case "decision":
            guard let decision = object["decision"]?.string, decision == "allow" || decision == "refuse" else {
                return nil
            }
            return EntryHead(kind: decision == "allow" ? .allow : .refuse, time: time)
        case "completion":
            let items = (object["completed"]?.array ?? []).map { $0.object?["index"] ?? .null }
            return numbers(items).map { EntryHead(kind: .completion($0), time: time) }
        case "event":
            switch object["event"]?.string {
            case "open-decisions":
                return numbers(object["indexes"]?.array ?? []).map { EntryHead(kind: .leftOpen($0), time: time) }
            case "pruned":
                return numbers([object["minimum_index"] ?? .null]).map { EntryHead(kind: .pruned($0[0]), time: time) }
            default: return EntryHead(kind: .event, time: time)
            }
        default: return nil
        }
    }
}

/// An entry's time as a number that grows with it, for comparing without a calendar.
struct EntryMoment: Comparable, Sendable {
    /// `2026-11-23T22:30:00.000000Z`
    static let bytes = 27

    private let packed: UInt64

    /// nil when no time of that form stands there.
    init?(_ text: Span<UInt8>, at start: Int) {
        guard start + Self.bytes <= text.count else { return nil }
        var isTime = true
        func number(_ from: Int, _ count: Int) -> UInt64 {
            var value: UInt64 = 0
            for at in start + from..<start + from + count {
                let digit = text[at] &- 0x30
                isTime = isTime && digit < 10
                value = value &* 10 &+ UInt64(digit)
            }
            return value
        }
        func has(_ byte: UInt8, _ at: Int) -> Bool { text[start + at] == byte }
        let year = number(0, 4)
        let month = number(5, 2)
        let day = number(8, 2)
        let hour = number(11, 2)
        let minute = number(14, 2)
        let second = number(17, 2)
        let micro = number(20, 6)
        guard isTime, has(0x2D, 4), has(0x2D, 7), has(0x54, 10), has(0x3A, 13), has(0x3A, 16), has(0x2E, 19),
            has(0x5A, 26), (1...12).contains(month), (1...31).contains(day), hour < 24, minute < 60, second < 60
        else { return nil }
        packed =
            year << 46 | month << 42 | day << 37 | hour << 32 | minute << 26 | second << 20 | micro
    }

    var timestamp: Timestamp {
        func part(_ shift: UInt64, _ bits: UInt64) -> Int { Int(packed >> shift & (1 << bits - 1)) }
        let seconds = CivilTime(
            year: part(46, 14), month: part(42, 4), day: part(37, 5), hour: part(32, 5), minute: part(26, 6),
            second: part(20, 6)
        ).unixSeconds
        return Timestamp(microseconds: (seconds ?? 0) * 1_000_000 + Int64(part(0, 20)))
    }

    static func < (left: EntryMoment, right: EntryMoment) -> Bool { left.packed < right.packed }
}
