internal import JSON

/// Entries as lines of columns, under one heading.
struct EntryTable {
    private static let widths = [8, 27, 10, 29, 16, 20, 14, 6, 8]
    private let showsLog: Bool
    private var hasHeading = false

    init(showsLog: Bool) { self.showsLog = showsLog }

    /// The entry's line; before the first one the heading.
    mutating func row(_ origin: String, _ index: UInt64, _ entry: JSONObject) -> String {
        let line = columns(origin, cells(index, entry))
        guard !hasHeading else { return line }
        hasHeading = true
        let heading = [
            "INDEX", "TIME", "DECISION", "REASON", "OPERATION", "PRINCIPAL", "STORE", "OF", "CROSSED",
        ]
        return columns("LOG", heading) + "\n" + line
    }

    private func cells(_ index: UInt64, _ entry: JSONObject) -> [String] {
        func text(_ name: String) -> String { entry[name]?.string ?? "" }
        let crossed = (entry["crossed"]?.array ?? []).compactMap(\.string).joined(separator: ",")
        switch text("kind") {
        case "decision":
            return [
                "\(index)", text("time"), text("decision"), text("reason"), text("operation"), text("principal"),
                text("store"), text("jurisdiction"), crossed,
            ]
        case "event": return ["\(index)", text("time"), "event", text("event"), "", text("principal"), text("store")]
        default:
            let items = entry["completed"]?.array ?? []
            let whole = items.filter { $0.object?["outcome"]?.string == "whole" }.count
            return ["\(index)", text("time"), text("kind"), "\(whole) of \(items.count) whole"]
        }
    }

    private func columns(_ origin: String, _ cells: [String]) -> String {
        var line = showsLog ? Self.padded(Self.printable(origin), 28) : ""
        for (cell, width) in zip(cells, Self.widths) { line += Self.padded(Self.printable(cell), width) }
        while line.last == " " { line.removeLast() }
        return line
    }

    private static func padded(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(1, width + 1 - text.count))
    }

    /// A log may come from a stranger: nothing in it drives the terminal.
    static func printable(_ text: String) -> String {
        String(
            text.unicodeScalars.map {
                $0.value < 0x20 || (0x7F..<0xA0).contains($0.value) ? "\u{FFFD}" : Character($0)
            })
    }
}
