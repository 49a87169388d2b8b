internal import DecisionLog
internal import NIOCore
internal import NIOPosix
internal import Residency
internal import Settings
internal import Stores
internal import Synchronization

/// How the stores, the disks and the process are, looked at every few seconds on the file pool, so that nobody who asks waits for a disk that hangs.
final class Condition: Sendable {
    struct Seen: Sendable {
        var stores: [(bucket: BucketName, condition: StoreCondition)] = []
        var log: DiskSpace?
        var process = ProcessFacts.none
        /// Microseconds of the monotonic clock.
        var atMicroseconds: Int64 = 0
    }

    static let intervalSeconds: Int64 = 5
    /// A look that takes longer than this is a problem of its own.
    private static let patienceSeconds: Int64 = 20

    private let seen = Mutex(Seen())
    private let isLooking = Mutex(false)

    /// Looks once, and waits for it.
    func look(_ service: Service) {
        let stores = service.stores.map { ($0.policy.bucket, $0.store.condition()) }
        let log = DiskSpace(path: service.settings.log.directory)
        let process = ProcessFacts()
        seen.withLock { $0 = Seen(stores: stores, log: log, process: process, atMicroseconds: Self.now()) }
    }

    /// Looks on a thread of the pool, unless the last look is still under way.
    func look(_ service: @escaping @Sendable () -> Service, on pool: NIOThreadPool) {
        let begins = isLooking.withLock { isLooking in
            defer { isLooking = true }
            return !isLooking
        }
        guard begins else { return }
        pool.submit { [self] work in
            if case .active = work { look(service()) }
            isLooking.withLock { $0 = false }
        }
    }

    var last: Seen { seen.withLock { $0 } }

    /// Seconds since the last look, when that is too long ago.
    var lateSeconds: Int64? {
        let seconds = (Self.now() - last.atMicroseconds) / 1_000_000
        return seconds > Self.patienceSeconds ? seconds : nil
    }

    private static func now() -> Int64 { Int64(NIODeadline.now().uptimeNanoseconds / 1000) }
}
