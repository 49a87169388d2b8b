/// A JSON text (RFC 8259), read strictly: for tokens and settings snapshots, where two readers must never see two things.
package enum JSONValue: Sendable {
    case null
    case bool(Bool)
    /// A number without fraction and exponent that fits 64 bits.
    case integer(Int64)
    /// Any other number, as it stands.
    case number(String)
    case string(JSONString)
    case array([JSONValue])
    case object(JSONObject)
}

/// A string by its UTF-8 bytes: Swift's own comparison takes canonically equivalent texts for one.
package struct JSONString: Hashable, Sendable {
    /// Of a string that was read without an escape in it: a piece of the whole text, which it keeps in memory.
    private let bytes: ArraySlice<UInt8>

    package init(utf8: [UInt8]) { bytes = utf8[...] }
    package init(_ text: String) { self.init(utf8: Array(text.utf8)) }

    init(pieceOf text: ArraySlice<UInt8>) { bytes = text }

    /// Its own copy of a piece.
    package var utf8: [UInt8] { Array(bytes) }
    package var text: String { String(decoding: bytes, as: UTF8.self) }

    /// The same bytes? Most names differ in their length, which is looked at first.
    package func equals(_ text: String) -> Bool { areEqual(bytes.span, text.utf8.span) }
}

func areEqual(_ one: Span<UInt8>, _ other: Span<UInt8>) -> Bool {
    guard one.count == other.count else { return false }
    for index in one.indices where one[index] != other[index] { return false }
    return true
}

/// An object: its members in the order in which they stand, no two of one name.
package struct JSONObject: Sendable {
    /// Names are compared where they stand: a look at one counts no reference.
    private let text: [UInt8]
    private let names: [Range<Int>]
    private let values: [JSONValue]

    /// - Parameter names: in `text`, one for each value.
    init(names: [Range<Int>], in text: [UInt8], values: [JSONValue]) {
        self.text = text
        self.names = names
        self.values = values
    }

    package init(members: [(name: JSONString, value: JSONValue)]) {
        var text: [UInt8] = []
        var names: [Range<Int>] = []
        for (name, _) in members {
            let start = text.count
            text.append(contentsOf: name.utf8)
            names.append(start..<text.count)
        }
        self.init(names: names, in: text, values: members.map(\.value))
    }

    package var members: [(name: JSONString, value: JSONValue)] {
        zip(names, values).map { (JSONString(pieceOf: text[$0]), $1) }
    }

    /// The member of that name, compared as bytes.
    package subscript(_ name: String) -> JSONValue? {
        let (name, text) = (name.utf8.span, text.span)
        for index in names.indices where areEqual(text.extracting(names[index]), name) { return values[index] }
        return nil
    }
}

extension JSONValue {
    package var object: JSONObject? { if case .object(let value) = self { value } else { nil } }
    package var array: [JSONValue]? { if case .array(let value) = self { value } else { nil } }
    package var string: String? { if case .string(let value) = self { value.text } else { nil } }
    package var utf8: [UInt8]? { if case .string(let value) = self { value.utf8 } else { nil } }
    package var integer: Int64? { if case .integer(let value) = self { value } else { nil } }
    package var bool: Bool? { if case .bool(let value) = self { value } else { nil } }
    package var isNull: Bool { if case .null = self { true } else { false } }
}

extension JSONValue {
    /// Appends the value, without white space, members in their order.
    package func append(to text: inout [UInt8]) {
        switch self {
        case .null: JSONText.appendNull(to: &text)
        case .bool(let value): JSONText.append(bool: value, to: &text)
        case .integer(let value): JSONText.append(integer: value, to: &text)
        case .number(let literal): text.append(contentsOf: literal.utf8)
        case .string(let value): JSONText.append(string: value.utf8, to: &text)
        case .array(let values):
            text.append(UInt8(ascii: "["))
            for (index, value) in values.enumerated() {
                if index > 0 { text.append(UInt8(ascii: ",")) }
                value.append(to: &text)
            }
            text.append(UInt8(ascii: "]"))
        case .object(let value):
            text.append(UInt8(ascii: "{"))
            for (index, member) in value.members.enumerated() {
                if index > 0 { text.append(UInt8(ascii: ",")) }
                JSONText.append(string: member.name.utf8, to: &text)
                text.append(UInt8(ascii: ":"))
                member.value.append(to: &text)
            }
            text.append(UInt8(ascii: "}"))
        }
    }

    /// The value as one line.
    package var utf8Text: [UInt8] {
        var text: [UInt8] = []
        append(to: &text)
        return text
    }

    package static func text(_ text: String) -> JSONValue { .string(JSONString(text)) }

    /// An object of members in this order; the names differ.
    package static func object(_ members: KeyValuePairs<String, JSONValue?>) -> JSONValue {
        .object(JSONObject(members: members.compactMap { name, value in value.map { (JSONString(name), $0) } }))
    }
}

/// Where and why a text is no strict JSON.
package struct JSONError: Error, Hashable, Sendable, CustomStringConvertible {
    package enum Problem: String, Hashable, Sendable {
        case tooLarge = "the text is too large"
        case tooDeep = "nested too deeply"
        case notUTF8 = "not UTF-8"
        case unexpected = "unexpected byte"
        case unexpectedEnd = "the text ends early"
        case trailingBytes = "bytes after the value"
        case duplicateName = "two members of one name"
        case badNumber = "malformed number"
        case badString = "malformed string"
    }

    package let problem: Problem
    /// Offset of the byte at fault.
    package let offset: Int

    package var description: String { "\(problem.rawValue) at offset \(offset)" }
}
