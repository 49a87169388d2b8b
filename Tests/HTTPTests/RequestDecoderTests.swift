import NIOCore
import Testing

@testable import HTTP

private let get = "GET / HTTP/1.1\r\nHost: a\r\n"
private let put = "PUT /k HTTP/1.1\r\nHost: a\r\n"
private let chunked = "\(put)Transfer-Encoding: chunked\r\n\r\n"

@Suite struct AcceptedRequestTests {
    /// Method, target and body of each request in the input, and the bytes that then still wait for more.
    @Test(arguments: [
        ("\(get)\r\n", ["get / "], 0),
        ("GET /a?b=c%0D%0A&d=/../~!$'()*,;:@ HTTP/1.1\r\nHost: a\r\n\r\n", ["get /a?b=c%0D%0A&d=/../~!$'()*,;:@ "], 0),
        ("GET //other.example/ HTTP/1.1\r\nHost: a\r\n\r\n", ["get //other.example/ "], 0),
        ("GET /\"<>\\^`{|} HTTP/1.1\r\nHost: a\r\n\r\n", ["get /\"<>\\^`{|} "], 0),
        // Methods are compared as bytes (RFC 9110, section 9.1).
        ("get / HTTP/1.1\r\nHost: a\r\n\r\n", ["other / "], 0),
        ("!#$%&'*+-.^_`|~0aZ / HTTP/1.1\r\nHost: a\r\n\r\n", ["other / "], 0),
        ("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", ["head / "], 0),
        ("POST /?delete HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n<D>", ["post /?delete <D>"], 0),
        ("DELETE /k HTTP/1.1\r\nHost: a\r\n\r\n", ["delete /k "], 0),
        ("OPTIONS /k HTTP/1.1\r\nHost: a\r\n\r\n", ["options /k "], 0),
        // Hosts: a name, an address, a port.
        ("GET / HTTP/1.1\r\nhOST:\t [2001:db8::1]:8443 \t\r\n\r\n", ["get / "], 0),
        ("GET / HTTP/1.1\r\nHost:my_bucket.s3-x.example.:443\r\n\r\n", ["get / "], 0),
        // Fields: empty, with obs-text, with tabs inside, with a name of every token byte.
        ("\(get)X:\r\nY: \t \r\n!#$%&'*+-.^_`|~9z: \u{80}\u{FF} \t b\t\r\n\r\n", ["get / "], 0),
        // Lengths: none, 0, leading zeros, white space around, the largest.
        ("\(put)Content-Length: 0\r\n\r\n", ["put /k "], 0),
        ("\(put)content-length:\t 00000000000000005 \t\r\n\r\nhello", ["put /k hello"], 0),
        ("\(put)Content-Length: 5\r\n\r\nhell", [], 0),
        ("\(put)Content-Length: 9223372036854775807\r\n\r\nhello", [], 0),
        ("\(get)Content-Length: 2\r\n\r\n\r\n", ["get / \r\n"], 0),
        // Chunks (RFC 9112, section 7.1).
        ("\(chunked)0\r\n\r\n", ["put /k "], 0),
        ("\(chunked)5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", ["put /k hello world"], 0),
        ("\(chunked)00000000000000A\r\n0123456789\r\n000\r\n\r\n", ["put /k 0123456789"], 0),
        ("\(chunked)9\r\n\r\n0\r\n\r\n\r\n\r\n0\r\n\r\n", ["put /k \r\n0\r\n\r\n\r\n"], 0),
        ("\(chunked)5\r\nhello\r\n0\r\nX: y\r\nx-amz-checksum-sha256: abc\r\n\r\n", ["put /k hello abc"], 0),
        ("\(put)Transfer-Encoding: \t CHUNKed \r\n\r\n1\r\n!\r\n0\r\n\r\n", ["put /k !"], 0),
        // Pipelined: each ends where it says, and what follows is the next.
        ("\(get)\r\n\(get)\r\n\(get)\r\n", ["get / ", "get / ", "get / "], 0),
        ("\(put)Content-Length: 5\r\n\r\nhelloGET /n HTTP/1.1\r\nHost: a\r\n\r\n", ["put /k hello", "get /n "], 0),
        ("\(chunked)5\r\nhello\r\n0\r\n\r\n\(get)\r\n", ["put /k hello", "get / "], 0),
        ("\(chunked)0\r\nX: y\r\n\r\n\(get)\r\nG", ["put /k  ", "get / "], 1),
        // Not whole yet.
        ("", [], 0), ("GET", [], 3), (get, [], 25), ("\(get)\r", [], 26), ("\(chunked)5\r", [], 2),
        ("\(chunked)5\r\nhello\r", [], 1), ("\(chunked)0\r\nX: y\r\n", [], 6),
    ])
    func isReadAlikeHoweverItArrives(_ input: String, _ expected: [String], _ waiting: Int) {
        let outcome = decode(bytes(input))
        #expect(outcome.error == nil)
        #expect(
            outcome.complete.map {
                "\($0.method) \($0.target) \(text($0.body))" + ($0.checksumTrailer.map { " " + $0 } ?? "")
            } == expected)
        if outcome.complete.count == outcome.requests.count || outcome.requests.last!.framing == .chunked {
            #expect(outcome.waitingByteCount == waiting)
        }
        #expect(differentCut(bytes(input)) == nil)
    }

    @Test func fieldsComeInTheirOrderAndCase() throws {
        let request = try #require(
            decode(bytes("GET /k HTTP/1.1\r\nX-b: 2\r\nHost: h:1\r\nx-B:\t\r\nX-A:  a b \t\r\n\r\n")).requests.first)
        #expect(request.fields == [["X-b", "2"], ["Host", "h:1"], ["x-B", ""], ["X-A", "a b"]])
        #expect(request.host == "h:1")
    }

    @Test func theFirstFieldOfANameIsFoundInAnyCase() throws {
        let input = ByteBuffer(string: "\(get)X-Amz-Date: 1\r\nx-amz-date: 2\r\n\r\n")
        let decoder = RequestDecoder()
        decoder.append(input)
        guard case .head(let head) = try decoder.next() else {
            Issue.record("no head")
            return
        }
        #expect(head.value(of: "x-amz-date") == Array("1".utf8))
        #expect(head.value(of: "x-amz") == nil)
        #expect(!head.declaresLength)
    }

    /// RFC 9112, section 9.3: a connection persists unless the `close` option is there.
    @Test(arguments: [
        ("", true), ("Connection: keep-alive\r\n", true), ("Connection: close\r\n", false),
        ("connection: Keep-Alive ,\tCLOSE\r\n", false), ("Connection: closed, x-close\r\n", true),
        ("Connection: ,,close,\r\n", false), ("Connection:\r\n", true),
        ("Connection: x\r\nConnection: close\r\n", false), ("Connection: close\r\nConnection: keep-alive\r\n", false),
    ])
    func persistsUnlessToldToClose(_ field: String, _ expected: Bool) {
        #expect(decode(bytes(get + field + "\r\n")).requests.map(\.isKeepAlive) == [expected])
    }

    /// RFC 9110, section 10.1.1: without a body there is nothing to continue with.
    @Test(arguments: [
        ("Content-Length: 5\r\n", false), ("Expect: 100-continue\r\nContent-Length: 5\r\n", true),
        ("Content-Length: 5\r\nEXPECT: 100-Continue \r\n", true),
        ("Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n", true), ("Expect: 100-continue\r\n", false),
        ("Expect: 100-continue\r\nContent-Length: 0\r\n", false),
    ])
    func expectsContinueOnlyBeforeABody(_ fields: String, _ expected: Bool) {
        #expect(decode(bytes(put + fields + "\r\n")).requests.map(\.expectsContinue) == [expected])
    }

    /// The head comes before the body does, or an expectation would wait for ever; no body event is empty.
    @Test func aBodyComesInPiecesAsItArrives() throws {
        let decoder = RequestDecoder()
        var events: [String] = []
        for piece in [chunked, "5\r", "\nhe", "llo\r\n", "1\r\n!", "\r\n0\r\n\r", "\n"] {
            let input = ByteBuffer(string: piece)
            decoder.append(input)
            while let event = try decoder.next() {
                switch event {
                case .head: events.append("head")
                case .body(let bytes): events.append(String(buffer: bytes))
                case .end: events.append("end")
                }
            }
        }
        #expect(events == ["head", "he", "llo", "!", "end"])
    }
}

@Suite struct RefusedRequestTests {
    /// DESIGN section 6, "Framing is strict". Nothing of a refused request's body is made up: what came before it is all there is.
    @Test(
        arguments: [
            // Both lengths, in either order, even where they agree (RFC 9112, section 6.3).
            (
                "\(put)Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                .contentLengthWithTransferEncoding
            ),
            (
                "\(put)Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n0\r\n\r\n",
                .contentLengthWithTransferEncoding
            ),
            // Lengths.
            ("\(put)Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", .badContentLength),
            ("\(put)Content-Length: 5\r\ncontent-length: 6\r\n\r\nhello!", .badContentLength),
            ("\(put)Content-Length: 5, 5\r\n\r\nhello", .badContentLength),
            ("\(put)Content-Length:\r\n\r\n", .badContentLength),
            ("\(put)Content-Length: +5\r\n\r\n", .badContentLength),
            ("\(put)Content-Length: -1\r\n\r\n", .badContentLength),
            ("\(put)Content-Length: 0x5\r\n\r\n", .badContentLength),
            ("\(put)Content-Length: 5 \u{A0}\r\n\r\n", .badContentLength),
            ("\(put)Content-Length: 1 0\r\n\r\n", .badContentLength),
            ("\(put)Content-Length: 5;\r\n\r\n", .badContentLength),
            ("\(put)Content-Length: 9223372036854775808\r\n\r\n", .badContentLength),
            ("\(put)Content-Length: 18446744073709551621\r\n\r\n", .badContentLength),
            ("\(put)Content-Length: 00000000000000000005\r\n\r\n", .badContentLength),
            // Transfer codings: chunked once and alone.
            ("\(put)Transfer-Encoding: gzip\r\n\r\n", .unknownTransferCoding),
            ("\(put)Transfer-Encoding:\r\n\r\n", .unknownTransferCoding),
            ("\(put)Transfer-Encoding: gzip\r\nno field\r\n\r\n", .malformedField),
            ("\(put)Transfer-Encoding: gzip\r\nContent-Length: x\r\n\r\n", .unknownTransferCoding),
            ("\(put)Transfer-Encoding: identity\r\n\r\n", .unknownTransferCoding),
            ("\(put)Transfer-Encoding: gzip, chunked\r\n\r\n", .unknownTransferCoding),
            ("\(put)Transfer-Encoding: chunked, identity\r\n\r\n", .unknownTransferCoding),
            ("\(put)Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", .unknownTransferCoding),
            ("\(put)Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n", .unknownTransferCoding),
            ("\(put)Transfer-Encoding: \u{0B}chunked\r\n\r\n", .malformedField),
            ("\(put)Transfer-Encoding: xchunked\r\n\r\n", .unknownTransferCoding),
            ("\(put)Transfer-Encoding: chunked;q=1\r\n\r\n", .unknownTransferCoding),
            ("\(put)Transfer-Encoding: \"chunked\"\r\n\r\n", .unknownTransferCoding),
            ("\(put)Content-Length: 5\r\nTransfer-Encoding: gzip\r\n\r\n", .unknownTransferCoding),
            // Line ends that are not CRLF, wherever they are; a client that sends only LF is told so at once.
            ("GET / HTTP/1.1\nHost: a\n\n", .malformedRequestLine), ("GET / HTTP/1.1\n", .malformedRequestLine),
            ("GET / HTTP/1.1\rHost: a\r\r", .malformedRequestLine), ("GET /\n", .malformedRequestLine),
            ("\(get)X: y\n\r\n", .malformedField), ("\(get)X: y\nZ: w\r\n\r\n", .malformedField),
            ("\(get)X: y\rZ: w\r\n\r\n", .malformedField), ("\(get)X: y\r\r\n\r\n", .malformedField),
            ("\(get)\n", .malformedField), ("\(get)\rX", .malformedField), ("\(get)X: y\r\n\n", .malformedField),
            ("\(get)X: y\r", nil),
            ("\r\n\(get)\r\n", .malformedRequestLine), ("\n\(get)\r\n", .malformedRequestLine),
            ("\(get)\r\n\r\n\(get)\r\n", .malformedRequestLine),
            // obs-fold, a space before the colon, no name, no colon (RFC 9112, section 5).
            ("\(get)X: y\r\n z\r\n\r\n", .malformedField), ("\(get)X: y\r\n\tz\r\n\r\n", .malformedField),
            ("GET / HTTP/1.1\r\n Host: a\r\n\r\n", .malformedField),
            ("\(get)X : y\r\n\r\n", .malformedField), ("\(get)Content-Length\t: 5\r\n\r\n", .malformedField),
            ("\(get): y\r\n\r\n", .malformedField), ("\(get)X\r\n\r\n", .malformedField),
            ("\(get)X y: z\r\n\r\n", .malformedField), ("\(get)X(: z\r\n\r\n", .malformedField),
            ("\(get)\u{E9}: z\r\n\r\n", .malformedField), ("\(get)X\u{0}: z\r\n\r\n", .malformedField),
            // Control bytes in a value.
            ("\(get)X: a\u{0}b\r\n\r\n", .malformedField), ("\(get)X: a\u{7F}b\r\n\r\n", .malformedField),
            ("\(get)X: a\u{1B}b\r\n\r\n", .malformedField), ("\(get)X: a\u{B}\r\n\r\n", .malformedField),
            ("\(get)X: a\u{C}\r\n\r\n", .malformedField), ("\(get)X: \u{8}\r\n\r\n", .malformedField),
            // Targets: only the origin form.
            ("GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", .badTarget),
            ("CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", .badTarget),
            ("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", .badTarget), ("GET a HTTP/1.1\r\nHost: a\r\n\r\n", .badTarget),
            ("GET ?a HTTP/1.1\r\nHost: a\r\n\r\n", .badTarget), ("GET /#a HTTP/1.1\r\nHost: a\r\n\r\n", .badTarget),
            ("GET  / HTTP/1.1\r\nHost: a\r\n\r\n", .badTarget), ("GET /\u{E9} HTTP/1.1\r\nHost: a\r\n\r\n", .badTarget),
            ("GET /\u{0} HTTP/1.1\r\nHost: a\r\n\r\n", .badTarget),
            ("GET /\u{7F} HTTP/1.1\r\nHost: a\r\n\r\n", .badTarget),
            ("GET /\ta HTTP/1.1\r\nHost: a\r\n\r\n", .badTarget),
            // Request lines.
            ("GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", .malformedRequestLine),
            (" GET / HTTP/1.1\r\nHost: a\r\n\r\n", .malformedRequestLine),
            ("GE(T / HTTP/1.1\r\nHost: a\r\n\r\n", .malformedRequestLine),
            ("GET / HTTP/1.1 \r\nHost: a\r\n\r\n", .malformedRequestLine),
            ("GET /  HTTP/1.1\r\nHost: a\r\n\r\n", .malformedRequestLine),
            ("GET /\r\n\r\n", .malformedRequestLine), ("GET\r\n\r\n", .malformedRequestLine),
            ("GET / \r\n\r\n", .malformedRequestLine), ("GET / a HTTP/1.1\r\nHost: a\r\n\r\n", .malformedRequestLine),
            ("GET / http/1.1\r\nHost: a\r\n\r\n", .malformedRequestLine),
            ("GET / HTTP/1.\r\nHost: a\r\n\r\n", .malformedRequestLine),
            ("GET / HTTP/11\r\nHost: a\r\n\r\n", .malformedRequestLine),
            ("GET / HTTP/1,1\r\nHost: a\r\n\r\n", .malformedRequestLine),
            ("GET / ICE/1.1\r\nHost: a\r\n\r\n", .malformedRequestLine),
            ("\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}", .malformedRequestLine),
            // Versions.
            ("GET / HTTP/1.0\r\nHost: a\r\n\r\n", .unsupportedVersion), ("GET / HTTP/0.9\r\n\r\n", .unsupportedVersion),
            ("GET / HTTP/2.0\r\nHost: a\r\n\r\n", .unsupportedVersion),
            ("GET / HTTP/1.2\r\nHost: a\r\n\r\n", .unsupportedVersion),
            ("PUT / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", .unsupportedVersion),
            ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", .badTarget),
            // Hosts.
            ("GET / HTTP/1.1\r\n\r\n", .badHost), ("GET / HTTP/1.1\r\nX-Host: a\r\n\r\n", .badHost),
            ("GET / HTTP/1.1\r\nHost:\r\n\r\n", .badHost), ("GET / HTTP/1.1\r\nHost: \t \r\n\r\n", .badHost),
            ("\(get)Host: a\r\n\r\n", .badHost), ("\(get)hOST: b\r\n\r\n", .badHost),
            ("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", .badHost), ("GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", .badHost),
            ("GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", .badHost), ("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", .badHost),
            ("GET / HTTP/1.1\r\nHost: \u{E9}\r\n\r\n", .badHost), ("GET / HTTP/1.1\r\nHost: a?b\r\n\r\n", .badHost),
            // Expectations.
            ("\(put)Expect: 100-continued\r\n\r\n", .unknownExpectation),
            ("\(put)Expect:\r\n\r\n", .unknownExpectation),
            ("\(put)Expect: 100-continue, x\r\n\r\n", .unknownExpectation),
            // Chunks: no extension, no sign, no prefix, no white space, nothing between data and its CRLF.
            ("\(chunked)5;a=b\r\nhello\r\n0\r\n\r\n", .badChunk), ("\(chunked)5;\r\n", .badChunk),
            ("\(chunked)5 \r\nhello\r\n", .badChunk), ("\(chunked) 5\r\nhello\r\n", .badChunk),
            ("\(chunked)5\nhello\n0\n\n", .badChunk), ("\(chunked)5\rhello", .badChunk), ("\(chunked)\r\n", .badChunk),
            ("\(chunked)+5\r\nhello\r\n", .badChunk), ("\(chunked)-5\r\nhello\r\n", .badChunk),
            ("\(chunked)0x5\r\nhello\r\n", .badChunk), ("\(chunked)g\r\n", .badChunk), ("\(chunked)5\r\r\n", .badChunk),
            ("\(chunked)0;\n\r\n", .badChunk), ("\(chunked)1000000000000000\r\n", .badChunk),
            ("\(chunked)FFFFFFFFFFFFFFFF\r\n", .badChunk), ("\(chunked)0000000000000005\r\nhello", .badChunk),
            ("\(chunked)5\r\nhello!\r\n", .badChunk), ("\(chunked)5\r\nhello\n0\r\n\r\n", .badChunk),
            ("\(chunked)5\r\nhello0\r\n\r\n", .badChunk), ("\(chunked)5\r\nhello\r0\r\n\r\n", .badChunk),
            ("\(chunked)6\r\nhello\r\n0\r\n\r\n", .badChunk),
            // Trailers: fields, and none that frames, routes or authorizes (RFC 9110, section 6.5.1).
            ("\(chunked)0\r\nContent-Length: 5\r\n\r\n", .badTrailer),
            ("\(chunked)0\r\ntransfer-encoding: chunked\r\n\r\n", .badTrailer),
            ("\(chunked)0\r\nHost: b\r\n\r\n", .badTrailer),
            ("\(chunked)0\r\nX: y\r\nAuthorization: b\r\n\r\n", .badTrailer),
            ("\(chunked)0\r\nExpect: b\r\n\r\n", .badTrailer),
            ("\(chunked)0\r\nTrailer: b\r\n\r\n", .badTrailer),
            ("\(chunked)0\r\nConnection: close\r\n\r\n", .badTrailer),
            ("\(chunked)0\r\nContent-Type: b\r\n\r\n", .badTrailer),
            ("\(chunked)0\r\nContent-Encoding: b\r\n\r\n", .badTrailer), ("\(chunked)0\r\nX\r\n\r\n", .badTrailer),
            ("\(chunked)0\r\nX: y\r\n z\r\n\r\n", .badTrailer), ("\(chunked)0\r\nX: y\n\n", .badTrailer),
            ("\(chunked)0\r\n\n", .badTrailer), ("\(chunked)0\r\n\rX", .badTrailer),
            ("\(chunked)0\r\nX: \u{0}\r\n\r\n", .badTrailer),
            ("\(chunked)0\r\n\(get)\r\n", .badTrailer),
        ] as [(String, FramingError?)])
    func isRefusedAlikeHoweverItArrives(_ input: String, _ expected: FramingError?) {
        let outcome = decode(bytes(input))
        #expect(outcome.error == expected)
        #expect(outcome.requests.allSatisfy { !$0.isComplete || $0.method == .get })
        #expect(differentCut(bytes(input)) == nil)
    }

    @Test func anErrorIsFinal() {
        let decoder = RequestDecoder()
        for input in ["GET /\n", "\(get)\r\n"] {
            let input = ByteBuffer(string: input)
            decoder.append(input)
            #expect(throws: FramingError.malformedRequestLine) { try decoder.next() }
        }
    }

    /// A request behind a refused one is none: its bytes may be the refused one's body.
    @Test func whatFollowsARefusedRequestIsNotRead() {
        let outcome = decode(bytes("\(get)\r\n\(put)Content-Length: 1,1\r\n\r\n\(get)\r\n"))
        #expect(outcome.requests.map(\.method) == [.get])
        #expect(outcome.error == .badContentLength)
    }

    @Test func eachErrorHasItsStatus() {
        let statuses = Dictionary(grouping: FramingError.allCases, by: \.status)
        #expect(statuses[414] == [.requestLineTooLong])
        #expect(statuses[417] == [.unknownExpectation])
        #expect(statuses[431] == [.headTooLarge, .tooManyFields])
        #expect(statuses[501] == [.unknownTransferCoding])
        #expect(statuses[505] == [.unsupportedVersion])
        #expect(statuses[400]?.count == FramingError.allCases.count - 6)
    }
}

@Suite struct RequestLimitTests {
    private static let small: Limits = {
        var limits = Limits()
        limits.requestLineBytesMax = 32
        limits.headBytesMax = 128
        limits.fieldCountMax = 4
        limits.trailerBytesMax = 40
        return limits
    }()

    private static func line(_ count: Int) -> String {
        "GET /" + String(repeating: "a", count: count - 14) + " HTTP/1.1\r\n"
    }

    private static func head(_ count: Int) -> String {
        let start = "\(get)X: "
        return start + String(repeating: "y", count: count - start.utf8.count - 4) + "\r\n\r\n"
    }

    private static func trailers(_ count: Int) -> String {
        "\(chunked)0\r\nX: " + String(repeating: "y", count: count - 7) + "\r\n\r\n"
    }

    @Test(
        arguments: [
            (line(32) + "Host: a\r\n\r\n", nil), (line(33) + "Host: a\r\n\r\n", .requestLineTooLong),
            (line(33), .requestLineTooLong), (String(line(200).dropLast()), .requestLineTooLong),
            (line(200) + "Host: a\r\n\r\n", .requestLineTooLong),
            // What stands first in the bytes is what is told, whatever is wrong behind it.
            ("GET http://a/" + String(repeating: "a", count: 50) + " HTTP/1.1\r\n\r\n", .requestLineTooLong),
            ("GET /\r" + String(repeating: "a", count: 50), .malformedRequestLine),
            ("GET a HTTP/1.1\n" + String(repeating: "a", count: 200), .badTarget),
            ("\(get)X: \n" + String(repeating: "a", count: 200), .malformedField),
            (head(128), nil), (head(129), .headTooLarge), (head(200), .headTooLarge),
            ("\(get)X: " + head(129), .headTooLarge),
            (get + String(repeating: "X", count: 200), .headTooLarge),
            ("\(get)A: 1\r\nB: 2\r\nC: 3\r\n\r\n", nil), ("\(get)A: 1\r\nB: 2\r\nC: 3\r\nD: 4\r\n\r\n", .tooManyFields),
            (trailers(40), nil), (trailers(41), .badTrailer), (trailers(80), .badTrailer),
            ("\(chunked)0\r\nA:\r\nB:\r\nC:\r\nD:\r\n\r\n", nil),
            ("\(chunked)0\r\nA:\r\nB:\r\nC:\r\nD:\r\nE:\r\n\r\n", .badTrailer),
        ] as [(String, FramingError?)])
    func areTheSameHoweverTheBytesArrive(_ input: String, _ expected: FramingError?) {
        #expect(decode(bytes(input), limits: Self.small).error == expected)
        #expect(differentCut(bytes(input), limits: Self.small) == nil)
    }

    /// A head's limit is that head's: what is pipelined behind it does not count.
    @Test func areOfOneRequest() {
        let input = bytes(String(repeating: Self.head(128) + Self.trailers(40), count: 3))
        let outcome = decode(input, limits: Self.small)
        #expect(outcome.error == nil)
        #expect(outcome.complete.count == 6)
    }

    @Test func defaults() {
        let limits = Limits()
        let line = Self.line(limits.requestLineBytesMax) + "Host: a\r\n\r\n"
        #expect(decode(bytes(line)).error == nil)
        #expect(decode(bytes("G" + line)).error == .requestLineTooLong)
        #expect(decode(bytes(Self.head(limits.headBytesMax))).error == nil)
        #expect(decode(bytes(Self.head(limits.headBytesMax + 1))).error == .headTooLarge)
        let fields = (1..<limits.fieldCountMax).map { "X\($0): y\r\n" }.joined()
        #expect(decode(bytes(get + fields + "\r\n")).error == nil)
        #expect(decode(bytes(get + fields + "Z:\r\n\r\n")).error == .tooManyFields)
    }

    /// A client whose every record ends within a line: what was read of the connection does not stay.
    @Test func whatWasReadIsLetGo() throws {
        let decoder = RequestDecoder()
        decoder.append(ByteBuffer(string: "PUT /b/k HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4"))
        guard case .head = try decoder.next() else {
            Issue.record("no head")
            return
        }
        for _ in 0..<10_000 {
            decoder.append(ByteBuffer(string: "\r\nabcd\r\n4"))
            guard case .body(let piece) = try decoder.next() else {
                Issue.record("no piece")
                return
            }
            #expect(try decoder.next() == nil)
            guard piece.storageCapacity <= 1024, decoder.capacity <= 1024 else {
                Issue.record("\(piece.storageCapacity) and \(decoder.capacity) bytes are held")
                return
            }
        }
    }

    /// A client that once sent much at once costs no more than another.
    @Test func aLargeHeadIsLetGoWithItsRequest() throws {
        let decoder = RequestDecoder()
        decoder.append(
            bytes("GET /b/k HTTP/1.1\r\nHost: a\r\nX: \(String(repeating: "y", count: 40_000))\r\n\r\n").span)
        #expect(try decoder.nextHead()?.method == .get)
        #expect(decoder.capacity <= 4096)
        let many = String(repeating: "GET /b/k HTTP/1.1\r\nHost: a\r\n\r\n", count: 500)
        decoder.append(bytes(many).span)
        for _ in 0..<500 { #expect(try decoder.nextHead()?.method == .get) }
        #expect(try decoder.nextHead()?.method == nil)
        #expect(decoder.capacity <= 4096)
    }
}
