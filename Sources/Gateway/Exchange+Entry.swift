internal import DecisionLog
internal import Residency
internal import S3
internal import Settings
internal import Stores
internal import Tokens

extension Exchange {
    /// The decision as the log keeps it.
    func entry(_ decision: Decision, at time: Timestamp) -> DecisionEntry {
        var entry = DecisionEntry(
            time: time, gateway: service.name, request: id.text, reason: decision.reason,
            operation: request?.operation ?? .other, access: request?.access ?? .none,
            address: connection.addressText, policy: service.policy)
        entry.hasEntityTagCondition = request?.conditions.hasEntityTag ?? false
        entry.principal = principal?.settings.name
        entry.office = principal?.settings.office.datacenter
        if case .datacenter(let place) = connection.location(in: service) { entry.location = place.datacenter }
        entry.certificate = connection.certificateDigest
        // A bucket that is not the caller's is not named: its name is the caller's to choose.
        entry.store = store?.policy.bucket
        if let store, let request { name(request, in: store, of: &entry) }
        if let located {
            entry.size = located.size
            entry.etag = located.etag
            if case .tagged(let residency) = located.state {
                entry.datacenter = residency.place.datacenter
                entry.jurisdiction = residency.place.jurisdiction
                entry.receivedSeconds = residency.receivedSeconds
            }
        }
        entry.crossed = decision.crossed
        entry.isMisplaced = decision.isMisplaced
        entry.authorizations = zip(presented, decision.judged).map { authorization($0, $1) }
        return entry
    }

    private func name(_ request: S3Request, in store: ServedStore, of entry: inout DecisionEntry) {
        let bucket = store.policy.bucket.text
        if let key = request.key {
            entry.object = store.pseudonyms.pseudonym("object", bucket: bucket, key.utf8)
            if let mailbox = store.store.mailboxRule.mailbox(of: key) {
                entry.mailbox = store.pseudonyms.pseudonym("mailbox", bucket: bucket, mailbox.utf8)
            }
        } else if let prefix = request.listing?.prefix {
            entry.prefix = store.pseudonyms.pseudonym("prefix", bucket: bucket, prefix)
            if case .mailbox(let mailbox) = store.store.mailboxRule.scope(ofPrefix: prefix) {
                entry.mailbox = store.pseudonyms.pseudonym("mailbox", bucket: bucket, mailbox.utf8)
            }
        }
    }

    private func authorization(_ reviewed: ReviewedToken, _ judged: JudgedAuthorization) -> AuthorizationEntry {
        var entry = AuthorizationEntry(sha256: reviewed.sha256, outcome: judged.outcome)
        entry.element = judged.element
        guard let token = reviewed.token else { return entry }
        entry.issuer = token.issuer.id
        entry.keyID = token.keyID
        entry.tokenID = token.tokenID
        entry.expiresSeconds = token.expiresSeconds
        entry.instrument = token.instrument
        entry.reference = store.map {
            $0.pseudonyms.pseudonym("reference", bucket: $0.policy.bucket.text, Array(token.reference.utf8))
        }
        entry.requester = token.requester
        entry.country = token.country
        return entry
    }
}
