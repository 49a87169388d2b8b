internal import OpenSSL

/// Parses one whole head (request line, fields, empty line) in one pass.
struct HeadParser {
    let limits: Limits

    /// - Parameters:
    ///   - bytes: the head from its beginning, its last empty line included; what follows that is not looked at.
    ///   - take: called with each field's name and value, in order, also where something is wrong with what comes after it.
    func parse(
        _ bytes: Span<UInt8>, _ take: (_ name: Span<UInt8>, _ value: Span<UInt8>) -> Void = { _, _ in }
    ) throws(FramingError) -> RequestHead {
        var at = 0
        let (method, target) = try requestLine(bytes, &at)
        let fieldsStart = at
        var meaning = FieldMeaning()
        var fault: FramingError?
        try FieldBlock(limits: limits).parse(bytes, &at) { field throws(FramingError) in
            let (name, value) = (bytes.extracting(field.name), bytes.extracting(field.value))
            take(name, value)
            do throws(FramingError) { try meaning.add(name, value, field.value) } catch { fault = fault ?? error }
        }
        // Lines that are none come first, wherever they stand: nothing in such a head is to be trusted.
        if let fault { throw fault }
        return try meaning.head(
            method: method, bytes: bytes.extracting(..<at), target: target, fieldsStart: fieldsStart)
    }

    /// `method SP target SP HTTP/1.1 CRLF` (RFC 9112, section 3).
    private func requestLine(_ span: Span<UInt8>, _ at: inout Int) throws(FramingError) -> (
        RequestHead.Method, Range<Int>
    ) {
        let methodStart = at
        span.skipToken(&at)
        guard at > methodStart, at < span.count, span[at] == Byte.space else { throw .malformedRequestLine }
        let method = Self.method(span.extracting(methodStart..<at))
        at += 1
        let targetStart = at
        while at + 8 <= span.count {
            let others = EightBytes.unprintable(span.eightBytes(at: at), orBelow: 0x21)
            at += others == 0 ? 8 : others.trailingZeroBitCount >> 3
            guard others == 0 else { break }
        }
        while at < span.count, span[at] > 0x20, span[at] < 0x7F { at += 1 }
        guard at < span.count, span[at] == Byte.space else {
            throw at < span.count && (span[at] == Byte.carriageReturn || span[at] == Byte.lineFeed)
                ? .malformedRequestLine : .badTarget
        }
        let target = targetStart..<at
        guard !target.isEmpty, span[targetStart] == UInt8(ascii: "/"),
            span.extracting(target).firstIndex(of: UInt8(ascii: "#")) == nil
        else { throw .badTarget }
        at += 1
        try Self.version(span.extracting(at..<min(at + 8, span.count)))
        at += 8
        try FieldBlock.endOfLine(span, &at, else: .malformedRequestLine)
        return (method, target)
    }

    private static func version(_ version: Span<UInt8>) throws(FramingError) {
        if version.equals("HTTP/1.1") { return }
        guard version.count == 8, version.extracting(0..<5).equals("HTTP/"), Byte.isDigit(version[5]),
            version[6] == UInt8(ascii: "."), Byte.isDigit(version[7])
        else { throw .malformedRequestLine }
        throw .unsupportedVersion
    }

    private static func method(_ name: Span<UInt8>) -> RequestHead.Method {
        if name.equals("GET") { return .get }
        if name.equals("PUT") { return .put }
        if name.equals("HEAD") { return .head }
        if name.equals("POST") { return .post }
        if name.equals("DELETE") { return .delete }
        if name.equals("OPTIONS") { return .options }
        return .other
    }
}

/// Parses the field lines of a head or of trailers, up to and with the empty line (RFC 9112, section 5).
struct FieldBlock {
    let limits: Limits

    /// Calls `take` with each field, in order.
    @inline(__always)
    func parse(
        _ span: Span<UInt8>, _ at: inout Int, _ take: (FieldPosition) throws(FramingError) -> Void
    ) throws(FramingError) {
        var count = 0
        while at < span.count, span[at] != Byte.carriageReturn {
            guard count < limits.fieldCountMax else { throw .tooManyFields }
            count += 1
            try take(try fieldLine(span, &at))
        }
        try Self.endOfLine(span, &at, else: .malformedField)
    }

    private func fieldLine(_ span: Span<UInt8>, _ at: inout Int) throws(FramingError) -> FieldPosition {
        let nameStart = at
        span.skipToken(&at)
        // A space before the colon, an empty name and obs-fold all end here (RFC 9112, sections 5.1 and 5.2).
        guard at > nameStart, at < span.count, span[at] == Byte.colon else { throw .malformedField }
        let nameEnd = at
        at += 1
        let valueStart = at
        Self.skipFieldValue(span, &at)
        let value = span.withoutBlanks(valueStart..<at)
        try Self.endOfLine(span, &at, else: .malformedField)
        return FieldPosition(name: nameStart..<nameEnd, value: value)
    }

    private static func skipFieldValue(_ span: Span<UInt8>, _ at: inout Int) {
        // A token's field is long, most others are not.
        let isLongFrom = at + 32
        while true {
            while at >= isLongFrom, at + 32 <= span.count, span.isPrintable(inThirtyTwoFrom: at) { at += 32 }
            while at + 8 <= span.count {
                let others = EightBytes.unprintable(span.eightBytes(at: at))
                at += others == 0 ? 8 : others.trailingZeroBitCount >> 3
                guard others == 0 else { break }
            }
            guard at < span.count, Byte.isFieldValue(span[at]) else { return }
            at += 1
        }
    }

    /// Past CRLF, the only end of a line that is taken.
    static func endOfLine(_ span: Span<UInt8>, _ at: inout Int, else error: FramingError) throws(FramingError) {
        guard at + 2 <= span.count, span[at] == Byte.carriageReturn, span[at + 1] == Byte.lineFeed else { throw error }
        at += 2
    }
}
