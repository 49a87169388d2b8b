internal import CSystemd
internal import Glibc

/// What the daemon says to systemd (sd_notify(3)); without `$NOTIFY_SOCKET` each of these does nothing.
enum Systemd {
    /// The service listens and its log is writable.
    static func ready(status: String) { notify("READY=1\nSTATUS=\(status)") }

    /// A reload begins; systemd wants the monotonic clock's microseconds beside it (sd_notify(3), RELOADING).
    static func reloading() {
        var time = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        notify("RELOADING=1\nMONOTONIC_USEC=\(time.tv_sec * 1_000_000 + time.tv_nsec / 1000)")
    }

    static func stopping() { notify("STOPPING=1\nSTATUS=finishing requests in flight") }

    static func status(_ text: String) { notify("STATUS=\(text)") }

    static func feedWatchdog() { notify("WATCHDOG=1") }

    /// The period within which the watchdog wants to be fed; nil when nobody watches this process (sd_watchdog_enabled(3)).
    static var watchdogMicroseconds: UInt64? {
        var microseconds: UInt64 = 0
        return unsafe sd_watchdog_enabled(0, &microseconds) > 0 ? microseconds : nil
    }

    private static func notify(_ state: String) {
        _ = unsafe sd_notify(0, state)
    }
}

/// The signals that the daemon is steered by, taken one at a time by the main thread.
enum Signal {
    case stop, reload

    /// Blocks them in this thread and in all that it will start. To be called before any thread is.
    static func block() {
        var signals = set()
        unsafe pthread_sigmask(SIG_BLOCK, &signals, nil)
        _ = signal(SIGPIPE, SIG_IGN)
    }

    /// Waits for the next one, at most so long; nil when none came.
    static func next(withinMilliseconds milliseconds: Int64) -> Signal? {
        var signals = set()
        var timeout = timespec(
            tv_sec: Int(milliseconds / 1000), tv_nsec: Int(milliseconds % 1000) * 1_000_000)
        switch unsafe sigtimedwait(&signals, nil, &timeout) {
        case SIGTERM, SIGINT: return .stop
        case SIGHUP: return .reload
        default: return nil
        }
    }

    private static func set() -> sigset_t {
        var signals = sigset_t()
        unsafe sigemptyset(&signals)
        for signal in [SIGTERM, SIGINT, SIGHUP] { unsafe sigaddset(&signals, signal) }
        return signals
    }
}

/// Lines for the journal, which takes the priority from their first three bytes (sd-daemon(3)).
enum Journal {
    static func error(_ text: String) { write("<3>", text) }
    static func warning(_ text: String) { write("<4>", text) }
    static func notice(_ text: String) { write("<5>", text) }

    /// Is standard error the journal's (systemd.exec(5), `$JOURNAL_STREAM`)?
    static let isJournal = unsafe getenv("JOURNAL_STREAM") != nil

    /// An error that the message catalog explains by its id. Standard error takes no fields.
    static func error(_ text: String, messageID: String) {
        guard isJournal, send(["MESSAGE_ID=\(messageID)", "PRIORITY=3", "MESSAGE=\(text)"]) else { return error(text) }
    }

    private static func send(_ fields: [String]) -> Bool {
        var bytes = fields.flatMap { Array($0.utf8) }
        return unsafe bytes.withUnsafeMutableBytes { buffer in
            var offset = 0
            let vectors = unsafe fields.map { field in
                defer { offset += field.utf8.count }
                return unsafe iovec(
                    iov_base: buffer.baseAddress.map { unsafe $0 + offset }, iov_len: field.utf8.count)
            }
            return unsafe sd_journal_sendv(vectors, Int32(vectors.count)) == 0
        }
    }

    private static func write(_ priority: String, _ text: String) {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        let output = lines.map { (isJournal ? priority : "") + $0 + "\n" }.joined()
        var bytes = Array(output.utf8)[...]
        while !bytes.isEmpty {
            let count = unsafe bytes.withUnsafeBytes { unsafe Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count) }
            guard count > 0 else { return }
            bytes = bytes.dropFirst(count)
        }
    }
}
