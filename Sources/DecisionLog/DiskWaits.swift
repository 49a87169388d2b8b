internal import CLinux
internal import Glibc
internal import Synchronization

/// Threads that wait in fsync(2) or syncfs(2). That may take minutes where others wrote much to the same file system: syncfs waits for all of
/// it, and nothing is gained by ending a process for that.
package enum DiskWaits {
    package struct Wait: Sendable {
        /// The thread's name.
        package let thread: String
        package let seconds: Int64
    }

    /// A thread that waits for longer is taken for stuck.
    package static let secondsMax: Int64 = 300
    /// A wait that somebody should know of.
    package static let secondsWarning: Int64 = 15

    private static let begun = Mutex<[pthread_t: (thread: String, microseconds: Int64)]>([:])

    /// Makes a call that waits until the disk has what was written.
    package static func during<Failure: Error>(_ call: () throws(Failure) -> Void) throws(Failure) {
        let (thread, wait) = (pthread_self(), (name(), now()))
        begun.withLock { $0[thread] = wait }
        defer { begun.withLock { _ = $0.removeValue(forKey: thread) } }
        try call()
    }

    /// Those that wait now.
    package static var all: [Wait] {
        let now = now()
        return begun.withLock { begun in
            begun.values.map { Wait(thread: $0.thread, seconds: (now - $0.microseconds) / 1_000_000) }
        }
    }

    /// The longest wait, in words, where somebody should know of it.
    package static var warning: String? {
        guard let longest = all.max(by: { $0.seconds < $1.seconds }), longest.seconds >= secondsWarning else {
            return nil
        }
        return "\(longest.thread) has waited \(longest.seconds) s for the disk"
    }

    private static func now() -> Int64 { SystemClock().monotonicMicroseconds() }

    private static func name() -> String {
        var bytes = [CChar](repeating: 0, count: 16)
        unsafe clinux_thread_name(&bytes)
        return String(decoding: bytes.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
