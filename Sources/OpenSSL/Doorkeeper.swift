/// Tells a cache what comes for the second time (the doorkeeper of TinyLFU: Einziger, Friedman, Manes, 2017). What comes once and never again
/// then neither takes the place of what comes often, nor has memory given back that nobody has touched for so long that it has left the
/// processor's caches.
package struct Doorkeeper {
    /// Each key has one slot, which the next one takes from it.
    private var slots: [UInt64]

    /// - Parameter count: of slots, 8 bytes each; a power of two, or 0 for one that nothing is asked of while its slots are elsewhere. A
    ///   key is forgotten after about as many others.
    package init(count: Int) {
        precondition(count & (count - 1) == 0, "the slots are a power of two")
        slots = Array(repeating: 0, count: count)
    }

    /// Has this key been here lately? Now it has.
    /// - Parameter hash: of the key, all bits of it mixed (`Span.slotHash`). Keys that share it are taken for one.
    package mutating func isKnown(_ hash: UInt64) -> Bool {
        let slot = Int(truncatingIfNeeded: hash) & (slots.count - 1)
        // No slot that is empty has this.
        let key = hash | 1
        if slots[slot] == key { return true }
        slots[slot] = key
        return false
    }
}
