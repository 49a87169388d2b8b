internal import OpenSSL
internal import Synchronization

/// What `x-amz-request-id` and the entry's `request` carry: 16 hexadecimal digits, eight random ones for each start of the
/// process and a count.
struct RequestID: Sendable {
    let text: String

    private static let start: UInt64 = randomBytes(4).reduce(0) { $0 << 8 | UInt64($1) } << 32
    private static let counter = Atomic<UInt64>(0)
    private static let digits = Array("0123456789ABCDEF".utf8)

    static func next() -> RequestID {
        let value = start | counter.wrappingAdd(1, ordering: .relaxed).newValue & 0xFFFF_FFFF
        return RequestID(
            text: String(decoding: (0..<16).map { digits[Int(value >> UInt64(60 - 4 * $0) & 15)] }, as: UTF8.self))
    }
}
