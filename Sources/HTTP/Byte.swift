/// The classes of bytes that RFC 9110 and RFC 9112 speak of.
enum Byte {
    static let tab: UInt8 = 0x09
    static let lineFeed: UInt8 = 0x0A
    static let carriageReturn: UInt8 = 0x0D
    static let space: UInt8 = 0x20
    static let comma = UInt8(ascii: ",")
    static let colon = UInt8(ascii: ":")
    static let semicolon = UInt8(ascii: ";")

    /// tchar, RFC 9110, section 5.6.2.
    static func isToken(_ byte: UInt8) -> Bool {
        let bits: UInt64 = byte < 0x40 ? 0x03FF_6CFA_0000_0000 : byte < 0x80 ? 0x57FF_FFFF_C7FF_FFFE : 0
        return bits &>> UInt64(byte & 0x3F) & 1 == 1
    }

    /// VCHAR, obs-text, space or tab: what a field value may hold (RFC 9110, section 5.5).
    static func isFieldValue(_ byte: UInt8) -> Bool { byte >= 0x20 && byte != 0x7F || byte == tab }

    /// What a name, an address and a port are made of: letters, digits, and `.`, `-`, `_`, `:`, `[`, `]`.
    static func isOfHost(_ byte: UInt8) -> Bool {
        let bits: UInt64 = byte < 0x40 ? 0x07FF_6000_0000_0000 : byte < 0x80 ? 0x07FF_FFFE_AFFF_FFFE : 0
        return bits &>> UInt64(byte & 0x3F) & 1 == 1
    }

    static func isDigit(_ byte: UInt8) -> Bool { byte &- 0x30 < 10 }

    static func hexValue(_ byte: UInt8) -> UInt64? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt64(byte - UInt8(ascii: "0"))
        case UInt8(ascii: "a")...UInt8(ascii: "f"): UInt64(byte - UInt8(ascii: "a") + 10)
        case UInt8(ascii: "A")...UInt8(ascii: "F"): UInt64(byte - UInt8(ascii: "A") + 10)
        default: nil
        }
    }

    static func lowercased(_ byte: UInt8) -> UInt8 { byte &- 0x41 < 26 ? byte | 0x20 : byte }
}

/// Eight bytes at a time, as one number: the byte at the lowest address is the lowest. In what these return, the lowest bit that is set is in
/// the first byte found; above it there may be others that mean nothing.
enum EightBytes {
    private static let ones: UInt64 = 0x0101_0101_0101_0101
    private static let highBits: UInt64 = 0x8080_8080_8080_8080

    /// Bytes below 0x20.
    static func controls(_ word: UInt64) -> UInt64 { (word &- 0x20 &* ones) & ~word & highBits }

    /// Has a bit where a byte is not between 0x20 and 0x7E, at the first such byte and perhaps above it.
    static func unprintable(_ word: UInt64) -> UInt64 { unprintable(word, orBelow: 0x20) }

    /// The same where a byte is not between `low`, at most 0x7E, and 0x7E.
    static func unprintable(_ word: UInt64, orBelow low: UInt64) -> UInt64 {
        ((word &- low &* ones) | (word &+ ones) | word) & highBits
    }

    /// Has the highest bit of each byte that is no ASCII letter and no hyphen.
    static func otherThanLettersAndHyphens(_ word: UInt64) -> UInt64 {
        let low = word & ~highBits
        let lowercased = low | 0x20 &* ones
        let letters = (lowercased &+ 0x1F &* ones) & ~(lowercased &+ 0x05 &* ones)
        let others = (low ^ 0x2D &* ones) &+ 0x7F &* ones
        return (word | ~letters & others) & highBits
    }
}

extension Span where Element == UInt8 {
    /// The eight bytes from `at`, all of which are inside.
    func eightBytes(at start: Int) -> UInt64 {
        UInt64(littleEndian: unsafe bytes.unsafeLoadUnaligned(fromByteOffset: start, as: UInt64.self))
    }

    /// Past the bytes of a token (RFC 9110, section 5.6.2).
    @inline(__always)
    func skipToken(_ at: inout Int) {
        skipLettersAndHyphens(&at)
        while at < count, Byte.isToken(self[at]) { at += 1 }
    }

    /// Past some of the letters and hyphens that are next: all of those that are followed by as many bytes again as one number has.
    @inline(__always)
    func skipLettersAndHyphens(_ at: inout Int) {
        while at + 8 <= count {
            let others = EightBytes.otherThanLettersAndHyphens(eightBytes(at: at))
            at += others == 0 ? 8 : others.trailingZeroBitCount >> 3
            guard others == 0 else { break }
        }
    }

    /// Are all of the thirty-two bytes from `at`, all of which are inside, between 0x20 and 0x7E?
    func isPrintable(inThirtyTwoFrom start: Int) -> Bool {
        let part = extracting(start..<start + 32)
        return EightBytes.unprintable(part.eightBytes(at: 0)) | EightBytes.unprintable(part.eightBytes(at: 8))
            | EightBytes.unprintable(part.eightBytes(at: 16)) | EightBytes.unprintable(part.eightBytes(at: 24)) == 0
    }
}
