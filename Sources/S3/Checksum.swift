internal import OpenSSL

/// The checksums of S3 (by their names in `x-amz-checksum-`).
package enum ChecksumAlgorithm: String, Hashable, Sendable, CaseIterable {
    case crc32, crc32c, crc64nvme, sha1, sha256

    /// Bytes in the value.
    package var byteCount: Int {
        switch self {
        case .crc32, .crc32c: 4
        case .crc64nvme: 8
        case .sha1: 20
        case .sha256: 32
        }
    }

    /// Strict base64 of RFC 4648, section 4.
    static func decodeBase64(_ text: [UInt8]) -> [UInt8]? {
        guard text.count % 4 == 0 else { return nil }
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
        var digits = text[...]
        while digits.last == UInt8(ascii: "="), text.count - digits.count < 2 { digits = digits.dropLast() }
        var bytes: [UInt8] = []
        var word: UInt32 = 0
        var bits = 0
        for digit in digits {
            guard let value = alphabet.firstIndex(of: digit) else { return nil }
            word = word << 6 | UInt32(value)
            bits += 6
            if bits >= 8 {
                bits -= 8
                bytes.append(UInt8(truncatingIfNeeded: word >> UInt32(bits)))
                word &= (1 << UInt32(bits)) - 1
            }
        }
        return word == 0 ? bytes : nil
    }
}

/// Computes one checksum over a body, a piece at a time.
package struct Checksum: ~Copyable {
    package let algorithm: ChecksumAlgorithm
    /// A CRC so far, inverted; unused where there is a digest.
    private var crc: UInt64 = ~0
    private var hasher: OpenSSL.Hasher?

    package init(_ algorithm: ChecksumAlgorithm) {
        self.algorithm = algorithm
        switch algorithm {
        case .crc32, .crc32c, .crc64nvme: hasher = nil
        case .sha1: hasher = OpenSSL.Hasher(.sha1)
        case .sha256: hasher = OpenSSL.Hasher(.sha256)
        }
    }

    package mutating func update(_ bytes: Span<UInt8>) {
        switch algorithm {
        case .crc32: update32(bytes, Tables.crc32)
        case .crc32c: update32(bytes, Tables.crc32c)
        case .crc64nvme:
            let table = Tables.crc64nvme
            var value = crc
            for index in bytes.indices {
                value = value >> 8 ^ table[Int(UInt8(truncatingIfNeeded: value) ^ bytes[index])]
            }
            crc = value
        case .sha1, .sha256: hasher?.update(bytes)
        }
    }

    private mutating func update32(_ bytes: Span<UInt8>, _ table: [UInt32]) {
        var value = UInt32(truncatingIfNeeded: crc)
        for index in bytes.indices { value = value >> 8 ^ table[Int(UInt8(truncatingIfNeeded: value) ^ bytes[index])] }
        crc = UInt64(value)
    }

    /// The value, big-endian.
    package mutating func finish() -> [UInt8] {
        switch algorithm {
        case .crc32, .crc32c:
            let value = ~UInt32(truncatingIfNeeded: crc)
            return (0..<4).map { UInt8(truncatingIfNeeded: value >> UInt32(24 - 8 * $0)) }
        case .crc64nvme: return (0..<8).map { UInt8(truncatingIfNeeded: ~crc >> UInt64(56 - 8 * $0)) }
        case .sha1, .sha256: return hasher?.finish() ?? []
        }
    }

    /// Tables of the reflected polynomials: CRC-32/ISO-HDLC, CRC-32/ISCSI and CRC-64/NVME.
    private enum Tables {
        static let crc32 = table32(0xEDB8_8320)
        static let crc32c = table32(0x82F6_3B78)
        static let crc64nvme: [UInt64] = (0..<256).map { index in
            (0..<8).reduce(UInt64(index)) { value, _ in value & 1 == 1 ? value >> 1 ^ 0x9A6C_9329_AC4B_C9B5 : value >> 1
            }
        }

        private static func table32(_ polynomial: UInt32) -> [UInt32] {
            (0..<256).map { index in
                (0..<8).reduce(UInt32(index)) { value, _ in value & 1 == 1 ? value >> 1 ^ polynomial : value >> 1 }
            }
        }
    }
}
