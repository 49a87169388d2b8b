internal import COpenSSL

/// SHA-256 as a value: its state is copied, not allocated, and nothing is looked up. On the paths that hash a few hundred bytes a
/// request this costs what the compression costs, where EVP costs several times that (docs/PERFORMANCE.md). libcrypto picks the
/// machine's instructions for either.
@safe package struct SHA256: Sendable {
    /// A `SHA256_CTX`, so kept that nobody who uses this has to see one.
    private var state = InlineArray<14, UInt64>(repeating: 0)

    package init() { unsafe bailiwick_sha256_begin(&state) }

    /// Adds bytes.
    package mutating func update(_ bytes: Span<UInt8>) {
        unsafe bytes.withUnsafeBytes { unsafe bailiwick_sha256_add(&state, $0.baseAddress, $0.count) }
    }

    /// Adds a digest's bytes.
    package mutating func update(_ digest: SHA256Digest) { digest.withSpan { update($0) } }

    /// Adds one byte.
    package mutating func update(byte: UInt8) {
        unsafe withUnsafeBytes(of: byte) { unsafe bailiwick_sha256_add(&state, $0.baseAddress, 1) }
    }

    /// Adds bytes after their count as big-endian uint32: the framing of every HMAC in DESIGN sections 4 and 7.
    package mutating func update(framed bytes: Span<UInt8>) {
        unsafe withUnsafeBytes(of: UInt32(bytes.count).bigEndian) {
            unsafe bailiwick_sha256_add(&state, $0.baseAddress, 4)
        }
        update(bytes)
    }

    /// The digest of all that was added; more may be added afterwards.
    package func finish() -> SHA256Digest {
        var copy = state
        var digest = SHA256Digest.zero
        unsafe bailiwick_sha256_end(&copy, &digest)
        return digest
    }
}

/// The 32 bytes of a SHA-256 digest, without an allocation.
package struct SHA256Digest: Hashable, Sendable {
    private var words: (UInt64, UInt64, UInt64, UInt64)

    package static let zero = SHA256Digest(words: (0, 0, 0, 0))

    private init(words: (UInt64, UInt64, UInt64, UInt64)) { self.words = words }

    /// The digest of one message.
    package init(hashing bytes: Span<UInt8>) {
        var state = SHA256()
        state.update(bytes)
        self = state.finish()
    }

    /// The digest of one message.
    package init(hashing bytes: [UInt8]) { self.init(hashing: bytes.span) }

    /// Takes a digest's 32 bytes; nil for another count.
    package init?(bytes: [UInt8]) {
        guard bytes.count == 32 else { return nil }
        words = (0, 0, 0, 0)
        unsafe withUnsafeMutableBytes(of: &words) { unsafe $0.copyBytes(from: bytes) }
    }

    /// Takes the bytes that `fill` writes, zeros after them.
    init(_ fill: (inout OutputSpan<UInt8>) -> Void) {
        words = (0, 0, 0, 0)
        unsafe withUnsafeMutableBytes(of: &words) { words in
            var bytes = unsafe OutputSpan(buffer: words.bindMemory(to: UInt8.self), initializedCount: 0)
            fill(&bytes)
            _ = unsafe bytes.finalize(for: words.bindMemory(to: UInt8.self))
        }
    }

    /// Takes the 32 bytes that begin at `offset`, without an allocation. `offset + 32` is within the span.
    package init(_ bytes: Span<UInt8>, at offset: Int) {
        words = (0, 0, 0, 0)
        let part = bytes.extracting(offset..<offset + 32)
        unsafe part.withUnsafeBytes { part in
            unsafe withUnsafeMutableBytes(of: &words) { unsafe $0.copyMemory(from: part) }
        }
    }

    /// Writes the 32 bytes over those that begin at `offset`, without an allocation. `offset + 32` is within the array.
    package func write(to bytes: inout [UInt8], at offset: Int) {
        precondition(offset >= 0 && offset + 32 <= bytes.count)
        unsafe withUnsafeBytes(of: words) { words in
            unsafe bytes.withUnsafeMutableBytes { bytes in
                unsafe UnsafeMutableRawBufferPointer(rebasing: bytes[offset..<offset + 32]).copyMemory(from: words)
            }
        }
    }

    /// Calls `body` with the 32 bytes.
    package func withSpan<Result>(_ body: (Span<UInt8>) -> Result) -> Result {
        unsafe withUnsafeBytes(of: words) { unsafe body($0.bindMemory(to: UInt8.self).span) }
    }

    /// True when both are the same, in a time that does not depend on where they differ.
    package func isEqualInConstantTime(_ other: SHA256Digest) -> Bool {
        withSpan { left in other.withSpan { right in OpenSSL.isEqualInConstantTime(left, right) } }
    }

    /// Appends the 32 bytes.
    package func append(to bytes: inout [UInt8]) {
        unsafe withUnsafeBytes(of: words) { unsafe bytes.append(contentsOf: $0) }
    }

    /// The digest's 32 bytes.
    package var bytes: [UInt8] { unsafe withUnsafeBytes(of: words) { unsafe Array($0) } }

    /// 64 lower-case hexadecimal digits.
    package var hex: String { withSpan { Hex.encode($0) } }

    /// A number for a table where whoever comes next takes the slot.
    package var slotHash: UInt64 { words.0 }

    package static func == (left: SHA256Digest, right: SHA256Digest) -> Bool { left.words == right.words }

    package func hash(into hasher: inout Swift.Hasher) { hasher.combine(words.0) }
}
