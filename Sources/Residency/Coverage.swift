/// What the presented authorizations grant of one owner's share in a read.
struct Coverage {
    private(set) var grants = false
    /// Some granting element opens content.
    private(set) var opensContent = false
    /// Some granting element opens content whenever the object was received.
    private var opensContentOfEveryReceipt = false
    /// Some granting element opens traffic alone.
    private var opensTrafficAlone = false
    private(set) var isLimitedByReceipt = false
    /// Some granting element has no `received` range.
    private(set) var opensEveryReceipt = false
    private(set) var relocates = false
    /// The earliest `exp` of a token that granted, in unix seconds.
    private(set) var expiresSeconds = Int64.max

    /// A listing is answered as one: it shows ETags when no entry in it can rest on a grant for traffic alone, or none
    /// need do so.
    var withholdsFromListing: Bool { opensTrafficAlone && !opensContentOfEveryReceipt }

    /// Judges one presented token for `owner`, in the order of DESIGN 3's last sentence on reasons.
    mutating func judge(
        _ presented: PresentedAuthorization, for owner: Jurisdiction, _ question: Question, _ reading: Reading,
        token: Int, _ trace: inout Trace
    ) -> JudgedAuthorization {
        switch presented {
        case .malformed:
            trace.note("5", "token \(token): malformed")
            return JudgedAuthorization(outcome: .malformed)
        case .untrusted:
            trace.note("5", "token \(token): no pinned key of a configured issuer verifies its signature")
            return JudgedAuthorization(outcome: .untrusted)
        case .verified(let grant):
            return judge(grant, for: owner, question, reading, token: token, &trace)
        }
    }

    private mutating func judge(
        _ grant: Grant, for owner: Jurisdiction, _ question: Question, _ reading: Reading, token: Int,
        _ trace: inout Trace
    ) -> JudgedAuthorization {
        if let failure = grant.failure(for: question) {
            trace.note("5", "token \(token): \(grant.sentence(for: failure, question))")
            return JudgedAuthorization(outcome: failure)
        }
        if let failure = grant.scopeFailure(of: reading.wanted, for: owner) {
            trace.note("5", "token \(token): out of scope: \(grant.sentence(for: failure, owner))")
            return JudgedAuthorization(outcome: .outOfScope)
        }
        var first: Int?
        for (index, element) in grant.elements.enumerated() {
            if let failure = element.scopeFailure(of: reading, for: owner, allowsPrefixes: grant.allowsPrefixes) {
                trace.note(
                    "5", "token \(token), element \(index): out of scope: \(element.sentence(for: failure, owner))")
                continue
            }
            trace.note("5", "token \(token), element \(index): grants the read for \(owner)")
            if first == nil { first = index }
            add(element, of: grant)
        }
        guard let first else { return JudgedAuthorization(outcome: .outOfScope) }
        expiresSeconds = min(expiresSeconds, grant.expiresSeconds)
        return JudgedAuthorization(outcome: .granted, element: first)
    }

    private mutating func add(_ element: GrantElement, of grant: Grant) {
        grants = true
        let isContent = element.data.covers(.content) && grant.instrumentOpens.covers(.content)
        opensContent = opensContent || isContent
        opensTrafficAlone = opensTrafficAlone || !isContent
        if element.received == nil {
            opensEveryReceipt = true
            opensContentOfEveryReceipt = opensContentOfEveryReceipt || isContent
        } else {
            isLimitedByReceipt = true
        }
        // Relocation is data that the instrument must open like any other.
        relocates = relocates || (element.data.contains(.relocate) && grant.instrumentOpens.contains(.relocate))
    }
}

extension JudgedAuthorization {
    /// A token that grants any owner's share has granted; else what counts is the furthest check that it reached.
    mutating func take(_ other: JudgedAuthorization) {
        outcome = max(outcome, other.outcome)
        guard let element = other.element else { return }
        self.element = min(self.element ?? element, element)
    }
}

extension JudgedAuthorization.Outcome: Comparable {
    /// By the number of checks passed (DESIGN 3).
    package static func < (left: Self, right: Self) -> Bool { left.checksPassed < right.checksPassed }

    private var checksPassed: Int {
        switch self {
        case .malformed: 0
        case .untrusted: 1
        case .wrongAudience: 2
        case .wrongBearer: 3
        case .notYetValid: 4
        case .expired: 5
        case .revoked: 6
        case .outOfScope: 7
        case .granted: 8
        }
    }

    /// The reason of a refusal whose furthest token fared like this.
    var refusal: Reason {
        switch self {
        case .malformed: .authorizationMalformed
        case .untrusted: .authorizationUntrusted
        case .wrongAudience: .authorizationWrongAudience
        case .wrongBearer: .authorizationWrongBearer
        case .notYetValid: .authorizationNotYetValid
        case .expired: .authorizationExpired
        case .revoked: .authorizationRevoked
        // Granted, but not for every owner.
        case .outOfScope, .granted: .authorizationOutOfScope
        }
    }
}
