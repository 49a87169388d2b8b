internal import Synchronization

/// Work on a thread of the file pool that may take longer than a watchdog's period, such as the digest of a large object:
/// it says that it goes on, piece by piece, so that only what stands still is taken for stuck, and hears whether it may,
/// so that a stop does not wait for its end.
package enum LongWork {
    private static let listener = Mutex<(@Sendable () -> Bool)?>(nil)

    /// Who is told, on the thread that works, and says whether the next piece may begin. One for the process.
    package static func listen(_ mayGoOn: @escaping @Sendable () -> Bool) { listener.withLock { $0 = mayGoOn } }

    /// A piece is done. Throws `closing` where it has to be the last.
    static func goesOn() throws(StoreError) {
        guard listener.withLock({ $0 })?() ?? true else { throw .closing }
    }

    /// The same, of what a stop waits for.
    static func wentOn() { _ = listener.withLock { $0 }?() }
}
