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
        var count = 0
        var bits: UInt32 = 0
        var bitCount = 0
        for index in text.indices {
            let value = values[Int(text[index])]
            guard value < 64 else { return nil }
            bits = bits << 6 | UInt32(value)
            bitCount += 6
            if bitCount >= 8 {
                bitCount -= 8
                bytes[count] = UInt8(truncatingIfNeeded: bits >> UInt32(bitCount))
                count += 1
            }
        }
        guard bits & 3 == 0 else { return nil }
        return SHA256Digest(bytes.span, at: 0)
    }

    /// The value of each character; 64 for what is none.
    private static let values: InlineArray<256, UInt8> = {
        var values = InlineArray<256, UInt8>(repeating: 64)
        for (value, character) in alphabet.enumerated() { values[Int(character)] = UInt8(value) }
        return values
    }()
}
