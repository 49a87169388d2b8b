internal import OpenSSL

/// Why a response's head cannot be written: always a defect of ours, and never sent.
package enum ResponseError: Error, Hashable, Sendable {
    /// A value with a control byte, which could begin another field or another response.
    case badFieldValue
}

/// Appends the heads of responses to bytes: an array, because a head is two dozen short writes, and each of them costs a `ByteBuffer`
/// several times what it costs an array.
package enum ResponseEncoder {
    /// The interim response that lets a body in.
    package static let continueBytes = Array("HTTP/1.1 100 Continue\r\n\r\n".utf8)

    /// `HTTP/1.1 200 OK`.
    package static func beginHead(status: Int, into buffer: inout [UInt8]) {
        buffer.append(statusLine(status))
    }

    package static func writeField(_ name: StaticString, _ value: StaticString, into buffer: inout [UInt8]) {
        buffer.append(name)
        buffer.append(": ")
        buffer.append(value)
        buffer.append("\r\n")
    }

    package static func writeField(_ name: StaticString, integer value: UInt64, into buffer: inout [UInt8]) {
        buffer.append(addingCapacity: name.utf8CodeUnitCount + integerFieldBytesMax) { buffer in
            buffer.append(literal: name)
            buffer.append(literal: ": ")
            buffer.append(decimal: value)
            buffer.append(literal: "\r\n")
        }
    }

    /// What a field with a number takes beside its name.
    private static let integerFieldBytesMax = 24

    /// - Throws: `badFieldValue` when the value holds CR, LF, NUL or another control byte but tab.
    package static func writeField(
        _ name: StaticString, _ value: some Collection<UInt8>, into buffer: inout [UInt8]
    ) throws(ResponseError) {
        for byte in value where !Byte.isFieldValue(byte) { throw .badFieldValue }
        buffer.append(name)
        buffer.append(": ")
        buffer.append(contentsOf: value)
        buffer.append("\r\n")
    }

    /// A field whose name is not ours either: user metadata.
    package static func writeField(
        prefix: StaticString, name: some Collection<UInt8>, _ value: some Collection<UInt8>,
        into buffer: inout [UInt8]
    ) throws(ResponseError) {
        for byte in name where !Byte.isToken(byte) { throw .badFieldValue }
        for byte in value where !Byte.isFieldValue(byte) { throw .badFieldValue }
        buffer.append(prefix)
        buffer.append(contentsOf: name)
        buffer.append(": ")
        buffer.append(contentsOf: value)
        buffer.append("\r\n")
    }

    package static func endHead(into buffer: inout [UInt8]) { buffer.append("\r\n") }

    /// With its CRLF: 64 bytes at most.
    package static func statusLine(_ status: Int) -> StaticString {
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

extension [UInt8] {
    /// Appends the text's UTF-8.
    package mutating func append(_ text: StaticString) {
        text.withUTF8Buffer { unsafe append(contentsOf: $0) }
    }
}
