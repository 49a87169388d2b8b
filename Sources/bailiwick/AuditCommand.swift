internal import ArgumentParser
internal import Audit
internal import DecisionLog
internal import Settings
internal import Tokens

/// `bailiwick log audit`.
struct LogAuditCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "audit",
        abstract:
            "Verifies whole logs and runs the rule again on every decision; exit status 0 only when each follows.",
        discussion: """
            Verifies each log as `log verify` does. Then, for every decision: reads the settings snapshot that it names, verifies each \
            kept token that it looked at by that snapshot's keys, revocations and deny list at the entry's time, holds the entry's \
            claims against the token's, puts the question to the rule again, and compares. Names the first decision that does not \
            follow, and what follows instead.

            Mailboxes, keys, prefixes and references are pseudonyms. With their key (--reveal-key) those that the tokens name are \
            recognised, so that a granted mailbox is proved to be the one in the entry; where a grant's prefix covers a mailbox that \
            no token names, --names gives candidates. What could not be decided again is counted, with the reason.

            EXAMPLE
              bailiwick log audit /mnt/copy/log --key "$(cat log.vkey)" --reveal-key pseudonym-dub1-2026
            """)

    @Argument(help: ArgumentHelp("Log folders, with policy/ and evidence/.", valueName: "folder"))
    var folders: [String]
    @Option(
        help: ArgumentHelp(
            "Who must have signed the checkpoint: a vkey, as `bailiwick keys new --kind log` prints.", valueName: "vkey"
        ))
    var key: String
    @Option(help: ArgumentHelp("A pseudonym key; repeatable.", valueName: "file"))
    var revealKey: [String] = []
    @Option(
        help: ArgumentHelp(
            "Names that may stand behind pseudonyms, one a line: mailboxes, keys or prefixes; repeatable.",
            valueName: "file"))
    var names: [String] = []

    func run() throws {
        let verifier = try LogArguments.verifier(key)
        let keys = try revealKey.map { path in
            guard let key = NamedKey(file: try KeyFiles.readPrivate(path)) else {
                throw ValidationError("--reveal-key \(path) is not one line KEYID:base64(32 bytes).")
            }
            return key
        }
        let candidates = try names.flatMap { path in
            try KeyFiles.read(path).split(separator: UInt8(ascii: "\n")).map(Array.init)
        }
        var isGood = true
        for folder in folders {
            let bar = ProgressBar()
            do {
                let reader = try LogReader(folder: folder, verifier: verifier)
                var verification = LogVerifier(reader)
                let verified = try verification.verify { bar.show($0 / 3) }
                var audit = LogAudit(reader, reveal: try Reveal(keys: keys, names: candidates))
                let report = try audit.run { bar.show((1 + 2 * $0) / 3) }
                bar.clear()
                print("\(folder): good: \(verified.entries) entries signed by \(verifier.name)")
                if report.minimumIndex > 0 {
                    print("  from entry \(report.minimumIndex) on: those before it were pruned; audit the archive")
                    if verified.isPruningUntold { print("  \(LogVerify.untold)") }
                }
                print(Self.text(report))
            } catch {
                bar.clear()
                KeyFiles.tell("\(folder): NOT GOOD: \(error)")
                isGood = false
            }
        }
        if !isGood { throw ExitCode(1) }
    }

    private static func text(_ report: AuditReport) -> String {
        var lines = [
            "  \(report.decisions) decisions follow from the rule: \(report.whole) decided again whole, \(report.inPart) in part"
        ]
        for doubt in Doubt.allCases {
            if let count = report.doubts[doubt] { lines.append("    \(count) in part: \(doubt.rawValue)") }
        }
        lines.append("  \(report.tokens) times a token was looked at whose signature verifies again")
        for policy in report.policies {
            let issuers = policy.issuers.isEmpty ? "no issuer" : policy.issuers.map(quoted).joined(separator: ", ")
            lines.append(
                "  policy/\(policy.sha256): \(policy.decisions) decisions; issuers: \(issuers)"
                    + (policy.isAnnounced ? "" : "; NO start or reload event names it")
                    + (policy.late == 0
                        ? ""
                        : "; \(policy.late) allowed AFTER it had been replaced for more than \(LogAudit.inHandSecondsMax) s")
            )
        }
        return lines.joined(separator: "\n")
    }
}
