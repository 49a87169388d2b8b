internal import Glibc
internal import NIOConcurrencyHelpers
internal import NIOPosix
internal import OpenSSL

/// SHA-256 of the running binary, which the log's `start` event names. Made on a thread of its own, beside the rest of the start: it takes
/// a quarter of it.
final class BinaryDigest: Sendable {
    private let made = NIOLockedValueBox<String?>(nil)
    private let isMade = ConditionLock(value: false)

    init() {
        let pool = NIOThreadPool(numberOfThreads: 1)
        pool.start()
        pool.submit { _ in
            let digest = Self.digest()
            self.made.withLockedValue { $0 = digest }
            self.isMade.lock()
            self.isMade.unlock(withValue: true)
            pool.shutdownGracefully { _ in }
        }
    }

    /// Lower-case hexadecimal; nil where the binary cannot be read. Waits until it is made.
    var value: String? {
        isMade.lock(whenValue: true)
        isMade.unlock()
        return made.withLockedValue { $0 }
    }

    private static func digest() -> String? {
        let descriptor = unsafe open("/proc/self/exe", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { _ = close(descriptor) }
        var state = SHA256()
        var buffer = [UInt8](repeating: 0, count: 1 << 18)
        while true {
            let count = unsafe buffer.withUnsafeMutableBytes { unsafe read(descriptor, $0.baseAddress, $0.count) }
            guard count >= 0 else { return nil }
            if count == 0 { return state.finish().hex }
            state.update(buffer.span.extracting(0..<count))
        }
    }
}
