/// Base64 (RFC 4648), strict in both directions: canonical bits, exact padding, no white space.
package enum Base64: Sendable {
    /// Section 4, with padding.
    case standard
    /// Section 5, without padding: what JOSE uses (RFC 7515, section 2).
    case url

    private var alphabet: StaticString {
        switch self {
        case .standard: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
        case .url: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
        }
    }

    private static let standardDigits = Array(Base64.standard.alphabet.description.utf8)
    private static let urlDigits = Array(Base64.url.alphabet.description.utf8)
    private static let standardValues = values(of: standardDigits)
    private static let urlValues = values(of: urlDigits)

    /// Appends the encoding of `bytes`.
    package func append(_ bytes: Span<UInt8>, to text: inout [UInt8]) {
        let digits = self == .url ? Self.urlDigits : Self.standardDigits
        text.reserveCapacity(text.count + (bytes.count + 2) / 3 * 4)
        var at = 0
        while at + 3 <= bytes.count {
            let word = UInt32(bytes[at]) << 16 | UInt32(bytes[at + 1]) << 8 | UInt32(bytes[at + 2])
            text.append(digits[Int(word >> 18)])
            text.append(digits[Int(word >> 12 & 63)])
            text.append(digits[Int(word >> 6 & 63)])
            text.append(digits[Int(word & 63)])
            at += 3
        }
        let rest = bytes.count - at
        guard rest > 0 else { return }
        let word = UInt32(bytes[at]) << 16 | (rest == 2 ? UInt32(bytes[at + 1]) << 8 : 0)
        text.append(digits[Int(word >> 18)])
        text.append(digits[Int(word >> 12 & 63)])
        if rest == 2 { text.append(digits[Int(word >> 6 & 63)]) }
        if self == .standard { text.append(contentsOf: repeatElement(UInt8(ascii: "="), count: 3 - rest)) }
    }

    /// The encoding as text.
    package func encode(_ bytes: [UInt8]) -> String {
        var text: [UInt8] = []
        append(bytes.span, to: &text)
        return String(decoding: text, as: UTF8.self)
    }

    /// The bytes that `text` encodes; nil unless it is their one canonical encoding.
    package func decode(_ text: Span<UInt8>) -> [UInt8]? {
        var count = text.count
        if self == .standard {
            guard count % 4 == 0 else { return nil }
            var padding = 0
            while padding < 2, count > 0, text[count - 1] == UInt8(ascii: "=") {
                padding += 1
                count -= 1
            }
        }
        guard count % 4 != 1 else { return nil }
        let values = self == .url ? Self.urlValues : Self.standardValues
        var isCanonical = true
        let bytes = [UInt8](capacity: count * 3 / 4) { bytes in
            // What is no digit has the value 64, so that every value ored together is beyond 63 where one of them is.
            var word: UInt32 = 0
            var all: UInt32 = 0
            var at = 0
            while at + 4 <= count {
                let first = UInt32(values[Int(text[at])])
                let second = UInt32(values[Int(text[at + 1])])
                let third = UInt32(values[Int(text[at + 2])])
                let fourth = UInt32(values[Int(text[at + 3])])
                all |= first | second | third | fourth
                word = first << 18 | second << 12 | third << 6 | fourth
                bytes.append(UInt8(truncatingIfNeeded: word >> 16))
                bytes.append(UInt8(truncatingIfNeeded: word >> 8))
                bytes.append(UInt8(truncatingIfNeeded: word))
                at += 4
            }
            word = 0
            for at in at..<count {
                let value = UInt32(values[Int(text[at])])
                all |= value
                word = word << 6 | value
            }
            isCanonical = all < 64
            switch count % 4 {
            case 2:
                isCanonical = isCanonical && word & 15 == 0
                bytes.append(UInt8(truncatingIfNeeded: word >> 4))
            case 3:
                isCanonical = isCanonical && word & 3 == 0
                bytes.append(UInt8(truncatingIfNeeded: word >> 10))
                bytes.append(UInt8(truncatingIfNeeded: word >> 2))
            default: break
            }
        }
        return isCanonical ? bytes : nil
    }

    /// The bytes that `text` encodes; nil unless it is their one canonical encoding.
    package func decode(_ text: String) -> [UInt8]? { decode(Array(text.utf8).span) }

    private static func values(of digits: [UInt8]) -> [UInt8] {
        var values = [UInt8](repeating: 64, count: 256)
        for (value, digit) in digits.enumerated() { values[Int(digit)] = UInt8(value) }
        return values
    }
}
