import Foundation
import Testing

@testable import JSON

@Suite struct JSONTextTests {
    private func written(_ body: (inout [UInt8]) -> Void) -> String {
        var text: [UInt8] = []
        body(&text)
        return String(decoding: text, as: UTF8.self)
    }

    @Test(arguments: ["", "plain", "q\"b\\s/", "\u{0}\u{1F}\u{7F}\n\t", "é😀", "a,b:{}[]"])
    func stringsComeBackFromTwoReaders(_ text: String) throws {
        let json = written { JSONText.append(string: text.utf8, to: &$0) }
        #expect(try JSONValue(parsing: Array(json.utf8)).utf8 == Array(text.utf8))
        #expect(try JSONDecoder().decode([String].self, from: Data("[\(json)]".utf8)) == [text])
        #expect(json == written { JSONText.append(string: Array(text.utf8), to: &$0) })
    }

    @Test func scalars() {
        #expect(written { JSONText.append(integer: 0, to: &$0) } == "0")
        #expect(written { JSONText.append(integer: Int64.min, to: &$0) } == "-9223372036854775808")
        #expect(written { JSONText.append(integer: UInt64.max, to: &$0) } == "18446744073709551615")
        #expect(written { JSONText.append(bool: true, to: &$0) } == "true")
        #expect(written { JSONText.append(bool: false, to: &$0) } == "false")
        #expect(written { JSONText.appendNull(to: &$0) } == "null")
        #expect(written { JSONText.append(optional: nil, to: &$0) } == "null")
        #expect(written { JSONText.append(optional: "x", to: &$0) } == "\"x\"")
    }
}

@Suite struct JSONValueTests {
    @Test(arguments: [
        #"{"b":[1,-2,"x\"\u0001"],"a":{},"n":null,"t":true,"f":false,"d":1.50e3,"e":[]}"#, "[]", "1", #""é""#,
    ])
    func aValueIsWrittenAsItWasRead(_ text: String) throws {
        #expect(try JSONValue(parsing: Array(text.utf8)).utf8Text == Array(text.utf8))
    }

    @Test func absentMembersAreLeftOut() {
        let value = JSONValue.object(["a": .integer(1), "b": nil, "c": .text("x")])
        #expect(value.utf8Text == Array(#"{"a":1,"c":"x"}"#.utf8))
    }
}

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

    /// At each place of a whole group and of the rest after it, by each byte that is no digit.
    @Test func noOtherByteIsADigit() {
        let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
        for place in 0..<7 {
            for byte in UInt8.min...UInt8.max {
                var text = Array("Zm9vZm8".utf8)
                text[place] = byte
                // The last digit's two lowest bits are no part of a byte: they must be 0.
                let isDigit = digits.firstIndex(of: byte).map { place < 6 || $0 % 4 == 0 } ?? false
                #expect((Base64.url.decode(text.span) != nil) == isDigit, "byte \(byte) at \(place)")
            }
        }
    }

    @Test func everyByteComesBack() {
        let all = (0...255).map { UInt8($0) }
        for count in 253...256 {
            let bytes = Array(all.prefix(count))
            #expect(Base64.standard.encode(bytes) == Data(bytes).base64EncodedString())
            #expect(Base64.url.decode(Base64.url.encode(bytes)) == bytes)
        }
    }
}
