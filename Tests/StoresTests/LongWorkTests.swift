import Dispatch
import Glibc
import NIOCore
import NIOPosix
import S3
import Synchronization
import TestSupport
import Testing

@testable import Stores

/// What may hold a thread of the pool for long says that it goes on, and a listing or a scan ends where it hears that it may not.
@Suite struct LongWorkTests {
    /// By their threads' names, since all of the process hear one listener.
    private enum Listener {
        static let heard = Collected<String>()

        static let isSet: Bool = {
            LongWork.listen {
                let name = CurrentThread.name
                if name.hasPrefix("long-") { heard.append(name) }
                return !name.hasPrefix("long-ends-")
            }
            return true
        }()
    }

    /// A store with a thread of its own, whose name begins so.
    private func store(_ threads: String) throws -> (TestStore, NIOThreadPool) {
        #expect(Listener.isSet)
        let pool = NIOThreadPool(numberOfThreads: 1)
        pool._start(threadNamePrefix: threads)
        return (try TestStore(pool: pool), pool)
    }

    private func words(of threads: String) -> Int { Listener.heard.values.count { $0.hasPrefix(threads) } }

    /// None of it may be shown, so that it has to be looked at to the end.
    @Test(arguments: [nil, "/"]) func aListingThatLeavesMuchOut(_ delimiter: String?) throws {
        let threads = delimiter == nil ? "long-a-" : "long-b-"
        let (store, pool) = try store(threads)
        defer { try? pool.syncShutdownGracefully() }
        for number in 0..<1000 { try store.plant(key("m/\(number)"), []) }
        let page = try store.list(ListQuery(delimiter: delimiter.map { bytes($0) }))
        #expect(page.entries.isEmpty && page.commonPrefixes.isEmpty)
        #expect(page.excluded >= 1000)
        #expect(words(of: threads) >= 1000 / 64)
    }

    @Test func aListingEndsWhenTheServiceDoes() throws {
        let (store, pool) = try store("long-ends-")
        defer { try? pool.syncShutdownGracefully() }
        for number in 0..<200 { try store.plant(key("m/\(number)"), []) }
        #expect(throws: StoreError.closing) { try store.list() }
    }

    /// However many listings and digests are asked for, what is short finds a thread.
    @Test func workThatTakesLongLeavesThreadsForOther() throws {
        let pool = NIOThreadPool(numberOfThreads: 4)
        pool.start()
        defer { try? pool.syncShutdownGracefully() }
        let (jobs, loop) = (FileJobs(pool: pool), TestStore.loops.next())
        let counts = Mutex((running: 0, most: 0))
        let ends = DispatchSemaphore(value: 0)
        let long = (0..<10).map { _ in loop.makePromise(of: Void.self) }
        for promise in long {
            loop.execute {
                jobs.runLong(on: loop) { () throws(StoreError) in
                    counts.withLock { $0 = ($0.running + 1, max($0.most, $0.running + 1)) }
                    ends.wait()
                    counts.withLock { $0.running -= 1 }
                } _: {
                    promise.completeWith($0.mapError { $0 as any Error })
                }
            }
        }
        for _ in 0..<4 {
            let short = loop.makePromise(of: Void.self)
            loop.execute {
                jobs.run(on: loop) { () throws(StoreError) in
                } _: { _ in
                    short.succeed(())
                }
            }
            try short.futureResult.wait()
        }
        for _ in long { ends.signal() }
        for promise in long { try promise.futureResult.wait() }
        #expect(counts.withLock { $0.most } == 2)
    }

    @Test func aKeyOfManyFolders() throws {
        let (store, pool) = try store("long-c-")
        defer { try? pool.syncShutdownGracefully() }
        try store.put(key(String(repeating: "a/", count: 100) + "a"), [])
        #expect(words(of: "long-c-") >= 100)
    }
}
