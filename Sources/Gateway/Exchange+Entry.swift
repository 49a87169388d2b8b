internal import DecisionLog
internal import Residency
internal import S3
internal import Settings
internal import Stores
internal import Tokens

extension Exchange {
    /// Hands the decision to the log, as the log keeps it.
    @inline(__always)
    func enqueue(
        _ decision: Decision, by standing: Standing, at time: Timestamp, _ release: Release?
    ) -> RecordResult {
        let isJudged = !presented.isEmpty && !decision.judged.isEmpty
        let (port, service) = (worker.port, service)
        var line = port.takeLine()
        DecisionLine.append(
            at: port.timeText(time), gateway: service.entryPart, request: id, reason: decision.reason,
            operation: request?.operation ?? .other, data: request?.entryData ?? .none, caller: standing.entryPart,
            names: names?.entryPart ?? otherNames(), found: located?.entryPart ?? .nothing, crossed: decision.crossed,
            isMisplaced: decision.isMisplaced, authorizations: isJudged ? authorizations(decision) : [],
            end: service.entryEnd, to: &line)
        return port.record(
            consume line, at: time, isJudged: isJudged, release: release,
            evidence: presented.isEmpty ? [] : evidence(), waiter: self)
    }

    private func authorizations(_ decision: Decision) -> [EntryPart] {
        zip(presented, decision.judged).map { worker.authorizations.part(of: $0, $1, in: store, of: service) }
    }

    /// The verified tokens that the decision rests on.
    private func evidence() -> [TokenEvidence] {
        zip(request?.tokens ?? [], presented).compactMap { token, reviewed in
            reviewed.token == nil ? nil : TokenEvidence(sha256: reviewed.sha256, bytes: token)
        }
    }

    /// A bucket that is not the caller's is not named: its name is the caller's to choose.
    private func otherNames() -> EntryPart {
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

extension S3Request {
    /// What entries say of what it opens.
    fileprivate var entryData: EntryData { EntryData(access, hasEntityTagCondition: hasEntityTagCondition) }
}
