/// Base64 (RFC 4648), strict in both directions: canonical bits, exact padding, no white space.
package enum Base64: Sendable {
    /// Section 4, with padding.
    case standard
    /// Section 5, without padding: what JOSE uses (RFC 7515, section 2).
    case url

    private static let standardDigits = Digits("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
    private static let urlDigits = Digits("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")

    private var digits: Digits { self == .url ? Self.urlDigits : Self.standardDigits }

    /// Appends the encoding of `bytes`.
    package func append(_ bytes: Span<UInt8>, to text: inout [UInt8]) {
        let digits = digits.all.span
        let rest = bytes.count % 3
        text.append(addingCapacity: (bytes.count + 2) / 3 * 4) { text in
            for at in stride(from: 0, to: bytes.count - rest, by: 3) {
                let word = UInt32(bytes[at]) << 16 | UInt32(bytes[at + 1]) << 8 | UInt32(bytes[at + 2])
                text.append(digits[Int(word >> 18)])
                text.append(digits[Int(word >> 12 & 63)])
                text.append(digits[Int(word >> 6 & 63)])
                text.append(digits[Int(word & 63)])
            }
            guard rest > 0 else { return }
            let at = bytes.count - rest
            let word = UInt32(bytes[at]) << 16 | (rest == 2 ? UInt32(bytes[at + 1]) << 8 : 0)
            text.append(digits[Int(word >> 18)])
            text.append(digits[Int(word >> 12 & 63)])
            if rest == 2 { text.append(digits[Int(word >> 6 & 63)]) }
            if self == .standard { text.append(repeating: UInt8(ascii: "="), count: 3 - rest) }
        }
    }

    /// The encoding as text.
    package func encode(_ bytes: [UInt8]) -> String {
        var text: [UInt8] = []
        append(bytes.span, to: &text)
        return String(decoding: text, as: UTF8.self)
    }

    /// The bytes that `text` encodes; nil unless it is their one canonical encoding.
    package func decode(_ text: Span<UInt8>) -> [UInt8]? {
        guard let count = digitCount(text) else { return nil }
        var isCanonical = false
        let bytes = [UInt8](capacity: count * 3 / 4) { bytes in
            isCanonical = decode(text.extracting(..<count), into: &bytes)
        }
        return isCanonical ? bytes : nil
    }

    /// The bytes that `text` encodes; nil unless it is their one canonical encoding.
    package func decode(_ text: String) -> [UInt8]? { decode(text.utf8.span) }

    /// How many of its bytes have to be digits; nil where no encoding has that length.
    private func digitCount(_ text: Span<UInt8>) -> Int? {
        var count = text.count
        if self == .standard {
            guard count % 4 == 0 else { return nil }
            var padding = 0
            while padding < 2, count > 0, text[count - 1] == UInt8(ascii: "=") {
                padding += 1
                count -= 1
            }
        }
        return count % 4 == 1 ? nil : count
    }

    /// Decodes digits without padding, as many as `digitCount` allows.
    /// - Returns: false where they are none, or not canonical.
    func decode(_ text: Span<UInt8>, into bytes: inout OutputSpan<UInt8>) -> Bool {
        let digits = digits
        // What is no digit has the value 64, so that every value ored together is beyond 63 where one of them is.
        var all: UInt32 = 0
        // Eight digits make six bytes, written as eight while more digits follow.
        let long = max(0, text.count - 3) & ~7
        for at in stride(from: 0, to: long, by: 8) {
            let (word, areDigits) = digits.values(ofEight: text.eightBytes(at))
            if !areDigits { all = 64 }
            bytes.append(eightBytes: (Self.packed(word) << 16).byteSwapped, count: 6)
        }
        let values = digits.values.span
        let whole = text.count & ~3
        for at in stride(from: long, to: whole, by: 4) {
            let first = UInt32(values[Int(text[at])])
            let second = UInt32(values[Int(text[at + 1])])
            let third = UInt32(values[Int(text[at + 2])])
            let fourth = UInt32(values[Int(text[at + 3])])
            all |= first | second | third | fourth
            let word = first << 18 | second << 12 | third << 6 | fourth
            bytes.append(UInt8(truncatingIfNeeded: word >> 16))
            bytes.append(UInt8(truncatingIfNeeded: word >> 8))
            bytes.append(UInt8(truncatingIfNeeded: word))
        }
        var word: UInt32 = 0
        for at in whole..<text.count {
            let value = UInt32(values[Int(text[at])])
            all |= value
            word = word << 6 | value
        }
        switch text.count - whole {
        case 2:
            bytes.append(UInt8(truncatingIfNeeded: word >> 4))
            return all < 64 && word & 15 == 0
        case 3:
            bytes.append(UInt8(truncatingIfNeeded: word >> 10))
            bytes.append(UInt8(truncatingIfNeeded: word >> 2))
            return all < 64 && word & 3 == 0
        default: return all < 64
        }
    }

    /// Eight values of six bits, the first in the lowest byte, as one number of 48 bits, the first the highest.
    @inline(__always)
    private static func packed(_ values: UInt64) -> UInt64 {
        var word = values.byteSwapped
        word = (word & 0x3F00_3F00_3F00_3F00) >> 2 | (word & 0x003F_003F_003F_003F)
        word = (word & 0x0FFF_0000_0FFF_0000) >> 4 | (word & 0x0000_0FFF_0000_0FFF)
        return (word & 0x00FF_FFFF_0000_0000) >> 8 | (word & 0x0000_0000_00FF_FFFF)
    }

    /// An alphabet, both ways.
    private struct Digits: Sendable {
        let all: [UInt8]
        /// Of each byte; 64 for what is no digit.
        let values: [UInt8]
        /// Those of 62 and 63, eight times each.
        private let last: (UInt64, UInt64)

        init(_ text: String) {
            all = Array(text.utf8)
            var values = [UInt8](repeating: 64, count: 256)
            for (value, digit) in all.enumerated() { values[Int(digit)] = UInt8(value) }
            self.values = values
            last = (Self.each(all[62]), Self.each(all[63]))
        }

        /// The same of eight bytes at once, in the bytes of a word.
        /// - Returns: no values where one of them is no digit.
        @inline(__always)
        func values(ofEight word: UInt64) -> (values: UInt64, areDigits: Bool) {
            let high = Self.each(0x80)
            let bytes = word & ~high
            // The highest bit of each byte says what the byte is: no sum goes on to the next byte.
            let upper = Self.from("A", bytes) & ~Self.from("[", bytes)
            let lower = Self.from("a", bytes) & ~Self.from("{", bytes)
            let decimal = Self.from("0", bytes) & ~Self.from(":", bytes)
            let isLast = (~((bytes ^ last.0) &+ Self.each(0x7F)) & high, ~((bytes ^ last.1) &+ Self.each(0x7F)) & high)
            let areDigits = (upper | lower | decimal | isLast.0 | isLast.1) & ~word & high == high
            let values =
                (bytes & Self.mask(upper | lower | decimal)) &+ (Self.each(4) & Self.mask(decimal))
                &- (Self.each(65) & Self.mask(upper)) &- (Self.each(71) & Self.mask(lower))
            return (values | Self.each(62) & Self.mask(isLast.0) | Self.each(63) & Self.mask(isLast.1), areDigits)
        }

        @inline(__always)
        private static func each(_ byte: UInt8) -> UInt64 { UInt64(byte) &* 0x0101_0101_0101_0101 }

        /// The highest bit of each byte that is not below `first`; all are below 0x80.
        @inline(__always)
        private static func from(_ first: Unicode.Scalar, _ bytes: UInt64) -> UInt64 {
            (bytes &+ each(0x80 - UInt8(ascii: first))) & each(0x80)
        }

        /// The seven lower bits of each byte whose highest bit is set.
        @inline(__always)
        private static func mask(_ highest: UInt64) -> UInt64 { highest &- highest >> 7 }
    }
}

extension SHA256Digest {
    /// The length of its base64url.
    package static let base64URLCount = 43

    /// Takes a digest by its base64url without padding; nil for anything that is not its one encoding.
    package init?(base64URL text: Span<UInt8>) {
        guard text.count == Self.base64URLCount else { return nil }
        var isCanonical = false
        self.init { bytes in isCanonical = Base64.url.decode(text, into: &bytes) }
        guard isCanonical else { return nil }
    }

    /// Appends its base64url without padding.
    package func appendBase64URL(to text: inout [UInt8]) { withSpan { Base64.url.append($0, to: &text) } }
}
