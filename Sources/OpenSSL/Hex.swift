/// Hexadecimal: lower-case as written, either case as read.
package enum Hex {
    private static let digits = Array("0123456789abcdef".utf8)

    /// Appends two digits for each byte.
    package static func append(_ bytes: Span<UInt8>, to text: inout [UInt8]) {
        let digits = digits.span
        text.append(addingCapacity: 2 * bytes.count) { text in
            for at in bytes.indices {
                text.append(digits[Int(bytes[at] >> 4)])
                text.append(digits[Int(bytes[at] & 15)])
            }
        }
    }

    /// Two digits for each byte.
    package static func encode(_ bytes: Span<UInt8>) -> String {
        var text: [UInt8] = []
        append(bytes, to: &text)
        return String(decoding: text, as: UTF8.self)
    }

    /// Two digits for each byte.
    package static func encode(_ bytes: [UInt8]) -> String { encode(bytes.span) }

    /// The bytes of an even number of digits; nil for anything else.
    package static func decode(_ text: some StringProtocol) -> [UInt8]? { decode(Array(text.utf8)[...]) }

    /// The bytes of an even number of digits; nil for anything else. `UInt8(_:radix:)` would take a sign for a digit.
    package static func decode(_ digits: ArraySlice<UInt8>) -> [UInt8]? {
        guard digits.count % 2 == 0 else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(digits.count / 2)
        for at in stride(from: digits.startIndex, to: digits.endIndex, by: 2) {
            guard let high = value(digits[at]), let low = value(digits[at + 1]) else { return nil }
            bytes.append(high << 4 | low)
        }
        return bytes
    }

    /// What one digit says.
    package static func value(_ digit: UInt8) -> UInt8? {
        switch digit {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): digit - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
