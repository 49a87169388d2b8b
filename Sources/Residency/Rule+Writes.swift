extension Rule {
    /// DESIGN 3.7. A write or delete is foreign when some reader crosses the store's border. One that tells something about
    /// the object besides (a condition) must also pass as a read.
    static func write(_ question: Question, _ trace: inout Trace) -> Verdict {
        let owner = question.store.place.jurisdiction
        let relation = relation(of: question, to: owner)
        let isForeign = relation == .foreign
        if isForeign {
            trace.note("3.7", "\(word(question)) is foreign: \(question.crossing(owner))")
            if let reason = refusalBeforeLookup(question, &trace) {
                return .decided(Decision(reason, crossed: [owner]))
            }
        } else {
            trace.note("3.7", "\(word(question)) crosses no border of \(owner)")
        }

        let byStore = question.readsObjects ? borderOfCondition(question, &trace) : nil
        if let byStore, case .refused = byStore { return .decided(decision(for: byStore)) }
        let mustCreate = isForeign && question.isWrite && question.store.foreignWrites == .create
        if mustCreate, question.object == .notLocated { return .needsObject }
        if mustCreate, question.object != .absent {
            trace.note("3.7", "`foreign_writes` is `create`, and the key exists")
            guard let byStore else { return .decided(Decision(.foreignOverwrite, crossed: [owner])) }
            return .decided(decision(for: byStore, refusedBy: .foreignOverwrite))
        }
        guard let byStore else {
            guard isForeign else { return .decided(Decision(relation == .home ? .domestic : .freeFlow)) }
            return .decided(Decision(.delivery, crossed: [owner]))
        }
        guard var decision = readOnceLocated(question, byStore, &trace) else { return .needsObject }
        if isForeign, decision.isAllowed { decision.reason = .delivery }
        return .decided(decision)
    }

    private static func borderOfCondition(_ question: Question, _ trace: inout Trace) -> Passage {
        trace.note("3.5", "its condition tells something about the object: a read of \(question.wanted)")
        return passage(question, received: .anyTime, &trace)
    }

    private static func refusalBeforeLookup(_ question: Question, _ trace: inout Trace) -> Reason? {
        let policy = question.store.foreignWrites
        guard question.isWrite else {
            trace.note("3.7", "a foreign delete needs `foreign_writes` `any`; it is `\(policy.rawValue)`")
            return policy == .any ? nil : .foreignDelete
        }
        if question.areForeignWritesSuspended {
            trace.note("3.7", "too many foreign overwrites in this minute: foreign writes are suspended")
            return .overloaded
        }
        trace.note("3.7", "`foreign_writes` is `\(policy.rawValue)`")
        return policy == .refuse ? .foreignWrite : nil
    }

    private static func word(_ question: Question) -> String { question.isWrite ? "the write" : "the delete" }
}

extension Question {
    fileprivate var isWrite: Bool {
        switch access {
        case .write: true
        case .delete, .content, .traffic, .none: false
        }
    }
}
