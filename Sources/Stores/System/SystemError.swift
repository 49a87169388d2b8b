internal import Glibc

/// A system call that failed, with its errno. Each call of this folder turns its errno into one of these at once.
struct SystemError: Error, Equatable {
    let call: String
    let code: Int32

    init(_ call: StaticString, _ code: Int32) {
        self.call = "\(call)"
        self.code = code
    }

    /// Takes the calling thread's errno.
    init(_ call: StaticString) { self.init(call, errno) }

    static func == (left: SystemError, right: SystemError) -> Bool {
        left.code == right.code && left.call == right.call
    }

    /// It is there, and not for this user.
    var isDenied: Bool { code == EACCES || code == EPERM }

    /// What strerror(3) calls it.
    var message: String { systemMessage(code) }
}

/// The words of strerror(3) for an errno.
func systemMessage(_ code: Int32) -> String {
    var text = [CChar](repeating: 0, count: 128)
    guard unsafe strerror_r(code, &text, text.count) == 0 else { return "error \(code)" }
    return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}
