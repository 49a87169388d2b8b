internal import DecisionLog
internal import OpenSSL
internal import Residency
internal import S3
internal import Settings
internal import Stores
internal import Tokens

/// A key of `RecentParts`.
protocol RecentKey: Equatable {
    /// Which slot it has, once as many bits as there are slots are left of it.
    var slotHash: UInt64 { get }
}

/// Parts of entries and answers that were made lately, by what they say: each key has one slot, which the next one takes from it when it comes
/// the second time. Belongs to one event loop.
struct RecentParts<Key: RecentKey, Part> {
    /// A class: whoever looks at a key takes one reference, not all that are in it.
    private final class Kept {
        let key: Key
        let part: Part

        init(_ key: Key, _ part: Part) { (self.key, self.part) = (key, part) }
    }

    private var slots: [Kept?]
    private var doorkeeper: Doorkeeper

    /// - Parameter count: a power of two, or 0 for one that nothing is asked of while its slots are elsewhere.
    init(count: Int) {
        precondition(count & (count - 1) == 0, "the slots are a power of two")
        slots = Array(repeating: nil, count: count)
        doorkeeper = Doorkeeper(count: 2 * count)
    }

    @inline(__always)
    func part(for key: Key) -> Part? {
        if let kept = slots[slot(of: key)], kept.key == key { kept.part } else { nil }
    }

    mutating func keep(_ part: Part, for key: Key) {
        let slot = slot(of: key)
        guard slots[slot] == nil || doorkeeper.isKnown(key.slotHash) else { return }
        slots[slot] = Kept(key, part)
    }

    @inline(__always)
    private func slot(of key: Key) -> Int { Int(truncatingIfNeeded: key.slotHash) & (slots.count - 1) }
}

/// What entries call the objects that were asked for lately: two codes each, under keys of one snapshot of the settings.
final class EntryNames {
    private struct Name: RecentKey {
        let key: ObjectKey
        /// The store's place among the buckets, and the snapshot's number: the store itself would live on here after a reload.
        let store: Int
        let generation: UInt64

        /// The key alone: it is seldom in several stores.
        var slotHash: UInt64 { key.slotHash }
    }

    private var recent: RecentParts<Name, ObjectNames>

    /// - Parameter count: a power of two.
    init(count: Int) { recent = RecentParts(count: count) }

    @inline(__always)
    func names(of key: ObjectKey, in store: ServedStore, of service: Service) -> ObjectNames {
        let name = Name(key: key, store: store.position, generation: service.generation)
        if let names = recent.part(for: name) { return names }
        let names = ObjectNames(key, in: store)
        // Taken out and put back: changed where it lies, each look at it would be checked.
        var recent = recent
        self.recent = RecentParts(count: 0)
        recent.keep(names, for: name)
        self.recent = recent
        return names
    }
}

/// What one object's key says: whose it is, and what entries call both.
final class ObjectNames {
    let mailbox: MailboxScope
    let entryPart: EntryPart
    private let bucket: BucketName
    private let key: ObjectKey
    /// The last that was made: what a permit lets a store do with an object that rests is the same each time.
    private var last: Release?

    init(_ key: ObjectKey, in store: ServedStore) {
        let bucket = store.policy.bucket
        self.bucket = bucket
        self.key = key
        let mailbox = store.store.mailboxRule.mailbox(of: key)
        self.mailbox = mailbox.map { .mailbox($0) } ?? .nobody
        entryPart = EntryPart.names(
            store: bucket,
            mailbox: mailbox.map { store.pseudonyms.pseudonym("mailbox", bucket: bucket.text, $0.utf8) },
            object: store.pseudonyms.pseudonym("object", bucket: bucket.text, key.utf8), prefix: nil)
    }

    /// What a permit for this object lets a store do.
    func release(_ operation: Operation, _ identity: LocatedIdentity, withholdsEntityTag: Bool) -> Release {
        if let last, last.operation == operation, last.withholdsEntityTag == withholdsEntityTag,
            last.identity == identity
        {
            return last
        }
        let release = Release(
            bucket: bucket, operation: operation, target: key.utf8, identity: identity,
            withholdsEntityTag: withholdsEntityTag)
        last = release
        return release
    }
}

/// What entries say of the tokens that were looked at lately, by the token's digest and what the rule made of it.
final class EntryAuthorizations {
    private struct Token: RecentKey {
        let sha256: SHA256Digest
        let judged: JudgedAuthorization
        /// The store whose pseudonym the token's reference has; nil where there is none.
        let store: Int?
        let generation: UInt64

        var slotHash: UInt64 { sha256.slotHash }
    }

    private var recent: RecentParts<Token, EntryPart>

    /// - Parameter count: a power of two.
    init(count: Int) { recent = RecentParts(count: count) }

    func part(
        of reviewed: ReviewedToken, _ judged: JudgedAuthorization, in store: ServedStore?, of service: Service
    ) -> EntryPart {
        let token = Token(
            sha256: reviewed.sha256, judged: judged, store: store?.position, generation: service.generation)
        if let part = recent.part(for: token) { return part }
        let part = EntryPart.authorization(Self.entry(reviewed, judged, store))
        var recent = recent
        self.recent = RecentParts(count: 0)
        recent.keep(part, for: token)
        self.recent = recent
        return part
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
final class ObjectFields {
    /// Facts that are the same: those of a file that rests are made once.
    private struct Same: RecentKey {
        let facts: ObjectFacts

        static func == (one: Same, other: Same) -> Bool { one.facts === other.facts }
        /// Objects lie 16 bytes apart.
        var slotHash: UInt64 { UInt64(UInt(bitPattern: ObjectIdentifier(facts))) >> 4 }
    }

    private var recent: RecentParts<Same, [UInt8]>

    /// - Parameter count: a power of two.
    init(count: Int) { recent = RecentParts(count: count) }

    /// An object's fields; `make` makes them.
    @inline(__always)
    func fields(of facts: ObjectFacts, _ make: () -> [UInt8]) -> [UInt8] {
        let same = Same(facts: facts)
        if let bytes = recent.part(for: same) { return bytes }
        let bytes = make()
        var recent = recent
        self.recent = RecentParts(count: 0)
        recent.keep(bytes, for: same)
        self.recent = recent
        return bytes
    }
}
