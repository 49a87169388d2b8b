/// DESIGN section 3: pure, total, deterministic.
package enum Rule {
    /// Decides as far as the question allows. `needsObject` only for a question whose object is `.notLocated`.
    package static func decide(_ question: Question) -> Verdict {
        .decided(Decision(reason: .unsupported))
    }
}

/// Which entries an allowed listing may show: the rule applied to one entry of the listing.
package struct Admission: Sendable {
    private let question: Question

    init(question: Question) { self.question = question }

    /// May the listing show an entry of this mailbox (nil: of none) in this state?
    package func admits(mailbox: Mailbox?, object: ObjectState) -> Bool { false }
}
