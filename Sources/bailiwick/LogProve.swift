internal import ArgumentParser
internal import DecisionLog
internal import Residency

/// `bailiwick log prove`.
struct LogProve: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "prove", abstract: "Proves that an entry is in a log, for whoever has no more than the log's key.",
        discussion: """
            Writes a C2SP tlog-proof: the index, the hashes from the entry up to the root, and the signed checkpoint. It goes out with the \
            entry's bytes, which --entry writes; neither shows any other entry.

            EXAMPLE
              bailiwick log prove /var/lib/bailiwick/log 70211 --entry 70211.json > 70211.tlog-proof
              bailiwick log check-proof 70211.tlog-proof --key "$(cat log.vkey)" --entry 70211.json
            """)

    @Argument(help: ArgumentHelp("A log folder.", valueName: "folder")) var folder: String
    @Argument(help: "The entry's index.") var index: UInt64
    @Option(help: ArgumentHelp("Also writes the entry's bytes, to a new file.", valueName: "file")) var entry: String?

    func run() throws {
        let proof: TlogProof
        do throws(LogFault) {
            let reader = try LogReader(folder: folder, verifier: nil)
            proof = try TlogProof(of: index, in: reader)
            if let entry { try write(try reader.entry(index), to: entry) }
        } catch { throw LogCommandError.log(folder, error) }
        var output = Output()
        try output.bytes(proof.text)
        try output.flush()
    }

    private func write(_ bytes: [UInt8], to path: String) throws(LogFault) {
        do throws(KeyFileError) { try KeyFiles.create(path, bytes, mode: 0o644) } catch {
            throw LogFault(file: path, what: "\(error)")
        }
    }
}

/// `bailiwick log check-proof`.
struct LogCheckProof: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check-proof", abstract: "Checks a tlog-proof of an entry; exit status 0 only when it holds.",
        discussion: """
            Needs no log: the proof, the entry and the key of the log are enough. The entry is the line as the log has it; a line end after it \
            is passed over.

            EXAMPLE
              bailiwick log check-proof 70211.tlog-proof --key "$(cat log.vkey)" --entry 70211.json
            """)

    @Argument(help: ArgumentHelp("The proof; - is standard input.", valueName: "file")) var file: String
    @Option(help: ArgumentHelp("The log's vkey.", valueName: "vkey")) var key: String
    @Option(help: ArgumentHelp("The entry; - is standard input.", valueName: "file")) var entry: String

    func validate() throws {
        guard file != "-" || entry != "-" else {
            throw ValidationError("Only one of the two can be standard input.")
        }
    }

    func run() throws {
        let verifier = try LogArguments.verifier(key)
        var line = try KeyFiles.read(entry)
        // Entries are single lines: what ends one is an editor's or a shell's.
        if line.last == 0x0A { line.removeLast() }
        do throws(TlogProofError) {
            let proof = try TlogProof(text: try Self.read(file))
            let tree = try proof.verify(line, by: verifier)
            print(
                "\(file): good: entry \(proof.index) of \(tree.origin), whose \(tree.size) entries \(verifier.name) signed"
            )
        } catch {
            KeyFiles.tell("\(file): NOT GOOD: \(error)")
            throw ExitCode(1)
        }
    }

    private static func read(_ path: String) throws(TlogProofError) -> [UInt8] {
        do throws(KeyFileError) { return try KeyFiles.read(path) } catch { throw .malformed("\(error)") }
    }
}
