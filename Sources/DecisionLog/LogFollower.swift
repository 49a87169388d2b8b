/// Somebody who is told of every durable entry, in order, once those who waited for it were woken.
package protocol LogFollower: Sendable {
    /// Called on the writer's thread: must not wait for anything.
    func follow(_ group: DurableGroup)

    /// Entries that it could not take.
    var missedEntries: UInt64 { get }
}

/// Entries that became durable together.
package struct DurableGroup: Sendable {
    package let firstIndex: UInt64
    package let count: Int
    /// Each entry after its length, as bundles hold them.
    private let bytes: [UInt8]

    init(firstIndex: UInt64, count: Int, bytes: [UInt8]) {
        self.firstIndex = firstIndex
        self.count = count
        self.bytes = bytes
    }

    /// What it takes in memory.
    package var byteCount: Int { bytes.count }

    /// Each entry's index and line.
    package func forEach(_ body: (UInt64, [UInt8]) -> Void) {
        for (position, range) in (EntryFraming.split(bytes) ?? []).enumerated() {
            body(firstIndex + UInt64(position), Array(bytes[range]))
        }
    }
}
