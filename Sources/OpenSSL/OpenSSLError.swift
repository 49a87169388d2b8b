internal import COpenSSL

/// What OpenSSL's per-thread error queue said when a call failed. Thrown only for what should not happen with valid
/// arguments; a signature that does not verify is `false`, not an error.
package struct OpenSSLError: Error, CustomStringConvertible, Sendable {
    /// The call that failed.
    package let call: String
    /// The queue's oldest reason, as OpenSSL words it; empty when the queue was empty.
    package let reason: String

    /// Drains this thread's error queue.
    init(_ call: StaticString) {
        self.call = "\(call)"
        let code = ERR_get_error()
        if code == 0 {
            reason = ""
        } else {
            var text = [CChar](repeating: 0, count: 256)
            unsafe ERR_error_string_n(code, &text, text.count)
            reason = String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }
        ERR_clear_error()
    }

    package var description: String { reason.isEmpty ? call : "\(call): \(reason)" }
}
