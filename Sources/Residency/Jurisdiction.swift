/// An ISO 3166-1 alpha-2 or ISO 3166-2 code (`IE`, `US-CA`), compared as bytes.
///
/// At most six ASCII bytes, kept big-endian in one integer, so that integer order is byte order
/// and a comparison costs one instruction.
package struct Jurisdiction: Hashable, Comparable, Sendable {
    private let packed: UInt64

    /// Parses exactly `[A-Z]{2}` or `[A-Z]{2}-[A-Z0-9]{1,3}`; nil for anything else.
    package init?(_ text: some StringProtocol) { self.init(utf8: Array(text.utf8)) }

    /// The same by its bytes.
    package init?(utf8 bytes: [UInt8]) {
        guard bytes.count == 2 || (4...6).contains(bytes.count) else { return nil }
        var packed: UInt64 = 0
        for (index, byte) in bytes.enumerated() {
            let isLetter = (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
            let isDigit = (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
            switch index {
            case 0, 1: guard isLetter else { return nil }
            case 2: guard byte == UInt8(ascii: "-") else { return nil }
            default: guard isLetter || isDigit else { return nil }
            }
            packed |= UInt64(byte) << UInt64(56 - 8 * index)
        }
        self.packed = packed
    }

    /// The code's ASCII bytes, two to six of them.
    package var utf8: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(6)
        append(to: &bytes)
        return bytes
    }

    /// Appends the code's ASCII bytes.
    package func append(to bytes: inout [UInt8]) {
        bytes.append(addingCapacity: Self.codeBytesMax) { append(to: &$0) }
    }

    /// The most bytes that a code has.
    package static let codeBytesMax = 8

    /// The same, into room that is there.
    package func append(to bytes: inout OutputSpan<UInt8>) {
        var rest = packed
        while rest != 0 {
            bytes.append(UInt8(truncatingIfNeeded: rest >> 56))
            rest <<= 8
        }
    }

    /// The code as text.
    package var code: String { String(decoding: utf8, as: UTF8.self) }

    package static func < (left: Jurisdiction, right: Jurisdiction) -> Bool { left.packed < right.packed }
}

extension Jurisdiction: CustomStringConvertible {
    package var description: String { code }
}

/// A named set of jurisdictions inside which reading is not cross-border (`EEA`).
package struct Area: Hashable, Sendable {
    package let name: String
    package let jurisdictions: Set<Jurisdiction>

    package init(name: String, jurisdictions: Set<Jurisdiction>) {
        self.name = name
        self.jurisdictions = jurisdictions
    }
}
