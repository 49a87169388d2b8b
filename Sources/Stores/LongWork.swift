internal import Synchronization

/// Work on a thread of the file pool that may take longer than a watchdog's period, such as the digest of a large object: it says that
/// it goes on, piece by piece, so that only what stands still is taken for stuck.
package enum LongWork {
    private static let listener = Mutex<(@Sendable () -> Void)?>(nil)

    /// Who is told, on the thread that works. One for the process.
    package static func listen(_ goesOn: @escaping @Sendable () -> Void) { listener.withLock { $0 = goesOn } }

    /// A piece is done.
    static func goesOn() { listener.withLock { $0 }?() }
}
