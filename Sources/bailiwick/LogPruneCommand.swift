internal import ArgumentParser
internal import DecisionLog
internal import Glibc
internal import Residency
internal import Settings

/// `bailiwick log prune`.
struct LogPruneCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "prune", abstract: "Removes a log's oldest entries, which a verified archive holds.",
        discussion: """
            A log is never pruned unless log.retention_days in the settings says how long entries are kept; nothing younger goes, whatever \
            --before says. The archive is verified whole on the spot, and must hold all that is to go and be of the same history. Then \
            whole bundles of 256 entries before the time are removed, and the tiles over them: a bundle that holds one entry of that time \
            or later stays.

            The tree stays as it is. What is left can be verified, audited, queried and proved as before, and each of these says from \
            which entry on; the archive does the rest. The log says itself what was pruned, by a `pruned` event. Tokens and settings \
            snapshots are not removed: entries that stay may rest on them.

            Runs beside the daemon, which goes on; run it as the daemon's user. A run that is cut off leaves a good log: run it again.

            EXAMPLE
              sudo -u bailiwick bailiwick log archive /var/lib/bailiwick/log --to /mnt/archive/dub1-gw1 --key "$(cat log.vkey)"
              sudo -u bailiwick bailiwick log prune /var/lib/bailiwick/log --before 2026-01-01 --archive /mnt/archive/dub1-gw1 \\
                --key "$(cat log.vkey)"
            """)

    @Argument(help: ArgumentHelp("The log folder.", valueName: "folder")) var folder: String
    @Option(help: ArgumentHelp("Entries before this time: RFC 3339, or a day (UTC).", valueName: "time"))
    var before: Moment
    @Option(help: ArgumentHelp("What `bailiwick log archive` made of this log.", valueName: "folder"))
    var archive: String
    @Option(help: ArgumentHelp("Who must have signed the checkpoints: a vkey.", valueName: "vkey")) var key: String
    @Option(help: ArgumentHelp("The daemon's settings, for log.retention_days.", valueName: "file"))
    var config = "/etc/bailiwick/bailiwick.toml"

    func run() throws {
        let verifier = try LogArguments.verifier(key)
        try requireRetention(verifier)
        let bar = ProgressBar("verifying the archive")
        var pruning = LogPruning(folder: folder, archive: archive, verifier: verifier)
        let report: LogPruning.Report
        do throws(KeepingError) {
            report = try pruning.run(before: before.time) { bar.show($0) }
        } catch {
            bar.clear()
            KeyFiles.tell("\(folder): NOT PRUNED: \(error)")
            throw ExitCode(1)
        }
        bar.clear()
        print("\(folder): \(report.pruned) entries pruned; it begins with entry \(report.minimumIndex)")
        print("  \(report.removedFiles) files removed")
        print("  \(archive): good: entries \(report.archivedFrom) to \(report.archivedSize)")
    }

    private func requireRetention(_ verifier: NoteVerifier) throws {
        let retention: LogRetention
        do throws(SettingsError) { retention = try LogRetention.load(path: config) } catch {
            throw LogCommandError.refused("\(error)")
        }
        guard retention.origin == verifier.name, Self.isOne(retention.directory, folder) else {
            throw LogCommandError.refused(
                "\(folder): NOT PRUNED: \(config) is for the log \(retention.origin) in \(retention.directory)")
        }
        guard let days = retention.retentionDays else {
            throw LogCommandError.refused(
                "\(folder): NOT PRUNED: log.retention_days is not set in \(config): this log is kept whole")
        }
        let limit = Clock.now().adding(seconds: -86_400 * Int64(days))
        guard before.time <= limit else {
            throw LogCommandError.refused(
                "\(folder): NOT PRUNED: log.retention_days = \(days) keeps what is not before \(limit.rfc3339)")
        }
    }

    private static func isOne(_ left: String, _ right: String) -> Bool {
        func real(_ path: String) -> String? {
            guard let resolved = unsafe realpath(path, nil) else { return nil }
            defer { unsafe free(resolved) }
            return unsafe String(cString: resolved)
        }
        guard let left = real(left), let right = real(right) else { return false }
        return left == right
    }
}
