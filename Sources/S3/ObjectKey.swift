internal import OpenSSL

/// An S3 object key: 1 to 1,024 bytes of valid UTF-8 without NUL, never normalised, compared and ordered as bytes.
/// What is decided is the very key that storage opens; it is parsed once.
package struct ObjectKey: Hashable, Comparable, Sendable {
    /// The most bytes that a key may have (S3's own limit).
    package static let bytesMax = 1024

    package let utf8: [UInt8]

    /// Nil when the bytes are no key.
    package init?(utf8 bytes: [UInt8]) {
        guard (1...Self.bytesMax).contains(bytes.count) else { return nil }
        guard bytes.span.firstIndex(of: 0) == nil,
            bytes.span.isASCII || String(validating: bytes, as: UTF8.self) != nil
        else { return nil }
        utf8 = bytes
    }

    package static func == (left: ObjectKey, right: ObjectKey) -> Bool { left.utf8.span.isSame(as: right.utf8.span) }

    /// For tables whose slots are taken by whoever comes next.
    package var slotHash: UInt64 { utf8.span.slotHash }

    package static func < (left: ObjectKey, right: ObjectKey) -> Bool {
        left.utf8.lexicographicallyPrecedes(right.utf8)
    }
}

extension ObjectKey: CustomStringConvertible {
    package var description: String { String(decoding: utf8, as: UTF8.self) }
}
