internal import JSON

/// Entries as rows of comma-separated values (RFC 4180, UTF-8): one for a decision and an event, one for each decision that a
/// completion closes. Absent values are empty.
enum CSVRows {
    /// Members of a decision, in their order in the entry, after `log`, `index`, `kind` and `time`.
    private static let decision = [
        "gateway", "request", "decision", "reason", "operation", "data", "principal", "office", "location", "address",
        "certificate", "store", "mailbox", "object", "prefix", "size", "etag", "datacenter", "jurisdiction", "received",
        "crossed", "misplaced", "authorizations", "policy",
    ]
    private static let completion = ["completed", "status", "bytes", "outcome", "excluded"]

    static var heading: [UInt8] {
        row((["log", "index", "kind", "time"] + decision + completion + ["event", "members"]).map { Array($0.utf8) })
    }

    /// The rows of one entry, each with its line end.
    static func rows(_ origin: String, _ index: UInt64, _ entry: JSONObject) -> [UInt8] {
        let head = [text(origin), Array("\(index)".utf8), value(entry["kind"]), value(entry["time"])]
        let own = decision.map { value(entry[$0]) }
        switch entry["kind"]?.string {
        case "decision": return row(head + own + empty(completion.count + 2))
        case "completion":
            return (entry["completed"]?.array ?? []).flatMap { item in
                let item = item.object ?? JSONObject(members: [])
                let names = ["index"] + completion.dropFirst()
                return row(head + own + names.map { value(item[$0]) } + empty(2))
            }
        default:
            let known: Set<String> = Set(decision).union(["kind", "v", "time", "event"])
            let rest = JSONObject(members: entry.members.filter { !known.contains($0.name.text) })
            let members = rest.members.isEmpty ? [] : JSONValue.object(rest).utf8Text
            return row(head + own + empty(completion.count) + [value(entry["event"]), members])
        }
    }

    private static func empty(_ count: Int) -> [[UInt8]] { Array(repeating: [], count: count) }

    private static func value(_ value: JSONValue?) -> [UInt8] {
        switch value {
        case nil, .null?: []
        case .string(let string)?: text(string.utf8)
        case .array(let values)?:
            if values.isEmpty {
                []
            } else if values.allSatisfy({ $0.string != nil }) {
                text(values.compactMap(\.string).joined(separator: " "))
            } else {
                JSONValue.array(values).utf8Text
            }
        case let other?: other.utf8Text
        }
    }

    private static func text(_ text: String) -> [UInt8] { Self.text(Array(text.utf8)) }

    /// A spreadsheet takes a text that begins so for a formula, and somebody else may have chosen the text: an apostrophe before it
    /// makes it a text.
    private static func text(_ bytes: [UInt8]) -> [UInt8] {
        guard let first = bytes.first, "=+-@\t\r".utf8.contains(first) else { return bytes }
        return [UInt8(ascii: "'")] + bytes
    }

    private static func row(_ fields: [[UInt8]]) -> [UInt8] {
        var line: [UInt8] = []
        for (position, field) in fields.enumerated() {
            if position > 0 { line.append(UInt8(ascii: ",")) }
            guard field.contains(where: { ",\"\r\n".utf8.contains($0) }) else {
                line.append(contentsOf: field)
                continue
            }
            line.append(UInt8(ascii: "\""))
            for byte in field {
                if byte == UInt8(ascii: "\"") { line.append(byte) }
                line.append(byte)
            }
            line.append(UInt8(ascii: "\""))
        }
        line.append(contentsOf: [0x0D, 0x0A])
        return line
    }
}
