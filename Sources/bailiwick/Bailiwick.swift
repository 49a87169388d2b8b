internal import ArgumentParser

@main
struct Bailiwick: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bailiwick",
        abstract: "Keys, authorizations, residency tags and the decision log of Bailiwick.",
        version: "0.1.0",
        subcommands: [
            KeysCommand.self, TokenCommand.self, ExplainCommand.self, TagsCommand.self, LogCommand.self,
            WitnessCommand.self, DoctorCommand.self,
        ])
}
