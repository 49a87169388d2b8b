internal import ArgumentParser
internal import DecisionLog
internal import Glibc
internal import JSON
internal import OpenSSL
internal import Residency

/// What the `log` commands read from the command line.
enum LogArguments {
    static func verifier(_ text: String) throws -> NoteVerifier {
        do throws(NoteError) { return try NoteVerifier(text) } catch {
            throw ValidationError(
                "--key is no vkey: expected <name>+<hash>+<key>, as `bailiwick keys new --kind log` prints it.")
        }
    }

    static func witness(_ text: String) throws -> NoteVerifier {
        do throws(NoteError) { return try NoteVerifier(text, type: .cosignature) } catch {
            throw ValidationError(
                "--witness is no vkey of a witness: expected <name>+<hash>+<key> of type 0x04, as `bailiwick keys new --kind witness` prints it."
            )
        }
    }

    /// A checkpoint that somebody kept, signed by one of these.
    static func checkpoint(_ path: String, _ verifiers: [NoteVerifier]) throws -> Checkpoint {
        let bytes = try KeyFiles.read(path)
        do throws(NoteError) {
            let note = try SignedNote(bytes)
            let checkpoint = try Checkpoint(text: note.text)
            guard let own = signer(of: note, among: verifiers, origin: checkpoint.origin) else {
                throw .unsigned(by: verifiers.map(\.name).joined(separator: ", "))
            }
            try note.verify(by: own)
            return checkpoint
        } catch { throw ValidationError("--since \(path) \(error.words).") }
    }

    /// The key of a log that a note is held against. One that was rotated has several of one name: any of them that signed the note;
    /// the first of them where none did, for whoever says so.
    static func signer(of note: SignedNote, among verifiers: [NoteVerifier], origin: String) -> NoteVerifier? {
        let own = verifiers.filter { $0.name == origin }
        return own.first { (try? note.verify(by: $0)) != nil } ?? own.first
    }

    /// The keys of `--reveal-key` files: one line `KEYID:base64(32 bytes)` each.
    static func pseudonymizers(_ paths: [String]) throws -> [Pseudonymizer] {
        try paths.map { path in
            let lines = String(decoding: try KeyFiles.readPrivate(path), as: UTF8.self).split(
                whereSeparator: \.isNewline)
            let parts = (lines.first ?? "").split(separator: ":", maxSplits: 1).map(String.init)
            guard lines.count == 1, parts.count == 2, let key = Base64.standard.decode(parts[1]), key.count == 32 else {
                throw ValidationError(
                    "\(path) is no pseudonym key: expected one line KEYID:base64(32 bytes), as `bailiwick keys new --kind pseudonym` makes it."
                )
            }
            return Pseudonymizer(keyID: parts[0], key: HMACKey(key))
        }
    }

    /// Opens every folder before anything is read, so that a misspelt one is told at once. Says where the beginning of a log was
    /// pruned, unless nobody asks for it.
    /// - Parameter from: the earliest time that is asked for; nil for the log's beginning.
    static func readers(_ folders: [String], from: Timestamp?) throws -> [LogReader] {
        try folders.map { folder in
            do throws(LogFault) {
                let reader = try LogReader(folder: folder, verifier: nil)
                if let pruned = try pruned(reader, from: from) { KeyFiles.tell("\(folder): \(pruned)") }
                return reader
            } catch { throw LogCommandError.log(folder, error) }
        }
    }

    private static func pruned(_ reader: LogReader, from: Timestamp?) throws(LogFault) -> String? {
        guard reader.minimumIndex > 0, reader.minimumIndex < reader.checkpoint.size,
            let first = LogReader.time(of: try reader.entry(reader.minimumIndex))
        else { return nil }
        if let from, from >= first { return nil }
        return "entries before \(reader.minimumIndex) (\(first.rfc3339)) were pruned: ask the archive"
    }
}

/// A time on the command line: RFC 3339, or a day, which is its first instant in UTC.
struct Moment: ExpressibleByArgument {
    let time: Timestamp

    init?(argument: String) {
        guard let time = Timestamp(rfc3339: argument) ?? Timestamp(rfc3339: argument + "T00:00:00Z") else { return nil }
        self.time = time
    }
}

/// Why a `log` command cannot do what it was asked.
enum LogCommandError: Error, CustomStringConvertible {
    case log(String, LogFault)
    case refused(String)

    var description: String {
        switch self {
        case .log(let folder, let fault): "\(folder): \(fault)"
        case .refused(let why): why
        }
    }
}

/// A bar on standard error, when that is a terminal, once something takes longer than a moment.
struct ProgressBar {
    private static let quietMicroseconds: Int64 = 300_000
    private let isTerminal = isatty(STDERR_FILENO) == 1
    private let startMicroseconds = Clock.now().microseconds
    private let label: String

    init(_ label: String = "") { self.label = label.isEmpty ? "" : label + " " }

    func show(_ share: Double) {
        guard isTerminal, Clock.now().microseconds - startMicroseconds > Self.quietMicroseconds else { return }
        let done = Int(max(0, min(1, share)) * 40)
        write(
            "\r\(label)[" + String(repeating: "#", count: done) + String(repeating: " ", count: 40 - done)
                + "] \(Int(share * 100))%")
    }

    func clear() { if isTerminal { write("\r\u{1B}[K") } }

    private func write(_ text: String) {
        let bytes = Array(text.utf8)
        _ = unsafe bytes.withUnsafeBytes { unsafe Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }
}
