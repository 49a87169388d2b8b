/// What the rule says so far: decided, or undecided until someone looks at the object.
package enum Verdict: Sendable {
    /// Nothing stands against looking the object up; ask again with its state.
    case needsObject
    case decided(Decision)
}

/// A decision: allow or refuse, with all that made it so.
package struct Decision: Sendable {
    package var reason: Reason
    /// The object lies in another datacenter than its tag names.
    package var isMisplaced = false
    /// What may be told of the object: only `traffic` under a grant for traffic alone, when ETag, checksums and user
    /// metadata are withheld (DESIGN 3.5).
    package var withholdsEntityTag = false
    /// An untagged object is to be sealed before it is read.
    package var adopts = false
    /// A copy takes the destination's tag (a grant with `relocate`).
    package var relocates = false
    /// The earliest `exp` among the tokens that this decision rests on, in unix seconds.
    package var expiresSeconds: Int64?
    /// nil where no border is crossed and nothing is listed.
    private var findings: Findings?

    /// What was found out about the border, out of the way of the many decisions that cross none.
    private final class Findings: Sendable {
        let crossed: [Jurisdiction]
        let judged: [JudgedAuthorization]
        let lacks: Jurisdiction?
        let admission: Admission?

        init(
            crossed: [Jurisdiction], judged: [JudgedAuthorization], lacks: Jurisdiction?, admission: Admission?
        ) {
            self.crossed = crossed
            self.judged = judged
            self.lacks = lacks
            self.admission = admission
        }
    }

    package var isAllowed: Bool { reason.allows }

    /// The owners whose border the read crosses, in the order of their codes.
    package var crossed: [Jurisdiction] { findings?.crossed ?? [] }
    /// One for each presented token, in order, where a border was crossed and tokens were looked at; else empty.
    package var judged: [JudgedAuthorization] { findings?.judged ?? [] }
    /// Of a refusal at the border: the first owner crossed whose authorization is missing. Another one may have granted its share.
    package var lacks: Jurisdiction? { findings?.lacks }
    /// Which entries a listing may show. nil unless a listing is allowed.
    package var admission: Admission? { findings?.admission }
}

/// By way of the memberwise initialiser, as a `Question` is made.
extension Decision {
    package init(_ reason: Reason) { self.init(reason: reason, findings: nil) }

    package init(
        _ reason: Reason, crossed: [Jurisdiction], judged: [JudgedAuthorization] = [], lacks: Jurisdiction? = nil,
        expiresSeconds: Int64? = nil
    ) {
        self.init(
            reason: reason, expiresSeconds: expiresSeconds,
            findings: Findings(crossed: crossed, judged: judged, lacks: lacks, admission: nil))
    }

    /// The same for a listing, which shows what `admission` admits.
    /// - Parameter judged: what is told of each token; nil for what was.
    func admitting(_ admission: Admission, judged: [JudgedAuthorization]?) -> Decision {
        var decision = self
        decision.findings = Findings(
            crossed: crossed, judged: judged ?? self.judged, lacks: lacks, admission: admission)
        return decision
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
