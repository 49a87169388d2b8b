import Foundation
import TestSupport
import Testing

/// What broke into others, tried here: each test names the case that it stands for.
@Suite(.serialized) final class AttackTests {
    static let world = Result { try BorderTests.prepare() }

    let world: World

    init() throws { world = try Self.world.get() }

    /// An answer without what differs from request to request.
    private func essence(_ answer: World.Answer) -> String {
        let headers = answer.headers.filter {
            !["date", "x-amz-request-id", "x-bailiwick-decision", "content-length"].contains($0.key)
        }
        // Of a HEAD curl shows the head twice.
        let body =
            answer.text.hasPrefix("HTTP/")
            ? ""
            : answer.text.replacingOccurrences(
                of: "<(Resource|RequestId|DecisionIndex|HostId)>[^<]*</", with: "", options: .regularExpression)
        return "\(answer.status) \(headers.sorted { $0.key < $1.key }) \(body)"
    }

    /// minio CVE-2024-36107: conditions were answered before anybody was authorised, and told what was there.
    @Test(arguments: ["GET", "HEAD"])
    func aConditionIsNotAnsweredBeforeTheDecision(method: String) throws {
        let etag = try #require(
            try world.curl("dub1-mailserver", from: "127.0.10.5", "/mail-dub1/alice/INBOX/1").headers["etag"])
        var answers: Set<String> = []
        for condition in [
            "If-Match: \(etag)", "If-Match: \"other\"", "If-None-Match: \(etag)", "If-None-Match: *",
            "If-Modified-Since: Tue, 01 Jan 2069 00:00:00 GMT", "If-Unmodified-Since: Tue, 01 Jan 2002 00:00:00 GMT",
            "Range: bytes=900000-", "X-Nothing: at all",
        ] {
            for key in ["alice/INBOX/1", "alice/INBOX/absent"] {
                let answer = try world.curl(
                    "iad1-ediscovery", from: "127.0.20.5", "/mail-dub1/\(key)",
                    arguments: (method == "HEAD" ? ["--head"] : []) + ["-H", condition])
                #expect(answer.status == 403 && answer.reason == "authorization-required", "\(condition) \(key)")
                answers.insert(essence(answer))
            }
        }
        #expect(answers.count == 1, "\(answers)")
    }

    /// versitygw cd0b4e6d: the policy saw `public/../private`, storage opened `private`; haproxy took `/de/../fr` for `de`;
    /// `%2F` and `%3F` were decoded differently by checker and storage.
    @Test(arguments: [
        "alice/../bob/INBOX/1", "alice/%2e%2e/bob/INBOX/1", "alice%2F..%2Fbob%2FINBOX%2F1", "alice/.%2e/bob/INBOX/1",
        "alice/INBOX/../../bob/INBOX/1", "alice//..//bob/INBOX/1", "alice/%252e%252e/bob/INBOX/1",
        "alice/..;/bob/INBOX/1", "alice/%5c..%5cbob/INBOX/1",
    ])
    func theKeyThatIsDecidedOnIsTheKeyThatIsOpened(path: String) throws {
        let token = ["-H", "x-bailiwick-authorization: " + (try world.irishToken())]
        // All of these are keys of alice's that nobody wrote: decided as hers, and not there.
        let absent = try world.curl("iad1-ediscovery", from: "127.0.20.5", "/mail-dub1/\(path)", arguments: token)
        #expect(absent.status == 404 && absent.text.contains("<Code>NoSuchKey</Code>"), "\(absent.text)")
        let written = try world.curl(
            "dub1-mailserver", from: "127.0.10.5", "/mail-dub1/\(path)", body: Data(path.utf8))
        #expect(written.status == 200)
        #expect(
            try world.curl("iad1-ediscovery", from: "127.0.20.5", "/mail-dub1/\(path)", arguments: token).text == path)
        #expect(try world.curl("dub1-mailserver", from: "127.0.10.5", "/mail-dub1/bob/INBOX/1").text == "bob's")
        #expect(
            try world.curl("dub1-mailserver", from: "127.0.10.5", "/mail-dub1/\(path)", "-X", "DELETE").status == 204)
    }

    @Test(arguments: [
        "bob/INBOX/1", "bob%2FINBOX%2F1", "./bob/INBOX/1", "../bob/INBOX/1", "/bob/INBOX/1", "%2Fbob/INBOX/1", "loose",
        "alice", "alic%65", "Alice/INBOX/1", "alice%3F/1", "%61lice%00/1", "alicE/INBOX/1",
    ])
    func aGrantForOneMailboxOpensNoOtherWhateverItsSpelling(path: String) throws {
        let answer = try world.curl(
            "iad1-ediscovery", from: "127.0.20.5", "/mail-dub1/\(path)", "-H",
            "x-bailiwick-authorization: " + (try world.irishToken()))
        #expect(answer.status == 403 || answer.status == 400, "\(answer.text)")
        #expect(["authorization-out-of-scope", "bad-request"].contains(answer.reason))
        let list = try world.curl(
            "iad1-ediscovery", from: "127.0.20.5", "/mail-dub1?list-type=2&prefix=\(path)", "-H",
            "x-bailiwick-authorization: " + (try world.irishToken()))
        #expect(["authorization-out-of-scope", "bad-request"].contains(list.reason), "\(path): \(list.text)")
    }

    /// versitygw PR 2158, seaweedfs 9121, rustfs 7425, GHSA-mx42-j6wv-px98: a PUT that was a read of something else.
    @Test(arguments: ["x-amz-copy-source", "X-Amz-Copy-Source", "x-AMZ-copy-SOURCE"])
    func aCopySourceMakesNoReadOfAWrite(header: String) throws {
        let path = "/mail-dub1/alice/copied-\(UUID().uuidString)"
        let answer = try world.curl(
            "dub1-mailserver", from: "127.0.10.5", path, "-H", "\(header): /mail-dub1/bob/INBOX/1",
            body: Data("x".utf8))
        #expect(answer.status == 501)
        #expect(try world.curl("dub1-mailserver", from: "127.0.10.5", path).status == 404)
    }

    /// minio CVE-2025-31489 and CVE-2026-41145: an unsigned trailer let a forged signature through, in headers and in the query.
    @Test func aForgedSignatureStoresNothing() throws {
        let signature = "AWS4-HMAC-SHA256 Credential=a/20260301/dub1/s3/aws4_request, SignedHeaders=host, Signature=00"
        let chunked = Data("5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n".utf8)
        let trailer = [
            "-H", "x-amz-content-sha256: STREAMING-UNSIGNED-PAYLOAD-TRAILER", "-H", "x-amz-decoded-content-length: 5",
            "-H", "x-amz-trailer: x-amz-checksum-crc32", "-H", "Content-Encoding: aws-chunked",
        ]
        let query =
            "?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=a%2F20260301%2Fdub1%2Fs3%2Faws4_request"
            + "&X-Amz-Date=20260301T000000Z&X-Amz-Expires=604800&X-Amz-SignedHeaders=host&X-Amz-Signature=00"
        let path = "/mail-dub1/alice/forged-\(UUID().uuidString)"
        for (suffix, fields) in [
            ("", ["-H", "Authorization: \(signature)"] + trailer), (query, trailer), (query, []),
            ("", ["-H", "Authorization: aws4-hmac-sha256 Credential=x"]),
            ("", ["-H", "Authorization: AWS a:b"]), ("?AWSAccessKeyId=a&Signature=b&Expires=4070908800", []),
            (
                "",
                [
                    "-H", "x-amz-content-sha256: STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "-H",
                    "x-amz-decoded-content-length: 5",
                ]
            ),
        ] {
            let answer = try world.curl(
                "dub1-mailserver", from: "127.0.10.5", path + suffix, arguments: fields, body: chunked)
            #expect(answer.status == 501 && answer.reason == "unsupported", "\(suffix) \(fields): \(answer.text)")
        }
        #expect(try world.curl("dub1-mailserver", from: "127.0.10.5", path).status == 404)
        #expect(try world.curl("dub1-mailserver", from: "127.0.10.5", path + query).status == 501)
        // What is unsigned and whole is stored: the refusals above were of the signatures.
        let honest = try world.curl("dub1-mailserver", from: "127.0.10.5", path, arguments: trailer, body: chunked)
        #expect(honest.status == 200, "\(honest.text)")
        #expect(try world.curl("dub1-mailserver", from: "127.0.10.5", path).text == "hello")
    }

    /// GHSA-v2ch-c8v8-fgr7: an aws-chunked body without a length brought a server down.
    @Test(arguments: [
        [], ["x-amz-decoded-content-length: -1"], ["x-amz-decoded-content-length: 99999999999999999999"],
        ["x-amz-decoded-content-length: "], ["x-amz-decoded-content-length: 4"], ["x-amz-decoded-content-length: 6"],
        ["x-amz-decoded-content-length: 5", "x-amz-trailer: x-amz-checksum-crc32"],
    ])
    func anAWSChunkedBodyThatLiesIsAnsweredAndNotStored(fields: [String]) throws {
        let path = "/mail-dub1/alice/chunked-\(UUID().uuidString)"
        for framing in [["-H", "Transfer-Encoding: chunked"], []] {
            let answer = try world.curl(
                "dub1-mailserver", from: "127.0.10.5", path,
                arguments: framing + ["-H", "Content-Encoding: aws-chunked"] + fields.flatMap { ["-H", $0] },
                body: Data("5\r\nhello\r\n0\r\n\r\n".utf8))
            #expect([400, 411].contains(answer.status), "\(fields): \(answer.status) \(answer.text)")
        }
        #expect(try world.curl("dub1-mailserver", from: "127.0.10.5", path).status == 404)
    }

    /// Ceph CVE-2020-10753: `response-*` overrides wrote header lines of the caller's.
    @Test func anOverrideOfAHeaderWritesNone() throws {
        for name in ["content-type", "content-disposition", "cache-control", "expires"] {
            let answer = try world.curl(
                "dub1-mailserver", from: "127.0.10.5",
                "/mail-dub1/alice/INBOX/1?response-\(name)=a%0D%0AX-Evil:%201")
            #expect(answer.status == 400)
            #expect(answer.headers["x-evil"] == nil)
        }
        // Nor does what was stored with an object.
        let stored = try world.curl(
            "dub1-mailserver", from: "127.0.10.5", "/mail-dub1/alice/\(UUID().uuidString)", "-H",
            "x-amz-meta-a: b\u{1}c", body: Data("x".utf8))
        #expect(stored.status == 400)
    }

    /// Names and secrets went out through debug logs and metrics.
    @Test func noNameAndNoSecretIsInMetricsJournalOrLog() throws {
        let token = try world.irishToken("--reference", "SECRET-REFERENCE-1")
        let path = "/mail-dub1/alice/INBOX/1"
        #expect(
            try world.curl("iad1-ediscovery", from: "127.0.20.5", path, "-H", "x-bailiwick-authorization: \(token)")
                .status == 200)
        _ = try world.curl("iad1-ediscovery", from: "127.0.20.5", path, "-H", "x-bailiwick-authorization: \(token)x")
        _ = try world.curl("iad1-ediscovery", from: "127.0.20.5", "/mail-elsewhere/alice/INBOX/1")
        let metrics = try world.curl("dub1-operator", from: "127.0.10.5", "/metrics", at: world.dublin + 1).text
        #expect(metrics.contains("bailiwick_decisions_total"))
        let journal = try String(contentsOfFile: world.folder("dub1-gw1.toml.out"), encoding: .utf8)
        // Everything that the log's folder holds, but for the tokens in `evidence/` and the settings in `policy/`.
        func isInLog(_ text: String) throws -> Bool {
            try run([
                "grep", "-rqaF", "--exclude-dir=evidence", "--exclude-dir=policy", "-e", text, world.folder("log/dub1"),
            ]).status == 0
        }
        #expect(try isInLog("\"kind\":\"decision\""))
        let seal = try #require(world.folder.read("keys/seal-dub1").split(separator: ":").last)
            .trimmingCharacters(in: .newlines)
        for secret in [
            "alice", "INBOX", "SECRET-REFERENCE-1", "mail-elsewhere", token, String(token.suffix(40)), seal,
        ] {
            #expect(!metrics.contains(secret), "\(secret) is in the metrics")
            #expect(!journal.contains(secret), "\(secret) is in the journal")
            #expect(try !isInLog(secret), "\(secret) is in the log")
        }
    }

    /// DESIGN 3.8: where the store alone decides, the same system calls are made whether the object exists or not.
    @Test(.enabled(if: has("strace") && getuid() == 0, "needs strace and root"))
    func aRefusalBeforeLookupTouchesNoFile() throws {
        let pid = try #require(world.daemon("dub1-gw1")).pid
        let trace = world.folder("trace-\(UUID().uuidString)")
        // With what each descriptor is of: an object that is kept open is asked for by its own.
        let strace = Process()
        strace.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        strace.arguments = [
            "strace", "-f", "-q", "-y", "-e", "trace=%file,openat2,fgetxattr,getdents64", "-o", trace, "-p", "\(pid)",
        ]
        let errors = Pipe()
        strace.standardError = errors
        try strace.run()
        defer {
            // What it had attached to runs on.
            kill(strace.processIdentifier, SIGKILL)
            strace.waitUntilExit()
        }
        // Calls are written in the order in which they return: what a request took stands before what the next one takes.
        func tracedOnce(_ ask: () throws -> Void) throws -> String {
            let before = (try? String(contentsOfFile: trace, encoding: .utf8)) ?? ""
            try ask()
            let deadline = Date().addingTimeInterval(20)
            while Date() < deadline {
                _ = try world.curl("dub1-mailserver", from: "127.0.10.5", "/mail-dub1/bob/INBOX/1")
                let after = ((try? String(contentsOfFile: trace, encoding: .utf8)) ?? "").dropFirst(before.count)
                let lines = after.split(separator: "\n", omittingEmptySubsequences: false)
                if let end = lines.firstIndex(where: { $0.contains("bob") }) {
                    return lines[..<end].joined(separator: "\n")
                }
            }
            throw TestFailure("strace sees nothing")
        }
        // Now and then the daemon looks how its disks are, whoever asks for what: then the question is put again.
        func traced(_ ask: () throws -> Void) throws -> String {
            for _ in 0..<20 {
                let trace = try tracedOnce(ask)
                if !trace.contains("statfs(") { return trace }
            }
            throw TestFailure("the daemon looks at its disks all the time")
        }
        // Attached, from here on.
        _ = try traced {}
        let served = try traced {
            _ = try world.curl("dub1-mailserver", from: "127.0.10.5", "/mail-dub1/alice/INBOX/1")
        }
        #expect(served.contains("alice"), "\(served)")
        for arguments in [[], ["--head"], ["-X", "DELETE"]] {
            for key in ["alice/INBOX/1", "alice/INBOX/absent"] {
                let refused = try traced {
                    let answer = try world.curl(
                        "dub1-mailserver", from: "127.0.20.5", "/mail-dub1/\(key)", arguments: arguments)
                    #expect(answer.status == 403)
                }
                #expect(!refused.contains("alice") && !refused.contains("store"), "\(arguments) \(key): \(refused)")
            }
        }
        let listed = try traced {
            _ = try world.curl("iad1-ediscovery", from: "127.0.20.5", "/mail-dub1?list-type=2&prefix=alice/")
        }
        #expect(!listed.contains("alice") && !listed.contains("getdents"), "\(listed)")
    }
}
