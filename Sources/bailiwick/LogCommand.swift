internal import ArgumentParser

/// `bailiwick log`.
struct LogCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "log", abstract: "Verifies and reads the decision log, offline, on a log folder or a copy of one.",
        subcommands: [
            LogVerify.self, LogAuditCommand.self, LogQuery.self, LogExport.self, LogStats.self, LogFollow.self,
            LogProve.self,
            LogCheckProof.self, LogArchiveCommand.self, LogPruneCommand.self, LogKey.self,
        ])
}
