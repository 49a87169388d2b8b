internal import NIOCore

/// The fields after a chunked body (RFC 9110, section 6.5), bounded, and none that would frame or route a message.
package struct Trailers: Sendable {
    private let bytes: ByteBuffer
    private let fields: [FieldPosition]

    init(_ bytes: ByteBuffer, limits: Limits) throws(FramingError) {
        let span = bytes.readableBytesUInt8Span
        var at = 0
        do throws(FramingError) {
            fields = try FieldBlock(limits: limits).parse(span, &at, fieldCountMax: limits.fieldCountMax)
        } catch {
            throw .badTrailer
        }
        self.bytes = bytes
        for field in fields {
            let name = span.extracting(field.name)
            let isForbidden =
                name.equalsLowercased("content-length") || name.equalsLowercased("transfer-encoding")
                || name.equalsLowercased("host") || name.equalsLowercased("authorization")
                || name.equalsLowercased("content-encoding") || name.equalsLowercased("content-type")
                || name.equalsLowercased("trailer") || name.equalsLowercased("expect")
                // llhttp, for one, obeys it here, and would read no request behind this one.
                || name.equalsLowercased("connection")
            guard !isForbidden else { throw .badTrailer }
        }
    }

    /// The first field of that name (in lower case).
    package func value(of name: StaticString) -> [UInt8]? {
        let all = bytes.readableBytesUInt8Span
        for field in fields where all.extracting(field.name).equalsLowercased(name) {
            return field.value.map { all[$0] }
        }
        return nil
    }
}
