internal import NIOCore
internal import Residency

/// Bounds what one loop tells the journal of stores that fail: a disk that is going brings one line a request.
struct StorageReports {
    private struct Kind: Hashable {
        let bucket: BucketName
        let error: String
    }

    private struct Told {
        let since: NIODeadline
        var lines = 0
        /// Those that were not told of.
        var more = 0
    }

    static let linesPerMinuteMax = 10
    /// Beyond it what was told is forgotten.
    private static let kindsMax = 64

    private var told: [Kind: Told] = [:]

    /// - Returns: nil where it is not to be told; else how many like it were not told of since the last line.
    mutating func take(_ bucket: BucketName, _ error: String, at now: NIODeadline) -> Int? {
        let kind = Kind(bucket: bucket, error: error)
        if told.count > Self.kindsMax { told = [:] }
        let last = told[kind]
        var current = Told(since: now)
        if let last, now - last.since < .minutes(1) { current = last }
        guard current.lines < Self.linesPerMinuteMax else {
            current.more += 1
            told[kind] = current
            return nil
        }
        current.lines += 1
        told[kind] = current
        return current.lines == 1 ? last?.more ?? 0 : 0
    }
}
