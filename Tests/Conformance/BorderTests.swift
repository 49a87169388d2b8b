import Foundation
import TestSupport
import Testing

/// The rule on the wire, with curl, against real daemons: offices, locations, authorizations, and that a refusal tells nothing.
@Suite(.serialized) final class BorderTests {
    static let world = Result { try prepare() }

    let world: World

    init() throws { world = try Self.world.get() }

    static func prepare() throws -> World {
        let world = try World()
        try world.edit("dub1-gw1") { $0 += "\n" }
        try world.start("dub1-gw1")
        try world.start("iad1-gw1")
        for (key, text) in [
            ("alice/INBOX/1", "from Dublin"), ("alice/INBOX/2", "two"), ("bob/INBOX/1", "bob's"),
            ("loose", "no mailbox"),
        ] {
            let answer = try world.curl(
                "dub1-mailserver", from: "127.0.10.5", "/mail-dub1/\(key)", "-H",
                "x-amz-meta-received: 2026-03-01T08:00:00Z",
                body: Data(text.utf8))
            guard answer.status == 200 else { throw TestFailure("PUT \(key): \(answer.status) \(answer.text)") }
        }
        return world
    }

    @Test(arguments: ["-1", "253402300800", "9223372036854775807", "yesterday"])
    func aTimeOfReceiptThatNoTagCanTellIsRefused(_ received: String) throws {
        let answer = try world.curl(
            "dub1-mailserver", from: "127.0.10.5", "/mail-dub1/alice/INBOX/never", "-H",
            "x-amz-meta-received: \(received)", body: Data("mail".utf8))
        #expect(answer.status == 400)
        #expect(answer.text.contains("<Code>InvalidArgument</Code>"))
    }

    @Test func aDomesticReadIsServed() throws {
        let answer = try world.curl("dub1-mailserver", from: "127.0.10.5", "/mail-dub1/alice/INBOX/1")
        #expect(answer.status == 200)
        #expect(answer.text == "from Dublin")
        #expect(answer.headers["x-bailiwick-datacenter"] == "dub1")
        #expect(answer.headers["x-bailiwick-jurisdiction"] == "IE")
        #expect(answer.headers["x-bailiwick-decision"].flatMap(Int.init) != nil)
        #expect(answer.headers["etag"] == "\"f5d845b854646440d5188c6ebe886861\"")
    }

    @Test(arguments: [
        ("iad1-ediscovery", "127.0.20.5", "a tool of Virginia"),
        ("iad1-ediscovery", "127.0.10.7", "the same tool from an address in Dublin"),
        ("dub1-support", "127.0.20.9", "a Dublin tool from Virginia"),
        ("dub1-support", "127.0.30.9", "a Dublin tool from nowhere"),
    ])
    func aReadAcrossTheBorderIsRefused(who: String, address: String, case: String) throws {
        for path in [
            "/mail-dub1/alice/INBOX/1", "/mail-dub1/alice/INBOX/absent", "/mail-dub1?list-type=2&prefix=alice/",
        ] {
            let answer = try world.curl(who, from: address, path)
            #expect(answer.status == 403)
            #expect(answer.reason == "authorization-required")
            #expect(answer.text.contains("<Jurisdiction>IE</Jurisdiction>"))
        }
        let head = try world.curl(who, from: address, "/mail-dub1/alice/INBOX/1", "--head")
        #expect(head.status == 403)
        #expect(head.headers["x-bailiwick-reason"] == "authorization-required")
        #expect(head.headers["etag"] == nil)
    }

    @Test func theSameToolAtHomeIsServed() throws {
        #expect(try world.curl("dub1-support", from: "127.0.10.9", "/mail-dub1/alice/INBOX/1").status == 200)
    }

    @Test func anAuthorizationOpensOneMailboxAndNothingElse() throws {
        let header = "x-bailiwick-authorization: " + (try world.irishToken())
        let open = try world.curl("iad1-ediscovery", from: "127.0.20.5", "/mail-dub1/alice/INBOX/1", "-H", header)
        #expect(open.status == 200)
        #expect(open.text == "from Dublin")
        for path in [
            "/mail-dub1/bob/INBOX/1", "/mail-dub1/loose", "/mail-dub1?list-type=2",
            "/mail-dub1?list-type=2&prefix=alice",
        ] {
            let answer = try world.curl("iad1-ediscovery", from: "127.0.20.5", path, "-H", header)
            #expect(answer.status == 403)
            #expect(answer.reason == "authorization-out-of-scope", "\(path)")
        }
        let list = try world.curl(
            "iad1-ediscovery", from: "127.0.20.5", "/mail-dub1?list-type=2&prefix=alice/", "-H", header)
        #expect(list.status == 200)
        #expect(list.text.contains("<Key>alice/INBOX/1</Key><"))
        #expect(list.text.contains("<KeyCount>2</KeyCount>"))
        let absent = try world.curl(
            "iad1-ediscovery", from: "127.0.20.5", "/mail-dub1/alice/INBOX/absent", "-H", header)
        #expect(absent.status == 404)
    }

    @Test func theSessionTokenHeaderCarriesAnAuthorizationToo() throws {
        let header = "x-amz-security-token: " + (try world.irishToken())
        #expect(
            try world.curl("iad1-ediscovery", from: "127.0.20.5", "/mail-dub1/alice/INBOX/1", "-H", header).status
                == 200)
    }

    @Test func underAGrantForTrafficTheEntityTagIsWithheld() throws {
        let header =
            "x-bailiwick-authorization: " + (try world.irishToken(data: "traffic", "--instrument", "court-order"))
        let head = try world.curl(
            "iad1-ediscovery", from: "127.0.20.5", "/mail-dub1/alice/INBOX/1", "--head", "-H", header)
        #expect(head.status == 200)
        #expect(head.headers["content-length"] == "11")
        #expect(head.headers["etag"] == nil)
        #expect(head.headers["x-amz-meta-received"] == nil)
        let content = try world.curl("iad1-ediscovery", from: "127.0.20.5", "/mail-dub1/alice/INBOX/1", "-H", header)
        #expect(content.reason == "authorization-out-of-scope")
        let guess = try world.curl(
            "iad1-ediscovery", from: "127.0.20.5", "/mail-dub1/alice/INBOX/1", "--head", "-H", header, "-H",
            "If-None-Match: \"x\"")
        #expect(guess.headers["x-bailiwick-reason"] == "authorization-out-of-scope")
        let list = try world.curl(
            "iad1-ediscovery", from: "127.0.20.5", "/mail-dub1?list-type=2&prefix=alice/", "-H", header)
        #expect(list.status == 200)
        #expect(!list.text.contains("<ETag>"))
    }

    @Test func aGrantLimitedByReceiptAnswersTheSameForAbsentAndOutOfRange() throws {
        let token = try world.irishToken(
            "--received-from", "2025-01-01T00:00:00Z", "--received-to", "2026-01-01T00:00:00Z")
        let header = "x-bailiwick-authorization: " + token
        let present = try world.curl("iad1-ediscovery", from: "127.0.20.5", "/mail-dub1/alice/INBOX/1", "-H", header)
        let absent = try world.curl(
            "iad1-ediscovery", from: "127.0.20.5", "/mail-dub1/alice/INBOX/absent", "-H", header)
        #expect(present.status == 403)
        #expect(present.reason == "authorization-out-of-scope")
        #expect(absent.status == 403)
        #expect(absent.reason == "authorization-out-of-scope")
        let list = try world.curl(
            "iad1-ediscovery", from: "127.0.20.5", "/mail-dub1?list-type=2&prefix=alice/", "-H", header)
        #expect(list.status == 200)
        #expect(list.text.contains("<KeyCount>0</KeyCount>"))
    }

    @Test func aStolenAnExpiredAndAWeakTokenAreRefusedWithTheirReasons() throws {
        let good = try world.irishToken()
        let path = "/mail-dub1/alice/INBOX/1"
        func reason(_ who: String, _ token: String) throws -> String? {
            try world.curl(who, from: "127.0.20.5", path, "-H", "x-bailiwick-authorization: \(token)").reason
        }
        #expect(try reason("iad1-thief", good) == "authorization-wrong-bearer")
        #expect(
            try reason(
                "iad1-ediscovery",
                world.irishToken("--not-before", "2026-01-01T00:00:00Z", "--expires", "2026-01-02T00:00:00Z"))
                == "authorization-expired")
        #expect(
            try reason(
                "iad1-ediscovery",
                world.irishToken("--not-before", "2096-01-01T00:00:00Z", "--expires", "2096-01-02T00:00:00Z"))
                == "authorization-not-yet-valid")
        #expect(
            try reason("iad1-ediscovery", world.irishToken("--instrument", "subpoena")) == "authorization-out-of-scope")
        #expect(try reason("iad1-ediscovery", String(good.dropLast(4)) + "AAAA") == "authorization-untrusted")
        #expect(try reason("iad1-ediscovery", "not-a-token") == "authorization-malformed")
    }

    @Test func moreThanFourTokensAreABadRequest() throws {
        let tokens = Array(repeating: "a.b.c", count: 5).joined(separator: ",")
        let answer = try world.curl(
            "iad1-ediscovery", from: "127.0.20.5", "/mail-dub1/alice/INBOX/1", "-H",
            "x-bailiwick-authorization: \(tokens)")
        #expect(answer.status == 400)
    }

    @Test func deliveryFromAbroadCreatesButNeitherReplacesNorDeletes() throws {
        // A Dublin principal is abroad when it calls from Virginia.
        let path = "/mail-dub1/alice/INBOX/delivered-\(UUID().uuidString)"
        let first = try world.curl("dub1-mailserver", from: "127.0.20.5", path, body: Data("hello".utf8))
        #expect(first.status == 200)
        let second = try world.curl("dub1-mailserver", from: "127.0.20.5", path, body: Data("again".utf8))
        #expect(second.status == 403)
        #expect(second.reason == "foreign-overwrite")
        let delete = try world.curl("dub1-mailserver", from: "127.0.20.5", path, "-X", "DELETE")
        #expect(delete.reason == "foreign-delete")
        #expect(try world.curl("dub1-mailserver", from: "127.0.10.5", path).text == "hello")
    }

    @Test func aBucketThatIsNotTheCallersDoesNotExistForIt() throws {
        for bucket in ["mail-iad1", "mail-nowhere"] {
            let answer = try world.curl("dub1-support", from: "127.0.10.5", "/\(bucket)/alice/INBOX/1")
            #expect(answer.status == 404)
            #expect(answer.text.contains("<Code>NoSuchBucket</Code>"))
            #expect(answer.reason == "not-entitled")
            #expect(!answer.text.contains("<Jurisdiction>"))
        }
    }

    @Test func aRoleThatIsMissingIsNotEntitled() throws {
        let answer = try world.curl(
            "dub1-support", from: "127.0.10.5", "/mail-dub1/alice/INBOX/9", body: Data("x".utf8))
        #expect(answer.status == 403)
        #expect(answer.reason == "not-entitled")
    }

    @Test func aCertificateThatNamesNobodyIsUnauthenticated() throws {
        let answer = try world.curl("dub1-auditor", from: "127.0.10.5", "/mail-dub1/alice/INBOX/1")
        #expect(answer.status == 403)
        #expect(answer.text.contains("AccessDenied"))
        #expect(answer.headers["x-bailiwick-decision"] == nil)
    }

    @Test func aClientWithoutACertificateOrWithAnExpiredOrRevokedOneGetsAnAlert() throws {
        func failures(_ cause: String) throws -> Int {
            let metrics = try world.curl("dub1-operator", from: "127.0.10.5", "/metrics", at: world.dublin + 1)
            #expect(metrics.status == 200)
            let name = "bailiwick_tls_handshake_failures_total{cause=\"\(cause)\"} "
            return metrics.text.split(separator: "\n").first { $0.hasPrefix(name) }
                .flatMap { Int($0.dropFirst(name.count)) } ?? 0
        }
        for (who, cause) in [(nil, "no-certificate"), ("dub1-expired", "certificate-expired")] {
            let before = try failures(cause)
            do {
                let answer = try world.curl(who, from: "127.0.10.5", "/mail-dub1/alice/INBOX/1")
                Issue.record("answered: \(answer.status)")
            } catch let failure as TestFailure { #expect("\(failure)".contains("alert"), "\(failure)") }
            #expect(try failures(cause) == before + 1, "\(cause)")
        }
    }

    @Test func aSignedRequestIsNotAcceptedUnverified() throws {
        let answer = try world.curl(
            "dub1-mailserver", from: "127.0.10.5", "/mail-dub1/alice/INBOX/1", "--aws-sigv4", "aws:amz:dub1:s3",
            "--user", "a:b")
        #expect(answer.status == 501)
    }

    /// Whatever became of a permitted request, its answer tells where it was decided about, and what S3 tells in such an error.
    @Test(arguments: [
        (["-H", "If-None-Match: \"f5d845b854646440d5188c6ebe886861\""], "1", 304, ""),
        ([], "absent", 404, "<Key>alice/INBOX/absent</Key>"),
        (["-H", "If-Match: \"x\""], "1", 412, "<Condition>If-Match</Condition>"),
        (
            ["-H", "If-Unmodified-Since: Sat, 01 Jan 2000 00:00:00 GMT"], "1", 412,
            "<Condition>If-Unmodified-Since</Condition>"
        ),
        (
            ["-H", "Range: bytes=100-"], "1", 416,
            "<RangeRequested>bytes=100-</RangeRequested><ActualObjectSize>11</ActualObjectSize>"
        ),
    ])
    func whatIsNotServedTellsItsPlaceToo(_ arguments: [String], _ name: String, _ status: Int, _ says: String) throws {
        let answer = try world.curl(
            "dub1-mailserver", from: "127.0.10.5", "/mail-dub1/alice/INBOX/\(name)", arguments: arguments)
        #expect(answer.status == status)
        #expect(
            answer.headers["x-bailiwick-datacenter"] == "dub1" && answer.headers["x-bailiwick-jurisdiction"] == "IE")
        #expect(says.isEmpty || answer.text.contains(says), "\(answer.text)")
    }

    @Test func anUnknownBucketIsNamed() throws {
        let answer = try world.curl("dub1-mailserver", from: "127.0.10.5", "/mail-none/alice/1")
        #expect(answer.status == 404 && answer.text.contains("<BucketName>mail-none</BucketName>"), "\(answer.text)")
        #expect(answer.headers["x-bailiwick-jurisdiction"] == nil)
    }
}
