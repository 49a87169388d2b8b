internal import OpenSSL

/// An S3 object key: 1 to 1,024 bytes of valid UTF-8 without NUL, never normalised, compared and ordered as bytes.
/// What is decided is the very key that storage opens; it is parsed once.
package struct ObjectKey: Hashable, Comparable, Sendable {
    /// The most bytes that a key may have (S3's own limit).
    package static let bytesMax = 1024

    package let utf8: [UInt8]
    /// For tables whose slots are taken by whoever comes next.
    package let slotHash: UInt64

    /// Nil when the bytes are no key.
    package init?(utf8 bytes: [UInt8]) {
        guard (1...Self.bytesMax).contains(bytes.count) else { return nil }
        guard
            bytes.span.isASCIIWithoutNUL
                || bytes.span.firstIndex(of: 0) == nil && String(validating: bytes, as: UTF8.self) != nil
        else { return nil }
        utf8 = bytes
        slotHash = bytes.span.slotHash
    }

    package static func == (left: ObjectKey, right: ObjectKey) -> Bool { left.utf8.span.isSame(as: right.utf8.span) }

    package func hash(into hasher: inout Swift.Hasher) { hasher.combine(utf8) }

    package static func < (left: ObjectKey, right: ObjectKey) -> Bool {
        left.utf8.lexicographicallyPrecedes(right.utf8)
    }
}

extension ObjectKey: CustomStringConvertible {
    package var description: String { String(decoding: utf8, as: UTF8.self) }
}
