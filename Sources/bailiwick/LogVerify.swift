internal import ArgumentParser
internal import DecisionLog
internal import Residency

/// `bailiwick log verify`.
struct LogVerify: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Verifies whole logs from the bytes on disk; exit status 0 only when all is well.",
        discussion: """
            Hashes every entry, compares every tile of every level, the root and the signature, the order of time, and each decision's \
            completion; names the first thing wrong by entry, file and offset. Works on a copy, and while the daemon runs.

            EXAMPLE
              bailiwick log verify /var/lib/bailiwick/log --key "$(cat log.vkey)" --since checkpoint-of-last-month
            """)

    @Argument(help: ArgumentHelp("Log folders.", valueName: "folder"))
    var folders: [String]
    @Option(
        help: ArgumentHelp(
            "Who must have signed the checkpoint: a vkey, as `bailiwick keys new --kind log` prints.", valueName: "vkey"
        ))
    var key: String
    @Option(
        help: ArgumentHelp(
            "A checkpoint kept from earlier: the log must hold its entries unchanged.", valueName: "file"))
    var since: String?

    func run() throws {
        let verifier = try LogArguments.verifier(key)
        let earlier = try since.map { try LogArguments.checkpoint($0, verifier) }
        var isGood = true
        for folder in folders {
            do {
                let reader = try LogReader(folder: folder, verifier: verifier)
                var verification = LogVerifier(reader)
                let bar = ProgressBar()
                let report = try verification.verify(since: earlier) { bar.show($0) }
                bar.clear()
                print("\(folder): good: \(report.entries) entries signed by \(verifier.name)")
                print(
                    "  \(report.decisions) decisions (\(report.allowed) allowed), \(report.completions) completions, \(report.events) events"
                )
                if let first = report.first, let last = report.last {
                    print("  from \(first.rfc3339) to \(last.rfc3339)")
                }
                if !report.open.isEmpty {
                    print(
                        "  without a completion: \(report.open.prefix(20).map(String.init).joined(separator: ", "))\(report.open.count > 20 ? ", …" : "")"
                    )
                }
            } catch {
                KeyFiles.tell("\(folder): NOT GOOD: \(error)")
                isGood = false
            }
        }
        if !isGood { throw ExitCode(1) }
    }
}
