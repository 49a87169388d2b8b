internal import CXXHash
internal import OpenSSL

/// What tells a whole group of the write-ahead log from a torn one: XXH3, 128 bits (xxHash's specification), at the speed of memory. It
/// holds against accidents. Against somebody who writes to the disk nothing without a key does; from the next witnessed checkpoint on,
/// the tree holds against him.
struct GroupChecksum: Hashable, Sendable {
    static let byteCount = 16
    static let zero = GroupChecksum(high: 0, low: 0)

    private let high: UInt64
    private let low: UInt64

    private init(high: UInt64, low: UInt64) { (self.high, self.low) = (high, low) }

    init(of bytes: Span<UInt8>) {
        let hash = unsafe bytes.withUnsafeBytes { unsafe bailiwick_xxh3_128($0.baseAddress, $0.count) }
        self.init(high: hash.high64, low: hash.low64)
    }

    /// Takes the 16 bytes that begin at `offset`, in xxHash's canonical order.
    init(_ bytes: [UInt8], at offset: Int) {
        func number(_ at: Int) -> UInt64 { bytes[at..<at + 8].reduce(0) { $0 << 8 | UInt64($1) } }
        self.init(high: number(offset), low: number(offset + 8))
    }

    /// Appends the 16 bytes.
    func append(to bytes: inout [UInt8]) {
        for number in [high, low] {
            for place in (0..<8).reversed() { bytes.append(UInt8(truncatingIfNeeded: number >> UInt64(8 * place))) }
        }
    }
}
