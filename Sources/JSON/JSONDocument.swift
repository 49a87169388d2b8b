/// A text that was read: each value and each name in it as a node, in the order in which they begin. What is asked for is made then; what
/// nobody asks for costs a node, and no reference.
final class JSONDocument: Sendable {
    struct Node {
        enum Kind: UInt8 { case null, no, yes, integer, number, string, array, object }

        let kind: Kind
        /// A string with escapes: what it says stands in `unescaped`.
        let isUnescaped: Bool
        /// Where it stands in the text: a string between its quotes, a number whole. Of an integer the two halves of its value instead.
        private let first: UInt32
        private let second: UInt32
        private var behind: UInt32

        /// The number of the node behind this one and all that is in it.
        var next: Int {
            get { Int(behind) }
            set { behind = UInt32(newValue) }
        }

        /// - Parameter place: its number.
        init(_ kind: Kind, _ range: Range<Int> = 0..<0, isUnescaped: Bool = false, at place: Int) {
            self.kind = kind
            self.isUnescaped = isUnescaped
            first = UInt32(range.lowerBound)
            second = UInt32(range.upperBound)
            behind = UInt32(place + 1)
        }

        init(integer: Int64, at place: Int) {
            kind = .integer
            isUnescaped = false
            first = UInt32(truncatingIfNeeded: integer >> 32)
            second = UInt32(truncatingIfNeeded: integer)
            behind = UInt32(place + 1)
        }

        var range: Range<Int> { Int(first)..<Int(second) }
        var integer: Int64 { Int64(Int32(bitPattern: first)) << 32 | Int64(second) }
    }

    /// The longest text whose places a node can tell.
    static let bytesMax = Int(UInt32.max)

    private let text: [UInt8]
    /// What strings with escapes say, one behind the other.
    private let unescaped: [UInt8]
    private let nodes: [Node]

    init(text: [UInt8], unescaped: [UInt8], nodes: [Node]) {
        self.text = text
        self.unescaped = unescaped
        self.nodes = nodes
    }

    func value(at place: Int) -> JSONValue {
        let node = nodes[place]
        return switch node.kind {
        case .null: .null
        case .no: .bool(false)
        case .yes: .bool(true)
        case .integer: .integer(node.integer)
        case .number: .number(String(decoding: text[node.range], as: UTF8.self))
        case .string: .string(string(at: place))
        case .array: .array(elements(of: place))
        case .object: .object(JSONObject(at: place, in: self))
        }
    }

    func string(at place: Int) -> JSONString {
        let node = nodes[place]
        return JSONString(pieceOf: node.isUnescaped ? unescaped[node.range] : text[node.range])
    }

    /// The node of the member that has the name.
    func member(_ name: Span<UInt8>, of object: Int) -> Int? {
        let end = nodes[object].next
        var place = object + 1
        while place < end {
            if isString(nodes[place], name) { return place + 1 }
            place = nodes[place + 1].next
        }
        return nil
    }

    /// The same, where its value is of that kind.
    func member(_ name: Span<UInt8>, of object: Int, _ kind: Node.Kind) -> Int? {
        guard let place = member(name, of: object), nodes[place].kind == kind else { return nil }
        return place
    }

    func integer(at place: Int) -> Int64 { nodes[place].integer }

    /// An array's elements, where all are strings.
    func strings(of array: Int) -> [JSONString]? { elements(of: array, .string) { string(at: $0) } }

    /// An array's elements, where all are objects.
    func objects(of array: Int) -> [JSONObject]? { elements(of: array, .object) { JSONObject(at: $0, in: self) } }

    @inline(__always)
    private func elements<Element>(of array: Int, _ kind: Node.Kind, _ element: (Int) -> Element) -> [Element]? {
        let end = nodes[array].next
        var elements: [Element] = []
        var place = array + 1
        while place < end {
            guard nodes[place].kind == kind else { return nil }
            elements.append(element(place))
            place = nodes[place].next
        }
        return elements
    }

    /// The nodes of an object's names; each has its value behind it.
    func names(of object: Int) -> [Int] {
        let end = nodes[object].next
        var names: [Int] = []
        var place = object + 1
        while place < end {
            names.append(place)
            place = nodes[place + 1].next
        }
        return names
    }

    /// The first of an object's names that is none of these.
    func firstName(of object: Int, notAmong known: [String]) -> JSONString? {
        let end = nodes[object].next
        var place = object + 1
        while place < end {
            let node = nodes[place]
            guard known.contains(where: { isString(node, $0.utf8.span) }) else { return string(at: place) }
            place = nodes[place + 1].next
        }
        return nil
    }

    private func elements(of array: Int) -> [JSONValue] {
        let end = nodes[array].next
        var elements: [JSONValue] = []
        var place = array + 1
        while place < end {
            elements.append(value(at: place))
            place = nodes[place].next
        }
        return elements
    }

    private func isString(_ node: Node, _ utf8: Span<UInt8>) -> Bool {
        guard node.range.count == utf8.count else { return false }
        // Two calls: to choose one of the two texts first would count a reference.
        return node.isUnescaped
            ? Self.areEqual(unescaped, node.range, utf8) : Self.areEqual(text, node.range, utf8)
    }

    private static func areEqual(_ text: [UInt8], _ range: Range<Int>, _ utf8: Span<UInt8>) -> Bool {
        JSON.areEqual(text.span.extracting(range), utf8)
    }
}
