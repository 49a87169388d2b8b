import Residency
import Testing

@testable import S3

@Suite struct BodyTests {
    /// The check values over "123456789" of the catalogue of parametrised CRC algorithms (reveng.sourceforge.io), and FIPS 180-4's
    /// digests of the same text.
    @Test(arguments: [
        (ChecksumAlgorithm.crc32, "cbf43926"), (.crc32c, "e3069283"), (.crc64nvme, "ae8b14860a799888"),
        (.sha1, "f7c3bc1d808e04732adf679965ccc34ca7ae3441"),
        (.sha256, "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225"),
    ])
    func checksumsHaveTheirPublishedCheckValues(algorithm: ChecksumAlgorithm, expected: String) {
        for split in 0...9 {
            var checksum = Checksum(algorithm)
            let text = Array("123456789".utf8)
            checksum.update(text.span.extracting(0..<split))
            checksum.update(text.span.extracting(split..<9))
            #expect(hex(checksum.finish()) == expected)
        }
    }

    /// The object's bytes and the verified checksum's algorithm, or the error, of a body in pieces of `pieceBytes`.
    func take(
        _ body: String, _ fields: [(String, String)], length: Int64?, pieceBytes: Int = .max
    ) throws(S3Error) -> String {
        guard let put = try request(.put, "/mail-dub1/a", fields, length: length).put else { return "no put" }
        var taken = PutBody(put)
        var object: [UInt8] = []
        let bytes = Array(body.utf8)
        var at = 0
        while at < bytes.count {
            let end = min(bytes.count, pieceBytes == .max ? bytes.count : at + pieceBytes)
            try taken.take(bytes.span.extracting(at..<end)) { run in for i in run.indices { object.append(run[i]) } }
            at = end
        }
        _ = try taken.finish()
        return String(decoding: object, as: UTF8.self)
    }

    static let trailing = [
        ("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"), ("x-amz-decoded-content-length", "9"),
        ("content-encoding", "aws-chunked"), ("x-amz-trailer", "x-amz-checksum-crc32"),
    ]
    static let chunkedBody = "4\r\n1234\r\n5\r\n56789\r\n0\r\nx-amz-checksum-crc32:y/Q5Jg==\r\n\r\n"

    @Test(arguments: [1, 2, 3, 7, 1000])
    func anAWSChunkedBodyIsDecodedWhateverItsPieces(pieceBytes: Int) throws {
        #expect(try take(Self.chunkedBody, Self.trailing, length: nil, pieceBytes: pieceBytes) == "123456789")
    }

    @Test(arguments: [
        ("4\r\n1234\r\n5\r\n56789\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n", S3ErrorCode.badDigest),
        ("4\r\n1234\r\n5\r\n56789\r\n0\r\n\r\n", .invalidRequest),
        ("4\r\n1234\r\n5\r\n56789\r\n0\r\nx-amz-checksum-sha1:y/Q5Jg==\r\n\r\n", .invalidRequest),
        ("4\r\n1234\r\n5\r\n56789\r\n0\r\n", .incompleteBody), ("4\r\n1234\r\n0\r\n\r\n", .incompleteBody),
        ("4\n1234\r\n", .incompleteBody), ("+4\r\n1234\r\n", .incompleteBody), ("4\r\n12345\r\n", .incompleteBody),
        ("9\r\n123456789\r\n1\r\n0\r\n", .incompleteBody), ("\r\n", .incompleteBody),
        ("10000000000000000\r\n", .incompleteBody), (String(repeating: "0", count: 1100), .incompleteBody),
        (chunkedBody + "x", .incompleteBody),
    ])
    func aMalformedOrDishonestOneIsNot(body: String, code: S3ErrorCode) {
        for pieceBytes in [1, 5, Int.max] {
            do throws(S3Error) {
                let object = try take(body, Self.trailing, length: nil, pieceBytes: pieceBytes)
                Issue.record("\(body) gave \(object)")
            } catch { #expect(error.code == code, "\(body)") }
        }
    }

    /// Nobody would verify it: what was sent with it must not be stored as if somebody had.
    @Test func aTrailerThatWasNotAnnouncedIsRefused() throws {
        let fields = Self.trailing.filter { $0.0 != "x-amz-trailer" }
        #expect(try take("9\r\n123456789\r\n0\r\n\r\n", fields, length: nil) == "123456789")
        for checksum in ["y/Q5Jg==", "AAAAAA=="] {
            do throws(S3Error) {
                _ = try take("9\r\n123456789\r\n0\r\nx-amz-checksum-crc32:\(checksum)\r\n\r\n", fields, length: nil)
                Issue.record("\(checksum) was not looked at")
            } catch { #expect(error.code == .invalidRequest) }
        }
    }

    @Test func aPlainBodyHasItsDeclaredLengthAndChecksum() throws {
        #expect(try take("123456789", [("x-amz-checksum-crc32", "y/Q5Jg==")], length: 9) == "123456789")
        #expect(try take("", [], length: 0) == "")
        #expect(try take("of unknown length", [], length: nil) == "of unknown length")
        #expect(throws: S3Error(.badDigest)) {
            try take("12345678x", [("x-amz-checksum-crc32", "y/Q5Jg==")], length: 9)
        }
        #expect(throws: S3Error(.incompleteBody)) { try take("12345678", [], length: 9) }
        #expect(throws: S3Error(.incompleteBody)) { try take("1234567890", [], length: 9) }
    }

    @Test(arguments: [
        ([("content-md5", "x")], S3ErrorCode.invalidDigest), ([("content-md5", "AAAA")], .invalidDigest),
        ([("x-amz-content-sha256", "abc")], .invalidArgument),
        ([("x-amz-checksum-crc32", "AAAA")], .invalidRequest), ([("x-amz-checksum-md4", "AAAA")], .invalidRequest),
        ([("x-amz-checksum-crc32", "AAAAAA=="), ("x-amz-checksum-sha1", "AAAA")], .invalidRequest),
        ([("x-amz-meta-bailiwick-tag", "x")], .invalidTag), ([("X-Amz-Meta-Bailiwick-", "x")], .invalidTag),
        ([("x-amz-meta-a", String(repeating: "x", count: 2048))], .metadataTooLarge),
        ([("x-amz-acl", "public-read")], .notImplemented), ([("x-amz-storage-class", "GLACIER")], .notImplemented),
        ([("x-amz-tagging", "a=b")], .notImplemented), ([("If-None-Match", "\"e\"")], .notImplemented),
        ([("Content-Type", "a/b"), ("Content-Type", "c/d")], .invalidRequest),
        ([("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD")], .notImplemented),
        ([("content-encoding", "aws-chunked")], .missingContentLength),
        ([("x-amz-decoded-content-length", "-1")], .missingContentLength),
        (
            [("content-encoding", "aws-chunked"), ("x-amz-decoded-content-length", "1"), ("x-amz-trailer", "x")],
            .invalidRequest
        ),
        (trailing + [("x-amz-checksum-crc32", "y/Q5Jg==")], .invalidRequest),
        ([("x-amz-trailer", "x-amz-checksum-crc32")], .invalidRequest),
        (trailing + [("x-amz-checksum-sha1", "AAAAAAAAAAAAAAAAAAAAAAAAAAA=")], .invalidRequest),
    ])
    func aPutThatCannotBeHonouredIsRefusedBeforeItsBody(fields: [(String, String)], code: S3ErrorCode) {
        guard case .failure(let error) = outcome(.put, "/mail-dub1/a", fields, length: 9) else {
            Issue.record("\(fields) was accepted")
            return
        }
        #expect(error.code == code, "\(fields)")
    }

    @Test func aPutOverFiveGibibytesIsTooLarge() {
        guard case .failure(let error) = outcome(.put, "/mail-dub1/a", length: (5 << 30) + 1) else {
            Issue.record("it was accepted")
            return
        }
        #expect(error.code == .entityTooLarge)
    }

    @Test func theContentsOwnEncodingStaysAndAWSsGoes() throws {
        let fields = Self.trailing.filter { $0.0 != "content-encoding" } + [("content-encoding", "aws-chunked, gzip")]
        let put = try #require(try request(.put, "/mail-dub1/a", fields).put)
        #expect(put.headers.map(\.name) == ["content-encoding"])
        #expect(put.headers[0].value == Array("gzip".utf8))
    }
}

private func hex(_ bytes: [UInt8]) -> String {
    bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
}
