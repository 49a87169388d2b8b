import Foundation
import Testing

@testable import OpenSSL

/// RFC 4648, section 10, and what section 3.5 lets a decoder refuse.
@Suite struct Base64Tests {
    @Test(arguments: [
        ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="),
        ("foobar", "Zm9vYmFy"),
    ])
    func vectors(_ plain: String, _ encoded: String) {
        #expect(Base64.standard.encode(Array(plain.utf8)) == encoded)
        #expect(Base64.standard.decode(encoded) == Array(plain.utf8))
        let url = encoded.replacing("=", with: "")
        #expect(Base64.url.encode(Array(plain.utf8)) == url)
        #expect(Base64.url.decode(url) == Array(plain.utf8))
    }

    @Test(arguments: ["Zh==", "Zm9=", "Zg=", "Zg", "Z===", "====", "Zm9v\n", " Zm9v", "Zm9v=", "Zm-_", "Zg==Zg==", "Z"])
    func standardIsStrict(_ text: String) {
        #expect(Base64.standard.decode(text) == nil)
    }

    @Test(arguments: ["Zh", "Zm9", "Zg==", "Z", "Zm+/", "Zm9v\n", "Zm9v ", "Zm9vA", "é"])
    func urlIsStrict(_ text: String) {
        #expect(Base64.url.decode(text) == nil)
    }

    /// At each place of two sixteens, of a group and of the rest after it, by each byte that is no digit.
    @Test func noOtherByteIsADigit() {
        let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
        let whole = Array("\(String(repeating: "Zm9v", count: 9))Zm8".utf8)
        for place in whole.indices {
            for byte in UInt8.min...UInt8.max {
                var text = whole
                text[place] = byte
                // The last digit's two lowest bits are no part of a byte: they must be 0.
                let isDigit = digits.firstIndex(of: byte).map { place < 38 || $0 % 4 == 0 } ?? false
                #expect((Base64.url.decode(text.span) != nil) == isDigit, "byte \(byte) at \(place)")
            }
        }
    }

    @Test func everyByteComesBack() {
        let all = (0...255).map { UInt8($0) }
        for count in Array(0...66) + [253, 254, 255, 256] {
            let bytes = Array(all.suffix(count))
            #expect(Base64.standard.encode(bytes) == Data(bytes).base64EncodedString())
            #expect(Base64.url.decode(Base64.url.encode(bytes)) == bytes)
        }
    }

    private func digest(_ text: [UInt8]) -> SHA256Digest? { SHA256Digest(base64URL: text.span) }

    @Test func digestsComeBack() {
        for seed in 0..<200 {
            let expected = SHA256Digest(hashing: Array("\(seed)".utf8))
            var text: [UInt8] = []
            expected.appendBase64URL(to: &text)
            #expect(String(decoding: text, as: UTF8.self) == Base64.url.encode(expected.bytes))
            #expect(digest(text) == expected)
            // A digest's base64url has one form: its last digit's two lowest bits are 0.
            #expect(digest(Array(text.dropLast())) == nil)
            #expect(digest(text + text.prefix(1)) == nil)
            for last in "BCDFGH-_=".utf8 {
                #expect(digest(text.dropLast() + [last]) == nil)
            }
            text[seed % 43] = UInt8(ascii: "+")
            #expect(digest(text) == nil)
        }
    }
}
