import Testing

@testable import S3

/// RFC 9110, sections 13.1 and 13.2.2, as S3 evaluates them.
@Suite struct ConditionsTests {
    /// The object's entity tag is `e`, and it was modified at 1000.
    @Test(arguments: [
        ([], Conditions.Outcome.proceed), ([("If-Match", "\"e\"")], .proceed), ([("If-Match", "e")], .proceed),
        ([("If-Match", "*")], .proceed), ([("If-Match", "\"x\", \"e\"")], .proceed),
        ([("If-Match", "\"x\"")], .preconditionFailed), ([("If-None-Match", "\"e\"")], .notModified),
        ([("If-None-Match", "W/\"e\"")], .notModified), ([("If-None-Match", "*")], .notModified),
        ([("If-None-Match", "\"x\"")], .proceed), ([("If-Modified-Since", "1000")], .notModified),
        ([("If-Modified-Since", "999")], .proceed), ([("If-Unmodified-Since", "1000")], .proceed),
        ([("If-Unmodified-Since", "999")], .preconditionFailed),
        ([("If-Match", "\"e\""), ("If-Unmodified-Since", "999")], .proceed),
        ([("If-None-Match", "\"x\""), ("If-Modified-Since", "1000")], .proceed),
        ([("If-Modified-Since", "no date")], .proceed), ([("If-Unmodified-Since", "no date")], .proceed),
        ([("If-Match", "\"*\"")], .preconditionFailed), ([("If-None-Match", "\"*\"")], .proceed),
        ([("If-Match", ", \"e\",")], .proceed),
    ])
    func theyAreEvaluatedInTheOrderOfTheRFC(fields: [(String, String)], expected: Conditions.Outcome) {
        let conditions = requestFields(fields).conditions
        let outcome = conditions.evaluate(etag: "e", lastModifiedSeconds: 1000) {
            Int64(String(decoding: $0, as: UTF8.self))
        }
        #expect(outcome == expected)
    }

    @Test func whereTheEntityTagIsWithheldNothingMatchesIt() {
        let conditions = requestFields([("If-Match", "\"e\"")]).conditions
        #expect(conditions.evaluate(etag: nil, lastModifiedSeconds: 0) { _ in nil } == .preconditionFailed)
    }

    /// RFC 9110, section 5.6.1: a list has an element that is not empty. One of nothing is no `*`.
    @Test(arguments: ["If-Match", "If-None-Match"], ["", ",", "\t", " , ,"])
    func aListOfNoEntityTagIsInvalid(name: String, value: String) {
        for method in [S3Method.get, .head, .put, .delete] {
            guard case .failure(let error) = outcome(method, "/mail-dub1/a", [(name, value)], length: 0) else {
                Issue.record("\(method) took it")
                continue
            }
            #expect(error.code == .invalidArgument)
        }
    }

    /// No entity tags stand for whichever there is: only the bare asterisk says that.
    @Test func onlyTheAsteriskMatchesWhateverIsThere() throws {
        func tags(_ value: String) throws -> [String]? {
            try request(.put, "/mail-dub1/a", [("If-Match", value)], length: 0).put?.mustMatch
        }
        #expect(try tags("*") == [])
        #expect(try tags("\"*\"") == ["*"])
        #expect(try tags("\"a\", ,b") == ["a", "b"])
        #expect(try tags("\"\"") == [""])
    }

    /// RFC 9110, section 13.1.5: a range of an object that was replaced meanwhile is not the rest of the old one.
    @Test(arguments: ["\"e\"", "Sun, 06 Nov 1994 08:49:37 GMT", "x", ""])
    func aRangeUnderAConditionIsIgnored(condition: String) throws {
        let fields = [("Range", "bytes=5-"), ("If-Range", condition)]
        #expect(try request(.get, "/mail-dub1/a", fields).selection?.range == nil)
        #expect(try request(.get, "/mail-dub1/a", fields.reversed()).selection?.range == nil)
        #expect(try request(.get, "/mail-dub1/a", [("Range", "bytes=5-")]).selection?.range == .from(5, through: nil))
    }

    @Test(
        arguments: [
            ("bytes=0-9", 100, 0..<10), ("bytes=0-", 100, 0..<100), ("bytes=-5", 100, 95..<100),
            ("bytes=-500", 100, 0..<100), ("bytes=99-1000", 100, 99..<100), ("bytes=0-0", 1, 0..<1),
            ("bytes=99-999999999999999999", 100, 99..<100),
        ] as [(String, Int64, Range<Int64>)])
    func aRangeIsResolved(text: String, size: Int64, expected: Range<Int64>) {
        #expect(ByteRange(Array(text.utf8))?.resolve(size: size) == expected)
    }

    @Test(arguments: [("bytes=100-", 100), ("bytes=-0", 100), ("bytes=0-", 0), ("bytes=-1", 0)] as [(String, Int64)])
    func aRangeWithoutAByteIsNotSatisfiable(text: String, size: Int64) throws {
        let range = try #require(ByteRange(Array(text.utf8)))
        #expect(range.resolve(size: size) == nil)
    }

    @Test(arguments: [
        "bytes=5-4", "bytes=", "bytes=-", "bytes=0-1,3-4", "items=0-1", "bytes=a-b", "bytes= 0-1", "bytes=0-1-2",
        "bytes=1234567890123456789-", "0-1",
    ])
    func whatIsNoSingleRangeIsIgnored(text: String) { #expect(ByteRange(Array(text.utf8)) == nil) }
}
