import Testing

@testable import OpenSSL

private func hex(_ bytes: [UInt8]) -> String {
    bytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
}

@Suite struct HashTests {
    /// FIPS 180-4's and RFC 1321's own example, "abc".
    @Test(arguments: [
        (HashAlgorithm.md5, "900150983cd24fb0d6963f7d28e17f72"), (.sha1, "a9993e364706816aba3e25717850c26c9cd0d89d"),
        (.sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    ])
    func abc(_ algorithm: HashAlgorithm, _ digest: String) {
        var hasher = Hasher(algorithm)
        hasher.update(Array("a".utf8))
        hasher.update(Array("bc".utf8))
        #expect(hex(hasher.finish()) == digest)
        hasher.update(Array("abc".utf8))
        #expect(hex(hasher.finish()) == digest)
    }

    /// RFC 4231, test case 2, over one part without its length: `authenticate(_:)`.
    @Test func hmac() throws {
        let key = HMACKey(Array("Jefe".utf8))
        let message = Array("what do ya want for nothing?".utf8)
        let expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        func authenticate(_ message: [UInt8]) -> SHA256Digest { key.authenticate(message.span) }
        #expect(authenticate(message).hex == expected)
        #expect(authenticate(message).hex == expected)
        #expect(key.authenticate(parts: [[1, 2], []]) == authenticate([0, 0, 0, 2, 1, 2, 0, 0, 0, 0]))
    }

    @Test func comparisonInConstantTime() {
        func isEqual(_ left: [UInt8], _ right: [UInt8]) -> Bool { isEqualInConstantTime(left.span, right.span) }
        #expect(isEqual([1, 2], [1, 2]))
        #expect(!isEqual([1, 2], [1, 3]))
        #expect(!isEqual([1, 2], [1]))
    }

    @Test func digestsCompareAndConvert() throws {
        let digest = SHA256Digest(hashing: Array("abc".utf8))
        #expect(SHA256Digest(bytes: digest.bytes) == digest)
        #expect(SHA256Digest(bytes: [1]) == nil)
        #expect(digest != .zero)
    }

    @Test func hexadecimal() {
        #expect(Hex.encode([0, 0xAB, 0xFF]) == "00abff")
        #expect(Hex.decode("00aBFf") == [0, 0xAB, 0xFF])
        for text in ["0", "0g", "0x", "+1", "1 "] { #expect(Hex.decode(text) == nil, "\(text)") }
    }
}
