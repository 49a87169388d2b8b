internal import OpenSSL

/// The value of `user.bailiwick`: the tag's text, a line feed, and the rest, which the tag's REST binds.
///
/// The rest is a row of records: type (1 byte), length (big-endian uint32), value; types never decrease.
enum PackedAttribute {
    static let separator = UInt8(ascii: "\n")

    /// Where the text ends; nil where there is no line feed within the longest text.
    static func textCount(_ value: borrowing Span<UInt8>) -> Int? {
        value.extracting(first: ResidencyTag.textBytesMax + 1).firstIndex(of: separator)
    }
}

/// What an attribute holds beside the tag.
struct StoredRest: Hashable, Sendable {
    /// Without quotes.
    var etag: String
    var checksums: [StoredChecksum]
    var metadata: ObjectMetadata
    var partSizes: [Int64]
    /// Where the records are that the attribute did not hold. Set only by parsing.
    var sideFile: SideFile?

    init(etag: String, checksums: [StoredChecksum] = [], metadata: ObjectMetadata = .init(), partSizes: [Int64] = []) {
        self.etag = etag
        self.checksums = checksums
        self.metadata = metadata
        self.partSizes = partSizes
    }

    enum RecordType {
        static let etag: UInt8 = 1
        static let checksum: UInt8 = 2
        static let headers: ClosedRange<UInt8> = 3...8
        static let userMetadata: UInt8 = 16
        static let tag: UInt8 = 17
        static let partSizes: UInt8 = 18
        static let sideFile: UInt8 = 127
    }

    /// The records of every object: ETag and checksums, a few hundred bytes at most.
    func packedCore() -> [UInt8] {
        var bytes: [UInt8] = []
        Self.append(RecordType.etag, [Array(etag.utf8)], to: &bytes)
        for checksum in checksums.sorted(by: { $0.algorithm.rawValue < $1.algorithm.rawValue }) {
            Self.append(
                RecordType.checksum, [[checksum.algorithm.rawValue, checksum.isComposite ? 1 : 0], checksum.value],
                to: &bytes)
        }
        return bytes
    }

    /// The records that go to a side file when the attribute does not hold them.
    func packedMetadata() -> [UInt8] {
        var bytes: [UInt8] = []
        for header in StoredHeader.allCases {
            if let value = metadata.headers[header] { Self.append(header.rawValue, [value], to: &bytes) }
        }
        for pair in metadata.userMetadata { Self.append(RecordType.userMetadata, pair: pair, to: &bytes) }
        for pair in metadata.tags { Self.append(RecordType.tag, pair: pair, to: &bytes) }
        if !partSizes.isEmpty {
            Self.append(RecordType.partSizes, partSizes.map { Self.bigEndian(UInt64(max(0, $0))) }, to: &bytes)
        }
        return bytes
    }

    /// Takes the records of an attribute's rest; nil when they are not what this writes.
    static func parse(_ bytes: borrowing Span<UInt8>) -> StoredRest? {
        var rest = StoredRest(etag: "")
        guard rest.take(bytes, allowed: 0...RecordType.sideFile), !rest.etag.isEmpty else { return nil }
        return rest
    }

    /// Adds the records of a side file; false when they are not what this writes.
    mutating func takeSideFile(_ bytes: borrowing Span<UInt8>) -> Bool {
        take(bytes, allowed: RecordType.headers.lowerBound...RecordType.partSizes)
    }

    private mutating func take(_ bytes: borrowing Span<UInt8>, allowed: ClosedRange<UInt8>) -> Bool {
        var at = 0
        var last: UInt8 = 0
        while at < bytes.count {
            guard bytes.count - at >= 5 else { return false }
            let type = bytes[at]
            var count = 0
            for index in at + 1..<at + 5 { count = count << 8 | Int(bytes[index]) }
            at += 5
            let repeats = type == RecordType.checksum || type == RecordType.userMetadata || type == RecordType.tag
            guard count <= bytes.count - at, allowed.contains(type), type > last || (repeats && type == last) else {
                return false
            }
            guard take(type, [UInt8](copying: bytes.extracting(at..<at + count))) else { return false }
            last = type
            at += count
        }
        return true
    }

    private mutating func take(_ type: UInt8, _ value: [UInt8]) -> Bool {
        if let header = StoredHeader(rawValue: type) {
            metadata.headers[header] = value
            return true
        }
        switch type {
        case RecordType.etag:
            guard !value.isEmpty, value.allSatisfy({ (0x21...0x7E).contains($0) }) else { return false }
            etag = String(decoding: value, as: UTF8.self)
        case RecordType.checksum:
            guard value.count > 2, value[1] <= 1, let algorithm = StoredChecksum.Algorithm(rawValue: value[0]),
                (checksums.last?.algorithm.rawValue ?? 0) <= value[0]
            else {
                return false
            }
            checksums.append(
                StoredChecksum(algorithm: algorithm, isComposite: value[1] == 1, value: Array(value[2...])))
        case RecordType.userMetadata, RecordType.tag:
            guard let pair = Self.pair(value) else { return false }
            if type == RecordType.tag { metadata.tags.append(pair) } else { metadata.userMetadata.append(pair) }
        case RecordType.partSizes:
            guard value.count % 8 == 0, !value.isEmpty else { return false }
            for start in stride(from: 0, to: value.count, by: 8) {
                let size = value[start..<start + 8].reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
                guard size <= UInt64(Int64.max) else { return false }
                partSizes.append(Int64(size))
            }
        case RecordType.sideFile:
            guard let file = SideFile(value) else { return false }
            sideFile = file
        default: return false
        }
        return true
    }

    static func append(_ type: UInt8, _ parts: [[UInt8]], to bytes: inout [UInt8]) {
        bytes.append(type)
        appendBigEndian(UInt32(parts.reduce(0) { $0 + $1.count }), to: &bytes)
        for part in parts { bytes.append(contentsOf: part) }
    }

    /// A pair's value is its name's length (big-endian uint32), its name, and its value.
    private static func append(_ type: UInt8, pair: MetadataPair, to bytes: inout [UInt8]) {
        var length: [UInt8] = []
        appendBigEndian(UInt32(pair.name.count), to: &length)
        append(type, [length, pair.name, pair.value], to: &bytes)
    }

    private static func pair(_ value: [UInt8]) -> MetadataPair? {
        guard value.count >= 4 else { return nil }
        let count = value[..<4].reduce(0) { $0 << 8 | Int($1) }
        guard count <= value.count - 4 else { return nil }
        return MetadataPair(name: Array(value[4..<4 + count]), value: Array(value[(4 + count)...]))
    }

    private static func bigEndian(_ value: UInt64) -> [UInt8] {
        (0..<8).map { UInt8(truncatingIfNeeded: value >> UInt64(56 - 8 * $0)) }
    }
}

/// A file under `%bailiwick/side/` with the records that one object's attribute did not hold.
struct SideFile: Hashable, Sendable {
    static let nameBytes = 16
    /// 16 random bytes; the file's name is their hexadecimal digits.
    let name: [UInt8]
    /// Of the file's bytes.
    let digest: SHA256Digest

    init(name: [UInt8], digest: SHA256Digest) {
        self.name = name
        self.digest = digest
    }

    /// Parses a record's value: name and digest.
    init?(_ value: [UInt8]) {
        guard value.count == Self.nameBytes + 32, let digest = SHA256Digest(bytes: Array(value[Self.nameBytes...]))
        else {
            return nil
        }
        self.init(name: Array(value[..<Self.nameBytes]), digest: digest)
    }

    var record: [UInt8] { name + digest.bytes }

    var fileName: String { Hex.encode(name) }
}
