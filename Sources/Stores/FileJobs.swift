internal import NIOCore
internal import NIOPosix

/// Calls that may wait for the disk, on a pool of threads, with the answer brought back to the loop that asked.
struct FileJobs: Sendable {
    let pool: NIOThreadPool

    /// Runs `work` on a thread of the pool and `done` on `loop`. Called on the loop's thread.
    func run<Value: Sendable>(
        on loop: any EventLoop, _ work: @escaping @Sendable () throws(StoreError) -> Value,
        _ done: @escaping (Result<Value, StoreError>) -> Void
    ) {
        let done = NIOLoopBound(done, eventLoop: loop)
        pool.submit { state in
            let result: Result<Value, StoreError>
            switch state {
            case .active:
                do throws(StoreError) { result = .success(try work()) } catch { result = .failure(error) }
            case .cancelled: result = .failure(.closing)
            }
            loop.execute { done.value(result) }
        }
    }

    /// Runs `work` on a thread of the pool when there is one to spare; nobody waits for it.
    func run(_ work: @escaping @Sendable () -> Void) { pool.submit { _ in work() } }
}
