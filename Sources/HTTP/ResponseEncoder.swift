package import NIOCore

/// Why a response's head cannot be written: always a defect of ours, and never sent.
package enum ResponseError: Error, Hashable, Sendable {
    /// A value with a control byte, which could begin another field or another response.
    case badFieldValue
}

/// Appends the heads of responses to a buffer.
package enum ResponseEncoder {
    /// The interim response that lets a body in.
    package static let continueBytes = Array("HTTP/1.1 100 Continue\r\n\r\n".utf8)

    /// `HTTP/1.1 200 OK`.
    package static func beginHead(status: Int, into buffer: inout ByteBuffer) {
        buffer.writeStaticString(statusLine(status))
    }

    package static func writeField(_ name: StaticString, _ value: StaticString, into buffer: inout ByteBuffer) {
        buffer.writeStaticString(name)
        buffer.writeStaticString(": ")
        buffer.writeStaticString(value)
        buffer.writeStaticString("\r\n")
    }

    package static func writeField(
        _ name: StaticString, integer value: some FixedWidthInteger, into buffer: inout ByteBuffer
    ) {
        buffer.writeStaticString(name)
        buffer.writeStaticString(": ")
        writeDecimal(UInt64(value), into: &buffer)
        buffer.writeStaticString("\r\n")
    }

    /// - Throws: `badFieldValue` when the value holds CR, LF, NUL or another control byte but tab.
    package static func writeField(
        _ name: StaticString, _ value: some Collection<UInt8>, into buffer: inout ByteBuffer
    ) throws(ResponseError) {
        for byte in value where !Byte.isFieldValue(byte) { throw .badFieldValue }
        buffer.writeStaticString(name)
        buffer.writeStaticString(": ")
        buffer.writeBytes(value)
        buffer.writeStaticString("\r\n")
    }

    /// A field whose name is not ours either: user metadata.
    package static func writeField(
        prefix: StaticString, name: some Collection<UInt8>, _ value: some Collection<UInt8>,
        into buffer: inout ByteBuffer
    ) throws(ResponseError) {
        for byte in name where !Byte.isToken(byte) { throw .badFieldValue }
        for byte in value where !Byte.isFieldValue(byte) { throw .badFieldValue }
        buffer.writeStaticString(prefix)
        buffer.writeBytes(name)
        buffer.writeStaticString(": ")
        buffer.writeBytes(value)
        buffer.writeStaticString("\r\n")
    }

    package static func endHead(into buffer: inout ByteBuffer) { buffer.writeStaticString("\r\n") }

    private static func writeDecimal(_ value: UInt64, into buffer: inout ByteBuffer) {
        guard value >= 10 else {
            buffer.writeInteger(UInt8(0x30 + value))
            return
        }
        var digits: [20 of UInt8] = .init(repeating: 0)
        var at = 20
        var rest = value
        while rest > 0 {
            at -= 1
            digits[at] = UInt8(0x30 + rest % 10)
            rest /= 10
        }
        while at < 20 {
            buffer.writeInteger(digits[at])
            at += 1
        }
    }

    private static func statusLine(_ status: Int) -> StaticString {
        switch status {
        case 200: "HTTP/1.1 200 OK\r\n"
        case 204: "HTTP/1.1 204 No Content\r\n"
        case 206: "HTTP/1.1 206 Partial Content\r\n"
        case 304: "HTTP/1.1 304 Not Modified\r\n"
        case 400: "HTTP/1.1 400 Bad Request\r\n"
        case 403: "HTTP/1.1 403 Forbidden\r\n"
        case 404: "HTTP/1.1 404 Not Found\r\n"
        case 405: "HTTP/1.1 405 Method Not Allowed\r\n"
        case 408: "HTTP/1.1 408 Request Timeout\r\n"
        case 409: "HTTP/1.1 409 Conflict\r\n"
        case 411: "HTTP/1.1 411 Length Required\r\n"
        case 412: "HTTP/1.1 412 Precondition Failed\r\n"
        case 413: "HTTP/1.1 413 Content Too Large\r\n"
        case 414: "HTTP/1.1 414 URI Too Long\r\n"
        case 416: "HTTP/1.1 416 Range Not Satisfiable\r\n"
        case 417: "HTTP/1.1 417 Expectation Failed\r\n"
        case 422: "HTTP/1.1 422 Unprocessable Content\r\n"
        case 431: "HTTP/1.1 431 Request Header Fields Too Large\r\n"
        case 501: "HTTP/1.1 501 Not Implemented\r\n"
        case 503: "HTTP/1.1 503 Service Unavailable\r\n"
        case 505: "HTTP/1.1 505 HTTP Version Not Supported\r\n"
        default: "HTTP/1.1 500 Internal Server Error\r\n"
        }
    }
}
