import Residency
import Testing

@testable import S3

@Suite struct AnswerTests {
    func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

    /// The elements and their order are those of the API reference's example of ListObjectsV2.
    @Test func aListingHasS3sElementsInS3sOrder() throws {
        let listing = try #require(
            try request(.get, "/mail-dub1?list-type=2&prefix=a&delimiter=%2F&start-after=A&max-keys=2").listing)
        let objects = [
            ListedObject(
                key: Array("a&<>\"\u{1}ü".utf8), size: 5, lastModifiedSeconds: 1_700_000_000,
                etag: "d41d8cd98f00b204e9800998ecf8427e")
        ]
        let bucket = try #require(BucketName("mail-dub1"))
        let xml = text(
            AnswerBody.list(
                listing, bucket: bucket, objects: objects, commonPrefixes: [Array("ab/".utf8)],
                next: Array("ab/".utf8)))
        #expect(
            xml == """
                <?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">\
                <Name>mail-dub1</Name><Prefix>a</Prefix><StartAfter>A</StartAfter>\
                <NextContinuationToken>1-61622f</NextContinuationToken><KeyCount>2</KeyCount><MaxKeys>2</MaxKeys>\
                <Delimiter>/</Delimiter><IsTruncated>true</IsTruncated><Contents><Key>a&amp;&lt;&gt;&quot;&#x1;ü</Key>\
                <LastModified>2023-11-14T22:13:20.000Z</LastModified><ETag>&quot;d41d8cd98f00b204e9800998ecf8427e&quot;</ETag>\
                <Size>5</Size><StorageClass>STANDARD</StorageClass></Contents><CommonPrefixes><Prefix>ab/</Prefix>\
                </CommonPrefixes></ListBucketResult>
                """)
    }

    @Test func underEncodingTypeUrlKeysArePercentEncoded() throws {
        let listing = try #require(
            try request(.get, "/mail-dub1?list-type=2&encoding-type=url&prefix=%C3%BC").listing)
        let object = ListedObject(key: Array("ü +/~".utf8), size: 0, lastModifiedSeconds: 0, etag: nil)
        let bucket = try #require(BucketName("mail-dub1"))
        let xml = text(AnswerBody.list(listing, bucket: bucket, objects: [object], commonPrefixes: [], next: nil))
        #expect(xml.contains("<Key>%C3%BC%20%2B/~</Key>"))
        #expect(xml.contains("<Prefix>%C3%BC</Prefix>"))
        #expect(xml.contains("<EncodingType>url</EncodingType>"))
        #expect(!xml.contains("ETag"))
    }

    @Test func aRefusalSaysWhoseBorderItIsAndWhomToAsk() throws {
        let jurisdiction = try #require(Jurisdiction("IE"))
        let refusal = Refusal(.authorizationRequired, jurisdiction: jurisdiction, datacenter: DatacenterName("dub1"))
        #expect(refusal.code == .accessDenied)
        let xml = text(
            AnswerBody.error(
                code: refusal.code, message: refusal.message, resource: Array("/mail-dub1/a".utf8), requestID: "R",
                jurisdiction: jurisdiction, reason: .authorizationRequired, decision: 7))
        #expect(
            xml.contains(
                "<Jurisdiction>IE</Jurisdiction><Reason>authorization-required</Reason><DecisionIndex>7</DecisionIndex>"
            ))
        #expect(refusal.message.contains("legal desk of IE"))
    }

    /// DESIGN section 6: a refusal is 403 AccessDenied, `overloaded` and `log-unavailable` are 503.
    @Test(arguments: Reason.allCases.filter { !$0.allows })
    func everyReasonToRefuseHasItsCodeAndItsWords(reason: Reason) {
        let refusal = Refusal(reason, jurisdiction: Jurisdiction("IE"), datacenter: DatacenterName("dub1"))
        switch reason {
        case .overloaded: #expect(refusal.code == .slowDown && refusal.code.status == 503)
        case .logUnavailable: #expect(refusal.code == .serviceUnavailable && refusal.code.status == 503)
        case .badRequest: #expect(refusal.code.status == 400)
        case .unsupported: #expect(refusal.code.status == 501)
        default: #expect(refusal.code == .accessDenied && refusal.code.status == 403)
        }
        #expect(refusal.message.count > 10)
    }

    @Test func anUnknownBucketTellsNothing() {
        let refusal = Refusal(.notEntitled, jurisdiction: nil, datacenter: nil, isUnknownBucket: true)
        #expect(refusal.code == .noSuchBucket)
        #expect(refusal.message == "The specified bucket does not exist")
    }
}
