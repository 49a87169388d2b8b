internal import COpenSSL
internal import Synchronization

/// An HMAC-SHA-256 key (RFC 2104). Shared between threads; a computation holds a lock for about a microsecond.
package final class HMACKey: Sendable {
    @safe private struct Context: ~Copyable, @unchecked Sendable {
        let pointer: OpaquePointer

        deinit { unsafe EVP_MAC_CTX_free(pointer) }
    }

    private let context: Mutex<Context>

    /// - Parameter key: 1 byte or more; ours are 32.
    package init(_ key: [UInt8]) throws(OpenSSLError) {
        guard let mac = unsafe EVP_MAC_fetch(nil, "HMAC", nil) else { throw OpenSSLError("EVP_MAC_fetch") }
        defer { unsafe EVP_MAC_free(mac) }
        guard let pointer = unsafe EVP_MAC_CTX_new(mac) else { throw OpenSSLError("EVP_MAC_CTX_new") }
        context = unsafe Mutex(Context(pointer: pointer))
        guard unsafe bailiwick_hmac_sha256_init(pointer, key, key.count) == 1 else {
            throw OpenSSLError("EVP_MAC_init")
        }
    }

    /// The code over the concatenation of `parts`, each preceded by its length as big-endian uint32: the framing of every
    /// HMAC in DESIGN sections 4 and 7.
    package func authenticate(parts: [[UInt8]]) -> SHA256Digest {
        var message: [UInt8] = []
        message.reserveCapacity(parts.reduce(0) { $0 + $1.count + 4 })
        for part in parts {
            let count = UInt32(part.count)
            message.append(contentsOf: [
                UInt8(truncatingIfNeeded: count >> 24), UInt8(truncatingIfNeeded: count >> 16),
                UInt8(truncatingIfNeeded: count >> 8), UInt8(truncatingIfNeeded: count),
            ])
            message.append(contentsOf: part)
        }
        return authenticate(message.span)
    }

    /// The code over `message`.
    package func authenticate(_ message: Span<UInt8>) -> SHA256Digest {
        var digest = SHA256Digest.zero
        context.withLock { context in
            unsafe withUnsafeMutableBytes(of: &digest) { digest in
                var count = 0
                let isDone =
                    unsafe EVP_MAC_init(context.pointer, nil, 0, nil) == 1
                    && message.withUnsafeBytes { unsafe EVP_MAC_update(context.pointer, $0.baseAddress, $0.count) } == 1
                    && EVP_MAC_final(
                        context.pointer, digest.baseAddress?.assumingMemoryBound(to: UInt8.self), &count, digest.count)
                        == 1
                precondition(isDone && count == 32, "EVP_MAC failed")
            }
        }
        return digest
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
