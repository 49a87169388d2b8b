import Residency
import Testing

@testable import S3

@Suite struct S3RequestTests {
    @Test(arguments: [
        (S3Method.get, "/", Operation.listBuckets), (.head, "/mail-dub1", .headBucket),
        (.head, "/mail-dub1/", .headBucket), (.get, "/mail-dub1?location", .getBucketLocation),
        (.get, "/mail-dub1?location=", .getBucketLocation), (.get, "/mail-dub1?list-type=2", .listObjectsV2),
        (.get, "/mail-dub1/?list-type=2&prefix=a%2F", .listObjectsV2), (.get, "/mail-dub1/a", .getObject),
        (.get, "/mail-dub1/a?x-id=GetObject", .getObject), (.head, "/mail-dub1/a", .headObject),
        (.put, "/mail-dub1/a", .putObject), (.delete, "/mail-dub1/a", .deleteObject),
    ])
    func operationsAreTold(method: S3Method, target: String, operation: Operation) throws {
        #expect(try request(method, target, length: 0).operation == operation)
    }

    @Test(arguments: [
        (S3Method.get, "/mail-dub1", S3ErrorCode.notImplemented), (.get, "/mail-dub1/a?acl", .notImplemented),
        (.get, "/mail-dub1/a?versionId=x", .notImplemented), (.get, "/mail-dub1?versions", .notImplemented),
        (.post, "/mail-dub1?delete", .notImplemented), (.post, "/mail-dub1/a?uploads", .notImplemented),
        (.put, "/mail-dub1/a?partNumber=1&uploadId=x", .notImplemented), (.put, "/mail-dub1", .notImplemented),
        (.delete, "/mail-dub1", .notImplemented), (.other, "/mail-dub1/a", .notImplemented),
        (.get, "/mail-dub1/a?response-content-type=text%2Fhtml", .invalidRequest),
        (.get, "/Mail", .invalidBucketName), (.get, "/ab/x", .invalidBucketName), (.get, "//x", .invalidBucketName),
        (.get, "/-ab/x", .invalidBucketName), (.get, "/a_b/x", .invalidBucketName),
        (.get, "/mail%2Fdub1/x", .invalidBucketName), (.get, "/mail-dub1/%", .invalidURI),
        (.get, "/mail-dub1/%4", .invalidURI), (.get, "/mail-dub1/%zz", .invalidURI),
        (.get, "/mail-dub1/%00", .invalidURI), (.get, "/mail-dub1/%ff", .invalidURI),
        (.get, "/mail-dub1/%c0%af", .invalidURI), (.get, "/mail-dub1/%ed%a0%80", .invalidURI),
        (.get, "/mail-dub1/a?x=%4", .invalidURI),
        (.get, "/mail-dub1/a?" + String(repeating: "x&", count: 65), .invalidURI),
        (.get, "/mail-dub1/" + String(repeating: "k", count: 1025), .keyTooLong),
    ])
    func whatIsNotBuiltOrNotWellFormedIsAnError(method: S3Method, target: String, code: S3ErrorCode) {
        switch outcome(method, target) {
        case .success(let request): Issue.record("\(target) was taken for \(request.operation)")
        case .failure(let error): #expect(error.code == code, "\(target)")
        }
    }

    @Test(arguments: [
        ("/mail-dub1/alice/INBOX/1", "alice/INBOX/1"), ("/mail-dub1/a+b", "a+b"), ("/mail-dub1/a%2Fb", "a/b"),
        ("/mail-dub1/..", ".."), ("/mail-dub1/../../etc/passwd", "../../etc/passwd"), ("/mail-dub1//a", "/a"),
        ("/mail-dub1/a//", "a//"), ("/mail-dub1/.", "."), ("/mail-dub1/%252F", "%2F"), ("/mail-dub1/%C3%BC", "ü"),
        ("/mail-dub1/a?prefix=b", "a"), ("/mail-dub1/%20", " "), ("/mail-dub1/a%3Fb", "a?b"),
        ("/mail-dub1/%01%0A", "\u{1}\n"), ("/mail-dub1/" + String(repeating: "k", count: 1024), nil),
    ])
    func keysAreDecodedOnceAndNeverNormalised(target: String, expected: String?) throws {
        let key = try request(.get, target).key
        #expect(key?.utf8 == Array((expected ?? String(repeating: "k", count: 1024)).utf8))
    }

    @Test(arguments: [
        ("/mail-dub1/a", [("Authorization", "AWS4-HMAC-SHA256 Credential=…")]),
        ("/mail-dub1/a", [("authorization", "AWS AKIA:sig")]),
        ("/mail-dub1/a", [("authorization", "aws4-hmac-sha256 Credential=…")]),
        ("/mail-dub1/a?X-Amz-Credential=x", []), ("/mail-dub1/a?X%2DAmz%2DSignature=0", []),
        ("/mail-dub1/a?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=0", []),
        ("/mail-dub1/a?AWSAccessKeyId=a&Signature=b&Expires=1", []),
    ])
    func aSignatureIsNeverAcceptedUnverified(target: String, fields: [(String, String)]) {
        guard case .failure(let error) = outcome(.get, target, fields) else {
            Issue.record("a signed request was accepted")
            return
        }
        #expect(error.code == .notImplemented)
    }

    @Test func tokensComeFromEveryPlaceAndAreBounded() throws {
        let fields = [("x-bailiwick-authorization", "a.b.c, d.e.f"), ("X-Amz-Security-Token", "g.h.i")]
        let taken = try request(.get, "/mail-dub1/a?X-Amz-Security-Token=j.k.l", fields)
        #expect(taken.tokens == ["a.b.c", "d.e.f", "g.h.i", "j.k.l"].map { Array($0.utf8) })
        let tooMany = fields + [("x-bailiwick-authorization", "m.n.o,,")]
        guard case .failure(let error) = outcome(.get, "/mail-dub1/a?X-Amz-Security-Token=j.k.l", tooMany) else {
            Issue.record("five tokens were accepted")
            return
        }
        #expect(error.code == .invalidRequest)
    }

    @Test func aHeaderWhoseMeaningIsNotBuiltIsAnErrorAndNotIgnored() {
        for name in [
            "x-amz-server-side-encryption", "x-amz-copy-source", "x-amz-object-lock-mode",
            "x-amz-expected-bucket-owner",
        ] {
            guard case .failure(let error) = outcome(.put, "/mail-dub1/a", [(name, "x")], length: 1) else {
                Issue.record("\(name) was ignored")
                continue
            }
            #expect(error.code == .notImplemented)
        }
    }

    /// Of two values nobody can say which was meant, and whoever stands before us may have looked at the other.
    @Test(arguments: [
        "Range", "If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since", "Content-MD5",
        "Authorization", "x-amz-content-sha256", "x-amz-decoded-content-length", "x-amz-trailer",
        "x-amz-copy-source", "x-amz-acl", "x-amz-storage-class", "x-amz-tagging",
    ])
    func aFieldThatStandsOnceIsNotRepeated(name: String) {
        for second in ["x", "y"] {
            guard case .failure(let error) = outcome(.get, "/mail-dub1/a", [(name, "x"), (name.lowercased(), second)])
            else {
                Issue.record("\(name) was taken twice")
                continue
            }
            #expect(error == S3Error(.invalidRequest, "A header is repeated."))
        }
    }

    /// A list may come in two fields: so AWS's SDK for Java sends what its user set, and what it adds.
    @Test(arguments: [["gzip", "aws-chunked"], ["aws-chunked", "gzip"], ["gzip, aws-chunked"]])
    func encodingsMayComeApart(_ encodings: [String]) throws {
        let fields = encodings.map { ("Content-Encoding", $0) } + [("x-amz-decoded-content-length", "1")]
        let put = try #require(try request(.put, "/mail-dub1/a", fields, length: 50).put)
        #expect(put.coding != .plain)
        #expect(put.headers.map { String(decoding: $0.value, as: UTF8.self) } == ["gzip"])
    }

    /// The AWS SDKs tell of themselves with each request.
    @Test(arguments: ["x-amz-user-agent", "x-amz-sdk-checksum-algorithm", "amz-sdk-request"])
    func whatAClientSaysOfItselfIsIgnored(name: String) throws {
        #expect(try request(.get, "/mail-dub1/a", [(name, "aws-sdk-js/3.1 ua/2.1")]).operation == .getObject)
    }

    @Test func theAccessFollowsFromTheOperationAndItsConditions() throws {
        #expect(try request(.get, "/mail-dub1/a").access == .content)
        #expect(try request(.head, "/mail-dub1/a").access == .traffic)
        #expect(try request(.get, "/mail-dub1?list-type=2").access == .traffic)
        #expect(try request(.put, "/mail-dub1/a", length: 1).access == .write(conditional: false))
        #expect(
            try request(.put, "/mail-dub1/a", [("If-None-Match", "*")], length: 1).access == .write(conditional: true))
        #expect(try request(.delete, "/mail-dub1/a").access == .delete)
        #expect(try request(.get, "/").access == .none)
    }
}

@Suite struct ListingRequestTests {
    @Test func everyParameterIsRead() throws {
        let target =
            "/mail-dub1?list-type=2&prefix=alice%2F&delimiter=%2F&start-after=alice%2FA+B&max-keys=7&encoding-type=url&fetch-owner=true"
        let listing = try #require(try request(.get, target).listing)
        #expect(listing.prefix == Array("alice/".utf8))
        #expect(listing.delimiter == Array("/".utf8))
        #expect(listing.after == Array("alice/A B".utf8))
        #expect(listing.keysMax == 7)
        #expect(listing.encodesKeys && listing.fetchesOwner)
    }

    @Test(arguments: [
        "max-keys=-1", "max-keys=x", "max-keys=2147483648", "encoding-type=base64", "continuation-token=x",
        "continuation-token=1-6", "continuation-token=1-zz", "prefix=a&continuation-token=1-62", "prefix=%00",
        "prefix=%ff", "delimiter=%00", "delimiter=%ff", "start-after=%00", "start-after=a%ff",
        "start-after=" + String(repeating: "a", count: 1025), "delimiter=" + String(repeating: "a", count: 1025),
    ])
    func whatS3RefusesIsInvalid(parameters: String) {
        guard case .failure(let error) = outcome(.get, "/mail-dub1?list-type=2&\(parameters)") else {
            Issue.record("\(parameters) was accepted")
            return
        }
        #expect(error.code == .invalidArgument)
    }

    @Test func aPageHasAtMostAThousandKeys() throws {
        #expect(try request(.get, "/mail-dub1?list-type=2&max-keys=5000").listing?.keysMax == 1000)
        #expect(try request(.get, "/mail-dub1?list-type=2&max-keys=0").listing?.keysMax == 0)
    }

    @Test func aContinuationTokenStandsForItsKey() throws {
        let key = Array("alice/ü\u{1}/%2F".utf8)
        let token = String(decoding: ListingRequest.token(for: key), as: UTF8.self)
        let listing = try #require(
            try request(.get, "/mail-dub1?list-type=2&prefix=alice/&start-after=z&continuation-token=\(token)").listing)
        #expect(listing.after == key)
    }
}
