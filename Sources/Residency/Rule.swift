/// DESIGN section 3: pure, total, deterministic.
///
/// One question is put up to twice: before anyone looked at the object, and with what the look found. The order of the
/// checks is the order of this file: entitlement, foreign write or delete, border by the store, lookup, tag, border by
/// the object. Where DESIGN allows two readings, the one that releases less is taken, and the comment says so.
package enum Rule {
    /// Decides as far as the question allows. `needsObject` only for a question whose object is `.notLocated`.
    package static func decide(_ question: Question) -> Verdict {
        var trace = Trace(isOn: false)
        return verdict(question, &trace)
    }

    /// The steps of the very evaluation that `decide` makes, in order; the last one says what comes out.
    package static func explain(_ question: Question) -> [RuleStep] {
        var trace = Trace(isOn: true)
        switch verdict(question, &trace) {
        case .needsObject:
            trace.note("3.8", "nothing that the store alone decides stands against looking the object up")
        case .decided(let decision):
            trace.note("3", "\(decision.isAllowed ? "allow" : "refuse"): \(decision.reason.rawValue)")
        }
        return trace.steps
    }

    /// Can an authorization change the answer to this question? Where it cannot, none needs to be verified (DESIGN 3.4).
    /// A listing always says true: an entry's own tag may name an owner whose border is crossed.
    package static func looksAtAuthorizations(_ question: Question) -> Bool {
        guard question.isEntitled, question.readsObjects else { return false }
        if question.isListing || relation(of: question, to: question.store.place.jurisdiction) == .foreign {
            return true
        }
        guard case .tagged(let facts) = question.object else { return false }
        return relation(of: question, to: facts.place.jurisdiction) == .foreign
    }

    @inline(__always)
    private static func verdict(_ question: Question, _ trace: inout Trace) -> Verdict {
        guard question.isEntitled else {
            trace.note(
                "3", "the principal does not address this store in a role that covers \(question.operation.rawValue)")
            return .decided(Decision(.notEntitled))
        }
        let verdict =
            switch question.access {
            case .none: configuration(question, &trace)
            case .content, .traffic: question.isListing ? listing(question, &trace) : read(question, &trace)
            case .write, .delete: write(question, &trace)
            }
        guard case .tagged(let facts) = question.object, facts.place != question.store.place,
            case .decided(var decision) = verdict
        else { return verdict }
        trace.note("3.2", "misplaced: the store is in \(question.store.place), the tag says \(facts.place)")
        decision.isMisplaced = true
        return .decided(decision)
    }

    private static func configuration(_ question: Question, _ trace: inout Trace) -> Verdict {
        trace.note("3.5", "\(question.operation.rawValue) tells configuration only: no border is looked at")
        return .decided(Decision(.administrative))
    }

    /// DESIGN 3.6: decided on the prefix alone; the entries are the admission's business.
    private static func listing(_ question: Question, _ trace: inout Trace) -> Verdict {
        let passage = passage(question, received: .anyTime, &trace)
        var decision = decision(for: passage)
        guard decision.isAllowed else { return .decided(decision) }
        var judged: [JudgedAuthorization]?
        if case .open = passage { judged = Self.judged(forEntriesOf: question, &trace) }
        if case .granted(let authority) = passage, authority.withholdsFromListing {
            trace.note("3.5", "granted for traffic: ETag, checksums and user metadata are withheld")
            decision.withholdsEntityTag = true
        }
        let admission = Admission(
            question: question, storePassage: passage, withholdsEntityTag: decision.withholdsEntityTag)
        return .decided(decision.admitting(admission, judged: judged))
    }

    /// A listing at home may show entries whose tags name other owners, by tokens that are looked at for that alone: what is told
    /// of them is how each fares with the store's own owner.
    private static func judged(forEntriesOf question: Question, _ trace: inout Trace) -> [JudgedAuthorization] {
        var coverage = Coverage()
        let reading = Reading(question, received: .anyTime)
        return question.authorizations.enumerated().map { index, presented in
            coverage.judge(
                presented, for: question.store.place.jurisdiction, question, reading, token: index + 1, &trace)
        }
    }

    /// A read of one object.
    @inline(__always)
    private static func read(_ question: Question, _ trace: inout Trace) -> Verdict {
        let byStore = passage(question, received: .anyTime, &trace)
        if case .refused = byStore { return .decided(decision(for: byStore)) }
        guard let decision = readOnceLocated(question, byStore, &trace) else { return .needsObject }
        return .decided(decision)
    }

    /// What the object adds to a read that the store's border lets through; nil while nobody looked.
    static func readOnceLocated(_ question: Question, _ byStore: Passage, _ trace: inout Trace) -> Decision? {
        switch question.object {
        case .notLocated:
            return nil
        case .tagInvalid:
            trace.note(
                "3.9", "the tag does not verify, or its key is not here: refused to everyone until it is resealed")
            return decision(for: byStore, refusedBy: .tagInvalid)
        case .untagged:
            return untagged(question, byStore, &trace)
        case .absent:
            // 3.8: under a grant limited by `received`, an absent key must look like one out of range.
            guard byStore.isLimitedByReceipt else { return decision(for: byStore, of: question) }
            return decision(for: passage(question, received: .never, &trace), of: question)
        case .tagged(let facts):
            // The usual object is at home and no date limits the grant: then the store's answer is the object's.
            if facts.place == question.store.place, !byStore.isLimitedByReceipt {
                return decision(for: byStore, of: question)
            }
            let passage = passage(question, tag: facts.place, received: facts.receipt, &trace)
            return decision(for: passage, of: question)
        }
    }

    /// DESIGN 3.9.
    private static func untagged(_ question: Question, _ byStore: Passage, _ trace: inout Trace) -> Decision {
        switch (question.store.untagged, byStore) {
        case (.adopt, .open):
            trace.note("3.9", "no tag: adopted, since this reader crosses no border")
            var decision = decision(for: byStore, of: question)
            decision.adopts = true
            return decision
        case (.adopt, _):
            trace.note("3.9", "no tag: only a reader that crosses no border may adopt it")
        case (.refuse, _):
            trace.note("3.9", "no tag, and the store's `untagged` is `refuse`")
        }
        return decision(for: byStore, refusedBy: .untagged)
    }
}

extension Question {
    var isListing: Bool {
        switch operation {
        case .listObjects, .listObjectsV2, .listMultipartUploads, .listParts: true
        case .listBuckets, .headBucket, .getBucketLocation, .createBucket, .getObject, .headObject,
            .getObjectAttributes,
            .putObject, .copyObject, .deleteObject, .deleteObjects, .getObjectTagging, .putObjectTagging,
            .deleteObjectTagging, .createMultipartUpload, .uploadPart, .uploadPartCopy, .completeMultipartUpload,
            .abortMultipartUpload, .other, .readLog, .readMetrics, .scanTags, .resealTag:
            false
        }
    }

    /// Does the answer tell something about objects? A condition does so in a write or a delete too, and one on an entity
    /// tag is a condition whatever the access says.
    var readsObjects: Bool {
        switch access {
        case .content, .traffic: true
        case .write(let conditional): conditional || hasEntityTagCondition
        case .delete: hasEntityTagCondition
        case .none: false
        }
    }

    /// What a grant must open. A condition on an entity tag confirms a guessed message: that is content (DESIGN 3.5).
    var wanted: DataClasses {
        switch access {
        case .content: .content
        case .traffic, .write, .delete, .none: hasEntityTagCondition ? [.traffic, .content] : .traffic
        }
    }
}
