internal import OpenSSL

/// The header of one group in the write-ahead log: 128 bytes before the entries, all integers big-endian.
///
///     0   8  magic "BWKGRP\0\2"
///     8   8  epoch: counts the starts of the log
///    16   8  sequence: counts groups, without a gap, over all segments
///    24   8  index of the first entry
///    32   4  entries
///    36   4  bytes of entries
///    40  32  checksum of the group before
///    72  32  checksum: SHA-256 over the header with this field zero, and the RFC 6962 hash of each entry
///   104  24  zero
///
/// An entry is hashed once for both, this checksum and the tree. A group begins at a multiple of 4,096 bytes, where O_DIRECT can
/// write it.
struct WriteAheadGroup {
    static let magic: [UInt8] = [0x42, 0x57, 0x4B, 0x47, 0x52, 0x50, 0x00, 0x02]
    static let headerByteCount = 128

    let epoch: UInt64
    let sequence: UInt64
    let firstIndex: UInt64
    let previous: SHA256Digest
    /// Each entry after its length as big-endian uint16, as bundles hold them.
    let entries: [UInt8]
    /// The hash of each entry.
    let leaves: [SHA256Digest]

    var count: Int { leaves.count }

    /// The header, after which the entries follow, and the group's checksum.
    func header() -> (bytes: [UInt8], checksum: SHA256Digest) {
        var bytes = Self.magic
        bytes.reserveCapacity(Self.headerByteCount)
        for value in [epoch, sequence, firstIndex] { Self.append(value, byteCount: 8, to: &bytes) }
        Self.append(UInt64(count), byteCount: 4, to: &bytes)
        Self.append(UInt64(entries.count), byteCount: 4, to: &bytes)
        previous.append(to: &bytes)
        bytes.append(contentsOf: repeatElement(0, count: 56))
        let checksum = Self.checksum(header: bytes.span, leaves)
        checksum.write(to: &bytes, at: 72)
        return (bytes, checksum)
    }

    private static func checksum(header: Span<UInt8>, _ leaves: [SHA256Digest]) -> SHA256Digest {
        var state = SHA256()
        state.update(header)
        for leaf in leaves { state.update(leaf) }
        return state.finish()
    }

    /// What a place in a segment holds.
    enum Found {
        /// No group's beginning.
        case nothing
        /// A header whose group is not all there, or not as it was written.
        case broken(sequence: UInt64, firstIndex: UInt64)
        case whole(WriteAheadGroup, checksum: SHA256Digest)
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
        guard offset + headerByteCount + byteCount <= segment.count,
            let previous = SHA256Digest(bytes: Array(segment[offset + 40..<offset + 72])),
            let checksum = SHA256Digest(bytes: Array(segment[offset + 72..<offset + 104]))
        else { return .broken(sequence: sequence, firstIndex: firstIndex) }
        var header = Array(segment[offset..<offset + headerByteCount])
        SHA256Digest.zero.write(to: &header, at: 72)
        let entries = Array(segment[offset + headerByteCount..<offset + headerByteCount + byteCount])
        guard let leaves = EntryFraming.leaves(entries), leaves.count == Int(number(32, 4)),
            Self.checksum(header: header.span, leaves) == checksum
        else { return .broken(sequence: sequence, firstIndex: firstIndex) }
        let group = WriteAheadGroup(
            epoch: number(8, 8), sequence: sequence, firstIndex: firstIndex, previous: previous, entries: entries,
            leaves: leaves)
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

    /// The RFC 6962 hash of each entry; nil when the last one is cut off.
    static func leaves(_ bytes: [UInt8]) -> [SHA256Digest]? {
        guard let ranges = split(bytes) else { return nil }
        let hasher = MerkleHasher()
        let span = bytes.span
        return ranges.map { hasher.leaf(span.extracting($0)) }
    }

    static func append(_ entry: [UInt8], to bytes: inout [UInt8]) {
        precondition(entry.count <= DecisionEntry.bytesMax)
        bytes.append(UInt8(truncatingIfNeeded: entry.count >> 8))
        bytes.append(UInt8(truncatingIfNeeded: entry.count))
        bytes.append(contentsOf: entry)
    }
}
