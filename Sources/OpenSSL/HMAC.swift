internal import COpenSSL

/// An HMAC-SHA-256 key (RFC 2104): the two hash states in which every code under it begins, so that a code costs no key set-up, no
/// allocation and no lock.
package final class HMACKey: Sendable {
    private let inner: SHA256
    private let outer: SHA256

    /// Bytes of a block of SHA-256.
    private static let blockBytes = 64

    /// - Parameter key: 1 byte or more; ours are 32.
    package init(_ key: [UInt8]) {
        var block = key.count > Self.blockBytes ? SHA256Digest(hashing: key).bytes : key
        block.append(contentsOf: repeatElement(0, count: Self.blockBytes - block.count))
        inner = Self.state(after: block.map { $0 ^ 0x36 })
        outer = Self.state(after: block.map { $0 ^ 0x5C })
    }

    private static func state(after block: [UInt8]) -> SHA256 {
        var state = SHA256()
        state.update(block.span)
        return state
    }

    /// A code to which bytes are added.
    package var code: HMACCode { HMACCode(inner: inner, outer: outer) }

    /// The code over the concatenation of `parts`, each preceded by its length as big-endian uint32: the framing of every
    /// HMAC in DESIGN sections 4 and 7.
    package func authenticate(parts: [[UInt8]]) -> SHA256Digest {
        var code = code
        for part in parts { code.update(framed: part.span) }
        return code.finish()
    }

    /// The code over `message`.
    package func authenticate(_ message: Span<UInt8>) -> SHA256Digest {
        var code = code
        code.update(message)
        return code.finish()
    }
}

/// An HMAC-SHA-256 in the making.
package struct HMACCode: Sendable {
    private var inner: SHA256
    private var outer: SHA256

    fileprivate init(inner: SHA256, outer: SHA256) {
        self.inner = inner
        self.outer = outer
    }

    /// Adds bytes.
    package mutating func update(_ bytes: Span<UInt8>) { inner.update(bytes) }

    /// Adds bytes after their count as big-endian uint32.
    package mutating func update(framed bytes: Span<UInt8>) { inner.update(framed: bytes) }

    /// The code over all that was added.
    package func finish() -> SHA256Digest {
        var outer = outer
        outer.update(inner.finish())
        return outer.finish()
    }
}

/// True when both hold the same bytes, in a time that does not depend on where they differ.
package func isEqualInConstantTime(_ left: Span<UInt8>, _ right: Span<UInt8>) -> Bool {
    guard left.count == right.count else { return false }
    return unsafe left.withUnsafeBytes { left in
        unsafe right.withUnsafeBytes { right in
            unsafe CRYPTO_memcmp(left.baseAddress, right.baseAddress, left.count) == 0
        }
    }
}

/// `count` bytes from libcrypto's generator.
package func randomBytes(_ count: Int) -> [UInt8] {
    unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
        precondition(unsafe RAND_bytes(buffer.baseAddress, Int32(count)) == 1, "RAND_bytes failed")
        filled = count
    }
}
