internal import ArgumentParser
internal import DecisionLog
internal import Glibc
internal import JSON

/// `bailiwick log follow`.
struct LogFollow: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "follow", abstract: "Shows entries as they are published, until it is interrupted.",
        discussion: """
            From now on, or from an index. Reads the checkpoint again and again; needs nothing of the daemon but its folder. A checkpoint with \
            fewer entries than before is not waited for: somebody put an older log in the place of this one, and that is told. Ends with \
            status 0 on Ctrl-C and SIGTERM.

            EXAMPLES
              bailiwick log follow /var/lib/bailiwick/log
              bailiwick log follow /var/lib/bailiwick/log --from-index 70000 --json | jq 'select(.decision == "refuse")'
            """)

    @Argument(help: ArgumentHelp("A log folder.", valueName: "folder")) var folder: String
    @Option(help: ArgumentHelp("Begin with this entry instead of the next one.", valueName: "index"))
    var fromIndex: UInt64?
    @Option(help: ArgumentHelp("How often to look.", valueName: "milliseconds")) var everyMs = 250
    @Flag(help: "Whole entries, one JSON line each.") var json = false

    func validate() throws {
        guard (10...60_000).contains(everyMs) else { throw ValidationError("--every-ms is 10 to 60000.") }
    }

    func run() throws {
        let signals = EndingSignals()
        var reader = try open()
        var output = Output()
        var table = EntryTable(showsLog: false)
        var next = fromIndex ?? reader.checkpoint.size
        if next < reader.minimumIndex {
            KeyFiles.tell("\(folder): entries before \(reader.minimumIndex) were pruned: ask the archive")
        }
        while true {
            var cursor = LogCursor(reader, from: next)
            while let entry = try read(&cursor) {
                try show(entry, reader.checkpoint.origin, &table, &output)
                if entry.index % 256 == 255, signals.wait(milliseconds: 0) { return try output.flush() }
            }
            next = max(next, cursor.position)
            try output.flush()
            if signals.wait(milliseconds: everyMs) { return }
            let published = try open()
            guard published.checkpoint.size >= reader.checkpoint.size,
                published.checkpoint.origin == reader.checkpoint.origin
            else {
                throw LogCommandError.refused(
                    "\(folder): NOT GOOD: the checkpoint went back from \(reader.checkpoint.size) entries of \(reader.checkpoint.origin) to \(published.checkpoint.size) of \(published.checkpoint.origin): another log was put in its place"
                )
            }
            reader = published
        }
    }

    private func show(
        _ entry: LoggedEntry, _ origin: String, _ table: inout EntryTable, _ output: inout Output
    ) throws {
        if json { return try output.line(JSONLine.entry(origin, entry.index, entry.line)) }
        guard let object = (try? JSONValue(parsing: entry.line))?.object else {
            throw LogCommandError.refused("\(folder): entry \(entry.index) is no entry: run `bailiwick log verify`")
        }
        try output.line(table.row(origin, entry.index, object))
    }

    private func open() throws -> LogReader {
        do throws(LogFault) { return try LogReader(folder: folder, verifier: nil) } catch {
            throw LogCommandError.log(folder, error)
        }
    }

    private func read(_ cursor: inout LogCursor) throws -> LoggedEntry? {
        do throws(LogFault) { return try cursor.next() } catch { throw LogCommandError.log(folder, error) }
    }
}

/// SIGINT and SIGTERM, taken between two pieces of work instead of in the middle of one.
private struct EndingSignals {
    init() {
        var set = Self.set
        _ = unsafe sigprocmask(SIG_BLOCK, &set, nil)
    }

    /// True when one of them came within that time.
    func wait(milliseconds: Int) -> Bool {
        var set = Self.set
        var time = timespec(tv_sec: milliseconds / 1000, tv_nsec: milliseconds % 1000 * 1_000_000)
        return unsafe sigtimedwait(&set, nil, &time) > 0
    }

    private static var set: sigset_t {
        var set = sigset_t()
        unsafe sigemptyset(&set)
        unsafe sigaddset(&set, SIGINT)
        unsafe sigaddset(&set, SIGTERM)
        return set
    }
}
