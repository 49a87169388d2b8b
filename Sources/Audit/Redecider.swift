internal import DecisionLog
internal import Residency
internal import Settings
internal import Tokens

/// Decides one entry again from what the entry, its policy and the evidence hold.
struct Redecider {
    let bench: Bench
    let reveal: Reveal
    let evidence: (String) throws(LogFault) -> [UInt8]?

    private var policy: PolicySnapshot { bench.policy }

    /// - Parameter writes: what the log told before this entry about writes from abroad.
    func redecide(_ entry: DecisionEntry, _ writes: ForeignWrites) -> Redecision {
        do throws(Contradiction) {
            let doubts = try doubts(entry, writes)
            return doubts.isEmpty ? .whole : .inPart(doubts)
        } catch { return .contradicted(error) }
    }

    private func doubts(_ entry: DecisionEntry, _ writes: ForeignWrites) throws(Contradiction) -> Set<Doubt> {
        let caller = try Caller(entry, policy)
        switch entry.reason {
        case .logUnavailable:
            throw Contradiction(says: Answer(entry).description, follows: "what is in the log was available to it")
        case .badRequest, .unsupported, .unauthenticated:
            try requireNothing(of: entry)
            return [.requestNotKept]
        default: break
        }
        guard let bucket = entry.store else { return try withoutStore(entry) }
        guard let store = policy.store(bucket) else {
            throw Contradiction(says: "the store is \(bucket)", follows: "the policy has no such store")
        }
        let facts = try Facts(entry, policy)
        let tokens = try PresentedTokens(entry, on: bench, reveal: reveal, evidence: evidence)
        let scope = try Scope(entry, in: store, policy, tokens.patterns, reveal)
        if writes.explains(entry) { return tokens.doubts }
        if writes.isOfPruned(entry) { return tokens.doubts.union([.pruned]) }
        let question = Question(
            operation: entry.operation, access: entry.access,
            isEntitled: caller.principal.stores.contains(bucket) && caller.principal.permissions.cover(entry.operation),
            principal: caller.principal.name, certificate: entry.certificate, gatewayName: policy.gateway,
            gateway: policy.place, office: caller.principal.office, location: caller.location, store: store.policy,
            mailbox: scope.candidates[0], areas: policy.areas, hasEntityTagCondition: entry.hasEntityTagCondition,
            time: entry.time, authorizations: tokens.authorizations)
        try checkForm(entry, question)
        let found = try Alternatives(question, scope: scope, facts: facts).compare(entry, writes.suspension(at: entry))
        let copy: Set<Doubt> = entry.operation.isCopy ? [.copy] : []
        return tokens.doubts.union(found).union(copy)
    }

    /// Only what is about no bucket, or about one that is not the caller's, names none.
    private func withoutStore(_ entry: DecisionEntry) throws(Contradiction) -> Set<Doubt> {
        try requireNothing(of: entry)
        switch (entry.reason, entry.operation) {
        case (.administrative, .listBuckets): return []
        case (.notEntitled, let operation) where operation != .listBuckets && operation != .other:
            return [.bucketNotNamed]
        default:
            throw Contradiction(
                says: Answer(entry).description + ", of no store",
                follows: entry.operation == .listBuckets
                    ? "allow, administrative"
                    : "refuse, not-entitled: nothing else is said of a bucket that is not named")
        }
    }

    /// An entry about nothing that is stored: no name, no fact, no border, no token.
    private func requireNothing(of entry: DecisionEntry) throws(Contradiction) {
        let isBare =
            entry.store == nil && entry.mailbox == nil && entry.object == nil && entry.prefix == nil
            && entry.size == nil
            && entry.etag == nil && entry.datacenter == nil && entry.jurisdiction == nil && entry.receivedSeconds == nil
            && entry.crossed.isEmpty && !entry.isMisplaced && entry.authorizations.isEmpty
        guard isBare else {
            throw Contradiction(
                says: Answer(entry).description, follows: "such a decision is about no store, no object and no token")
        }
    }

    /// What was asked for must have a name where the operation has one.
    private func checkForm(_ entry: DecisionEntry, _ question: Question) throws(Contradiction) {
        let isNamed: Bool
        switch entry.operation {
        case .listBuckets, .headBucket, .getBucketLocation, .createBucket, .other, .readLog, .readMetrics, .scanTags,
            .resealTag:
            isNamed = entry.object == nil && entry.prefix == nil
        case .listObjects, .listObjectsV2, .listMultipartUploads: isNamed = entry.prefix != nil
        case .deleteObjects: isNamed = true
        case .getObject, .headObject, .getObjectAttributes, .putObject, .copyObject, .deleteObject, .getObjectTagging,
            .putObjectTagging, .deleteObjectTagging, .createMultipartUpload, .uploadPart, .uploadPartCopy,
            .completeMultipartUpload, .abortMultipartUpload, .listParts:
            isNamed = entry.object != nil
        }
        guard isNamed else {
            throw Contradiction(
                says:
                    "\(entry.operation.rawValue) of object \(entry.object ?? "null"), prefix \(entry.prefix ?? "null")",
                follows: "that is not what such an operation names")
        }
        // Where no token can change the answer none is looked at; a listing looks at them for its entries' sake.
        guard entry.authorizations.count <= 4 else {
            throw Contradiction(says: "\(entry.authorizations.count) tokens", follows: "at most 4 are looked at")
        }
    }
}

extension Answer {
    /// What an entry says.
    init(_ entry: DecisionEntry) {
        self.init(
            reason: entry.reason, crossed: entry.crossed, isMisplaced: entry.isMisplaced,
            judged: entry.authorizations.map { JudgedAuthorization(outcome: $0.outcome, element: $0.element) })
    }
}

extension Operation {
    fileprivate var isCopy: Bool { self == .copyObject || self == .uploadPartCopy }
}

func quotedText(_ text: String) -> String { quoted(text) }
