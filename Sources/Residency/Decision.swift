/// What the rule says so far: decided, or undecided until someone looks at the object.
package enum Verdict: Sendable {
    /// Nothing stands against looking the object up; ask again with its state.
    case needsObject
    case decided(Decision)
}

/// A decision: allow or refuse, with all that made it so.
package struct Decision: Sendable {
    package var reason: Reason
    /// The owners whose border the read crosses, in the order of their codes.
    package var crossed: [Jurisdiction]
    /// The object lies in another datacenter than its tag names.
    package var isMisplaced: Bool
    /// One for each presented token, in order, where a border was crossed and tokens were looked at; else empty.
    package var judged: [JudgedAuthorization]
    /// Of a refusal at the border: the first owner crossed whose authorization is missing. Another one may have granted its share.
    package var lacks: Jurisdiction?
    /// What may be told of the object: only `traffic` under a grant for traffic alone, when ETag, checksums and user
    /// metadata are withheld (DESIGN 3.5).
    package var withholdsEntityTag: Bool
    /// Which entries a listing may show. nil unless a listing is allowed.
    package var admission: Admission?
    /// An untagged object is to be sealed before it is read.
    package var adopts: Bool
    /// A copy takes the destination's tag (a grant with `relocate`).
    package var relocates: Bool
    /// The earliest `exp` among the tokens that this decision rests on, in unix seconds.
    package var expiresSeconds: Int64?

    package var isAllowed: Bool { reason.allows }
}

/// By way of the memberwise initialiser, as a `Question` is made.
extension Decision {
    package init(
        _ reason: Reason, crossed: [Jurisdiction] = [], isMisplaced: Bool = false, judged: [JudgedAuthorization] = [],
        lacks: Jurisdiction? = nil, withholdsEntityTag: Bool = false, admission: Admission? = nil, adopts: Bool = false,
        relocates: Bool = false, expiresSeconds: Int64? = nil
    ) {
        self.init(
            reason: reason, crossed: crossed, isMisplaced: isMisplaced, judged: judged, lacks: lacks,
            withholdsEntityTag: withholdsEntityTag, admission: admission, adopts: adopts, relocates: relocates,
            expiresSeconds: expiresSeconds)
    }
}

/// How one presented token fared.
package struct JudgedAuthorization: Hashable, Sendable {
    package enum Outcome: String, Hashable, Sendable, CaseIterable {
        case granted, malformed, untrusted
        case wrongAudience = "wrong-audience"
        case wrongBearer = "wrong-bearer"
        case notYetValid = "not-yet-valid"
        case expired, revoked
        case outOfScope = "out-of-scope"
    }

    package var outcome: Outcome
    /// The first element of `authorization_details` that granted, where one did.
    package var element: Int?

    package init(outcome: Outcome, element: Int? = nil) {
        self.outcome = outcome
        self.element = element
    }
}
