internal import DecisionLog
internal import Residency
internal import S3
internal import Settings
internal import Stores
internal import Tokens

extension Exchange {
    /// The decision as the log keeps it.
    func entry(_ decision: Decision, by standing: Standing, at time: Timestamp) -> DecisionDraft {
        DecisionDraft(
            time: time, gateway: service.entryPart, request: id, reason: decision.reason,
            operation: request?.operation ?? .other,
            data: EntryData(
                request?.access ?? .none, hasEntityTagCondition: request?.hasEntityTagCondition ?? false),
            caller: standing.entryPart, names: entryNames(), found: located?.entryPart ?? .nothing,
            crossed: decision.crossed, isMisplaced: decision.isMisplaced,
            authorizations: presented.isEmpty
                ? []
                : zip(presented, decision.judged).map {
                    worker.authorizations.part(of: $0, $1, in: store, of: service)
                },
            policy: service.policy)
    }

    /// A bucket that is not the caller's is not named: its name is the caller's to choose.
    private func entryNames() -> EntryPart {
        if let names { return names.entryPart }
        guard let store, let request else { return .nobody }
        let bucket = store.policy.bucket
        guard let prefix = request.listing?.prefix else {
            return .names(store: bucket, mailbox: nil, object: nil, prefix: nil)
        }
        var mailbox: String?
        if case .mailbox(let name) = store.store.mailboxRule.scope(ofPrefix: prefix) {
            mailbox = store.pseudonyms.pseudonym("mailbox", bucket: bucket.text, name.utf8)
        }
        return .names(
            store: bucket, mailbox: mailbox, object: nil,
            prefix: store.pseudonyms.pseudonym("prefix", bucket: bucket.text, prefix))
    }
}
