internal import ArgumentParser

/// `bailiwick token`.
struct TokenCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "token", abstract: "Issues, shows, verifies and revokes authorizations.",
        subcommands: [TokenIssue.self, TokenInspect.self, TokenVerify.self, TokenRevoke.self, TokenRevocations.self])
}

/// A token as an argument.
enum TokenArgument {
    static let help = ArgumentHelp("The token, or - to read it from standard input.", valueName: "token")

    /// The token's bytes; white space around it is the shell's or the file's.
    static func bytes(_ argument: String) throws(KeyFileError) -> [UInt8] {
        let text = argument == "-" ? try KeyFiles.read("-") : Array(argument.utf8)
        func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }
        guard let first = text.firstIndex(where: { !isSpace($0) }), let last = text.lastIndex(where: { !isSpace($0) })
        else { return [] }
        return Array(text[first...last])
    }
}
