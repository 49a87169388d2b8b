internal import NIOCore
internal import NIOPosix

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
