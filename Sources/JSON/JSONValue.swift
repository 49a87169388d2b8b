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
    /// Of a string that was read: a piece of the whole text, which it keeps in memory.
    private let bytes: ArraySlice<UInt8>

    package init(utf8: [UInt8]) { bytes = utf8[...] }
    package init(_ text: String) { self.init(utf8: Array(text.utf8)) }

    init(pieceOf text: ArraySlice<UInt8>) { bytes = text }

    /// Its own copy of a piece.
    package var utf8: [UInt8] { Array(bytes) }
    package var text: String { String(decoding: bytes, as: UTF8.self) }
    /// How many bytes it has.
    package var count: Int { bytes.count }

    /// The same bytes? Most names differ in their length, which is looked at first.
    package func equals(_ text: String) -> Bool { areEqual(bytes.span, text.utf8.span) }

    package static func == (one: JSONString, other: JSONString) -> Bool { areEqual(one.bytes.span, other.bytes.span) }

    /// All bytes at once, and one that no UTF-8 has, as texts of Swift have it.
    package func hash(into hasher: inout Hasher) {
        unsafe bytes.withUnsafeBytes { unsafe hasher.combine(bytes: $0) }
        hasher.combine(0xFF as UInt8)
    }
}

func areEqual(_ one: Span<UInt8>, _ other: Span<UInt8>) -> Bool {
    guard one.count == other.count else { return false }
    for index in one.indices where one[index] != other[index] { return false }
    return true
}

/// An object: its members in the order in which they stand, no two of one name. Names are compared as bytes.
package struct JSONObject: Sendable {
    /// Of a text that was read, with the object's node in it; nil where the members were made.
    private let document: JSONDocument?
    private let place: Int
    private let made: [(name: JSONString, value: JSONValue)]?

    init(at place: Int, in document: JSONDocument) {
        self.document = document
        self.place = place
        made = nil
    }

    /// - Parameter members: no two of one name.
    package init(members: [(name: JSONString, value: JSONValue)]) {
        document = nil
        place = 0
        made = members
    }

    package var members: [(name: JSONString, value: JSONValue)] {
        guard let document else { return made ?? [] }
        return document.names(of: place).map { (document.string(at: $0), document.value(at: $0 + 1)) }
    }

    /// The member of that name.
    package subscript(_ name: String) -> JSONValue? {
        guard let document else { return made?.first { $0.name.equals(name) }?.value }
        return document.member(name.utf8.span, of: place).map { document.value(at: $0) }
    }

    /// Is there a member of that name?
    package func has(_ name: String) -> Bool {
        guard let document else { return self[name] != nil }
        return document.member(name.utf8.span, of: place) != nil
    }

    /// The member of that name, where it is a string. This and the next ones make no value of a text that was read.
    package func string(_ name: String) -> JSONString? {
        guard let document else { return if case .string(let value) = self[name] { value } else { nil } }
        return document.member(name.utf8.span, of: place, .string).map { document.string(at: $0) }
    }

    /// The member of that name, where it is an integer of 64 bits.
    package func integer(_ name: String) -> Int64? {
        guard let document else { return self[name]?.integer }
        return document.member(name.utf8.span, of: place, .integer).map { document.integer(at: $0) }
    }

    /// The member of that name, where it is an object.
    package func object(_ name: String) -> JSONObject? {
        guard let document else { return self[name]?.object }
        return document.member(name.utf8.span, of: place, .object).map { JSONObject(at: $0, in: document) }
    }

    /// The member of that name, where it is an array of strings alone.
    package func strings(_ name: String) -> [JSONString]? {
        guard let document else {
            return self[name]?.array.flatMap { Self.all($0) { if case .string(let value) = $0 { value } else { nil } } }
        }
        return document.member(name.utf8.span, of: place, .array).flatMap { document.strings(of: $0) }
    }

    /// The member of that name, where it is an array of objects alone.
    package func objects(_ name: String) -> [JSONObject]? {
        guard let document else { return self[name]?.array.flatMap { Self.all($0) { $0.object } } }
        return document.member(name.utf8.span, of: place, .array).flatMap { document.objects(of: $0) }
    }

    private static func all<Element>(_ values: [JSONValue], _ element: (JSONValue) -> Element?) -> [Element]? {
        let elements = values.compactMap(element)
        return elements.count == values.count ? elements : nil
    }

    /// The first member's name that is none of these.
    package func firstName(notAmong known: [String]) -> JSONString? {
        guard let document else { return made?.lazy.map(\.name).first { !known.contains(where: $0.equals) } }
        return document.firstName(of: place, notAmong: known)
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
