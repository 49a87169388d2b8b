internal import ArgumentParser
internal import DecisionLog
internal import JSON
internal import OpenSSL
internal import Residency

/// `bailiwick log query`.
struct LogQuery: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "query", abstract: "Shows the entries that match, as a table or as JSON lines.",
        discussion: """
            What is given must all hold; several logs are shown together, by time. --from and --to find their place by halving, so a day of a \
            large log is read without the rest of it.

            Mailboxes and objects are pseudonyms in the log. Give one as it stands there, or give the real name and, with --reveal-key, the \
            pseudonym key of the store's datacenter (each of them, when keys were rotated). --json shows whole entries, one a line, with \
            their log and index before the entry's own members.

            EXAMPLES
              bailiwick log query /var/lib/bailiwick/log --decision allow --jurisdiction IE --from 2026-11-01 --to 2026-12-01
              bailiwick log query dub1/ iad1/ --mailbox alice --reveal-key pseudonym-dub1 --json
            """)

    @Argument(help: ArgumentHelp("Log folders.", valueName: "folder")) var folders: [String]
    @OptionGroup var filters: LogFilterOptions
    @Flag(help: "Whole entries, one JSON line each.") var json = false

    func run() throws {
        let readers = try LogArguments.readers(folders, from: filters.from?.time)
        var search = try MergedSearch(readers, filters.filter())
        var isEmpty = true
        var output = Output()
        var table = EntryTable(showsLog: folders.count > 1)
        let bar = ProgressBar("searching")
        while let hit = try search.next(progress: bar.show) {
            isEmpty = false
            if json {
                try output.line(JSONLine.entry(hit.origin, hit.index, hit.line))
            } else {
                bar.clear()
                try output.line(table.row(hit.origin, hit.index, hit.entry))
            }
        }
        bar.clear()
        try output.flush()
        if isEmpty { for reader in readers { KeyFiles.tell(try nothing(in: reader)) } }
    }

    /// Nothing on standard output may be a log without such an entry, one that is not published yet, or a key that is another.
    private func nothing(in reader: LogReader) throws -> String {
        let (size, origin) = (reader.checkpoint.size, EntryTable.printable(reader.checkpoint.origin))
        var words = "\(origin): no entry matches"
        if size > reader.minimumIndex, let last = LogReader.time(of: try reader.entry(size - 1)) {
            words += ", of \(size - reader.minimumIndex) up to \(last.rfc3339)"
        }
        if !filters.revealKey.isEmpty {
            words += "; is --reveal-key the pseudonym key of the store's datacenter, of that time?"
        }
        return words
    }
}

/// Entries of several logs that match, by time; at one time by log.
struct MergedSearch {
    struct Hit {
        let origin: String
        let index: UInt64
        let line: [UInt8]
        let entry: JSONObject
        let time: String
    }

    private var filter: EntryFilter
    private var sources: [(origin: String, cursor: LogCursor, next: Hit?)] = []
    private var isPrimed = false

    init(_ readers: [LogReader], _ filter: EntryFilter) throws {
        self.filter = filter
        for reader in readers { sources.append((reader.checkpoint.origin, try filter.cursor(reader), nil)) }
    }

    mutating func next(progress: (Double) -> Void) throws -> Hit? {
        if !isPrimed {
            for at in sources.indices { try advance(at, progress) }
            isPrimed = true
        }
        // Times are 27 bytes of one form: as text they stand in the order of time.
        let earliest = sources.indices.filter { sources[$0].next != nil }
            .min { (sources[$0].next?.time ?? "") < (sources[$1].next?.time ?? "") }
        guard let earliest, let hit = sources[earliest].next else { return nil }
        try advance(earliest, progress)
        return hit
    }

    private mutating func advance(_ at: Int, _ progress: (Double) -> Void) throws {
        sources[at].next = nil
        while let logged = try sources[at].cursor.next() {
            if logged.index % 4096 == 0 { progress(sources.map(\.cursor.share).reduce(0, +) / Double(sources.count)) }
            guard let entry = try filter.match(logged) else { continue }
            sources[at].next = Hit(
                origin: sources[at].origin, index: logged.index, line: logged.line, entry: entry,
                time: entry["time"]?.string ?? "")
            return
        }
    }
}

enum JSONLine {
    /// The entry's line with its log and index before its own members; those stand unchanged.
    static func entry(_ origin: String, _ index: UInt64, _ line: [UInt8]) -> [UInt8] {
        var text = Array(#"{"log":"#.utf8)
        JSONText.append(string: origin.utf8, to: &text)
        text.append(contentsOf: ",\"index\":\(index),".utf8)
        text.append(contentsOf: line.dropFirst())
        return text
    }
}
