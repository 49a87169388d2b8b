internal import Glibc

/// What a log's disk can do, tried on a file without a name: nothing of it is left.
package struct LogDiskProbe: Sendable {
    /// Does it take writes around the page cache?
    package let usesDirectIO: Bool
    /// The median of durable writes of one page.
    package let writeMicroseconds: Int64

    private static let rounds = 16
    /// O_TMPFILE, which Swift does not show.
    private static let unnamed: Int32 = 0o20_000_000 | O_DIRECTORY

    package init(folder: String) throws(LogSystemError) {
        var descriptor = unsafe open(folder, Self.unnamed | O_WRONLY | O_DSYNC | O_CLOEXEC | directIO, 0o600)
        usesDirectIO = descriptor >= 0
        if descriptor < 0, errno == EINVAL {
            descriptor = unsafe open(folder, Self.unnamed | O_WRONLY | O_DSYNC | O_CLOEXEC, 0o600)
        }
        guard descriptor >= 0 else { throw LogSystemError(call: "open", path: folder, code: errno) }
        defer { _ = close(descriptor) }
        let page = AlignedBuffer(capacity: AlignedBuffer.alignment)
        let count = page.fill([1])
        let clock = SystemClock()
        var times: [Int64] = []
        for _ in 0..<Self.rounds {
            let began = clock.monotonicMicroseconds()
            let put = unsafe page.first(count).withUnsafeBytes {
                unsafe pwrite(descriptor, $0.baseAddress, $0.count, 0)
            }
            guard put == count else { throw LogSystemError(call: "pwrite", path: folder, code: errno) }
            times.append(clock.monotonicMicroseconds() - began)
        }
        writeMicroseconds = times.sorted()[Self.rounds / 2]
    }
}
