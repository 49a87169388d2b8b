internal import OpenSSL

/// Percent-encoding (RFC 3986, section 2.1), as S3 uses it.
package enum Percent {
    /// Decodes once; `+` stays `+` in a path and is a space in a query. Nil for a malformed escape.
    package static func decode(_ text: Span<UInt8>, plusIsSpace: Bool = false) -> [UInt8]? {
        // The usual text is its own meaning.
        var at = text.firstIndex(of: UInt8(ascii: "%")) ?? text.count
        if plusIsSpace { at = text.extracting(..<at).firstIndex(of: UInt8(ascii: "+")) ?? at }
        var bytes = [UInt8](copying: text.extracting(first: at))
        guard at < text.count else { return bytes }
        bytes.reserveCapacity(text.count)
        while at < text.count {
            switch text[at] {
            case UInt8(ascii: "%"):
                guard at + 2 < text.count, let high = Hex.value(text[at + 1]), let low = Hex.value(text[at + 2]) else {
                    return nil
                }
                bytes.append(high << 4 | low)
                at += 3
            case UInt8(ascii: "+") where plusIsSpace:
                bytes.append(UInt8(ascii: " "))
                at += 1
            default:
                bytes.append(text[at])
                at += 1
            }
        }
        return bytes
    }

    /// Encodes everything but unreserved bytes and `/`: what `encoding-type=url` asks for.
    package static func encode(_ bytes: [UInt8]) -> [UInt8] {
        let digits = Array("0123456789ABCDEF".utf8)
        var text: [UInt8] = []
        text.reserveCapacity(bytes.count)
        for byte in bytes {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"), UInt8(ascii: "/"):
                text.append(byte)
            default:
                text.append(UInt8(ascii: "%"))
                text.append(digits[Int(byte >> 4)])
                text.append(digits[Int(byte & 15)])
            }
        }
        return text
    }
}
