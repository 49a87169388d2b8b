internal import ArgumentParser
internal import DecisionLog
internal import Glibc
internal import JSON
internal import Residency

/// `bailiwick log`.
struct LogCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "log", abstract: "Verifies and reads the decision log, offline, on a log folder or a copy of one.",
        subcommands: [LogVerify.self, LogAuditCommand.self, LogQuery.self, LogKey.self])
}

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

/// `bailiwick log query`.
struct LogQuery: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "query", abstract: "Shows the entries that match, as a table or as JSON lines.",
        discussion: """
            EXAMPLE
              bailiwick log query /var/lib/bailiwick/log --decision allow --jurisdiction IE --from 2026-11-01T00:00:00Z
            """)

    @Argument(help: ArgumentHelp("A log folder.", valueName: "folder"))
    var folder: String
    @Option(help: "From this time on (RFC 3339).") var from: Timestamp?
    @Option(help: "Before this time.") var to: Timestamp?
    @Option(help: "A principal's name.") var principal: String?
    @Option(help: "A bucket.") var store: String?
    @Option(help: "A reason, such as authorized.") var reason: String?
    @Option(help: "allow or refuse.") var decision: String?
    @Option(help: "The object's jurisdiction, or one whose border was crossed.") var jurisdiction: String?
    @Option(help: "A token's SHA-256 or jti.") var authorization: String?
    @Option(help: "decision, completion or event.") var kind: String?
    @Flag(help: "Whole entries, one JSON line each.") var json = false

    func run() throws {
        let reader = try LogReader(folder: folder, verifier: nil)
        var shown = 0
        try reader.forEachEntry { index, line in
            guard let entry = (try? JSONValue(parsing: line))?.object, matches(entry) else { return }
            shown += 1
            if json { return print(String(decoding: line, as: UTF8.self)) }
            if shown == 1 {
                print(Self.row("INDEX", "TIME", "DECISION", "REASON", "OPERATION", "PRINCIPAL", "STORE", "CROSSED"))
            }
            print(Self.row(index, entry))
        }
    }

    private func matches(_ entry: JSONObject) -> Bool {
        func text(_ name: String) -> String? { entry[name]?.string }
        func equals(_ wanted: String?, _ name: String) -> Bool { wanted == nil || text(name) == wanted }
        if from != nil || to != nil {
            guard let time = text("time").flatMap({ Timestamp(rfc3339: $0) }) else { return false }
            if let from, time < from { return false }
            if let to, time >= to { return false }
        }
        let isCrossed =
            jurisdiction == nil || text("jurisdiction") == jurisdiction
            || (entry["crossed"]?.array ?? []).contains { $0.string == jurisdiction }
        let isUnder =
            authorization == nil
            || (entry["authorizations"]?.array ?? []).contains {
                $0.object?["sha256"]?.string == authorization || $0.object?["jti"]?.string == authorization
            }
        return equals(principal, "principal") && equals(store, "store") && equals(reason, "reason")
            && equals(decision, "decision")
            && equals(kind, "kind") && isCrossed && isUnder
    }

    private static func row(_ index: UInt64, _ entry: JSONObject) -> String {
        func text(_ name: String) -> String { entry[name]?.string ?? "" }
        let crossed = (entry["crossed"]?.array ?? []).compactMap(\.string).joined(separator: ",")
        switch text("kind") {
        case "decision":
            return row(
                "\(index)", text("time"), text("decision"), text("reason"), text("operation"), text("principal"),
                text("store"), crossed)
        case "event": return row("\(index)", text("time"), "event", text("event"), "", "", text("store"), "")
        default:
            return row(
                "\(index)", text("time"), text("kind"), "\(entry["completed"]?.array?.count ?? 0) requests", "", "", "",
                "")
        }
    }

    private static func row(_ columns: String...) -> String {
        let widths = [8, 27, 10, 29, 14, 20, 14, 8]
        return zip(columns, widths).map { $0 + String(repeating: " ", count: max(1, $1 + 1 - $0.count)) }.joined()
    }
}

/// `bailiwick log key`.
struct LogKey: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "key", abstract: "Prints the vkey of a signing key, which auditors need.")

    @Argument(help: ArgumentHelp("The file of a log's or witness's private key.", valueName: "file"))
    var file: String

    func run() throws {
        let line = String(decoding: try KeyFiles.readPrivate(file), as: UTF8.self)
        do throws(NoteError) { print(try NoteSigner(line).verifier.text) } catch {
            throw ValidationError("\(file) is no key of C2SP's form (PRIVATE+KEY+…).")
        }
    }
}

enum LogArguments {
    static func verifier(_ text: String) throws -> NoteVerifier {
        do throws(NoteError) { return try NoteVerifier(text) } catch {
            throw ValidationError(
                "--key is no vkey: expected <name>+<hash>+<key>, as `bailiwick keys new --kind log` prints it.")
        }
    }

    static func checkpoint(_ path: String, _ verifier: NoteVerifier) throws -> Checkpoint {
        let bytes = try KeyFiles.read(path)
        do throws(NoteError) {
            let note = try SignedNote(bytes)
            try note.verify(by: verifier)
            return try Checkpoint(text: note.text)
        } catch { throw ValidationError("--since \(path) is no checkpoint signed by \(verifier.name).") }
    }
}

/// A bar on standard error, when that is a terminal.
struct ProgressBar {
    private let isTerminal = isatty(STDERR_FILENO) == 1

    func show(_ share: Double) {
        guard isTerminal else { return }
        let done = Int(share * 40)
        write(
            "\r[" + String(repeating: "#", count: done) + String(repeating: " ", count: 40 - done)
                + "] \(Int(share * 100))%")
    }

    func clear() { if isTerminal { write("\r" + String(repeating: " ", count: 50) + "\r") } }

    private func write(_ text: String) {
        let bytes = Array(text.utf8)
        _ = unsafe bytes.withUnsafeBytes { unsafe Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }
}
