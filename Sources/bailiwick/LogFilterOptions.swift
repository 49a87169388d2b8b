internal import ArgumentParser
internal import DecisionLog
internal import Residency

/// Which entries somebody asks for: the options that `query` and `export` share.
struct LogFilterOptions: ParsableArguments {
    @Option(help: ArgumentHelp("From this time on: RFC 3339, or a day (UTC).", valueName: "time")) var from: Moment?
    @Option(help: ArgumentHelp("Before this time.", valueName: "time")) var to: Moment?
    @Option(help: "A principal's name.") var principal: String?
    @Option(help: "A bucket.") var store: String?
    @Option(help: "A mailbox: its pseudonym, or its name with --reveal-key.") var mailbox: String?
    @Option(help: "An object: its pseudonym, or its key with --reveal-key.") var object: String?
    @Option(help: "A reason, such as authorized.") var reason: String?
    @Option(help: "allow or refuse.") var decision: String?
    @Option(help: "The object's jurisdiction, or one whose border was crossed.") var jurisdiction: String?
    @Option(help: "A token's SHA-256 or jti.") var authorization: String?
    @Option(help: "decision, completion or event.") var kind: String?
    @Option(help: ArgumentHelp("A pseudonym key; may be given again.", valueName: "file")) var revealKey: [String] = []

    func validate() throws {
        if let kind, !["decision", "completion", "event"].contains(kind) {
            throw ValidationError("--kind is decision, completion or event.")
        }
        if let decision, decision != "allow", decision != "refuse" {
            throw ValidationError("--decision is allow or refuse.")
        }
        if let reason, Reason(rawValue: reason) == nil {
            throw ValidationError(
                "--reason \(reason) is none; there is: \(Reason.allCases.map(\.rawValue).joined(separator: ", ")).")
        }
        for (option, value) in [("--mailbox", mailbox), ("--object", object)] {
            guard let value, revealKey.isEmpty, !value.contains(":") else { continue }
            throw ValidationError(
                "\(option) \(value) is no pseudonym as it stands in the log (KEYID:…): for a real name give --reveal-key, the pseudonym key of the store's datacenter."
            )
        }
        if !revealKey.isEmpty, mailbox == nil, object == nil {
            throw ValidationError("--reveal-key is for --mailbox and --object: it turns a name into its pseudonym.")
        }
    }

    func filter() throws -> EntryFilter {
        let keys = try LogArguments.pseudonymizers(revealKey)
        var filter = EntryFilter()
        filter.from = from?.time
        filter.to = to?.time
        filter.kind = kind
        filter.principal = principal
        filter.store = store
        filter.reason = reason
        filter.decision = decision
        filter.jurisdiction = jurisdiction
        filter.authorization = authorization
        filter.mailbox = mailbox.map { HiddenName("mailbox", $0, keys: keys) }
        filter.object = object.map { HiddenName("object", $0, keys: keys) }
        return filter
    }
}
