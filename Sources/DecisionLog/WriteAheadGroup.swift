internal import OpenSSL

/// The header of one group in the write-ahead log: 128 bytes before the entries, all integers big-endian.
///
///     0   8  magic "BWKGRP\0\3"
///     8   8  epoch: counts the starts of the log
///    16   8  sequence: counts groups, without a gap, over all segments
///    24   8  index of the first entry
///    32   4  entries
///    36   4  bytes of entries
///    40  16  checksum of the group before
///    56  16  checksum: `GroupChecksum` of the header with this field zero, and the entries
///    72  56  zero
///
/// A group begins at a multiple of 4,096 bytes, where O_DIRECT can write it.
struct WriteAheadGroup {
    static let magic: [UInt8] = [0x42, 0x57, 0x4B, 0x47, 0x52, 0x50, 0x00, 0x03]
    static let headerByteCount = 128
    private static let previousOffset = 40
    private static let checksumOffset = 56

    let epoch: UInt64
    let sequence: UInt64
    let firstIndex: UInt64
    let count: UInt32
    let previous: GroupChecksum
    /// Each entry after its length as big-endian uint16, as bundles hold them.
    let entries: [UInt8]

    /// Fills `buffer` with the group; gives its padded size and its checksum.
    func fill(_ buffer: AlignedBuffer) -> (byteCount: Int, checksum: GroupChecksum) {
        let padded = buffer.fill(header, entries)
        let checksum = GroupChecksum(of: buffer.first(Self.headerByteCount + entries.count))
        var bytes: [UInt8] = []
        checksum.append(to: &bytes)
        buffer.copy(bytes, at: Self.checksumOffset)
        return (padded, checksum)
    }

    /// The header with a checksum of zero.
    private var header: [UInt8] {
        var bytes = Self.magic
        bytes.reserveCapacity(Self.headerByteCount)
        for value in [epoch, sequence, firstIndex] { Self.append(value, byteCount: 8, to: &bytes) }
        Self.append(UInt64(count), byteCount: 4, to: &bytes)
        Self.append(UInt64(entries.count), byteCount: 4, to: &bytes)
        previous.append(to: &bytes)
        bytes.append(contentsOf: repeatElement(0, count: Self.headerByteCount - bytes.count))
        return bytes
    }

    /// What a place in a segment holds.
    enum Found {
        /// No group's beginning.
        case nothing
        /// A header whose group is not all there, or not as it was written.
        case broken(sequence: UInt64, firstIndex: UInt64)
        case whole(WriteAheadGroup, checksum: GroupChecksum)
    }

    /// Reads the group that begins at `offset` of a segment's bytes.
    static func read(_ segment: [UInt8], at offset: Int) -> Found {
        guard offset + headerByteCount <= segment.count, segment[offset..<offset + 8].elementsEqual(magic) else {
            return .nothing
        }
        func number(_ at: Int, _ byteCount: Int) -> UInt64 {
            segment[offset + at..<offset + at + byteCount].reduce(0) { $0 << 8 | UInt64($1) }
        }
        let sequence = number(16, 8)
        let firstIndex = number(24, 8)
        let byteCount = Int(number(36, 4))
        guard offset + headerByteCount + byteCount <= segment.count else {
            return .broken(sequence: sequence, firstIndex: firstIndex)
        }
        let checksum = GroupChecksum(segment, at: offset + checksumOffset)
        var bytes = Array(segment[offset..<offset + headerByteCount + byteCount])
        for at in checksumOffset..<checksumOffset + GroupChecksum.byteCount { bytes[at] = 0 }
        guard GroupChecksum(of: bytes.span) == checksum else {
            return .broken(sequence: sequence, firstIndex: firstIndex)
        }
        let group = WriteAheadGroup(
            epoch: number(8, 8), sequence: sequence, firstIndex: firstIndex, count: UInt32(number(32, 4)),
            previous: GroupChecksum(segment, at: offset + previousOffset), entries: Array(bytes[headerByteCount...]))
        return .whole(group, checksum: checksum)
    }

    /// Bytes on disk, padded to pages.
    static func paddedByteCount(entries: Int) -> Int {
        (headerByteCount + entries + AlignedBuffer.alignment - 1) / AlignedBuffer.alignment * AlignedBuffer.alignment
    }

    private static func append(_ value: UInt64, byteCount: Int, to bytes: inout [UInt8]) {
        for position in (0..<byteCount).reversed() {
            bytes.append(UInt8(truncatingIfNeeded: value >> UInt64(8 * position)))
        }
    }
}

/// Splits bytes that are entries, each after its length as big-endian uint16.
enum EntryFraming {
    /// The entries' ranges; nil when the last one is cut off.
    static func split(_ bytes: [UInt8]) -> [Range<Int>]? {
        var ranges: [Range<Int>] = []
        var at = 0
        while at < bytes.count {
            guard at + 2 <= bytes.count else { return nil }
            let count = Int(bytes[at]) << 8 | Int(bytes[at + 1])
            guard at + 2 + count <= bytes.count else { return nil }
            ranges.append(at + 2..<at + 2 + count)
            at += 2 + count
        }
        return ranges
    }

    static func append(_ entry: [UInt8], to bytes: inout [UInt8]) {
        precondition(entry.count <= DecisionEntry.bytesMax)
        bytes.append(addingCapacity: 2 + entry.count) { bytes in
            bytes.append(UInt8(truncatingIfNeeded: entry.count >> 8))
            bytes.append(UInt8(truncatingIfNeeded: entry.count))
            bytes.append(copying: entry.span)
        }
    }
}
