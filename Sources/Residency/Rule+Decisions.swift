extension Rule {
    /// The decision that follows when nothing but the borders counts.
    static func decision(for passage: Passage) -> Decision {
        switch passage {
        case .open(let relation):
            Decision(relation == .home ? .domestic : .freeFlow)
        case .granted(let authority):
            Decision(
                .authorized, crossed: authority.crossed, judged: authority.judged,
                expiresSeconds: authority.expiresSeconds)
        case .refused(let reason, let crossed, let judged, let lacks):
            Decision(reason, crossed: crossed, judged: judged, lacks: lacks)
        }
    }

    /// The decision on one object, with what a grant withholds from it and does to its tag.
    static func decision(for passage: Passage, of question: Question) -> Decision {
        guard case .granted(let authority) = passage else { return decision(for: passage) }
        var decision = decision(for: passage)
        // A write tells whether its condition held; the ETag of its answer is that of the caller's own bytes.
        decision.withholdsEntityTag = question.access == .traffic && !authority.opensContent
        decision.relocates = relocates(question, authority)
        return decision
    }

    /// A refusal for another reason than the border, which keeps what was found out about the border.
    static func decision(for passage: Passage, refusedBy reason: Reason) -> Decision {
        switch passage {
        case .open: Decision(reason)
        case .granted(let authority): Decision(reason, crossed: authority.crossed, judged: authority.judged)
        case .refused(_, let crossed, let judged, _): Decision(reason, crossed: crossed, judged: judged)
        }
    }

    /// DESIGN 3.10: the owner that the tag names must have granted it, and so must every other owner whose border is crossed.
    /// A copy that crosses no border of the tag's owner keeps its tag.
    private static func relocates(_ question: Question, _ authority: Authority) -> Bool {
        guard authority.relocates, let destination = question.destination, case .tagged(let facts) = question.object
        else {
            return false
        }
        return facts.place != destination && authority.crossed.contains(facts.place.jurisdiction)
    }
}
