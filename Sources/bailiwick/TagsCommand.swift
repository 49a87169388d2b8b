internal import ArgumentParser
internal import JSON

/// `bailiwick tags`.
struct TagsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tags", abstract: "Reseals and scans residency tags, through the running daemon.",
        subcommands: [TagsReseal.self, TagsScan.self])
}

/// How to reach the operators' listener.
struct OperatorsOptions: ParsableArguments {
    @Option(help: ArgumentHelp("The operators' listener, such as https://127.0.0.1:8444.", valueName: "url"))
    var operators: String
    @Option(help: ArgumentHelp("A client certificate whose principal has the role operator, PEM.", valueName: "file"))
    var certificate: String
    @Option(help: ArgumentHelp("Its private key, PEM.", valueName: "file")) var key: String
    @Option(help: ArgumentHelp("Whom the gateway's certificate descends from, PEM.", valueName: "file"))
    var authorities: String

    /// Sends one request and gives status and body.
    func post(_ path: String, _ members: [(name: String, value: JSONValue)]) throws -> OperatorsAnswer {
        var body: [UInt8] = []
        JSONValue.object(JSONObject(members: members.map { (name: JSONString($0.name), value: $0.value) })).append(
            to: &body)
        return try OperatorsClient(
            url: operators, certificate: try KeyFiles.read(certificate), key: try KeyFiles.readPrivate(key),
            authorities: try KeyFiles.read(authorities)
        ).post(path, body)
    }
}

/// `bailiwick tags reseal`.
struct TagsReseal: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reseal", abstract: "Seals an object again with its store's datacenter, whatever its tag says.",
        discussion: """
            For an object whose tag does not verify or is missing, once it is known where it belongs. The reason goes to the log first.

            EXAMPLE
              bailiwick tags reseal mail-dub1 alice/INBOX/1.eml --reason 'restored from tape 7' --operators https://127.0.0.1:8444 \\
                --certificate operator.crt --key operator.key --authorities servers-ca.crt
            """)

    @Argument(help: "The bucket.") var store: String
    @Argument(help: "The object's key.") var objectKey: String
    @Option(help: "Why, for the log.") var reason: String
    @OptionGroup var operators: OperatorsOptions

    func run() throws {
        let answer = try operators.post(
            "/tags/reseal",
            [
                ("store", .string(JSONString(store))), ("key", .string(JSONString(objectKey))),
                ("reason", .string(JSONString(reason))),
            ])
        print(answer.text, terminator: "")
        if answer.status != 200 { throw ExitCode(1) }
    }
}

/// `bailiwick tags scan`.
struct TagsScan: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "scan",
        abstract: "Checks every tag of a store; exit status 1 with a list when something is wrong.",
        discussion: """
            Adopts what the store's settings let be adopted. With --content every object is read and its digest compared.

            EXAMPLE
              bailiwick tags scan mail-dub1 --content --operators https://127.0.0.1:8444 --certificate operator.crt \\
                --key operator.key --authorities servers-ca.crt
            """)

    @Argument(help: "The bucket.") var store: String
    @Flag(help: "Read every object and compare its digest.") var content = false
    @OptionGroup var operators: OperatorsOptions

    func run() throws {
        let answer = try operators.post(
            "/tags/scan", [("store", .string(JSONString(store))), ("content", .bool(content))])
        print(answer.text, terminator: "")
        if answer.status != 200 { throw ExitCode(1) }
    }
}
