internal import ArgumentParser
internal import DecisionLog
internal import Residency

/// `bailiwick log archive`.
struct LogArchiveCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "archive", abstract: "Copies a log to another folder, and verifies it there.",
        discussion: """
            Bundles, tiles, accepted tokens and settings snapshots go to the folder, each durable before the next; what an earlier run took \
            is not copied again. Then every entry of the archive is hashed, and held against the log's checkpoint and the archive's earlier \
            one; only when all is well does the archive's own checkpoint say so. Runs beside the daemon. A run that is cut off loses \
            nothing: run it again.

            An archive is a log of the same form: `verify`, `audit`, `query`, `export` and `prove` take it as they take a log, and it keeps \
            what `bailiwick log prune` removes. It holds tokens, which name mailboxes: keep it as you keep those. Run this as the daemon's \
            user, who alone may read the tokens.

            EXAMPLE
              sudo -u bailiwick bailiwick log archive /var/lib/bailiwick/log --to /mnt/archive/dub1-gw1 --key "$(cat log.vkey)"
            """)

    @Argument(help: ArgumentHelp("A log folder.", valueName: "folder")) var folder: String
    @Option(help: ArgumentHelp("The archive; made when it is not there.", valueName: "folder")) var to: String
    @Option(help: ArgumentHelp("Who must have signed the log's checkpoint: a vkey.", valueName: "vkey")) var key: String

    func run() throws {
        let verifier = try LogArguments.verifier(key)
        let source: LogReader
        do throws(LogFault) { source = try LogReader(folder: folder, verifier: verifier) } catch {
            throw LogCommandError.log(folder, error)
        }
        let bar = ProgressBar("archiving")
        defer { bar.clear() }
        var archive = LogArchive(source, to: to, verifier: verifier)
        let report: LogArchive.Report
        do throws(KeepingError) { report = try archive.run { bar.show($0) } } catch {
            bar.clear()
            KeyFiles.tell("\(to): NOT ARCHIVED: \(error)")
            throw ExitCode(1)
        }
        bar.clear()
        print("\(to): good: entries \(report.from) to \(report.size) signed by \(verifier.name)")
        print("  \(report.added) entries added: \(report.copiedFiles) files, \(report.copiedBytes / 1024) KiB")
        if let first = report.verified.first, let last = report.verified.last {
            print("  from \(first.rfc3339) to \(last.rfc3339)")
        }
    }
}
