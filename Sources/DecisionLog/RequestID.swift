internal import OpenSSL
internal import Synchronization

/// What `x-amz-request-id` and the entry's `request` carry: 16 hexadecimal digits, eight random ones for each start of the
/// process and a count.
package struct RequestID: Sendable {
    private let value: UInt64

    private static let start: UInt64 = randomBytes(4).reduce(0) { $0 << 8 | UInt64($1) } << 32
    private static let counter = Atomic<UInt64>(0)

    package static func next() -> RequestID {
        RequestID(value: start | counter.wrappingAdd(1, ordering: .relaxed).newValue & 0xFFFF_FFFF)
    }

    /// Appends the digits.
    package func append(to bytes: inout [UInt8]) {
        let digits = InlineArray<16, UInt8> { place in
            let digit = UInt8(truncatingIfNeeded: value >> UInt64(60 - 4 * place) & 15)
            return digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "A") + digit - 10
        }
        unsafe digits.span.withUnsafeBufferPointer { unsafe bytes.append(contentsOf: $0) }
    }

    package var text: String {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(16)
        append(to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }
}
