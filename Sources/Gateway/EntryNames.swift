internal import DecisionLog
internal import Residency
internal import S3
internal import Settings
internal import Stores

/// What entries call the objects that were asked for lately: two codes each, under keys of one snapshot of the settings. Belongs to one event
/// loop.
struct EntryNames {
    private struct Kept {
        let key: ObjectKey
        /// The store's place among the buckets, and the snapshot's number: the store itself would live on here after a reload.
        let store: Int
        let generation: UInt64
        let part: EntryPart
    }

    /// A key has one slot, which the next one takes from it.
    private var slots: [Kept?]

    /// - Parameter count: a power of two.
    init(count: Int) {
        precondition(count & (count - 1) == 0, "the slots are a power of two")
        slots = Array(repeating: nil, count: count)
    }

    mutating func part(of key: ObjectKey, in store: ServedStore, of service: Service) -> EntryPart {
        var hasher = Hasher()
        hasher.combine(bytes: key.utf8)
        let slot = hasher.finalize() & (slots.count - 1)
        if let kept = slots[slot], kept.key == key, kept.store == store.position,
            kept.generation == service.generation
        {
            return kept.part
        }
        let bucket = store.policy.bucket
        let part = EntryPart.names(
            store: bucket,
            mailbox: store.store.mailboxRule.mailbox(of: key).map {
                store.pseudonyms.pseudonym("mailbox", bucket: bucket.text, $0.utf8)
            },
            object: store.pseudonyms.pseudonym("object", bucket: bucket.text, key.utf8), prefix: nil)
        slots[slot] = Kept(key: key, store: store.position, generation: service.generation, part: part)
        return part
    }
}

extension Hasher {
    fileprivate mutating func combine(bytes: [UInt8]) {
        unsafe bytes.withUnsafeBytes { unsafe combine(bytes: $0) }
    }
}
