/// Writes the XML that S3 answers with, by hand, in S3's own order of elements.
package struct XMLWriter: Sendable {
    package private(set) var bytes: [UInt8] = []

    package init() { bytes.append(contentsOf: #"<?xml version="1.0" encoding="UTF-8"?>"#.utf8) }

    package mutating func open(_ name: String, namespace: Bool = false) {
        bytes.append(UInt8(ascii: "<"))
        append(name)
        if namespace { bytes.append(contentsOf: #" xmlns="http://s3.amazonaws.com/doc/2006-03-01/""#.utf8) }
        bytes.append(UInt8(ascii: ">"))
    }

    package mutating func close(_ name: String) {
        bytes.append(UInt8(ascii: "<"))
        bytes.append(UInt8(ascii: "/"))
        append(name)
        bytes.append(UInt8(ascii: ">"))
    }

    private mutating func append(_ name: String) {
        bytes.append(contentsOf: name.utf8)
    }

    package mutating func element(_ name: String, _ text: [UInt8]) {
        open(name)
        // Most texts hold nothing to escape, and a listing holds thousands of them.
        if text.contains(where: Self.isSpecial) { escape(text) } else { bytes.append(contentsOf: text) }
        close(name)
    }

    package mutating func element(_ name: String, _ text: String) { element(name, Array(text.utf8)) }

    private static func isSpecial(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "&"), UInt8(ascii: "<"), UInt8(ascii: ">"), UInt8(ascii: "\""), 0..<0x20: true
        default: false
        }
    }

    /// Escapes what XML 1.0 cannot hold as it is. A control byte that it cannot hold at all becomes a reference, as S3 writes it.
    private mutating func escape(_ text: [UInt8]) {
        for byte in text {
            switch byte {
            case UInt8(ascii: "&"): bytes.append(contentsOf: "&amp;".utf8)
            case UInt8(ascii: "<"): bytes.append(contentsOf: "&lt;".utf8)
            case UInt8(ascii: ">"): bytes.append(contentsOf: "&gt;".utf8)
            case UInt8(ascii: "\""): bytes.append(contentsOf: "&quot;".utf8)
            case 0..<0x20: bytes.append(contentsOf: "&#x\(String(byte, radix: 16));".utf8)
            default: bytes.append(byte)
            }
        }
    }
}
