internal import ArgumentParser
internal import DecisionLog

/// `bailiwick log export`.
struct LogExport: ParsableCommand {
    enum Format: String, ExpressibleByArgument, CaseIterable { case ocsf, csv, jsonl }

    static let configuration = CommandConfiguration(
        commandName: "export", abstract: "Writes the entries that match for another program: OCSF, CSV or JSON lines.",
        discussion: """
            ocsf   one event a line: OCSF \(OCSFEvent.schemaVersion), class API Activity (6003), profile security_control. A decision's \
            metadata.uid is <origin>/<index>; what completes it names that in metadata.correlation_uid.
            csv    RFC 4180 with a heading. A completion is one row for each decision that it closes. A text that a spreadsheet would take \
            for a formula has an apostrophe before it.
            jsonl  whole entries, one a line, with log and index before the entry's own members: those are the bytes that the tree holds.

            The options choose entries as those of `log query` do: all that is given must hold. Several logs are written together, by time. \
            Mailboxes, objects, prefixes and references stay pseudonyms: an export never holds a name. Nothing is verified on the way: run \
            `bailiwick log verify` first. With --output the file has its name only once it is whole and on the disk; an interrupted one is \
            called <file>.partial.

            EXAMPLES
              bailiwick log export /var/lib/bailiwick/log --format ocsf --from 2026-11-24 --to 2026-11-25 --output 2026-11-24.ocsf.jsonl
              bailiwick log export dub1/log iad1/log --format csv --decision allow --jurisdiction IE > released.csv
              bailiwick log export /var/lib/bailiwick/log --format jsonl --principal ediscovery | jq -r .reason | sort | uniq -c
            """)

    @Argument(help: ArgumentHelp("Log folders.", valueName: "folder")) var folders: [String]
    @Option(help: "ocsf, csv or jsonl.") var format: Format
    @OptionGroup var filters: LogFilterOptions
    @Option(help: ArgumentHelp("A new file, instead of standard output.", valueName: "file")) var output: String?

    func run() throws {
        var search = try MergedSearch(LogArguments.readers(folders, from: filters.from?.time), filters.filter())
        guard let output else {
            var standard = Output()
            return try write(&search, to: &standard)
        }
        try Output.write(newFile: output) { try write(&search, to: &$0) }
    }

    private func write(_ search: inout MergedSearch, to output: inout Output) throws {
        let bar = ProgressBar("exporting")
        defer { bar.clear() }
        if format == .csv { try output.bytes(CSVRows.heading) }
        while let hit = try search.next(progress: bar.show) {
            switch format {
            case .ocsf: for line in OCSFEvent.lines(hit.origin, hit.index, hit.entry) { try output.line(line) }
            case .csv: try output.bytes(CSVRows.rows(hit.origin, hit.index, hit.entry))
            case .jsonl: try output.line(JSONLine.entry(hit.origin, hit.index, hit.line))
            }
        }
        try output.flush()
    }
}
