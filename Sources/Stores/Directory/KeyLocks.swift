internal import Synchronization

/// Orders the changes of one key's names. Keys share a fixed number of locks; nobody holds two.
final class KeyLocks: Sendable {
    private final class Lock: Sendable {
        let mutex = Mutex(())
    }

    private let locks: [Lock]

    init() { locks = (0..<StoreLimits.keyLockCount).map { _ in Lock() } }

    /// - Parameter path: the path of the key's file where no folder has its name.
    func withLock<T: ~Copyable, E: Error>(_ path: [UInt8], _ body: () throws(E) -> T) throws(E) -> T {
        var hasher = Swift.Hasher()
        hasher.combine(path)
        let lock = locks[Int(UInt(bitPattern: hasher.finalize()) % UInt(locks.count))]
        return try lock.mutex.withLock { (_) throws(E) in try body() }
    }
}
