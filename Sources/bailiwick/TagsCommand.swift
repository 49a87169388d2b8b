internal import ArgumentParser
internal import JSON

/// `bailiwick tags`.
struct TagsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tags", abstract: "Reseals and scans residency tags.",
        subcommands: [TagsReseal.self, TagsScan.self])
}

/// How to reach the operators' listener.
struct OperatorsOptions: ParsableArguments {
    static let urlHelp = ArgumentHelp("The operators' listener, such as https://127.0.0.1:8444.", valueName: "url")
    static let certificateHelp = ArgumentHelp(
        "A client certificate whose principal has the role operator, PEM.", valueName: "file")
    static let keyHelp = ArgumentHelp("Its private key, PEM.", valueName: "file")
    static let authoritiesHelp = ArgumentHelp("Whom the gateway's certificate descends from, PEM.", valueName: "file")

    @Option(help: urlHelp) var operators: String
    @Option(help: certificateHelp) var certificate: String
    @Option(help: keyHelp) var key: String
    @Option(help: authoritiesHelp) var authorities: String

    init() {}

    init(_ operators: String, _ certificate: String, _ key: String, _ authorities: String) {
        self.operators = operators
        self.certificate = certificate
        self.key = key
        self.authorities = authorities
    }

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
        commandName: "reseal", abstract: "Seals an object again with its store's datacenter.",
        discussion: """
            For an object whose tag does not verify or is missing, once it is known where it belongs. The reason goes to the log first, with
            the tag as it was. When the object was received is kept where the seal vouches for it; else it is now. A sound tag of this
            datacenter is renewed; one of another datacenter is that one's, and the object is left as it is.

            EXAMPLE
              bailiwick tags reseal mail-dub1 alice/INBOX/1.eml --reason 'restored from tape 7' --operators https://127.0.0.1:8444 \\
                --certificate operator.crt --key operator.key --authorities servers-ca.crt
            """)

    @Argument(help: "The bucket.") var store: String
    @Argument(help: "The object's key.") var objectKey: String
    @Option(help: "Why, for the log.") var reason: String
    @OptionGroup var operators: OperatorsOptions

    func validate() throws {
        if reason.isEmpty { throw ValidationError("--reason: why, for whoever reads the log.") }
    }

    func run() throws {
        try operators.post(
            "/tags/reseal",
            [
                ("store", .string(JSONString(store))), ("key", .string(JSONString(objectKey))),
                ("reason", .string(JSONString(reason))),
            ]
        ).show()
    }
}

/// `bailiwick tags scan`.
struct TagsScan: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "scan",
        abstract:
            "Checks every tag of a store; exit status 1 with a list when something is wrong, 69 without the daemon.",
        discussion: """
            Adopts what the store's settings let be adopted. With --content every object is read and its digest compared. Through the
            running daemon, or, with --config, while it is stopped: then its lock is held, and none can start meanwhile. Root reads the
            keys and goes on as the user whom the log's folder belongs to, so that the daemon can write on there.

            With --renew no tag depends on another seal key than the first of its datacenter when the scan has ended without a finding:
            the others can go.

            EXAMPLES
              bailiwick tags scan mail-dub1 --content --operators https://127.0.0.1:8444 --certificate operator.crt \\
                --key operator.key --authorities servers-ca.crt
              bailiwick tags scan mail-dub1 --config /etc/bailiwick/bailiwick.toml
            """)

    @Argument(help: "The bucket.") var store: String
    @Flag(help: "Read every object and compare its digest.") var content = false
    @Flag(help: "Seal again, with the first of the seal keys, every sound tag that another one sealed.")
    var renew = false
    @Option(help: ArgumentHelp("The settings of the daemon that is stopped.", valueName: "file")) var config: String?
    @Option(help: OperatorsOptions.urlHelp) var operators: String?
    @Option(help: OperatorsOptions.certificateHelp) var certificate: String?
    @Option(help: OperatorsOptions.keyHelp) var key: String?
    @Option(help: OperatorsOptions.authoritiesHelp) var authorities: String?

    func run() throws {
        if let config {
            guard operators == nil else { throw ValidationError("Either --operators or --config.") }
            let problems = try StoppedStore(config: config, bucket: store).scan(readsContent: content, renews: renew)
            if problems > 0 { throw ExitCode(1) }
            return
        }
        guard let operators, let certificate, let key, let authorities else {
            throw ValidationError(
                "Missing --operators, --certificate, --key or --authorities; or --config while the daemon is stopped.")
        }
        try OperatorsOptions(operators, certificate, key, authorities).post(
            "/tags/scan",
            [("store", .string(JSONString(store))), ("content", .bool(content)), ("renew", .bool(renew))]
        ).show()
    }
}
