package import Residency

/// What came of deciding one entry again.
package enum Redecision: Hashable, Sendable {
    /// All that the rule looks at is known, and what the entry says follows from it.
    case whole
    /// What the entry says follows as far as it can be decided again; these were in the way.
    case inPart(Set<Doubt>)
    case contradicted(Contradiction)
}

/// Why a decision could be decided again in part only.
package enum Doubt: String, Hashable, Sendable, CaseIterable {
    case mailboxHidden = "the mailbox is a pseudonym, and its key was not given (--reveal-key)"
    case mailboxUnnamed = "the mailbox is none that the tokens name, and a prefix may cover it (--names)"
    case prefixHidden = "the listing's prefix is a pseudonym, and its key was not given (--reveal-key)"
    case prefixUnnamed = "the listing's prefix is not known, and a grant's prefix may cover it (--names)"
    case referenceHidden = "the order's reference is a pseudonym, and its key was not given (--reveal-key)"
    case tokenNotKept = "a token refused as malformed or untrusted is not kept as evidence"
    case bucketNotNamed = "the bucket is not named: it is not there, or not the caller's"
    case requestNotKept = "the request could not be understood, and is not kept"
    case tagMissingOrBroken = "an entry does not tell a missing tag from a broken one"
    case suspension = "when the tenth foreign overwrite of a minute was counted is not in the log"
    case pruned = "the decision that it follows on was pruned: audit the archive"
    case copy = "a copy's other end is not in the entry"
}

/// What an entry says, and what follows instead.
package struct Contradiction: Error, Hashable, Sendable {
    package let says: String
    package let follows: String
    /// The rule's steps to what follows, where it is the rule that says so.
    package let steps: [RuleStep]

    package init(says: String, follows: String, steps: [RuleStep] = []) {
        self.says = says
        self.follows = follows
        self.steps = steps
    }
}

/// What the rule answered, as far as an entry holds it.
struct Answer: Hashable {
    let reason: Reason
    let crossed: [Jurisdiction]
    let isMisplaced: Bool
    let judged: [JudgedAuthorization]

    init(_ decision: Decision) {
        reason = decision.reason
        crossed = decision.crossed
        isMisplaced = decision.isMisplaced
        judged = decision.judged
    }

    init(
        reason: Reason, crossed: [Jurisdiction], isMisplaced: Bool, judged: [JudgedAuthorization]
    ) {
        self.reason = reason
        self.crossed = crossed
        self.isMisplaced = isMisplaced
        self.judged = judged
    }
}

extension Answer: CustomStringConvertible {
    var description: String {
        var text = (reason.allows ? "allow, " : "refuse, ") + reason.rawValue
        text += crossed.isEmpty ? "; crosses no border" : "; crosses \(crossed.map(\.code).joined(separator: ", "))"
        if isMisplaced { text += "; misplaced" }
        for (index, one) in judged.enumerated() {
            text += "; token \(index + 1) \(one.outcome.rawValue)"
            if let element = one.element { text += " by element \(element)" }
        }
        return text
    }
}
