internal import DecisionLog
internal import OpenSSL
internal import Residency
internal import S3
internal import Settings
internal import Stores
internal import Tokens

/// Parts of entries and answers that were made lately, by what they say: each key has one slot, which the next one takes from it. Belongs to
/// one event loop.
struct RecentParts<Key: Hashable, Part> {
    private var slots: [(key: Key, part: Part)?]

    /// - Parameter count: a power of two.
    init(count: Int) {
        precondition(count & (count - 1) == 0, "the slots are a power of two")
        slots = Array(repeating: nil, count: count)
    }

    mutating func part(for key: Key, _ make: () -> Part) -> Part {
        let slot = key.hashValue & (slots.count - 1)
        if let kept = slots[slot], kept.key == key { return kept.part }
        let part = make()
        slots[slot] = (key, part)
        return part
    }
}

/// What entries call the objects that were asked for lately: two codes each, under keys of one snapshot of the settings.
struct EntryNames {
    private struct Name: Hashable {
        let key: ObjectKey
        /// The store's place among the buckets, and the snapshot's number: the store itself would live on here after a reload.
        let store: Int
        let generation: UInt64

        /// The key alone: it is seldom in several stores.
        func hash(into hasher: inout Swift.Hasher) { hasher.combine(bytes: key.utf8) }
    }

    private var recent: RecentParts<Name, EntryPart>

    /// - Parameter count: a power of two.
    init(count: Int) { recent = RecentParts(count: count) }

    mutating func part(of key: ObjectKey, in store: ServedStore, of service: Service) -> EntryPart {
        recent.part(for: Name(key: key, store: store.position, generation: service.generation)) {
            let bucket = store.policy.bucket
            return .names(
                store: bucket,
                mailbox: store.store.mailboxRule.mailbox(of: key).map {
                    store.pseudonyms.pseudonym("mailbox", bucket: bucket.text, $0.utf8)
                },
                object: store.pseudonyms.pseudonym("object", bucket: bucket.text, key.utf8), prefix: nil)
        }
    }
}

/// What entries say of the tokens that were looked at lately, by the token's digest and what the rule made of it.
struct EntryAuthorizations {
    private struct Token: Hashable {
        let sha256: SHA256Digest
        let judged: JudgedAuthorization
        /// The store whose pseudonym the token's reference has; nil where there is none.
        let store: Int?
        let generation: UInt64

        func hash(into hasher: inout Swift.Hasher) { hasher.combine(sha256) }
    }

    private var recent: RecentParts<Token, EntryPart>

    /// - Parameter count: a power of two.
    init(count: Int) { recent = RecentParts(count: count) }

    mutating func part(
        of reviewed: ReviewedToken, _ judged: JudgedAuthorization, in store: ServedStore?, of service: Service
    ) -> EntryPart {
        recent.part(
            for: Token(
                sha256: reviewed.sha256, judged: judged, store: store?.position, generation: service.generation)
        ) { .authorization(Self.entry(reviewed, judged, store)) }
    }

    /// Claims only of a token whose signature verified.
    private static func entry(
        _ reviewed: ReviewedToken, _ judged: JudgedAuthorization, _ store: ServedStore?
    ) -> AuthorizationEntry {
        var entry = AuthorizationEntry(sha256: reviewed.sha256, outcome: judged.outcome)
        entry.element = judged.element
        guard let token = reviewed.token else { return entry }
        entry.issuer = token.issuer.id
        entry.keyID = token.keyID
        entry.tokenID = token.tokenID
        entry.expiresSeconds = token.expiresSeconds
        entry.instrument = token.instrument
        entry.reference = store.map {
            $0.pseudonyms.pseudonym("reference", bucket: $0.policy.bucket.text, Array(token.reference.utf8))
        }
        entry.requester = token.requester
        entry.country = token.country
        return entry
    }
}

/// What answers tell of the objects that were sent lately: their fields, ready to be sent.
struct ObjectFields {
    /// Facts that are the same: those of a file that rests are made once.
    private struct Same: Hashable {
        let facts: ObjectFacts

        static func == (one: Same, other: Same) -> Bool { one.facts === other.facts }
        func hash(into hasher: inout Swift.Hasher) { hasher.combine(ObjectIdentifier(facts)) }
    }

    private var recent: RecentParts<Same, [UInt8]>

    /// - Parameter count: a power of two.
    init(count: Int) { recent = RecentParts(count: count) }

    mutating func bytes(of facts: ObjectFacts, _ make: () -> [UInt8]) -> [UInt8] {
        recent.part(for: Same(facts: facts), make)
    }
}

extension Swift.Hasher {
    fileprivate mutating func combine(bytes: [UInt8]) {
        unsafe bytes.withUnsafeBytes { unsafe combine(bytes: $0) }
    }
}
