internal import ArgumentParser
internal import DecisionLog

/// `bailiwick log key`.
struct LogKey: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "key", abstract: "Prints the vkey of a signing key, which auditors need.",
        discussion: """
            The vkey is public: C2SP's name, hash and key, `<name>+<hash>+<base64>`. Auditors should have it from elsewhere than the log.

            EXAMPLE
              bailiwick log key /etc/bailiwick/keys/log > log.vkey
            """)

    @Argument(help: ArgumentHelp("The file of a log's or witness's private key.", valueName: "file"))
    var file: String

    func run() throws {
        let line = String(decoding: try KeyFiles.readPrivate(file), as: UTF8.self)
        let types: [NoteSignatureType] = [.ed25519, .cosignature]
        guard let signer = types.lazy.compactMap({ try? NoteSigner(line, type: $0) }).first else {
            throw ValidationError("\(file) is no key of C2SP's form (PRIVATE+KEY+…).")
        }
        try Output.text(signer.verifier.text + "\n")
    }
}
