internal import NIOCore
internal import NIOPosix
internal import Synchronization

/// Tells whoever asked for a job what came of it: once, from any thread.
typealias Reply<Value> = @Sendable (Result<Value, StoreError>) -> Void

/// Calls that may wait for the disk, on a pool of threads, with the answer brought back to the loop that asked.
struct FileJobs: Sendable {
    let pool: NIOThreadPool

    /// Runs `work` on a thread of the pool and `done` on `loop`. Called on the loop's thread.
    func run<Value: Sendable>(
        on loop: any EventLoop, _ work: @escaping @Sendable () throws(StoreError) -> Value,
        _ done: @escaping (Result<Value, StoreError>) -> Void
    ) {
        let reply = reply(on: loop, done)
        pool.submit { state in
            switch state {
            case .active: do throws(StoreError) { reply(.success(try work())) } catch { reply(.failure(error)) }
            case .cancelled: reply(.failure(.closing))
            }
        }
    }

    /// The same for work that may hold a thread for long: at most half of the pool's do such work at a time, so that what is short finds
    /// one whatever callers ask for. Called on the loop's thread.
    func runLong<Value: Sendable>(
        on loop: any EventLoop, _ work: @escaping @Sendable () throws(StoreError) -> Value,
        _ done: @escaping (Result<Value, StoreError>) -> Void
    ) {
        let reply = reply(on: loop, done)
        let job: Job = { isActive in
            guard isActive else { return reply(.failure(.closing)) }
            do throws(StoreError) { reply(.success(try work())) } catch { reply(.failure(error)) }
        }
        let begins = Self.long.withLock { long in
            guard long[ObjectIdentifier(pool), default: LongJobs()].running < max(1, pool.numberOfThreads / 2) else {
                long[ObjectIdentifier(pool)]?.waiting.append(job)
                return false
            }
            long[ObjectIdentifier(pool), default: LongJobs()].running += 1
            return true
        }
        if begins { submitLong(job) }
    }

    private typealias Job = @Sendable (_ isActive: Bool) -> Void

    /// Work of one pool that may take long.
    private struct LongJobs {
        var running = 0
        var waiting: [Job] = []
    }

    /// By their pools: the stores of a gateway share one.
    private static let long = Mutex<[ObjectIdentifier: LongJobs]>([:])

    private func submitLong(_ job: @escaping Job) {
        submit { isActive in
            job(isActive)
            while let next = nextLong() {
                // Another job for it, so that what waits for the pool meanwhile has its turn; a pool that ends takes none.
                if isActive { return submitLong(next) }
                next(false)
            }
        }
    }

    /// What follows a job that is done.
    private func nextLong() -> Job? {
        Self.long.withLock { long in
            guard var jobs = long[ObjectIdentifier(pool)] else { return nil }
            let next = jobs.waiting.isEmpty ? nil : jobs.waiting.removeFirst()
            if next == nil { jobs.running -= 1 }
            long[ObjectIdentifier(pool)] = jobs.running > 0 ? jobs : nil
            return next
        }
    }

    /// What calls `done` on `loop`. Called on the loop's thread.
    func reply<Value: Sendable>(
        on loop: any EventLoop, _ done: @escaping (Result<Value, StoreError>) -> Void
    ) -> Reply<Value> {
        let done = NIOLoopBound(done, eventLoop: loop)
        return { result in loop.execute { done.value(result) } }
    }

    /// Runs `work` on a thread of the pool, or, where that ends, tells it that it is not.
    func submit(_ work: @escaping @Sendable (_ isActive: Bool) -> Void) {
        pool.submit { state in
            if case .active = state { work(true) } else { work(false) }
        }
    }

    /// Runs `work` on a thread of the pool when there is one to spare; nobody waits for it.
    func run(_ work: @escaping @Sendable () -> Void) { pool.submit { _ in work() } }
}
