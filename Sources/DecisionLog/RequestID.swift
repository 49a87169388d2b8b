internal import OpenSSL
internal import Synchronization

/// What `x-amz-request-id` and the entry's `request` carry: 16 hexadecimal digits, eight random ones for each start of the
/// process and a count.
package struct RequestID: Sendable {
    /// The digits, made once: an answer has them and an entry.
    private let start: UInt64
    private let count: UInt64

    private static let startDigits = digits(randomBytes(4).reduce(0) { $0 << 8 | UInt64($1) })
    private static let counter = Atomic<UInt64>(0)

    package static func next() -> RequestID {
        let count = counter.wrappingAdd(1, ordering: .relaxed).newValue & 0xFFFF_FFFF
        return RequestID(start: startDigits, count: digits(count))
    }

    /// Appends the digits.
    package func append(to bytes: inout OutputSpan<UInt8>) {
        bytes.append(eightBytes: start)
        bytes.append(eightBytes: count)
    }

    /// Eight digits, the highest in the lowest byte.
    private static func digits(_ value: UInt64) -> UInt64 {
        // One nibble to a byte, by halves: 16 bits, 8, 4.
        var digits = value >> 16 | (value & 0xFFFF) << 32
        digits = (digits >> 8 & 0x0000_00FF_0000_00FF) | (digits << 16 & 0x00FF_0000_00FF_0000)
        digits = (digits >> 4 & 0x000F_000F_000F_000F) | (digits << 8 & 0x0F00_0F00_0F00_0F00)
        // Ten and more carry into the fifth bit when six is added.
        let letters = (digits &+ 0x0606_0606_0606_0606) >> 4 & 0x0101_0101_0101_0101
        return digits &+ 0x3030_3030_3030_3030 &+ letters &* 7
    }

    package static let byteCount = 16

    package var text: String {
        String(decoding: [UInt8](capacity: Self.byteCount) { append(to: &$0) }, as: UTF8.self)
    }
}
