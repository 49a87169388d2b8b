/// Appends pieces of JSON to bytes: for entries, written by hand in a fixed order, without objects.
package enum JSONText {
    private static let hexDigits = Array("0123456789abcdef".utf8)

    /// A string with the fewest escapes that RFC 8259 asks for. The bytes are valid UTF-8.
    package static func append(string utf8: some Sequence<UInt8>, to text: inout [UInt8]) {
        appendEscaped(utf8, to: &text)
    }

    /// The same for text. Not generic, because no optimiser specialises across modules here: on the log's path.
    package static func append(string utf8: String.UTF8View, to text: inout [UInt8]) {
        guard isPlain(utf8.span) else { return appendEscaped(utf8, to: &text) }
        text.append(UInt8(ascii: "\""))
        text.append(contentsOf: utf8)
        text.append(UInt8(ascii: "\""))
    }

    /// The same for bytes.
    package static func append(string utf8: [UInt8], to text: inout [UInt8]) {
        guard isPlain(utf8.span) else { return appendEscaped(utf8, to: &text) }
        text.append(UInt8(ascii: "\""))
        text.append(contentsOf: utf8)
        text.append(UInt8(ascii: "\""))
    }

    /// Does nothing of it need an escape? Then it is copied whole.
    private static func isPlain(_ utf8: Span<UInt8>) -> Bool {
        plainEnd(utf8, from: 0) == utf8.count
    }

    /// Where the next byte is that does not stand for itself in a string, or the end.
    static func plainEnd(_ utf8: Span<UInt8>, from start: Int) -> Int {
        var at = start
        while at < utf8.count {
            let byte = utf8[at]
            if byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { break }
            at += 1
        }
        return at
    }

    @inline(__always)
    private static func appendEscaped(_ utf8: some Sequence<UInt8>, to text: inout [UInt8]) {
        text.append(UInt8(ascii: "\""))
        for byte in utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                text.append(UInt8(ascii: "\\"))
                text.append(byte)
            case 0..<0x20:
                text.append(contentsOf: "\\u00".utf8)
                text.append(hexDigits[Int(byte >> 4)])
                text.append(hexDigits[Int(byte & 15)])
            default: text.append(byte)
            }
        }
        text.append(UInt8(ascii: "\""))
    }

    /// A string, or `null`.
    package static func append(optional value: String?, to text: inout [UInt8]) {
        if let value { append(string: value.utf8, to: &text) } else { appendNull(to: &text) }
    }

    /// A number in decimal.
    package static func append(integer value: Int, to text: inout [UInt8]) { appendDecimal(value, to: &text) }

    /// The same.
    package static func append(integer value: Int64, to text: inout [UInt8]) { appendDecimal(value, to: &text) }

    /// The same.
    package static func append(integer value: UInt64, to text: inout [UInt8]) { appendDecimal(value, to: &text) }

    @inline(__always)
    private static func appendDecimal(_ value: some FixedWidthInteger, to text: inout [UInt8]) {
        text.append(addingCapacity: 21) { out in
            if value < 0 { out.append(UInt8(ascii: "-")) }
            // From the last digit.
            var digits = InlineArray<20, UInt8>(repeating: UInt8(ascii: "0"))
            var first = 20
            var rest = UInt64(value.magnitude)
            repeat {
                first -= 1
                digits[first] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
                rest /= 10
            } while rest > 0
            for index in first..<20 { out.append(digits[index]) }
        }
    }

    /// `true` or `false`.
    package static func append(bool value: Bool, to text: inout [UInt8]) {
        text.append(contentsOf: value ? "true".utf8 : "false".utf8)
    }

    /// `null`.
    package static func appendNull(to text: inout [UInt8]) { text.append(contentsOf: "null".utf8) }
}
