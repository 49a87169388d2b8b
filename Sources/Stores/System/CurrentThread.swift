internal import CLinux

/// The thread that runs.
package enum CurrentThread {
    /// The name that `/proc/PID/task/TID/comm` shows, of at most 15 bytes.
    package static var name: String {
        get {
            var bytes = [CChar](repeating: 0, count: 16)
            unsafe clinux_thread_name(&bytes)
            return String(decoding: bytes.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }
        set { unsafe clinux_set_thread_name(newValue) }
    }
}
