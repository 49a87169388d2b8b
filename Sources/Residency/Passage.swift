/// One read as a grant must cover it.
struct Reading {
    /// What is known of when the object was received.
    enum Receipt {
        /// Not known yet: a range of the grant does not count against it.
        case anyTime
        case at(Timestamp)
        /// There is no object: no range holds it.
        case never
    }

    let owners: Owners
    let mailbox: MailboxScope
    let wanted: DataClasses
    let received: Receipt

    /// - Parameters:
    ///   - tag: the owner that the object's tag names, where it is known.
    ///   - mailbox: whose object it is, where that is known better than by the question.
    init(_ question: Question, tag: Place? = nil, received: Receipt, mailbox: MailboxScope? = nil) {
        owners = Owners(store: question.store.place, tag: tag)
        self.mailbox = mailbox ?? question.mailbox
        wanted = question.wanted
        self.received = received
    }
}

extension ResidencyFacts {
    var receipt: Reading.Receipt { .at(Timestamp(seconds: receivedSeconds)) }
}

/// What the borders of a read's owners say to its readers.
enum Passage {
    /// No border is crossed. The relation is `home` or `area`.
    case open(Relation)
    /// Every border crossed is granted.
    case granted(Authority)
    /// - Parameter lacks: the first owner crossed that nothing grants.
    case refused(Reason, crossed: [Jurisdiction], judged: [JudgedAuthorization], lacks: Jurisdiction?)

    /// Would another time of receipt change the answer?
    var isLimitedByReceipt: Bool {
        if case .granted(let authority) = self { authority.isLimitedByReceipt } else { false }
    }
}

/// What the grants that open a read have in common.
struct Authority {
    var crossed: [Jurisdiction]
    var judged: [JudgedAuthorization]
    var expiresSeconds = Int64.max
    /// Some granting element has a `received` range.
    var isLimitedByReceipt = false
    /// Every owner's grants include one that opens content.
    var opensContent = true
    /// ETags may not be shown in a listing: some owner's entries may rest on a grant for traffic alone.
    var withholdsFromListing = false
    /// Every owner's grants include one without a `received` range.
    var opensEveryReceipt = true
    /// Every owner's grants include one with `relocate`.
    var relocates = true

    /// Adds what the grants of one more owner say.
    mutating func join(_ coverage: Coverage) {
        expiresSeconds = min(expiresSeconds, coverage.expiresSeconds)
        isLimitedByReceipt = isLimitedByReceipt || coverage.isLimitedByReceipt
        opensContent = opensContent && coverage.opensContent
        withholdsFromListing = withholdsFromListing || coverage.withholdsFromListing
        opensEveryReceipt = opensEveryReceipt && coverage.opensEveryReceipt
        relocates = relocates && coverage.relocates
    }
}

extension Rule {
    /// DESIGN 3.3 and 3.4 for one read, of which `Reading` says what a grant must cover.
    static func passage(
        _ question: Question, tag: Place? = nil, received: Reading.Receipt, mailbox: MailboxScope? = nil,
        _ trace: inout Trace
    ) -> Passage {
        let (first, second) = Owners.inOrder(store: question.store.place.jurisdiction, tag: tag?.jurisdiction)
        noteOwners(of: question, tag, &trace)
        let toFirst = relation(of: question, to: first)
        let toSecond = second.map { relation(of: question, to: $0) } ?? .home
        let furthest = max(toFirst, toSecond)
        guard furthest == .foreign else {
            trace.note("3.3", "no border is crossed")
            return .open(furthest)
        }
        var crossed: [Jurisdiction] = []
        if toFirst == .foreign { crossed.append(first) }
        if let second, toSecond == .foreign { crossed.append(second) }
        for owner in crossed { trace.note("3.3", "crosses the border of \(owner): \(question.crossing(owner))") }
        guard !question.authorizations.isEmpty else {
            trace.note("3.4", "no authorization is presented")
            return .refused(.authorizationRequired, crossed: crossed, judged: [], lacks: crossed.first)
        }
        let reading = Reading(question, tag: tag, received: received, mailbox: mailbox)
        return authority(question, reading, over: crossed, &trace)
    }

    /// Different owners may be granted by different tokens; for one owner, one element of one token must cover the whole.
    private static func authority(
        _ question: Question, _ reading: Reading, over crossed: [Jurisdiction], _ trace: inout Trace
    ) -> Passage {
        var authority = Authority(
            crossed: crossed,
            judged: question.authorizations.map { _ in JudgedAuthorization(outcome: .malformed) })
        var lacks: Jurisdiction?
        for owner in crossed {
            var coverage = Coverage()
            for (index, presented) in question.authorizations.enumerated() {
                let judged = coverage.judge(presented, for: owner, question, reading, token: index + 1, &trace)
                authority.judged[index].take(judged)
            }
            authority.join(coverage)
            if !coverage.grants {
                trace.note("3.4", "no authorization of \(owner) grants the read")
                lacks = lacks ?? owner
            }
        }
        guard let lacks else { return .granted(authority) }
        // A token that granted one owner's share and not another's counts as out of scope.
        let best = authority.judged.map(\.outcome).max() ?? .malformed
        return .refused(best.refusal, crossed: crossed, judged: authority.judged, lacks: lacks)
    }

    private static func noteOwners(of question: Question, _ tag: Place?, _ trace: inout Trace) {
        trace.note("3.1", "readers: \(question.readers)")
        let store = question.store.place
        guard let tag else {
            trace.note("3.2", "owner: \(store.jurisdiction) (store, in \(store.datacenter))")
            return
        }
        trace.note(
            "3.2",
            "owners: \(store.jurisdiction) (store, in \(store.datacenter)), \(tag.jurisdiction) "
                + "(tag, of \(tag.datacenter))")
    }
}
