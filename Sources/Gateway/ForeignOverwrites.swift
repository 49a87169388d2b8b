internal import Residency
internal import Synchronization

/// Counts the `foreign-overwrite` answers of each principal by the minute: after ten of them its foreign writes are
/// suspended for the rest of that minute (DESIGN 3.7), so that nobody can learn by trying which keys exist abroad.
final class ForeignOverwrites: Sendable {
    private struct Window {
        var minute: Int64
        var count: Int
    }

    private let windows = Mutex<[PrincipalName: Window]>([:])

    /// Are this principal's foreign writes suspended at this time?
    func areSuspended(for principal: PrincipalName, at time: Timestamp) -> Bool {
        windows.withLock { windows in
            guard let window = windows[principal], window.minute == time.seconds / 60 else { return false }
            return window.count >= Limits.foreignOverwritesPerMinuteMax
        }
    }

    /// Counts one answer. The map is bounded by the number of configured principals.
    func count(for principal: PrincipalName, at time: Timestamp) {
        let minute = time.seconds / 60
        windows.withLock { windows in
            let before = windows[principal].flatMap { $0.minute == minute ? $0.count : nil } ?? 0
            windows[principal] = Window(minute: minute, count: before + 1)
        }
    }
}

/// Holds each principal to its `requests_per_second_max`, over whole seconds: of a clock that goes on where the log's time stands still since the
/// machine's clock went back. Nobody decides again what it refused.
final class RequestRates: Sendable {
    private struct Window {
        var second: Int64
        var count: Int
    }

    private let windows = Mutex<[PrincipalName: Window]>([:])

    /// Counts a request; false when it is one too many for this second.
    /// - Parameter second: of the monotonic clock. Of two loops one may be behind: it counts for the second that began already.
    func admits(_ principal: PrincipalName, max: Int, atSecond second: Int64) -> Bool {
        windows.withLock { windows in
            var window = windows[principal] ?? Window(second: second, count: 0)
            if second > window.second { window = Window(second: second, count: 0) }
            guard window.count < max else { return false }
            window.count += 1
            windows[principal] = window
            return true
        }
    }
}
