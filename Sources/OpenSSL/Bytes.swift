// Bytes copied at once, where the standard library takes them one by one or looks at what kind of text it has first. Here, because
// this is a target where memory may be spoken of.

internal import Glibc

extension [UInt8] {
    /// The bytes of a span.
    package init(copying span: Span<UInt8>) { self = unsafe span.withUnsafeBytes { unsafe [UInt8]($0) } }

    /// Appends a literal's UTF-8.
    package mutating func append(literal: StaticString) {
        literal.withUTF8Buffer { unsafe append(contentsOf: $0) }
    }

    /// Appends a text's UTF-8.
    package mutating func append(utf8 text: String) {
        let isDone: Void? = unsafe text.utf8.withContiguousStorageIfAvailable { unsafe append(contentsOf: $0) }
        if isDone == nil { append(contentsOf: text.utf8) }
    }
}

extension Span where Element == UInt8 {
    /// Where a byte stands first; nil where it does not.
    package func firstIndex(of byte: UInt8) -> Int? {
        unsafe withUnsafeBytes { bytes in
            guard let start = bytes.baseAddress, let found = unsafe memchr(start, CInt(byte), bytes.count) else {
                return nil
            }
            return unsafe UnsafeRawPointer(found) - start
        }
    }
}
