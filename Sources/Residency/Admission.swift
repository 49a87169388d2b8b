/// Which entries an allowed listing may show: the rule applied to one entry of the listing (DESIGN 3.6). By reference: a
/// decision carries it, and few do.
package final class Admission: Sendable {
    private let question: Question
    /// Does the listing cross the border of its own store?
    private let crossesStore: Bool
    /// Some granting element opens every entry of the listing that is tagged for the store's own place.
    private let opensEveryNativeEntry: Bool

    init(question: Question, storePassage: Passage, withholdsEntityTag: Bool) {
        var question = question
        // A listing that shows ETags may not show an entry whose owner granted traffic alone.
        question.hasEntityTagCondition = question.hasEntityTagCondition || !withholdsEntityTag
        self.question = question
        switch storePassage {
        case .open:
            crossesStore = false
            opensEveryNativeEntry = true
        case .granted(let authority):
            crossesStore = true
            opensEveryNativeEntry = authority.opensEveryReceipt && Self.isOneMailbox(question.mailbox)
        case .refused:
            crossesStore = true
            opensEveryNativeEntry = false
        }
    }

    /// Can an entry tagged for the store's own place be left out? Where this says no, the store need not look at mailbox
    /// or receipt time of such entries.
    package var mayExcludeNativeEntries: Bool { !opensEveryNativeEntry }

    /// May the listing show an entry of this mailbox (nil: of none) in this state? `.absent` is for what has no object
    /// yet: an upload in progress.
    package func admits(mailbox: Mailbox?, object: ObjectState) -> Bool {
        switch object {
        case .notLocated, .tagInvalid:
            return false
        case .untagged:
            return !crossesStore && question.store.untagged == .adopt
        case .absent:
            return !crossesStore || grants(mailbox, object)
        case .tagged(let facts):
            if !crossesStore, facts.place == question.store.place { return true }
            return grants(mailbox, object)
        }
    }

    private func grants(_ mailbox: Mailbox?, _ object: ObjectState) -> Bool {
        let facts: ResidencyFacts? = if case .tagged(let facts) = object { facts } else { nil }
        let scope = mailbox.map(MailboxScope.mailbox) ?? .nobody
        var trace = Trace(isOn: false)
        let passage = Rule.passage(
            question, tag: facts?.place, received: facts?.receipt ?? .never, mailbox: scope, &trace)
        switch passage {
        case .open, .granted: return true
        case .refused: return false
        }
    }

    private static func isOneMailbox(_ scope: MailboxScope) -> Bool {
        switch scope {
        case .mailbox: true
        case .nobody, .mailboxes: false
        }
    }
}
