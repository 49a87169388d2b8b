internal import NIOCore

/// One request's head: its bytes, and where in them everything is. No text is made of them.
package struct RequestHead: Sendable {
    package enum Method: Hashable, Sendable {
        case get, head, put, post, delete, options, other
    }

    /// How the body is framed (RFC 9112, section 6.3).
    package enum Body: Hashable, Sendable {
        case none
        case length(UInt64)
        case chunked
    }

    package let method: Method
    package let isKeepAlive: Bool
    package let expectsContinue: Bool
    package let body: Body
    /// A Content-Length was there, be it 0.
    package let declaresLength: Bool
    private let bytes: ByteBuffer
    private let targetRange: Range<Int>
    private let hostRange: Range<Int>
    private let fields: [FieldPosition]

    init(
        method: Method, isKeepAlive: Bool, expectsContinue: Bool, body: Body, declaresLength: Bool, bytes: ByteBuffer,
        target: Range<Int>,
        host: Range<Int>, fields: [FieldPosition]
    ) {
        self.method = method
        self.isKeepAlive = isKeepAlive
        self.expectsContinue = expectsContinue
        self.body = body
        self.declaresLength = declaresLength
        self.bytes = bytes
        targetRange = target
        hostRange = host
        self.fields = fields
    }

    /// The target in origin form, as it came: begins with `/`, printable ASCII.
    package var target: [UInt8] { copy(targetRange) }
    package var host: [UInt8] { copy(hostRange) }

    /// Calls `body` with the target, where it stands.
    package func withTarget<Result, Failure: Error>(
        _ body: (Span<UInt8>) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try body(bytes.readableBytesUInt8Span.extracting(targetRange))
    }

    /// Calls `body` with each field's name, as it came, and value, without the white space around it.
    package func forEachField<Failure: Error>(
        _ body: (_ name: Span<UInt8>, _ value: Span<UInt8>) throws(Failure) -> Void
    ) throws(Failure) {
        let all = bytes.readableBytesUInt8Span
        for field in fields {
            try body(all.extracting(field.name), all.extracting(field.value))
        }
    }

    /// The first field of that name (in lower case).
    package func value(of name: StaticString) -> [UInt8]? {
        let all = bytes.readableBytesUInt8Span
        for field in fields where all.extracting(field.name).equalsLowercased(name) { return copy(field.value) }
        return nil
    }

    /// The values of every field of that name (in lower case).
    package func values(of name: StaticString) -> [[UInt8]] {
        let all = bytes.readableBytesUInt8Span
        var values: [[UInt8]] = []
        for field in fields where all.extracting(field.name).equalsLowercased(name) { values.append(copy(field.value)) }
        return values
    }

    private func copy(_ range: Range<Int>) -> [UInt8] {
        bytes.getBytes(at: bytes.readerIndex + range.lowerBound, length: range.count) ?? []
    }
}

/// Where a field's name and value are in the head.
struct FieldPosition: Hashable, Sendable {
    let nameStart: UInt16
    let nameEnd: UInt16
    let valueStart: UInt16
    let valueEnd: UInt16

    var name: Range<Int> { Int(nameStart)..<Int(nameEnd) }
    var value: Range<Int> { Int(valueStart)..<Int(valueEnd) }
}

extension Span where Element == UInt8 {
    /// Is this, in lower case, that text (given in lower case)?
    package func equalsLowercased(_ text: StaticString) -> Bool {
        guard count == text.utf8CodeUnitCount else { return false }
        return text.withUTF8Buffer { text in
            let text = unsafe text.span
            for index in indices where Byte.lowercased(self[index]) != text[index] { return false }
            return true
        }
    }
}

extension Span where Element == UInt8 {
    /// Is this, byte for byte, that text?
    func equals(_ text: StaticString) -> Bool {
        guard count == text.utf8CodeUnitCount else { return false }
        return text.withUTF8Buffer { text in
            let text = unsafe text.span
            for index in indices where self[index] != text[index] { return false }
            return true
        }
    }
}
