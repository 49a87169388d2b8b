internal import NIOPosix
internal import Residency
internal import Synchronization

/// Scans of stores. They take hours, and so have a thread of their own, on which those of different stores take turns: however many are
/// asked for, requests keep the file pool.
final class Scans: Sendable {
    let thread = NIOThreadPool(numberOfThreads: 1)
    private let begun = Mutex<[BucketName: Timestamp]>([:])

    init() { thread._start(threadNamePrefix: "scan-") }

    /// - Returns: since when one of the same store runs, or waits for its turn; nil where this one may begin, until `end`.
    func begin(_ bucket: BucketName, at now: Timestamp) -> Timestamp? {
        begun.withLock { begun in
            if let since = begun[bucket] { return since }
            begun[bucket] = now
            return nil
        }
    }

    func end(_ bucket: BucketName) { begun.withLock { _ = $0.removeValue(forKey: bucket) } }
}
