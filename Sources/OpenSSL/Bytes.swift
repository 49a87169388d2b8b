// Bytes copied at once, where the standard library takes them one by one or looks at what kind of text it has first. Here, because
// this is a target where memory may be spoken of.

internal import Glibc

extension [UInt8] {
    /// The bytes of a span.
    package init(copying span: Span<UInt8>) { self = unsafe span.withUnsafeBytes { unsafe [UInt8]($0) } }

    /// Appends the bytes of a span.
    package mutating func append(copying span: Span<UInt8>) {
        append(addingCapacity: span.count) { $0.append(copying: span) }
    }

    /// Appends a literal's UTF-8.
    package mutating func append(literal: StaticString) {
        literal.withUTF8Buffer { unsafe append(contentsOf: $0) }
    }

    /// Appends a text's UTF-8.
    package mutating func append(utf8 text: String) { append(copying: text.utf8.span) }
}

/// Short writes, one after the other, into room that was made for all of them (`Array.append(addingCapacity:initializingWith:)`): a literal is two
/// stores, where an array would be asked each time whether it is shared and long enough. More than there is room for ends the process.
extension OutputSpan where Element == UInt8 {
    /// Appends the bytes of a span.
    @inlinable @inline(__always)
    package mutating func append(copying span: Span<UInt8>) {
        precondition(span.count <= freeCapacity, "more bytes than there is room for")
        unsafe withUnsafeMutableBufferPointer { room, count in
            guard let to = room.baseAddress else { return }
            unsafe span.withUnsafeBufferPointer { bytes in
                guard let from = bytes.baseAddress else { return }
                unsafe (to + count).initialize(from: from, count: bytes.count)
            }
            count += span.count
        }
    }

    /// Appends a literal's UTF-8.
    @inlinable @inline(__always)
    package mutating func append(literal: StaticString) {
        literal.withUTF8Buffer { append(copying: unsafe $0.span) }
    }

    /// Appends a text's UTF-8.
    @inlinable
    package mutating func append(utf8 text: String) { append(copying: text.utf8.span) }

    /// Appends one of several literals, of which only the run tells which: words, of which the last two may overlap, cost less than a call does
    /// that moves so few bytes.
    package mutating func append(oneOf literal: StaticString) {
        literal.withUTF8Buffer { bytes in
            let length = bytes.count
            precondition(length <= freeCapacity, "more bytes than there is room for")
            guard let from = unsafe UnsafeRawPointer(bytes.baseAddress), (4...32).contains(length) else {
                return append(copying: unsafe bytes.span)
            }
            unsafe withUnsafeMutableBufferPointer { room, count in
                guard let start = UnsafeMutableRawPointer(room.baseAddress) else { return }
                let to = unsafe start + count
                count += length
                if length < 8 {
                    unsafe Self.copy(UInt32.self, from, to, at: 0)
                    return unsafe Self.copy(UInt32.self, from, to, at: length - 4)
                }
                var at = 0
                while at < length - 8 {
                    unsafe Self.copy(UInt64.self, from, to, at: at)
                    at += 8
                }
                unsafe Self.copy(UInt64.self, from, to, at: length - 8)
            }
        }
    }

    @inline(__always)
    private static func copy<Word: BitwiseCopyable>(
        _ word: Word.Type, _ from: UnsafeRawPointer, _ to: UnsafeMutableRawPointer, at offset: Int
    ) {
        unsafe to.storeBytes(of: from.loadUnaligned(fromByteOffset: offset, as: word), toByteOffset: offset, as: word)
    }

    /// Appends the lowest `count` of eight bytes, the lowest first; there is room for all eight.
    @inlinable @inline(__always)
    package mutating func append(eightBytes word: UInt64, count added: Int = 8) {
        precondition(freeCapacity >= 8 && (0...8).contains(added), "more bytes than there is room for")
        unsafe withUnsafeMutableBufferPointer { room, count in
            guard let to = UnsafeMutableRawPointer(room.baseAddress) else { return }
            unsafe (to + count).storeBytes(of: word.littleEndian, as: UInt64.self)
            count += added
        }
    }

    /// Appends a number in decimal: 20 bytes at most.
    package mutating func append(decimal value: UInt64) {
        guard value < 100_000_000, freeCapacity >= 8 else { return append(long: value) }
        // Eight digits at once, the first in the lowest byte: fours, pairs, digits, each from the remainder of the one before.
        let fours = value / 10_000 | (value % 10_000) << 32
        let hundreds = (fours &* 10_486) >> 20 & 0x0000_007F_0000_007F
        let pairs = hundreds | (fours &- hundreds &* 100) << 16
        let tens = (pairs &* 103) >> 10 & 0x000F_000F_000F_000F
        let digits = tens | (pairs &- tens &* 10) << 8
        let zeros = value == 0 ? 7 : digits.trailingZeroBitCount >> 3
        append(eightBytes: (digits | 0x3030_3030_3030_3030) >> UInt64(8 * zeros), count: 8 - zeros)
    }

    private mutating func append(long value: UInt64) {
        var digits = InlineArray<20, UInt8>(repeating: UInt8(ascii: "0"))
        var first = 20
        var rest = value
        repeat {
            first -= 1
            digits[first] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
        } while rest > 0
        append(copying: digits.span.extracting(first...))
    }
}

extension Span where Element == UInt8 {
    /// Where a byte stands first; nil where it does not.
    package func firstIndex(of byte: UInt8) -> Int? {
        unsafe withUnsafeBytes { bytes in
            guard let start = bytes.baseAddress, let found = unsafe memchr(start, CInt(byte), bytes.count) else {
                return nil
            }
            return unsafe UnsafeRawPointer(found) - start
        }
    }

    /// Are these the same bytes?
    package func isSame(as other: Span<UInt8>) -> Bool {
        guard count == other.count else { return false }
        if (8...32).contains(count) {
            // Names and keys: words, of which the last two may overlap, cost less than a call.
            let last = count - 8
            var difference = eightBytes(last) ^ other.eightBytes(last)
            var at = 0
            while at < last {
                difference |= eightBytes(at) ^ other.eightBytes(at)
                at += 8
            }
            return difference == 0
        }
        return unsafe withUnsafeBytes { mine in
            unsafe other.withUnsafeBytes { theirs in
                guard let left = mine.baseAddress, let right = theirs.baseAddress else { return true }
                return unsafe memcmp(left, right, mine.count) == 0
            }
        }
    }

    /// The eight bytes from `offset`, all of which are inside, in the machine's order.
    @inline(__always)
    func eightBytes(_ offset: Int) -> UInt64 {
        unsafe bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self)
    }

    /// A number for a table where whoever comes next takes the slot: bytes that are made to meet there cost a look-up more, and nothing else.
    /// Another one in each process.
    package var slotHash: UInt64 {
        var hash = SlotHash.seed ^ UInt64(truncatingIfNeeded: count)
        var at = 0
        while at < count {
            var word: UInt64 = 0
            if at + 8 <= count {
                word = eightBytes(at)
            } else {
                for index in at..<count { word = word << 8 | UInt64(self[index]) }
            }
            hash = SlotHash.mixed(hash ^ word)
            at += 8
        }
        return hash
    }

    /// Is every byte between 0x01 and 0x7F?
    package var isASCIIWithoutNUL: Bool {
        var at = 0
        // A byte's highest bit is set where it was, or where the byte is 0: what is borrowed goes on to bytes above one that is.
        var found: UInt64 = 0
        while at + 8 <= count {
            let word = eightBytes(at)
            found |= word | (word &- 0x0101_0101_0101_0101)
            at += 8
        }
        while at < count {
            found |= UInt64(self[at]) | UInt64(self[at] &- 1)
            at += 1
        }
        return found & 0x8080_8080_8080_8080 == 0
    }
}

private enum SlotHash {
    static let seed = UInt64.random(in: .min ... .max)

    /// Multiplied to 128 bits, and both halves in one.
    static func mixed(_ value: UInt64) -> UInt64 {
        let product = value.multipliedFullWidth(by: 0x9E37_79B9_7F4A_7C15)
        return product.high ^ product.low
    }
}
