import NIOCore
import NIOEmbedded
import NIOHTTP1
import Testing

@testable import HTTP

private func written(_ body: (inout [UInt8]) throws -> Void) rethrows -> String {
    var bytes: [UInt8] = []
    try body(&bytes)
    return String(decoding: bytes, as: UTF8.self)
}

@Suite struct ResponseEncoderTests {
    @Test func aHeadIsTheseBytes() throws {
        let head = try written { buffer in
            ResponseEncoder.beginHead(status: 206, into: &buffer)
            ResponseEncoder.writeField("Server", "Bailiwick", into: &buffer)
            try ResponseEncoder.writeField("Date", Array("Sun, 06 Nov 1994 08:49:37 GMT".utf8), into: &buffer)
            ResponseEncoder.writeField("Content-Length", integer: UInt64(Int64.max), into: &buffer)
            try ResponseEncoder.writeField(
                prefix: "x-amz-meta-", name: Array("a~B".utf8), Array("\t\u{E9} b".utf8), into: &buffer)
            ResponseEncoder.endHead(into: &buffer)
        }
        #expect(
            head == "HTTP/1.1 206 Partial Content\r\nServer: Bailiwick\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
                + "Content-Length: 9223372036854775807\r\nx-amz-meta-a~B: \t\u{E9} b\r\n\r\n")
    }

    @Test func theInterimResponse() {
        #expect(String(decoding: ResponseEncoder.continueBytes, as: UTF8.self) == "HTTP/1.1 100 Continue\r\n\r\n")
    }

    @Test(arguments: [0, 1, 9, 10, 99, 100, 4_294_967_296, .max] as [UInt64])
    func integersAreDecimal(_ value: UInt64) {
        #expect(written { ResponseEncoder.writeField("X", integer: value, into: &$0) } == "X: \(value)\r\n")
    }

    /// Every status that is answered has a line of its own, with the phrase of RFC 9110; none but 500 falls through to it.
    @Test(arguments: [
        200, 204, 206, 304, 400, 403, 404, 405, 408, 409, 411, 412, 413, 414, 416, 417, 431, 500, 501, 503, 505,
    ])
    func statusLinesAreTheirs(_ status: Int) {
        let line = written { ResponseEncoder.beginHead(status: status, into: &$0) }
        let words = line.split(separator: " ", maxSplits: 2)
        #expect(words[0] == "HTTP/1.1")
        #expect(words[1] == "\(status)")
        #expect(words[2].hasSuffix("\r\n") && words[2].utf8.count > 3)
    }

    @Test func everyFramingErrorCanBeAnswered() {
        for error in FramingError.allCases {
            let line = written { ResponseEncoder.beginHead(status: error.status, into: &$0) }
            #expect(line.hasPrefix("HTTP/1.1 \(error.status) "))
        }
    }

    /// A value that could begin another field is never sent, nor any part of it.
    @Test func controlBytesAreRefusedWhole() {
        for byte in UInt8.min ... .max {
            let isControl = byte < 0x20 && byte != 0x09 || byte == 0x7F
            let isToken = bytes("!#$%&'*+-.^_`|~0123456789").contains(byte) || (0x41...0x5A).contains(byte & ~0x20)
            #expect((write(value: [0x61, byte, 0x62]) == nil) == isControl, "\(byte)")
            #expect((write(name: [0x61, byte, 0x62], value: [0x61]) == nil) == !(isToken && byte < 0x80), "\(byte)")
            #expect((write(name: [0x61], value: [0x61, byte, 0x62]) == nil) == isControl, "\(byte)")
        }
    }

    private func write(name: [UInt8]? = nil, value: [UInt8]) -> [UInt8]? {
        var buffer: [UInt8] = []
        do throws(ResponseError) {
            if let name {
                try ResponseEncoder.writeField(prefix: "x-", name: name, value, into: &buffer)
            } else {
                try ResponseEncoder.writeField("X", value, into: &buffer)
            }
        } catch {
            #expect(error == .badFieldValue)
            #expect(buffer.isEmpty)
            return nil
        }
        return buffer
    }

    /// Another reader agrees on where each response ends: with a length, without a body by its status, and in chunks.
    @Test(
        arguments: [
            (.GET, 200, "Content-Length", "5", "hello", "hello"), (.GET, 404, "Content-Length", "0", "", ""),
            (.GET, 304, "Content-Length", "5", "", ""), (.GET, 204, "X", "y", "", ""),
            (.HEAD, 200, "Content-Length", "5", "", ""),
            (.GET, 200, "Transfer-Encoding", "chunked", "5\r\nhello\r\n0\r\n\r\n", "hello"),
        ] as [(HTTPMethod, Int, StaticString, StaticString, String, String)])
    func llhttpReadsWhatIsWritten(
        _ method: HTTPMethod, _ status: Int, _ name: StaticString, _ value: StaticString, _ sent: String,
        _ expected: String
    ) throws {
        let channel = EmbeddedChannel()
        try channel.pipeline.syncOperations.addHandler(HTTPRequestEncoder())
        try channel.pipeline.syncOperations.addHandler(
            ByteToMessageHandler(HTTPResponseDecoder(leftOverBytesStrategy: .dropBytes)))
        var parts: [String] = []
        // Two in a row, so that an end that is read elsewhere shows.
        for _ in 0..<2 {
            let request = HTTPRequestHead(version: .http1_1, method: method, uri: "/")
            try channel.writeOutbound(HTTPClientRequestPart.head(request))
            try channel.writeOutbound(HTTPClientRequestPart.end(nil))
            var buffer: [UInt8] = []
            ResponseEncoder.beginHead(status: status, into: &buffer)
            ResponseEncoder.writeField(name, value, into: &buffer)
            ResponseEncoder.endHead(into: &buffer)
            buffer.append(contentsOf: sent.utf8)
            try channel.writeInbound(ByteBuffer(bytes: buffer))
            while let part = try channel.readInbound(as: HTTPClientResponsePart.self) {
                switch part {
                case .head(let head): parts.append("\(head.status.code) \(head.headers.first(name: "\(name)") ?? "")")
                case .body(let body): parts.append(String(buffer: body))
                case .end: parts.append("end")
                }
            }
        }
        let one = ["\(status) \(value)"] + (expected.isEmpty ? [] : [expected]) + ["end"]
        #expect(parts == one + one)
        _ = try channel.finish(acceptAlreadyClosed: true)
    }
}
