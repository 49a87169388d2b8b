internal import DecisionLog
internal import Residency

/// The rule's answers to a question of which some parts are not known, over all that these parts can be.
struct Alternatives {
    /// One way in which it may have been, and the rule's answer to that; nil where such facts cannot stand beside the answer.
    private struct Alternative {
        let scope: Int
        let state: Int
        let answer: Answer?
    }

    private let question: Question
    private let scope: Scope
    private let facts: Facts

    init(_ question: Question, scope: Scope, facts: Facts) {
        self.question = question
        self.scope = scope
        self.facts = facts
    }

    /// Holds what an entry says against the answers.
    /// - Parameter suspension: whether the principal's foreign writes were suspended: what the log tells first, what it cannot
    ///   exclude after it.
    /// - Returns: the parts that would have had to be known, since other values of them give another answer.
    /// - Throws: the contradiction, where no value of any part gives what the entry says.
    func compare(_ entry: DecisionEntry, _ suspension: [Bool]) throws(Contradiction) -> Set<Doubt> {
        let said = Answer(entry)
        for (index, isSuspended) in suspension.enumerated() {
            let alternatives = alternatives(entry, isSuspended: isSuspended)
            guard let match = alternatives.first(where: { $0.answer == said }) else { continue }
            var doubts = doubts(alternatives.filter { $0.answer != said }, match)
            if index > 0 { doubts.insert(.suspension) }
            return doubts
        }
        throw contradiction(said, alternatives(entry, isSuspended: suspension[0]), isSuspended: suspension[0])
    }

    private func alternatives(_ entry: DecisionEntry, isSuspended: Bool) -> [Alternative] {
        scope.candidates.indices.flatMap { scope in
            facts.states.indices.map { state in
                let asked = asked(scope: scope, state: state, isSuspended: isSuspended)
                return Alternative(scope: scope, state: state, answer: answer(asked, entry))
            }
        }
    }

    private func asked(scope index: Int, state: Int, isSuspended: Bool) -> Question {
        var question = question
        question.mailbox = scope.candidates[index]
        question.object = facts.states[state]
        if case .write = question.access { question.areForeignWritesSuspended = isSuspended }
        return question
    }

    /// Asks first without the object, as the gateway does: what the store alone refuses is not looked up (DESIGN 3.8). Only where
    /// a token, or its issuer's list, ran out between the look and the record may facts stand beside such a refusal.
    private func answer(_ question: Question, _ entry: DecisionEntry) -> Answer? {
        var before = question
        before.object = .notLocated
        if case .decided(let decision) = Rule.decide(before) {
            if facts == .nothing { return Answer(decision) }
            guard entry.authorizations.contains(where: { $0.outcome == .expired || $0.outcome == .revoked }) else {
                return nil
            }
        }
        guard case .decided(let decision) = Rule.decide(question) else { return nil }
        return Answer(decision)
    }

    /// A part is in doubt where, all else being as it must be, another value of it gives another answer.
    private func doubts(_ others: [Alternative], _ match: Alternative) -> Set<Doubt> {
        guard !others.isEmpty else { return [] }
        var doubts: Set<Doubt> = []
        if let doubt = scope.doubt, others.contains(where: { $0.state == match.state }) { doubts.insert(doubt) }
        if others.contains(where: { $0.scope == match.scope }) { doubts.insert(.tagMissingOrBroken) }
        // Neither part alone: both together.
        return doubts.isEmpty ? Set([scope.doubt, .tagMissingOrBroken].compactMap { $0 }) : doubts
    }

    /// Of all answers the one nearest to what the entry says is what follows.
    private func contradiction(_ said: Answer, _ alternatives: [Alternative], isSuspended: Bool) -> Contradiction {
        func distance(_ alternative: Alternative) -> Int { alternative.answer?.distance(to: said) ?? Int.max }
        guard let nearest = alternatives.min(by: { distance($0) < distance($1) }) else {
            return Contradiction(says: said.description, follows: "nothing")
        }
        var asked = asked(scope: nearest.scope, state: nearest.state, isSuspended: isSuspended)
        if let answer = nearest.answer {
            return Contradiction(
                says: said.description, follows: answer.description + (alternatives.count > 1 ? ", at best" : ""),
                steps: Rule.explain(asked))
        }
        asked.object = .notLocated
        guard case .decided(let decision) = Rule.decide(asked) else {
            return Contradiction(says: said.description, follows: "nothing that the rule could answer")
        }
        return Contradiction(
            says: said.description + "; and looked the object up",
            follows: Answer(decision).description + ", without a look at the object", steps: Rule.explain(asked))
    }
}

extension Answer {
    /// How far an answer is from another: reasons count most.
    fileprivate func distance(to other: Answer) -> Int {
        (reason == other.reason ? 0 : 8) + (crossed == other.crossed ? 0 : 4)
            + (judged.map(\.outcome) == other.judged.map(\.outcome) ? 0 : 2) + (judged == other.judged ? 0 : 1)
    }
}
