internal import ArgumentParser
internal import DecisionLog
internal import JSON

/// `bailiwick log stats`.
struct LogStats: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stats", abstract: "Shows what happened, day by day and jurisdiction by jurisdiction.",
        discussion: """
            Bars show decisions: # allowed within a border, + allowed across one, - refused. Several logs are counted together.

            EXAMPLE
              bailiwick log stats dub1/log iad1/log --from 2026-11-01 --to 2026-12-01
            """)

    @Argument(help: ArgumentHelp("Log folders.", valueName: "folder")) var folders: [String]
    @Option(help: ArgumentHelp("From this time on: RFC 3339, or a day (UTC).", valueName: "time")) var from: Moment?
    @Option(help: ArgumentHelp("Before this time.", valueName: "time")) var to: Moment?
    @Flag(help: "One JSON object.") var json = false

    func run() throws {
        let readers = try LogArguments.readers(folders, from: from?.time)
        var filter = EntryFilter()
        filter.from = from?.time
        filter.to = to?.time
        var statistics = LogStatistics()
        for (folder, reader) in zip(folders, readers) {
            let bar = ProgressBar(folder)
            defer { bar.clear() }
            do throws(LogFault) {
                var cursor = try filter.cursor(reader)
                while let logged = try cursor.next() {
                    if let entry = try filter.match(logged) { statistics.count(entry) }
                    if logged.index % 4096 == 0 { bar.show(cursor.share) }
                }
            } catch { throw LogCommandError.log(folder, error) }
        }
        var output = Output()
        if json {
            try output.line(StatisticsText.json(statistics).utf8Text)
        } else {
            for line in StatisticsText.picture(statistics) { try output.line(line) }
        }
        try output.flush()
    }
}

/// Statistics for a person and for a program.
enum StatisticsText {
    private static let barWidth = 48
    private static let reasonsMax = 12

    static func picture(_ statistics: LogStatistics) -> [String] {
        let total = statistics.total
        var lines = [
            "\(total.all) decisions: \(total.allowed) allowed, \(total.crossed) of them across a border, \(total.refused) refused",
            "\(statistics.completions) completions, \(statistics.brokenOff) not whole, \(statistics.bytesSent) bytes",
            "",
        ]
        lines += table("DAY", statistics.days.sorted { $0.key < $1.key }.map { ($0.key, $0.value) })
        lines += table(
            "JURISDICTION", byCount(statistics.jurisdictions.map { ($0.key ?? "none", $0.value) }))
        lines += table(
            "CROSSING",
            byCount(
                statistics.crossings.map { ("\($0.key.office ?? "no office") into \($0.key.jurisdiction)", $0.value) })
        )
        if !statistics.reasons.isEmpty { lines.append("REASONS") }
        for (reason, count) in ordered(statistics.reasons).prefix(reasonsMax) {
            lines.append("  " + padded(reason, 30) + left("\(count)", 10))
        }
        if !statistics.events.isEmpty { lines += ["", "EVENTS"] }
        for (event, count) in ordered(statistics.events) {
            lines.append("  " + padded(event, 30) + left("\(count)", 10))
        }
        return lines
    }

    static func json(_ statistics: LogStatistics) -> JSONValue {
        func object(_ members: [(String, LogStatistics.Counts)]) -> JSONValue {
            .object(JSONObject(members: members.map { (JSONString($0.0), counts($0.1)) }))
        }
        func numbers(_ members: [String: UInt64]) -> JSONValue {
            .object(JSONObject(members: ordered(members).map { (JSONString($0.0), .integer(Int64($0.1))) }))
        }
        let crossings = byCount(statistics.crossings.map { ($0.key, $0.value) }) { ($0.office ?? "") + $0.jurisdiction }
        return .object([
            "decisions": counts(statistics.total),
            "days": object(statistics.days.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }),
            "jurisdictions": object(byCount(statistics.jurisdictions.map { ($0.key ?? "none", $0.value) })),
            "crossings": .array(
                crossings.map {
                    .object([
                        "office": $0.0.office.map { .text($0) } ?? .null, "jurisdiction": .text($0.0.jurisdiction),
                        "allowed": .integer(Int64($0.1.allowed)), "refused": .integer(Int64($0.1.refused)),
                    ])
                }),
            "reasons": numbers(statistics.reasons), "events": numbers(statistics.events),
            "completions": .integer(Int64(statistics.completions)), "not_whole": .integer(Int64(statistics.brokenOff)),
            "bytes": .integer(Int64(clamping: statistics.bytesSent)),
        ])
    }

    private static func counts(_ counts: LogStatistics.Counts) -> JSONValue {
        .object([
            "allowed": .integer(Int64(counts.allowed)), "crossed": .integer(Int64(counts.crossed)),
            "refused": .integer(Int64(counts.refused)),
        ])
    }

    // MARK: - Lines

    private static func table(_ title: String, _ rows: [(String, LogStatistics.Counts)]) -> [String] {
        guard !rows.isEmpty else { return [] }
        let most = rows.map(\.1.all).max() ?? 1
        let heading = padded(title, 22) + left("ALLOWED", 10) + left("CROSSED", 10) + left("REFUSED", 10)
        return [heading]
            + rows.map { name, counts in
                padded(name, 22) + left("\(counts.allowed)", 10) + left("\(counts.crossed)", 10)
                    + left("\(counts.refused)", 10) + "  " + bar(counts, most)
            } + [""]
    }

    /// As long as its share of the largest row; what is there at all is seen.
    private static func bar(_ counts: LogStatistics.Counts, _ most: UInt64) -> String {
        func part(_ count: UInt64, _ mark: String) -> String {
            guard count > 0 else { return "" }
            let length = Int((Double(count) / Double(most) * Double(barWidth)).rounded())
            return String(repeating: mark, count: max(1, length))
        }
        return part(counts.allowed - counts.crossed, "#") + part(counts.crossed, "+") + part(counts.refused, "-")
    }

    private static func byCount(_ rows: [(String, LogStatistics.Counts)]) -> [(String, LogStatistics.Counts)] {
        byCount(rows) { $0 }
    }

    private static func byCount<Key>(
        _ rows: [(Key, LogStatistics.Counts)], _ name: (Key) -> String
    ) -> [(Key, LogStatistics.Counts)] {
        rows.sorted { ($1.1.all, name($0.0)) < ($0.1.all, name($1.0)) }
    }

    private static func ordered(_ counts: [String: UInt64]) -> [(String, UInt64)] {
        counts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.map { ($0.key, $0.value) }
    }

    private static func padded(_ text: String, _ width: Int) -> String {
        EntryTable.printable(text) + String(repeating: " ", count: max(1, width - text.count))
    }

    private static func left(_ text: String, _ width: Int) -> String {
        String(repeating: " ", count: max(1, width - text.count)) + text
    }
}
