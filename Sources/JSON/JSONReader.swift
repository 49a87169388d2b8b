extension JSONValue {
    /// Reads one value that fills the whole text: no byte-order mark, no trailing comma, no duplicate name (escapes resolved), no
    /// lone surrogate.
    /// - Parameters:
    ///   - depthMax: How deep arrays and objects may nest; a scalar has depth 0.
    ///   - bytesMax: The longest text that is read at all.
    package init(parsing text: [UInt8], depthMax: Int = 32, bytesMax: Int = 16 << 20) throws(JSONError) {
        guard text.count <= bytesMax else { throw JSONError(problem: .tooLarge, offset: bytesMax) }
        guard (try? UTF8Span(validating: text.span)) != nil else { throw JSONError(problem: .notUTF8, offset: 0) }
        var reader = JSONReader(text: text, depthMax: depthMax)
        self = try reader.document()
    }
}

private struct JSONReader {
    let text: [UInt8]
    let depthMax: Int
    var at = 0

    init(text: [UInt8], depthMax: Int) {
        self.text = text
        self.depthMax = depthMax
    }

    mutating func document() throws(JSONError) -> JSONValue {
        let value = try value(depth: 0)
        skipSpace()
        guard at == text.count else { throw error(.trailingBytes) }
        return value
    }

    private mutating func value(depth: Int) throws(JSONError) -> JSONValue {
        skipSpace()
        switch try peek() {
        case UInt8(ascii: "{"): return try object(depth: depth + 1)
        case UInt8(ascii: "["): return try array(depth: depth + 1)
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try literal("true", .bool(true))
        case UInt8(ascii: "f"): return try literal("false", .bool(false))
        case UInt8(ascii: "n"): return try literal("null", .null)
        default: return try number()
        }
    }

    private mutating func object(depth: Int) throws(JSONError) -> JSONValue {
        guard depth <= depthMax else { throw error(.tooDeep) }
        at += 1
        var names = MemberNames(in: text)
        var values: [JSONValue] = []
        values.reserveCapacity(MemberNames.few)
        skipSpace()
        if try peek() == UInt8(ascii: "}") {
            at += 1
            return .object(JSONObject(members: []))
        }
        while true {
            skipSpace()
            let start = at
            guard try peek() == UInt8(ascii: "\"") else { throw error(.unexpected) }
            let unescaped = try unescapedString()
            guard names.add(start + 1..<at - 1, of: text, unescaped: unescaped) else {
                throw JSONError(problem: .duplicateName, offset: start)
            }
            skipSpace()
            guard try peek() == UInt8(ascii: ":") else { throw error(.unexpected) }
            at += 1
            values.append(try value(depth: depth))
            if try isEnd(UInt8(ascii: "}")) {
                return .object(JSONObject(names: names.ranges, in: names.text, values: values))
            }
        }
    }

    private mutating func array(depth: Int) throws(JSONError) -> JSONValue {
        guard depth <= depthMax else { throw error(.tooDeep) }
        at += 1
        var values: [JSONValue] = []
        skipSpace()
        if try peek() == UInt8(ascii: "]") {
            at += 1
            return .array(values)
        }
        while true {
            values.append(try value(depth: depth))
            if try isEnd(UInt8(ascii: "]")) { return .array(values) }
        }
    }

    /// Past a comma (false) or the closing byte (true).
    private mutating func isEnd(_ close: UInt8) throws(JSONError) -> Bool {
        skipSpace()
        let byte = try peek()
        guard byte == close || byte == UInt8(ascii: ",") else { throw error(.unexpected) }
        at += 1
        return byte == close
    }

    private mutating func string() throws(JSONError) -> JSONString {
        let start = at + 1
        if let unescaped = try unescapedString() { return JSONString(utf8: unescaped) }
        return JSONString(pieceOf: text[start..<at - 1])
    }

    /// Past a string: nil where its bytes are those between the quotes.
    private mutating func unescapedString() throws(JSONError) -> [UInt8]? {
        at += 1
        var bytes: [UInt8] = []
        while true {
            let run = at  // where the bytes begin that stand for themselves
            at = JSONText.plainEnd(text.span, from: at)
            switch try peek() {
            case UInt8(ascii: "\""):
                defer { at += 1 }
                if bytes.isEmpty { return nil }
                bytes.append(contentsOf: text[run..<at])
                return bytes
            case UInt8(ascii: "\\"):
                bytes.append(contentsOf: text[run..<at])
                at += 1
                try escape(into: &bytes)
            default: throw error(.badString)
            }
        }
    }

    private mutating func escape(into bytes: inout [UInt8]) throws(JSONError) {
        let byte = try peek()
        at += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): bytes.append(byte)
        case UInt8(ascii: "b"): bytes.append(0x08)
        case UInt8(ascii: "f"): bytes.append(0x0C)
        case UInt8(ascii: "n"): bytes.append(0x0A)
        case UInt8(ascii: "r"): bytes.append(0x0D)
        case UInt8(ascii: "t"): bytes.append(0x09)
        case UInt8(ascii: "u"):
            var scalar = try unit()
            if (0xD800..<0xDC00).contains(scalar) {
                guard try peek() == UInt8(ascii: "\\") else { throw error(.badString) }
                at += 1
                guard try peek() == UInt8(ascii: "u") else { throw error(.badString) }
                at += 1
                let low = try unit()
                guard (0xDC00..<0xE000).contains(low) else { throw error(.badString) }
                scalar = 0x10000 + (scalar - 0xD800) << 10 + (low - 0xDC00)
            }
            guard let character = Unicode.Scalar(scalar) else { throw error(.badString) }
            bytes.append(contentsOf: UTF8.encode(character) ?? UTF8.encodedReplacementCharacter)
        default: throw error(.badString)
        }
    }

    private mutating func unit() throws(JSONError) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<4 {
            guard let digit = Character(Unicode.Scalar(try peek())).hexDigitValue else { throw error(.badString) }
            value = value << 4 | UInt32(digit)
            at += 1
        }
        return value
    }

    private mutating func number() throws(JSONError) -> JSONValue {
        let start = at
        if try peek() == UInt8(ascii: "-") { at += 1 }
        let first = at
        try digits()
        if text[first] == UInt8(ascii: "0"), at - first > 1 { throw JSONError(problem: .badNumber, offset: first) }
        var isInteger = true
        if at < text.count, text[at] == UInt8(ascii: ".") {
            isInteger = false
            at += 1
            try digits()
        }
        if at < text.count, text[at] | 0x20 == UInt8(ascii: "e") {
            isInteger = false
            at += 1
            if at < text.count, text[at] == UInt8(ascii: "+") || text[at] == UInt8(ascii: "-") { at += 1 }
            try digits()
        }
        if isInteger, let value = Self.integer(text.span.extracting(first..<at), isNegative: first > start) {
            return .integer(value)
        }
        return .number(String(decoding: text[start..<at], as: UTF8.self))
    }

    /// What decimal digits say; nil where 64 bits do not hold it.
    private static func integer(_ digits: Span<UInt8>, isNegative: Bool) -> Int64? {
        var magnitude: UInt64 = 0
        for at in digits.indices {
            let (tens, isLarge) = magnitude.multipliedReportingOverflow(by: 10)
            let (sum, isLarger) = tens.addingReportingOverflow(UInt64(digits[at] - UInt8(ascii: "0")))
            if isLarge || isLarger { return nil }
            magnitude = sum
        }
        guard isNegative else { return Int64(exactly: magnitude) }
        return magnitude <= Int64.min.magnitude ? Int64(truncatingIfNeeded: 0 &- magnitude) : nil
    }

    private mutating func digits() throws(JSONError) {
        let start = at
        while at < text.count, (0x30...0x39).contains(text[at]) { at += 1 }
        guard at > start else { throw error(at < text.count ? .badNumber : .unexpectedEnd) }
    }

    private mutating func literal(_ word: StaticString, _ value: JSONValue) throws(JSONError) -> JSONValue {
        for byte in word.description.utf8 {
            guard try peek() == byte else { throw error(.unexpected) }
            at += 1
        }
        return value
    }

    private mutating func skipSpace() {
        while at < text.count {
            switch text[at] {
            case 0x20, 0x09, 0x0A, 0x0D: at += 1
            default: return
            }
        }
    }

    private func peek() throws(JSONError) -> UInt8 {
        guard at < text.count else { throw error(.unexpectedEnd) }
        return text[at]
    }

    private func error(_ problem: JSONError.Problem) -> JSONError { JSONError(problem: problem, offset: at) }
}

/// The names of one object: where they stand in the text, or, once one of them has escapes, in memory of their own, which holds nothing else.
private struct MemberNames {
    /// Most objects have few members and one array of them.
    static let few = 12

    /// What the ranges are of.
    private(set) var text: [UInt8]
    private(set) var ranges: [Range<Int>] = []
    private var hasOwnText = false
    private var known: Set<JSONString> = []

    init(in text: [UInt8]) {
        self.text = text
        ranges.reserveCapacity(Self.few)
    }

    /// - Parameters:
    ///   - place: where the name stands in `source`, between its quotes.
    ///   - unescaped: what it says, where that is not its bytes.
    /// - Returns: false where another has the same.
    mutating func add(_ place: Range<Int>, of source: [UInt8], unescaped: [UInt8]?) -> Bool {
        var range = place
        if hasOwnText || unescaped != nil {
            if !hasOwnText { moveOut() }
            range = Self.append(unescaped?[...] ?? source[place], to: &text)
        }
        guard ranges.count < Self.few ? isUnlikeOthers(range) : isNewByHash(range) else { return false }
        ranges.append(range)
        return true
    }

    private mutating func moveOut() {
        var own: [UInt8] = []
        ranges = ranges.map { Self.append(text[$0], to: &own) }
        text = own
        hasOwnText = true
    }

    private static func append(_ name: ArraySlice<UInt8>, to names: inout [UInt8]) -> Range<Int> {
        names.append(contentsOf: name)
        return names.count - name.count..<names.count
    }

    /// Compares it with the others one by one, which costs less than to hash few names.
    private func isUnlikeOthers(_ range: Range<Int>) -> Bool {
        let text = text.span
        for index in ranges.indices where areEqual(text.extracting(ranges[index]), text.extracting(range)) {
            return false
        }
        return true
    }

    /// Many names are hashed, so that no text takes the square of its length.
    private mutating func isNewByHash(_ range: Range<Int>) -> Bool {
        // Copies: a piece of `text` would have it copied when the next name comes.
        if ranges.count == Self.few { known.formUnion(ranges.map { JSONString(utf8: Array(text[$0])) }) }
        return known.insert(JSONString(utf8: Array(text[range]))).inserted
    }
}
