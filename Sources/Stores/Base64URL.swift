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

    /// Is this what `append` writes of `digest`?
    static func isEncoding(_ text: borrowing Span<UInt8>, of digest: SHA256Digest) -> Bool {
        var expected: [UInt8] = []
        expected.reserveCapacity(digestCharacters)
        append(digest, to: &expected)
        return isEqualInConstantTime(expected.span, text)
    }

    /// The digest that was encoded; nil for anything that `append` does not write.
    static func digest(_ text: borrowing Span<UInt8>) -> SHA256Digest? {
        guard text.count == digestCharacters else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(33)
        var bits = 0
        var bitCount = 0
        for index in text.indices {
            guard let value = value(text[index]) else { return nil }
            bits = bits << 6 | value
            bitCount += 6
            if bitCount >= 8 {
                bitCount -= 8
                bytes.append(UInt8(bits >> bitCount))
                bits &= (1 << bitCount) - 1
            }
        }
        guard bits == 0 else { return nil }
        return SHA256Digest(bytes: bytes)
    }

    private static func value(_ character: UInt8) -> Int? {
        switch character {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): Int(character) - 65
        case UInt8(ascii: "a")...UInt8(ascii: "z"): Int(character) - 71
        case UInt8(ascii: "0")...UInt8(ascii: "9"): Int(character) + 4
        case UInt8(ascii: "-"): 62
        case UInt8(ascii: "_"): 63
        default: nil
        }
    }
}
