internal import Glibc

/// What the kernel refused.
package struct SocketError: Error, Hashable, Sendable, CustomStringConvertible {
    /// `errno`.
    package let code: Int32
    /// The call that failed.
    package let call: String

    package init(_ code: Int32, _ call: String) {
        self.code = code
        self.call = call
    }

    package var isAddressInUse: Bool { code == EADDRINUSE }

    package var description: String {
        guard let text = unsafe strerror(code) else { return "\(call): error \(code)" }
        return unsafe "\(call): \(String(cString: text))"
    }
}
