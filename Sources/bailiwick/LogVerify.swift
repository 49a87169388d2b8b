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
            completion; names the first thing wrong by entry, file and offset. Works on a copy, and while the daemon runs. Of a log whose \
            beginning was pruned it says from which entry on it verified, and whether the log itself tells that.

            Keep a checkpoint, and give it the next time with --since: then nobody, the holder of the key included, can have changed what it \
            covers. Ask for --quorum cosignatures by --witness keys: then the holder of the log's key cannot show you another history than \
            the witnesses saw. Several logs need one --key each, in any order; a log's origin is its key's name. Of a log whose key was \
            rotated give the old one and the new one: a checkpoint is good when one of them signed it.

            EXAMPLE
              cp /var/lib/bailiwick/log/checkpoint checkpoint-of-november
              bailiwick log verify /var/lib/bailiwick/log --key "$(cat log.vkey)" --since checkpoint-of-november
            """)

    @Argument(help: ArgumentHelp("Log folders.", valueName: "folder"))
    var folders: [String]
    @Option(
        help: ArgumentHelp(
            "Who must have signed the checkpoint: a vkey, as `bailiwick keys new --kind log` prints. One for each log, if there are several; two, if it was rotated.",
            valueName: "vkey"
        ))
    var key: [String]
    @Option(
        help: ArgumentHelp(
            "A checkpoint kept from earlier: the log must hold its entries unchanged. May be given once for each log.",
            valueName: "file"))
    var since: [String] = []
    @Option(
        help: ArgumentHelp(
            "The vkey of a witness, of `bailiwick keys new --kind witness`; repeatable.", valueName: "vkey"))
    var witness: [String] = []
    @Option(help: ArgumentHelp("How many of the witnesses must have cosigned; all, if not given.", valueName: "number"))
    var quorum: Int?
    @Option(help: "Threads that hash; 0 is one for each core.") var threads = 0

    func validate() throws {
        guard let quorum else { return }
        guard (1...max(1, witness.count)).contains(quorum), !witness.isEmpty else {
            throw ValidationError("--quorum is 1 to the number of --witness keys.")
        }
    }

    func run() throws {
        let verifiers = try key.map(LogArguments.verifier)
        let witnesses = try witness.map(LogArguments.witness)
        // One that is given twice is one: it would make a quorum by itself.
        guard Set(witnesses.map(\.keyID)).count == witnesses.count else {
            throw ValidationError("--witness: one key is given twice.")
        }
        let earlier = try since.map { path in try LogArguments.checkpoint(path, verifiers) }
        if let twice = earlier.first(where: { one in earlier.count { $0.origin == one.origin } > 1 }) {
            throw ValidationError(
                "--since: two checkpoints of \(twice.origin), and a log is held against one: verify once with each.")
        }
        var isGood = true
        var used: Set<String> = []
        for folder in folders {
            do {
                let (reader, verifier) = try open(folder, verifiers)
                used.insert(verifier.name)
                let cosigned = try cosigners(of: reader, among: witnesses)
                try verify(folder, reader, verifier, cosigned, since: earlier.first { $0.origin == verifier.name })
            } catch {
                KeyFiles.tell("\(folder): NOT GOOD: \(error)")
                isGood = false
            }
        }
        for checkpoint in earlier where isGood && !used.contains(checkpoint.origin) {
            KeyFiles.tell("NOT GOOD: --since of \(checkpoint.origin): none of the folders is that log")
            isGood = false
        }
        if !isGood { throw ExitCode(1) }
    }

    /// The log, under the one of the keys that is its own; of several of its name under the first that signed.
    private func open(_ folder: String, _ verifiers: [NoteVerifier]) throws -> (LogReader, NoteVerifier) {
        let unverified = try LogReader(folder: folder, verifier: nil)
        let own = LogArguments.signer(of: unverified.note, among: verifiers, origin: unverified.checkpoint.origin)
        let verifier = own ?? verifiers[0]
        return (try LogReader(folder: folder, verifier: verifier), verifier)
    }

    private func verify(
        _ folder: String, _ reader: LogReader, _ verifier: NoteVerifier, _ cosigned: [String], since: Checkpoint?
    ) throws {
        let bar = ProgressBar(folder)
        let start = Clock.now().microseconds
        defer { bar.clear() }
        var verification = LogVerifier(reader)
        let report = try verification.verify(since: since, threads: threads) { bar.show($0) }
        bar.clear()
        let took = max(1, Clock.now().microseconds - start)
        print("\(folder): good: \(reader.checkpoint.size) entries signed by \(verifier.name)")
        for line in cosigned { print("  \(line)") }
        if report.minimumIndex > 0 {
            print(
                "  verified from entry \(report.minimumIndex) on: those before it were pruned, and stand by their hashes only"
            )
            if report.isPruningUntold { print("  \(Self.untold)") }
        }
        if let since { print("  the first \(since.size) are those of the earlier checkpoint") }
        print(
            "  \(report.decisions) decisions (\(report.allowed) allowed), \(report.completions) completions, \(report.events) events"
        )
        if let first = report.first, let last = report.last { print("  from \(first.rfc3339) to \(last.rfc3339)") }
        if !report.leftOpen.isEmpty { print("  left open by a crash: \(Self.list(report.leftOpen))") }
        if !report.open.isEmpty { print("  without a completion: \(Self.list(report.open))") }
        print(
            "  \(report.bytes / 1024) KiB in \(took / 1000) ms: \(report.entries * 1_000_000 / UInt64(took)) entries/s")
    }

    /// Who cosigned the checkpoint, and when.
    private func cosigners(of reader: LogReader, among witnesses: [NoteVerifier]) throws -> [String] {
        guard !witnesses.isEmpty else { return [] }
        var lines: [String] = []
        var missing: [String] = []
        for witness in witnesses {
            do throws(NoteError) {
                let seconds = try reader.note.cosignedSeconds(by: witness)
                lines.append("cosigned by \(witness.name) at \(Timestamp(seconds: Int64(seconds)).rfc3339)")
            } catch { missing.append(error.words) }
        }
        guard lines.count >= quorum ?? witnesses.count else {
            throw LogFault(
                file: "checkpoint",
                what:
                    "\(lines.count) of \(quorum ?? witnesses.count) cosignatures: it \(missing.joined(separator: "; it "))"
            )
        }
        return lines
    }

    /// Of a log that begins later than it says itself.
    static let untold =
        "NO pruned event tells that: the daemon records it soon after a pruning, or when it starts; else somebody took them away"

    private static func list(_ indexes: [UInt64]) -> String {
        indexes.prefix(20).map(String.init).joined(separator: ", ") + (indexes.count > 20 ? ", …" : "")
    }
}
