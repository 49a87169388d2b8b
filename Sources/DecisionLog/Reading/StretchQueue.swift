internal import Glibc

/// Shares out a log's bundles to threads and gives what they found in order. At most `aheadMax` stretches wait to be taken, so that memory
/// does not grow with the log.
final class StretchQueue: @unchecked Sendable {
    private static let aheadMax = 64
    private static let threadsMax = 64

    private let reader: LogReader
    private let first: UInt64
    private let count: Int
    private let monitor = Monitor()
    private var threads: [LogThread] = []
    // Guarded by the monitor.
    private var toDo = 0
    private var taken = 0
    private var done: [Int: VerifiedStretch] = [:]
    private var isStopped = false

    /// - Parameter threads: 0 for one a core.
    init(_ reader: LogReader, threads: Int) {
        self.reader = reader
        first = reader.minimumIndex / 256
        count = Int((reader.bundleCount - first + VerifiedStretch.bundles - 1) / VerifiedStretch.bundles)
        let wanted = threads > 0 ? threads : Int(sysconf(Int32(_SC_NPROCESSORS_ONLN)))
        for _ in 0..<min(max(1, wanted), max(1, count), Self.threadsMax) {
            self.threads.append(LogThread("log-reader") { [self] in work() })
        }
    }

    /// The next stretch; nil after the last. On the caller's thread only.
    func next() -> VerifiedStretch? {
        guard taken < count else { return nil }
        return monitor.withLock {
            while done[taken] == nil { monitor.wait() }
            defer {
                taken += 1
                monitor.broadcast()
            }
            return done.removeValue(forKey: taken)
        }
    }

    /// Ends the threads, whether or not everything was taken.
    func stop() {
        monitor.withLock {
            isStopped = true
            monitor.broadcast()
        }
        for thread in threads { thread.join() }
        threads = []
    }

    private func work() {
        while let number = claim() {
            let start = first + UInt64(number) * VerifiedStretch.bundles
            let stretch = VerifiedStretch(
                reader, bundles: start..<min(start + VerifiedStretch.bundles, reader.bundleCount))
            monitor.withLock {
                done[number] = stretch
                monitor.broadcast()
            }
        }
    }

    private func claim() -> Int? {
        monitor.withLock {
            while !isStopped, toDo < count, toDo >= taken + Self.aheadMax { monitor.wait() }
            guard !isStopped, toDo < count else { return nil }
            defer { toDo += 1 }
            return toDo
        }
    }
}
