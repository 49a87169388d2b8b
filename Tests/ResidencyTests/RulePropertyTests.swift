import Residency
import Testing

/// What must hold of the rule whatever is asked, over the questions of the exhaustive test.
@Suite struct RulePropertyTests {
    private static let questions: [Question] = (Ask.crossing + Ask.writes + Ask.others + Ask.reads).flatMap {
        template in
        [World.dub1, World.iad1].flatMap { office in
            Ask.someTokens.map { tokens in
                var question = template
                question.office = office
                question.authorizations = tokens
                return question
            }
        }
    }

    private static let more = ["content", "traffic", "everywhere", "received out of range", "prefix"].map(Tokens.named)

    /// Fails with the first few questions for which `holds` is false.
    private func check(_ holds: (Question) -> Bool, sourceLocation: SourceLocation = #_sourceLocation) {
        var broken: [String] = []
        for var question in Self.questions {
            for state in World.states {
                question.object = state
                if !holds(question), broken.count < 2 { broken.append("\(question)") }
            }
        }
        #expect(broken == [], sourceLocation: sourceLocation)
    }

    @Test("a read that crosses a border is never allowed without an authorization that granted it")
    func needsGrant() {
        check { question in
            guard let decision = World.decision(question), decision.isAllowed, !decision.crossed.isEmpty else {
                return true
            }
            if decision.reason == .delivery, decision.judged.isEmpty { return true }
            return decision.judged.contains { $0.outcome == .granted } && decision.expiresSeconds != nil
        }
    }

    @Test("nothing but a missing look leaves a question undecided")
    func total() {
        check { $0.object == .notLocated || World.decision($0) != nil }
    }

    @Test("what is refused before the look is refused after it, in the same words, whatever is there")
    func stages() {
        check { question in
            guard question.object == .notLocated, let first = World.decision(question), !first.isAllowed else {
                return true
            }
            return World.locatedStates.allSatisfy { state in
                var located = question
                located.object = state
                guard let second = World.decision(located) else { return false }
                return second.reason == first.reason && second.crossed == first.crossed && second.judged == first.judged
            }
        }
    }

    @Test("an authorization that fails changes neither yes nor no")
    func failingToken() {
        check { question in
            let plain = World.decision(question)?.isAllowed
            return [PresentedAuthorization.malformed, Tokens.named("revoked"), Tokens.named("another mailbox")]
                .allSatisfy { token in
                    var more = question
                    more.authorizations.append(token)
                    return World.decision(more)?.isAllowed == plain
                }
        }
    }

    @Test("one more authorization never closes what was open")
    func moreAuthorizations() {
        check { question in
            guard World.decision(question)?.isAllowed == true else { return true }
            return Self.more.allSatisfy { token in
                var more = question
                more.authorizations.append(token)
                return World.decision(more)?.isAllowed == true
            }
        }
    }

    @Test("one more reader abroad, or one area less, never opens a read that was closed")
    func moreReaders() {
        check { question in
            switch question.access {
            case .content, .traffic: break
            case .write, .delete, .none: return true
            }
            guard let before = World.decision(question), !before.isAllowed else { return true }
            var abroad = question
            abroad.location = .nowhere
            var alone = question
            alone.areas = []
            return World.decision(abroad)?.isAllowed == false && World.decision(alone)?.isAllowed == false
        }
    }

    @Test("where no authorization is looked at, none makes a difference")
    func needless() {
        check { question in
            guard !Rule.looksAtAuthorizations(question) else { return true }
            var without = question
            without.authorizations = []
            return Answer(Rule.decide(question)) == Answer(Rule.decide(without))
        }
    }

    @Test("where an authorization is asked for, it is looked at")
    func needed() {
        check { question in
            var without = question
            without.authorizations = []
            return World.decision(without)?.reason != .authorizationRequired || Rule.looksAtAuthorizations(without)
        }
    }

    @Test("only an allowed listing has an admission, and only an allowed read adopts, relocates or withholds")
    func effects() {
        check { question in
            guard let decision = World.decision(question) else { return true }
            let isListing = question.operation == .listObjectsV2 || question.operation == .listObjects
            return (decision.admission != nil) == (isListing && decision.isAllowed)
                && (decision.isAllowed || !(decision.adopts || decision.relocates || decision.withholdsEntityTag))
                && (decision.isAllowed || decision.expiresSeconds == nil)
        }
    }

    @Test("the explanation ends with what the rule decides")
    func explained() {
        check { question in
            let last = Rule.explain(question).last
            guard let decision = World.decision(question) else { return last?.section == "3.8" }
            return last?.section == "3" && last?.sentence.hasSuffix(": \(decision.reason.rawValue)") == true
        }
    }
}

extension Ask {
    fileprivate static let someTokens: [[PresentedAuthorization]] = [
        [], [Tokens.content], [Tokens.named("traffic")], [Tokens.named("received in range")],
        [Tokens.named("everywhere"), Tokens.named("revoked")],
    ]
}
