import NIOCore
import NIOEmbedded
import NIOHTTP1
import Testing

@testable import HTTP

/// What a front reads as one request and we as two, or the other way round, is a request smuggled past whoever decides. So whatever
/// we accept, llhttp (behind NIOHTTP1) must read as the very same requests; what we refuse, it may read as it likes.
@Suite struct DifferentialTests {
    private static let inputCount = 20_000

    @Test func whatWeAcceptLLHTTPReadsAlike() {
        var source = RequestSource(seed: 0x6261_696C_6977_6963)
        var acceptedCount = 0
        for number in 0..<Self.inputCount {
            let input = source.next()
            let outcome = decode(input)
            acceptedCount += outcome.complete.count
            guard let difference = difference(outcome, input) else { continue }
            Issue.record("input \(number), \(String(reflecting: text(input))): \(difference)")
            return
        }
        // A generator that is always refused would test nothing.
        #expect(acceptedCount > Self.inputCount / 4)
    }

    /// Every seed as it stands, that the mutations begin from something both readers know.
    @Test(arguments: RequestSource.seeds) func seedsAreReadAlike(_ seed: String) {
        #expect(difference(decode(bytes(seed)), bytes(seed)) == nil)
    }

    private func difference(_ outcome: Outcome, _ input: [UInt8]) -> String? {
        let (theirs, isRefused) = NIORequest.decode(input)
        // llhttp refuses a length or a coding with a tab behind it, which is white space that may stand there.
        if isRefused, hasTrailingTab(input) { return nil }
        for (index, ours) in outcome.requests.enumerated() {
            // llhttp knows a list of methods; ours is any token, which the gateway answers without looking further.
            if ours.method == .other { return nil }
            guard index < theirs.count else {
                return "request \(index) is ours alone: \(ours.method) \(ours.target)"
            }
            let other = theirs[index]
            if method(ours.method) != other.method { return "method \(other.method)" }
            if bytes(ours.target) != Array(other.target.utf8) { return "target \(other.target)" }
            let fields = ours.fields.map { $0.map { String(decoding: bytes($0), as: UTF8.self) } }
            if !fields.elementsEqual(other.fields, by: { $0.elementsEqual($1) { $0.utf8.elementsEqual($1.utf8) } }) {
                return "fields \(other.fields)"
            }
            // After an error we answer and close: how much of the body llhttp took by then is of no account.
            if ours.isComplete || outcome.error == nil {
                if ours.body != other.body { return "body \(String(reflecting: text(other.body)))" }
                if ours.isComplete != other.isComplete { return "ends elsewhere" }
            }
            // The connection ends here, whatever is behind it.
            if !ours.isKeepAlive { return nil }
        }
        if outcome.error == nil, theirs.count != outcome.requests.count { return "\(theirs.count) requests" }
        return nil
    }

    private func hasTrailingTab(_ input: [UInt8]) -> Bool {
        input.split(separator: 0x0D).contains { line in
            line.reversed().prefix { $0 == 0x20 || $0 == 0x09 }.contains(0x09)
        }
    }

    private func method(_ method: RequestHead.Method) -> String {
        switch method {
        case .get: "GET"
        case .head: "HEAD"
        case .put: "PUT"
        case .post: "POST"
        case .delete: "DELETE"
        case .options: "OPTIONS"
        case .other: ""
        }
    }
}

/// One request as llhttp reads it.
private struct NIORequest {
    var method: String
    var target: String
    var fields: [[String]]
    var body: [UInt8] = []
    var isComplete = false

    static func decode(_ input: [UInt8]) -> (requests: [NIORequest], isRefused: Bool) {
        let channel = EmbeddedChannel(
            handler: ByteToMessageHandler(HTTPRequestDecoder(leftOverBytesStrategy: .dropBytes)))
        var requests: [NIORequest] = []
        // What it read before an error is there all the same.
        let isRefused = (try? channel.writeInbound(ByteBuffer(bytes: input))) == nil
        while let part = try? channel.readInbound(as: HTTPServerRequestPart.self) {
            switch part {
            case .head(let head):
                requests.append(
                    NIORequest(
                        method: head.method.rawValue, target: head.uri,
                        fields: head.headers.map { [$0.name, trimmed($0.value)] }
                    ))
            case .body(let piece): requests[requests.count - 1].body += Array(piece.readableBytesView)
            case .end: requests[requests.count - 1].isComplete = true
            }
        }
        _ = try? channel.finish(acceptAlreadyClosed: true)
        return (requests, isRefused)
    }
}

/// llhttp leaves the white space behind a value where it is; it is no part of it (RFC 9112, section 5.1).
private func trimmed(_ value: String) -> String {
    var value = value[...]
    while value.last == " " || value.last == "\t" { value.removeLast() }
    return String(value)
}

/// An endless row of inputs near to requests, the same for the same seed.
private struct RequestSource {
    static let seeds = [
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /b/k?list-type=2&prefix=a%2Fb HTTP/1.1\r\nHost: s3.example:9000\r\nAccept: */*\r\nX:\r\n\r\n",
        "HEAD /b/k HTTP/1.1\r\nhost: [::1]:9000\r\nUser-Agent: aws-cli/2 \"x\" \u{E9}\r\n\r\n",
        "DELETE /b/k HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\n\r\nGET / HTTP/1.1\r\nHost: b\r\n\r\n",
        "PUT /b/k HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
        "PUT /b/k HTTP/1.1\r\nHost: a\r\nContent-Length: 30\r\n\r\nGET /evil HTTP/1.1\r\nHost: b\r\n\r\n",
        "PUT /b/k HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nExpect: 100-continue\r\n\r\nGET / HTTP/1.1\r\nHost: b\r\n\r\n",
        "PUT /b/k HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "POST /?delete HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\tchunked \r\n\r\n00a\r\n0\r\n\r\nGET /\r\n0\r\nX: y\r\nZ:\r\n\r\n"
            + "GET / HTTP/1.1\r\nHost: b\r\n\r\n",
        "PUT /b/k HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET / HTTP/1.1\r\nX: ",
        "PUT /b/k HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
        "PUT /b/k HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n z\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\nGET / HTTP/1.1\r\nHost: b\r\n\r\n",
    ]

    private static let words = [
        "\r\n", "\n", "\r", "\r\n\r\n", " ", "\t", "\0", ":", ";", ",", "#", "%", "\u{7F}", "\u{80}", "\u{FF}", "0",
        "1", "5",
        "a", "F", "+", "-", "0x", "00", "18446744073709551616", "9223372036854775807", "ffffffffffffffff",
        "Content-Length: 5\r\n", "Content-Length: 0\r\n", "content-length:6\r\n", "Content-Length : 5\r\n",
        "Transfer-Encoding: chunked\r\n", "Transfer-Encoding: identity\r\n", "transfer-encoding:\tChunked\r\n",
        "Transfer-Encoding\t: chunked\r\n", "Transfer-Encoding: chunked, chunked\r\n", "TE: trailers\r\n",
        "Connection: close\r\n", "Connection: Content-Length\r\n", "Expect: 100-continue\r\n", "Host: b\r\n", "\r\n ",
        "0\r\n\r\n", "5\r\nhello\r\n", "5;x=\"\n\"\r\n", "GET / HTTP/1.1\r\nHost: c\r\n\r\n", "HTTP/1.0", "HTTP/1.1",
        "http://a/",
        "chunked", "close", "GET", "POST", "PUT",
    ].map(bytes)

    private var state: UInt64

    init(seed: UInt64) { state = seed }

    /// A seed, changed in one to four places, and one in four times followed by another.
    mutating func next() -> [UInt8] {
        var input = bytes(Self.seeds[below(Self.seeds.count)])
        if below(4) == 0 { input += bytes(Self.seeds[below(Self.seeds.count)]) }
        for _ in 0...below(4) { change(&input) }
        return input
    }

    private mutating func change(_ input: inout [UInt8]) {
        guard !input.isEmpty else { return }
        let at = below(input.count)
        let end = min(input.count, at + 1 + below(12))
        switch below(8) {
        case 0: input[at] = UInt8(truncatingIfNeeded: word())
        case 1: input[at] ^= 1 << UInt8(below(8))
        case 2: input.removeSubrange(at..<end)
        case 3: input.insert(contentsOf: input[at..<end], at: below(input.count))
        case 4, 5: input.insert(contentsOf: Self.words[below(Self.words.count)], at: at)
        case 6:
            // Behind a line end, where a field or a chunk can stand.
            let ends = input.indices.filter { input[$0] == 0x0A }
            input.insert(
                contentsOf: Self.words[below(Self.words.count)], at: ends.isEmpty ? at : ends[below(ends.count)] + 1)
        default: input.replaceSubrange(at..<end, with: Self.words[below(Self.words.count)])
        }
    }

    private mutating func below(_ bound: Int) -> Int { Int(word() % UInt64(bound)) }

    /// SplitMix64 (Steele, Lea and Flood, 2014).
    private mutating func word() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
        return z ^ z >> 31
    }
}
