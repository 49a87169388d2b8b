internal import OpenSSL

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
    private let bytes: [UInt8]
    private let targetRange: Range<UInt32>
    private let hostRange: Range<UInt32>
    private let fieldsStart: UInt32
}

extension RequestHead {
    /// By way of the memberwise initialiser: one that assigns the members copies the whole in the end.
    /// - Parameters:
    ///   - bytes: that were found well formed, no more than 4 GiB.
    ///   - fieldsStart: where the first field line begins.
    init(
        _ method: Method, isKeepAlive: Bool, expectsContinue: Bool, body: Body, declaresLength: Bool,
        bytes: Span<UInt8>, target: Range<Int>, host: Range<Int>, fieldsStart: Int
    ) {
        self.init(
            method: method, isKeepAlive: isKeepAlive, expectsContinue: expectsContinue, body: body,
            declaresLength: declaresLength, bytes: [UInt8](copying: bytes),
            targetRange: UInt32(target.lowerBound)..<UInt32(target.upperBound),
            hostRange: UInt32(host.lowerBound)..<UInt32(host.upperBound), fieldsStart: UInt32(fieldsStart))
    }

    /// The target in origin form, as it came: begins with `/`, printable ASCII.
    package var target: [UInt8] { [UInt8](copying: span(targetRange)) }
    package var host: [UInt8] { [UInt8](copying: span(hostRange)) }

    var byteCount: Int { bytes.count }
    /// Of the request line, without its CRLF: the version ends it.
    var requestLineBytes: Int { Int(targetRange.upperBound) + " HTTP/1.1".utf8.count }

    /// Calls `body` with the target, where it stands.
    package func withTarget<Result, Failure: Error>(
        _ body: (Span<UInt8>) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try body(span(targetRange))
    }

    /// Calls `body` with each field's name, as it came, and value, without the white space around it.
    package func forEachField<Failure: Error>(
        _ body: (_ name: Span<UInt8>, _ value: Span<UInt8>) throws(Failure) -> Void
    ) throws(Failure) {
        let bytes = bytes.span
        var at = Int(fieldsStart)
        while let field = FieldPosition(next: bytes, &at) {
            try body(bytes.extracting(field.name), bytes.extracting(field.value))
        }
    }

    /// The first field of that name (in lower case).
    package func value(of name: StaticString) -> [UInt8]? { values(of: name).first }

    /// The values of every field of that name (in lower case).
    package func values(of name: StaticString) -> [[UInt8]] {
        var values: [[UInt8]] = []
        forEachField { other, value in
            if other.equalsLowercased(name) { values.append([UInt8](copying: value)) }
        }
        return values
    }

    @_lifetime(borrow self)
    private func span(_ range: Range<UInt32>) -> Span<UInt8> {
        bytes.span.extracting(Int(range.lowerBound)..<Int(range.upperBound))
    }
}

/// Where a field's name and value are in a block of field lines.
struct FieldPosition: Hashable, Sendable {
    let name: Range<Int>
    let value: Range<Int>

    init(name: Range<Int>, value: Range<Int>) {
        self.name = name
        self.value = value
    }

    /// Reads on in a block that was found well formed; nil at its empty line.
    init?(next block: Span<UInt8>, _ at: inout Int) {
        guard at < block.count, block[at] != Byte.carriageReturn,
            let colon = block.extracting(at...).firstIndex(of: Byte.colon),
            let lineBytes = block.extracting(at...).firstIndex(of: Byte.carriageReturn)
        else { return nil }
        name = at..<at + colon
        value = block.withoutBlanks(at + colon + 1..<at + lineBytes)
        at += lineBytes + 2
    }
}

extension Span where Element == UInt8 {
    /// The range without the spaces and tabs at its ends.
    @inline(__always)
    func withoutBlanks(_ range: Range<Int>) -> Range<Int> {
        var (start, end) = (range.lowerBound, range.upperBound)
        while start < end, self[start] == Byte.space || self[start] == Byte.tab { start += 1 }
        while end > start, self[end - 1] == Byte.space || self[end - 1] == Byte.tab { end -= 1 }
        return start..<end
    }
}

extension Span where Element == UInt8 {
    /// Is this, in lower case, that text (given in lower case)?
    @inline(__always)
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
    @inline(__always)
    func equals(_ text: StaticString) -> Bool {
        guard count == text.utf8CodeUnitCount else { return false }
        return text.withUTF8Buffer { text in
            let text = unsafe text.span
            for index in indices where self[index] != text[index] { return false }
            return true
        }
    }
}
