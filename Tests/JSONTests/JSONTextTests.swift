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
