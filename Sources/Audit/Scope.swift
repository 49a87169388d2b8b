internal import DecisionLog
internal import OpenSSL
internal import Residency
internal import S3
internal import Settings
internal import Stores

/// Whose objects a request could touch, as far as its pseudonyms tell.
struct Scope {
    /// One where it is known. Where it is not: one for each way in which the mailboxes that the tokens name can or cannot cover it, so
    /// that the rule's answers to these are all that it can have answered.
    let candidates: [MailboxScope]
    /// What was in the way, where there are several.
    let doubt: Doubt?

    private init(_ candidates: [MailboxScope], _ doubt: Doubt? = nil) {
        self.candidates = candidates
        self.doubt = candidates.count > 1 ? doubt : nil
    }

    /// No token names it: such a byte is in no UTF-8.
    private static let nameless: [UInt8] = [0xFF]

    /// - Parameter patterns: every mailbox pattern of the tokens that were looked at.
    init(
        _ entry: DecisionEntry, in store: PolicySnapshot.Store, _ policy: PolicySnapshot, _ patterns: [MailboxPattern],
        _ reveal: Reveal
    ) throws(Contradiction) {
        guard let rule = MailboxRule(store.mailbox) else {
            throw Contradiction(
                says: "decided under policy/\(entry.policy)",
                follows: "its mailbox rule of \(store.bucket) is malformed")
        }
        try Self.checkPseudonyms(entry, store, policy)
        let bucket = store.bucket.text
        switch (entry.object, entry.prefix) {
        case (let object?, nil):
            // Where the key is known, the mailbox is.
            if case .name(let name) = reveal.object(object, bucket: bucket), let key = ObjectKey(utf8: name) {
                try Self.compare(entry, rule.mailbox(of: key), of: "object", name, bucket, reveal)
                self.init([rule.scope(of: key)])
                return
            }
            guard let mailbox = entry.mailbox else {
                self.init([.nobody])
                return
            }
            self = Self.mailbox(mailbox, bucket, patterns, reveal)
        case (nil, let prefix?):
            let folders = Array(store.mailbox.utf8.dropLast("{mailbox}/**".utf8.count))
            self = try Self.listing(entry, rule, prefix, bucket, folders, patterns, reveal)
        case (nil, nil):
            guard entry.mailbox == nil else {
                throw Contradiction(
                    says: "a mailbox, and neither object nor prefix", follows: "there is none of nothing")
            }
            self.init([.nobody])
        case (_?, _?): throw Contradiction(says: "an object and a prefix", follows: "a request has one of them at most")
        }
    }

    private static func mailbox(
        _ pseudonym: String, _ bucket: String, _ patterns: [MailboxPattern], _ reveal: Reveal
    ) -> Scope {
        let finding = reveal.mailbox(pseudonym, bucket: bucket)
        if case .name(let name) = finding { return Scope([.mailbox(Mailbox(utf8: name))]) }
        var names: [[UInt8]] = [nameless]
        for pattern in patterns {
            switch pattern {
            case .exact(let name): if finding == .noKey { names.append(name) }
            case .prefix(let beginning): names.append(beginning + nameless)
            }
        }
        return Scope(
            unique(names).map { .mailbox(Mailbox(utf8: $0)) },
            finding == .noKey ? .mailboxHidden : .mailboxUnnamed)
    }

    private static func listing(
        _ entry: DecisionEntry, _ rule: MailboxRule, _ prefix: String, _ bucket: String, _ folders: [UInt8],
        _ patterns: [MailboxPattern], _ reveal: Reveal
    ) throws(Contradiction) -> Scope {
        let finding = reveal.prefix(prefix, bucket: bucket, folders: folders)
        if case .name(let name) = finding {
            let scope = rule.scope(ofPrefix: name)
            var mailbox: Mailbox?
            if case .mailbox(let one) = scope { mailbox = one }
            try compare(entry, mailbox, of: "prefix", name, bucket, reveal)
            return Scope([scope])
        }
        if let mailbox = entry.mailbox { return Self.mailbox(mailbox, bucket, patterns, reveal) }
        var beginnings: [[UInt8]] = [[]]
        for case .prefix(let beginning) in patterns { beginnings.append(beginning) }
        return Scope(
            [.nobody] + unique(beginnings).map { .mailboxes(startingWith: $0) },
            finding == .noKey ? .prefixHidden : .prefixUnnamed)
    }

    // MARK: - What pseudonyms say of each other

    /// Each is made by the first key of the store's datacenter.
    private static func checkPseudonyms(
        _ entry: DecisionEntry, _ store: PolicySnapshot.Store, _ policy: PolicySnapshot
    ) throws(Contradiction) {
        let keyID = policy.datacenter(store.policy.place.datacenter)?.pseudonymKeys.first
        let references = entry.authorizations.map { ("reference", $0.reference) }
        for (field, pseudonym) in [("mailbox", entry.mailbox), ("object", entry.object), ("prefix", entry.prefix)]
            + references
        {
            guard let pseudonym else { continue }
            let code = pseudonym.utf8.drop { $0 != UInt8(ascii: ":") }.dropFirst()
            guard let keyID, pseudonym.utf8.starts(with: Array("\(keyID):".utf8)),
                Base64.url.decode(Array(code).span)?.count == 32
            else {
                throw Contradiction(
                    says: "the \(field) is \(quotedText(pseudonym))",
                    follows: "it is no pseudonym under the key \(keyID ?? "(none)") of \(store.policy.place.datacenter)"
                )
            }
        }
    }

    private static func compare(
        _ entry: DecisionEntry, _ mailbox: Mailbox?, of field: String, _ name: [UInt8], _ bucket: String,
        _ reveal: Reveal
    ) throws(Contradiction) {
        let isIt =
            switch (entry.mailbox, mailbox) {
            case (nil, nil): true
            case (let pseudonym?, let mailbox?):
                reveal.isPseudonym(pseudonym, of: mailbox.utf8, "mailbox", bucket: bucket) ?? true
            case (_?, nil), (nil, _?): false
            }
        guard isIt else {
            throw Contradiction(
                says: "the mailbox is \(entry.mailbox ?? "null")",
                follows: "the \(field) is \(quotedText(String(decoding: name, as: UTF8.self))), which is of another")
        }
    }

    private static func unique(_ names: [[UInt8]]) -> [[UInt8]] {
        var seen: Set<[UInt8]> = []
        return names.filter { seen.insert($0).inserted }
    }
}
