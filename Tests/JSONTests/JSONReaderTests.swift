import Testing

@testable import JSON

private func problem(_ text: String, depthMax: Int = 8) -> JSONError.Problem? {
    problem(Array(text.utf8), depthMax: depthMax)
}

private func problem(_ bytes: [UInt8], depthMax: Int = 8) -> JSONError.Problem? {
    do throws(JSONError) {
        _ = try JSONValue(parsing: bytes, depthMax: depthMax, bytesMax: 8192)
        return nil
    } catch { return error.problem }
}

@Suite struct JSONReaderTests {
    /// RFC 8259; what other readers let through and a verifier must not.
    @Test(arguments: [
        ("", JSONError.Problem.unexpectedEnd), (" ", .unexpectedEnd), ("{", .unexpectedEnd), ("[1", .unexpectedEnd),
        ("\"a", .unexpectedEnd), ("\"\\", .unexpectedEnd), ("-", .unexpectedEnd), ("1.", .unexpectedEnd),
        ("tru", .unexpectedEnd),
        ("{\"a\":1,}", .unexpected), ("[1,]", .badNumber), ("[,1]", .badNumber), ("{,}", .unexpected),
        ("{\"a\" 1}", .unexpected), ("{a:1}", .unexpected), ("{'a':1}", .unexpected), ("[1 2]", .unexpected),
        ("[1}", .unexpected), ("trUe", .unexpected), ("{\"a\":1]", .unexpected),
        ("{} ", nil), ("{}x", .trailingBytes), ("1 2", .trailingBytes), ("{}\u{0}", .trailingBytes),
        ("\u{FEFF}{}", .badNumber), ("// x\n1", .badNumber), ("NaN", .badNumber), ("Infinity", .badNumber),
        ("+1", .badNumber), (".5", .badNumber), ("01", .badNumber), ("-01", .badNumber), ("0x10", .trailingBytes),
        ("1.e5", .badNumber), ("1e", .unexpectedEnd), ("1e+x", .badNumber), ("--1", .badNumber),
        ("\"\t\"", .badString), ("\"\n\"", .badString), ("\"\\x41\"", .badString), ("\"\\u12g4\"", .badString),
        ("\"\\ud800\"", .badString), ("\"\\udc00\"", .badString), ("\"\\ud800\\u0041\"", .badString),
        ("\"\\ud800\\ud800\"", .badString), ("\"\\u+123\"", .badString), ("\"\\u\u{FF11}234\"", .badString),
        ("{\"a\":1,\"a\":2}", .duplicateName), ("{\"iss\":1,\"\\u0069ss\":2}", .duplicateName),
        ("{\"\":1,\"\":2}", .duplicateName), ("[{\"a\":{\"b\":1,\"b\":1}}]", .duplicateName),
    ])
    func isStrict(_ text: String, _ expected: JSONError.Problem?) {
        #expect(problem(text) == expected)
    }

    @Test(
        arguments: [
            [0x22, 0xFF, 0x22], [0x22, 0xC0, 0xAF, 0x22], [0x22, 0xED, 0xA0, 0x80, 0x22], [0x22, 0xC3],
            [0x22, 0xF4, 0x90, 0x80, 0x80, 0x22], [0xEF, 0xBB], [0x22, 0x80, 0x22],
        ] as [[UInt8]])
    func takesValidUTF8Alone(_ bytes: [UInt8]) {
        #expect(problem(bytes) == .notUTF8)
    }

    /// Few names are compared and many are hashed: a second one is found among both.
    @Test(arguments: [0, 1, 15, 16, 17, 40])
    func findsTheSecondOfANameAmongMany(_ place: Int) {
        let members = (0...40).map { "\"name\($0)\":\($0)" }
        #expect(problem("{" + members.joined(separator: ",") + "}") == nil)
        #expect(problem("{" + (members + ["\"name\(place)\":0"]).joined(separator: ",") + "}") == .duplicateName)
    }

    /// A name is what its escapes say, wherever it stands among the others.
    @Test(arguments: [0, 1, 5, 11, 12, 13, 40])
    func findsANameWithEscapesAmongOthers(_ place: Int) throws {
        let names = (0...40).map { $0 == place ? "n\\u0061me\($0)" : "name\($0)" }
        let members = names.enumerated().map { "\"\($1)\":\($0)" }
        let value = try JSONValue(parsing: Array("{\(members.joined(separator: ","))}".utf8))
        let object = try #require(value.object)
        for index in 0...40 { #expect(object["name\(index)"]?.integer == Int64(index)) }
        #expect(object.members.map(\.name.text) == (0...40).map { "name\($0)" })
        #expect(problem("{" + (members + ["\"name\(place)\":0"]).joined(separator: ",") + "}") == .duplicateName)
        #expect(problem("{" + (members + ["\"n\\u0061me40\":0"]).joined(separator: ",") + "}") == .duplicateName)
    }

    /// What an object takes is bounded by its own length, not by the text's, whatever its names are.
    @Test func takesNoMoreForNamesWithEscapes() throws {
        let start = ContinuousClock.now
        let count = 100_000
        let objects = String(repeating: "{\"\\u0061\":1},", count: count)
        let array = try JSONValue(parsing: Array("[\(objects){}]".utf8)).array
        #expect(array?.count == count + 1 && array?.first?.object?["a"]?.integer == 1)
        let members = (0..<count).map { "\"\\u0061\($0)\":1" }.joined(separator: ",")
        let object = try JSONValue(parsing: Array("{\(members)}".utf8)).object
        #expect(object?.members.count == count && object?["a99999"]?.integer == 1)
        #expect(ContinuousClock.now - start < .seconds(60))
    }

    @Test func boundsDepthAndSize() {
        func nested(_ depth: Int) -> String {
            String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
        }
        #expect(problem(nested(8)) == nil)
        #expect(problem(nested(9)) == .tooDeep)
        #expect(problem(String(repeating: "{\"a\":", count: 9) + "1" + String(repeating: "}", count: 9)) == .tooDeep)
        #expect(problem(String(repeating: " ", count: 8191) + "1") == nil)
        #expect(problem(String(repeating: " ", count: 8192) + "1") == .tooLarge)
    }

    @Test func keepsNumbersThatAreNoIntegersAsText() throws {
        let text = "[0,-0,9223372036854775807,-9223372036854775808,9223372036854775808,1.0,1e3,-2E-7,1.5e+10]"
        let values = try #require(JSONValue(parsing: Array(text.utf8)).array)
        #expect(values[...3].map(\.integer) == [0, 0, .max, .min])
        #expect(values[4...].map(\.integer) == [nil, nil, nil, nil, nil])
        guard case .number("9223372036854775808") = values[4], case .number("1.0") = values[5],
            case .number("1e3") = values[6]
        else {
            Issue.record("other numbers")
            return
        }
    }

    @Test func comparesNamesAndStringsAsBytes() throws {
        // Canonically equivalent, and so equal as Swift strings, but two names.
        let value = try JSONValue(parsing: Array("{\"\u{E9}\":1,\"e\u{301}\":2}".utf8))
        #expect(value.object?["\u{E9}"]?.integer == 1)
        #expect(value.object?["e\u{301}"]?.integer == 2)
        #expect(value.object?["e"] == nil)
        #expect(JSONString("\u{E9}") != JSONString("e\u{301}"))
    }

    @Test func resolvesEscapes() throws {
        let value = try JSONValue(parsing: Array(#""\"\\\/\b\f\n\r\t\u0041\u00e9\uD83D\ude00\u0000é😀""#.utf8))
        #expect(value.utf8 == Array("\"\\/\u{8}\u{C}\n\r\tA\u{E9}😀\u{0}é😀".utf8))
    }

    @Test(arguments: [#"a\nb\tc"#, #"\n"#, #"ab\n"#, #"\nab"#, #"\n\n"#, "", "ab"])
    func keepsWhatStandsBetweenEscapes(_ text: String) throws {
        let value = try JSONValue(parsing: Array("\"\(text)\"".utf8))
        let meant = text.replacingOccurrences(of: #"\n"#, with: "\n").replacingOccurrences(of: #"\t"#, with: "\t")
        #expect(value.string == meant)
    }

    @Test func keepsTheOrderOfMembers() throws {
        let value = try JSONValue(parsing: Array(#" { "b" : [ true , false , null ] , "a" : { } , "c" : [ ] } "#.utf8))
        let object = try #require(value.object)
        #expect(object.members.map(\.name.text) == ["b", "a", "c"])
        let array = try #require(object["b"]?.array)
        #expect(array[0].bool == true && array[1].bool == false && array[2].isNull)
        #expect(object["a"]?.object?.members.isEmpty == true && object["c"]?.array?.isEmpty == true)
    }

    @Test func saysWhere() throws {
        do throws(JSONError) {
            _ = try JSONValue(parsing: Array(#"{"a":1,"a":2}"#.utf8))
            Issue.record("accepted")
        } catch {
            #expect(error.offset == 7)
            #expect(error.description == "two members of one name at offset 7")
        }
    }
}
