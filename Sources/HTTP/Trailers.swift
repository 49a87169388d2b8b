internal import OpenSSL

/// The fields after a chunked body (RFC 9110, section 6.5), bounded, and none that would frame or route a message.
package struct Trailers: Sendable {
    private let bytes: [UInt8]

    init(_ bytes: [UInt8], limits: Limits) throws(FramingError) {
        var at = 0
        do throws(FramingError) {
            try FieldBlock(limits: limits).parse(bytes.span, &at) { field throws(FramingError) in
                let name = bytes.span.extracting(field.name)
                let isForbidden =
                    name.equalsLowercased("content-length") || name.equalsLowercased("transfer-encoding")
                    || name.equalsLowercased("host") || name.equalsLowercased("authorization")
                    || name.equalsLowercased("content-encoding") || name.equalsLowercased("content-type")
                    || name.equalsLowercased("trailer") || name.equalsLowercased("expect")
                    // llhttp, for one, obeys it here, and would read no request behind this one.
                    || name.equalsLowercased("connection")
                guard !isForbidden else { throw .badTrailer }
            }
        } catch {
            throw .badTrailer
        }
        self.bytes = bytes
    }

    /// The first field of that name (in lower case).
    package func value(of name: StaticString) -> [UInt8]? {
        var at = 0
        while let field = FieldPosition(next: bytes.span, &at) {
            guard bytes.span.extracting(field.name).equalsLowercased(name) else { continue }
            return [UInt8](copying: bytes.span.extracting(field.value))
        }
        return nil
    }
}
