internal import OpenSSL

/// base64url without padding (RFC 4648 section 5) of the 32 bytes of a digest: always 43 characters.
enum Base64URL {
    static let digestCharacters = 43
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)

    static func append(_ digest: SHA256Digest, to text: inout [UInt8]) {
        let bytes = digest.bytes
        var at = 0
        while at + 3 <= 30 {
            let group = Int(bytes[at]) << 16 | Int(bytes[at + 1]) << 8 | Int(bytes[at + 2])
            text.append(alphabet[group >> 18])
            text.append(alphabet[group >> 12 & 63])
            text.append(alphabet[group >> 6 & 63])
            text.append(alphabet[group & 63])
            at += 3
        }
        let last = Int(bytes[30]) << 10 | Int(bytes[31]) << 2
        text.append(alphabet[last >> 12])
        text.append(alphabet[last >> 6 & 63])
        text.append(alphabet[last & 63])
    }

    /// The digest that was encoded; nil for anything that `append` does not write.
    static func digest(_ text: borrowing Span<UInt8>) -> SHA256Digest? {
        guard text.count == digestCharacters else { return nil }
        var bytes = InlineArray<32, UInt8>(repeating: 0)
        let values = Self.values
        // Ten groups of four characters and three bytes, then three characters and two bytes. A value above 63 shows in `all`.
        var all: UInt8 = 0
        for group in 0..<11 {
            var bits: UInt32 = 0
            for place in 0..<4 {
                let value = group < 10 || place < 3 ? values[Int(text[4 * group + place])] : 0
                all |= value
                bits = bits << 6 | UInt32(value)
            }
            bytes[3 * group] = UInt8(truncatingIfNeeded: bits >> 16)
            bytes[3 * group + 1] = UInt8(truncatingIfNeeded: bits >> 8)
            if group < 10 {
                bytes[3 * group + 2] = UInt8(truncatingIfNeeded: bits)
            } else if bits & 0xFF != 0 {
                return nil
            }
        }
        return all < 64 ? SHA256Digest(bytes.span, at: 0) : nil
    }

    /// The value of each character; 64 for what is none.
    private static let values: InlineArray<256, UInt8> = {
        var values = InlineArray<256, UInt8>(repeating: 64)
        for (value, character) in alphabet.enumerated() { values[Int(character)] = UInt8(value) }
        return values
    }()
}
