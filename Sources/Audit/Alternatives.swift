internal import DecisionLog
internal import Residency

/// The rule's answers to a question of which some parts are not known, over all that these parts can be.
struct Alternatives {
    private struct Choice: Hashable {
        var scope: Int
        var state: Int
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
            var question = question
            if case .write = question.access { question.areForeignWritesSuspended = isSuspended }
            let answers = answers(question, hasTokens: !entry.authorizations.isEmpty)
            guard let match = answers.first(where: { $0.value == said })?.key else { continue }
            var doubts = doubts(answers, said, match)
            if index > 0 { doubts.insert(.suspension) }
            return doubts
        }
        throw contradiction(entry, said, isSuspended: suspension[0])
    }

    private func answers(_ question: Question, hasTokens: Bool) -> [Choice: Answer] {
        var answers: [Choice: Answer] = [:]
        for scopeIndex in scope.candidates.indices {
            for stateIndex in facts.states.indices {
                let choice = Choice(scope: scopeIndex, state: stateIndex)
                answers[choice] = answer(asked(question, choice), hasTokens: hasTokens)
            }
        }
        return answers
    }

    private func asked(_ question: Question, _ choice: Choice) -> Question {
        var question = question
        question.mailbox = scope.candidates[choice.scope]
        question.object = facts.states[choice.state]
        return question
    }

    /// Asks first without the object, as the gateway does: what the store alone refuses is not looked up (DESIGN 3.8). Only where
    /// a token ran out between the look and the record may facts stand beside such a refusal.
    private func answer(_ question: Question, hasTokens: Bool) -> Answer? {
        var before = question
        before.object = .notLocated
        if case .decided(let decision) = Rule.decide(before) {
            if facts == .nothing { return Answer(decision) }
            guard hasTokens else { return nil }
        }
        guard case .decided(let decision) = Rule.decide(question) else { return nil }
        return Answer(decision)
    }

    /// A part is in doubt where, all else being as it must be, another value of it gives another answer.
    private func doubts(_ answers: [Choice: Answer], _ said: Answer, _ match: Choice) -> Set<Doubt> {
        var doubts: Set<Doubt> = []
        for (choice, answer) in answers where answer != said {
            if let doubt = scope.doubt, choice.state == match.state { doubts.insert(doubt) }
            if choice.scope == match.scope, choice.state != match.state { doubts.insert(.tagMissingOrBroken) }
        }
        return doubts
    }

    private func contradiction(_ entry: DecisionEntry, _ said: Answer, isSuspended: Bool) -> Contradiction {
        var question = question
        if case .write = question.access { question.areForeignWritesSuspended = isSuspended }
        var before = question
        before.mailbox = scope.candidates[0]
        before.object = .notLocated
        if case .decided(let decision) = Rule.decide(before) {
            let isLooked = facts != .nothing && Answer(decision) == said
            return Contradiction(
                says: said.description + (isLooked ? "; and looked the object up" : ""),
                follows: Answer(decision).description + (isLooked ? " without a look at the object" : ""),
                steps: Rule.explain(before))
        }
        let asked = asked(question, Choice(scope: 0, state: 0))
        guard case .decided(let decision) = Rule.decide(asked) else {
            return Contradiction(says: said.description, follows: "nothing that the rule could answer")
        }
        return Contradiction(
            says: said.description, follows: Answer(decision).description, steps: Rule.explain(asked))
    }
}
