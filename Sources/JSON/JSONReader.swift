extension JSONValue {
    /// Reads one value that fills the whole text: no byte-order mark, no trailing comma, no duplicate name (escapes resolved), no
    /// lone surrogate.
    /// - Parameters:
    ///   - depthMax: How deep arrays and objects may nest; a scalar has depth 0.
    ///   - bytesMax: The longest text that is read at all.
    package init(parsing text: [UInt8], depthMax: Int = 32, bytesMax: Int = 16 << 20) throws(JSONError) {
        guard text.count <= min(bytesMax, JSONDocument.bytesMax) else {
            throw JSONError(problem: .tooLarge, offset: bytesMax)
        }
        guard (try? UTF8Span(validating: text.span)) != nil else { throw JSONError(problem: .notUTF8, offset: 0) }
        var reader = JSONReader(text: text, depthMax: depthMax)
        self = try reader.document().value(at: 0)
    }
}

private struct JSONReader {
    /// An object with no more members has each name compared with the others, which costs less than to hash it.
    static let fewMembers = 12
    /// Most tokens, settings and entries have a value or a name in as many bytes; room for many is made as they come.
    static let bytesPerNode = 12
    static let firstNodesMax = 1024

    let text: [UInt8]
    let depthMax: Int
    var at = 0
    var nodes: [JSONDocument.Node] = []
    var unescaped: [UInt8] = []

    init(text: [UInt8], depthMax: Int) {
        self.text = text
        self.depthMax = depthMax
        nodes.reserveCapacity(min(text.count / Self.bytesPerNode + 1, Self.firstNodesMax))
    }

    mutating func document() throws(JSONError) -> JSONDocument {
        try value(depth: 0)
        skipSpace()
        guard at == text.count else { throw error(.trailingBytes) }
        return JSONDocument(text: text, unescaped: unescaped, nodes: nodes)
    }

    private mutating func value(depth: Int) throws(JSONError) {
        skipSpace()
        switch try peek() {
        case UInt8(ascii: "{"): try object(depth: depth + 1)
        case UInt8(ascii: "["): try array(depth: depth + 1)
        case UInt8(ascii: "\""): try string()
        case UInt8(ascii: "t"): try literal("true", .yes)
        case UInt8(ascii: "f"): try literal("false", .no)
        case UInt8(ascii: "n"): try literal("null", .null)
        default: try number()
        }
    }

    private mutating func object(depth: Int) throws(JSONError) {
        guard depth <= depthMax else { throw error(.tooDeep) }
        at += 1
        let object = nodes.count
        nodes.append(JSONDocument.Node(.object, at: object))
        var known: Set<JSONString> = []
        var count = 0
        skipSpace()
        if try peek() == UInt8(ascii: "}") {
            at += 1
            return
        }
        while true {
            skipSpace()
            let start = at
            guard try peek() == UInt8(ascii: "\"") else { throw error(.unexpected) }
            try string()
            guard count < Self.fewMembers ? isNewByComparison(in: object) : isNewByHash(in: object, &known) else {
                throw JSONError(problem: .duplicateName, offset: start)
            }
            count += 1
            skipSpace()
            guard try peek() == UInt8(ascii: ":") else { throw error(.unexpected) }
            at += 1
            try value(depth: depth)
            if try isEnd(UInt8(ascii: "}")) {
                nodes[object].next = nodes.count
                return
            }
        }
    }

    /// Is the name that was read last unlike the others of its object?
    private func isNewByComparison(in object: Int) -> Bool {
        let last = nodes.count - 1
        var place = object + 1
        while place < last {
            if areNamesEqual(nodes[place], nodes[last]) { return false }
            place = nodes[place + 1].next
        }
        return true
    }

    /// The same for many, so that no text takes the square of its length.
    /// - Parameter known: the names before it, once there is one too many for comparisons.
    private func isNewByHash(in object: Int, _ known: inout Set<JSONString>) -> Bool {
        let last = nodes.count - 1
        if known.isEmpty {
            var place = object + 1
            while place < last {
                known.insert(name(at: place))
                place = nodes[place + 1].next
            }
        }
        return known.insert(name(at: last)).inserted
    }

    private func areNamesEqual(_ one: JSONDocument.Node, _ other: JSONDocument.Node) -> Bool {
        guard one.range.count == other.range.count else { return false }
        return switch (one.isUnescaped, other.isUnescaped) {
        case (false, false): Self.areEqual(text, one.range, text, other.range)
        case (false, true): Self.areEqual(text, one.range, unescaped, other.range)
        case (true, false): Self.areEqual(unescaped, one.range, text, other.range)
        case (true, true): Self.areEqual(unescaped, one.range, unescaped, other.range)
        }
    }

    private static func areEqual(_ one: [UInt8], _ range: Range<Int>, _ other: [UInt8], _ otherRange: Range<Int>)
        -> Bool
    {
        JSON.areEqual(one.span.extracting(range), other.span.extracting(otherRange))
    }

    /// A copy: a piece of `unescaped` would have it copied when the next name comes.
    private func name(at place: Int) -> JSONString {
        JSONString(utf8: Array((nodes[place].isUnescaped ? unescaped : text)[nodes[place].range]))
    }

    private mutating func array(depth: Int) throws(JSONError) {
        guard depth <= depthMax else { throw error(.tooDeep) }
        at += 1
        let array = nodes.count
        nodes.append(JSONDocument.Node(.array, at: array))
        skipSpace()
        if try peek() == UInt8(ascii: "]") {
            at += 1
            return
        }
        while true {
            try value(depth: depth)
            if try isEnd(UInt8(ascii: "]")) {
                nodes[array].next = nodes.count
                return
            }
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

    private mutating func string() throws(JSONError) {
        at += 1
        let start = at
        at = JSONText.plainEnd(text.span, from: at)
        if try peek() == UInt8(ascii: "\\") { return try stringWithEscapes(from: start) }
        guard text[at] == UInt8(ascii: "\"") else { throw error(.badString) }
        nodes.append(JSONDocument.Node(.string, start..<at, at: nodes.count))
        at += 1
    }

    /// Past the rest of a string.
    /// - Parameter start: where it begins behind its quote; as far as `at` its bytes stand for themselves.
    private mutating func stringWithEscapes(from start: Int) throws(JSONError) {
        let first = unescaped.count
        unescaped.append(contentsOf: text[start..<at])
        while true {
            switch try peek() {
            case UInt8(ascii: "\""):
                let range = first..<unescaped.count
                nodes.append(JSONDocument.Node(.string, range, isUnescaped: true, at: nodes.count))
                at += 1
                return
            case UInt8(ascii: "\\"):
                at += 1
                try escape()
            default: throw error(.badString)
            }
            let run = at  // where the bytes begin that stand for themselves
            at = JSONText.plainEnd(text.span, from: at)
            unescaped.append(contentsOf: text[run..<at])
        }
    }

    private mutating func escape() throws(JSONError) {
        let byte = try peek()
        at += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): unescaped.append(byte)
        case UInt8(ascii: "b"): unescaped.append(0x08)
        case UInt8(ascii: "f"): unescaped.append(0x0C)
        case UInt8(ascii: "n"): unescaped.append(0x0A)
        case UInt8(ascii: "r"): unescaped.append(0x0D)
        case UInt8(ascii: "t"): unescaped.append(0x09)
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
            unescaped.append(contentsOf: UTF8.encode(character) ?? UTF8.encodedReplacementCharacter)
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

    private mutating func number() throws(JSONError) {
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
            return nodes.append(JSONDocument.Node(integer: value, at: nodes.count))
        }
        nodes.append(JSONDocument.Node(.number, start..<at, at: nodes.count))
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

    private mutating func literal(_ word: StaticString, _ kind: JSONDocument.Node.Kind) throws(JSONError) {
        for byte in word.description.utf8 {
            guard try peek() == byte else { throw error(.unexpected) }
            at += 1
        }
        nodes.append(JSONDocument.Node(kind, at: nodes.count))
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
