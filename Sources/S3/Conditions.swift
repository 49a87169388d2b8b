/// The preconditions of a read (RFC 9110, section 13), as S3 evaluates them.
package struct Conditions: Hashable, Sendable {
    package var ifMatch: [UInt8]?
    package var ifNoneMatch: [UInt8]?
    package var ifModifiedSince: [UInt8]?
    package var ifUnmodifiedSince: [UInt8]?

    package init() {}

    package enum Outcome: Hashable, Sendable {
        case proceed, notModified, preconditionFailed
    }

    package var hasEntityTag: Bool { ifMatch != nil || ifNoneMatch != nil }

    /// A list has an element that is not empty (RFC 9110, section 5.6.1): one of nothing is neither `*` nor absent.
    var hasEmptyList: Bool { ifMatch.map(Self.isEmptyList) ?? false || ifNoneMatch.map(Self.isEmptyList) ?? false }

    /// - Parameters:
    ///   - etag: without quotes.
    ///   - parseDate: unix seconds of an HTTP date; nil for no date, which makes its condition void.
    package func evaluate(etag: String?, lastModifiedSeconds: Int64, parseDate: ([UInt8]) -> Int64?) -> Outcome {
        if let ifMatch {
            guard Self.matches(ifMatch, etag) else { return .preconditionFailed }
        } else if let date = ifUnmodifiedSince.flatMap(parseDate), lastModifiedSeconds > date {
            return .preconditionFailed
        }
        if let ifNoneMatch {
            if Self.matches(ifNoneMatch, etag) { return .notModified }
        } else if let date = ifModifiedSince.flatMap(parseDate), lastModifiedSeconds <= date {
            return .notModified
        }
        return .proceed
    }

    /// Does a list of entity tags, or `*`, hold this one? Quotes may be missing, as S3 lets them.
    package static func matches(_ list: [UInt8], _ etag: String?) -> Bool {
        if isAny(list) { return true }
        guard let etag else { return false }
        return entityTags(list).contains(etag)
    }

    /// Will any entity tag do? In quotes `*` is one like another.
    static func isAny(_ list: [UInt8]) -> Bool { list == [UInt8(ascii: "*")] }

    private static func isEmptyList(_ list: [UInt8]) -> Bool {
        list.allSatisfy { $0 == 0x20 || $0 == 0x09 || $0 == UInt8(ascii: ",") }
    }

    /// The entity tags of a list, without quotes and weakness marks.
    static func entityTags(_ list: [UInt8]) -> [String] {
        list.split(separator: UInt8(ascii: ",")).compactMap { item in
            var tag = item.drop { $0 == 0x20 || $0 == 0x09 }
            while tag.last == 0x20 || tag.last == 0x09 { tag = tag.dropLast() }
            guard !tag.isEmpty else { return nil }
            if tag.starts(with: "W/".utf8) { tag = tag.dropFirst(2) }
            if tag.count >= 2, tag.first == UInt8(ascii: "\""), tag.last == UInt8(ascii: "\"") {
                tag = tag.dropFirst().dropLast()
            }
            return String(decoding: tag, as: UTF8.self)
        }
    }
}

/// A single byte range (RFC 9110, section 14.1.2).
package enum ByteRange: Hashable, Sendable {
    case from(Int64, through: Int64?)
    case suffix(Int64)

    /// Nil for what S3 ignores: another unit, several ranges, anything malformed.
    package init?(_ value: [UInt8]) {
        guard value.starts(with: "bytes=".utf8) else { return nil }
        let spec = value.dropFirst(6)
        let parts = spec.split(separator: UInt8(ascii: "-"), maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 2, parts.allSatisfy({ $0.allSatisfy { (0x30...0x39).contains($0) } && $0.count <= 18 })
        else {
            return nil
        }
        let first = Int64(String(decoding: parts[0], as: UTF8.self))
        let last = Int64(String(decoding: parts[1], as: UTF8.self))
        switch (first, last) {
        case (let first?, let last?):
            guard first <= last else { return nil }
            self = .from(first, through: last)
        case (let first?, nil): self = .from(first, through: nil)
        case (nil, let count?): self = .suffix(count)
        case (nil, nil): return nil
        }
    }

    /// The bytes of an object of that size; nil when none is in the range (416).
    package func resolve(size: Int64) -> Range<Int64>? {
        switch self {
        case .from(let first, let last):
            guard first < size else { return nil }
            return first..<min(size, (last ?? size - 1) + 1)
        case .suffix(let count):
            guard count > 0, size > 0 else { return nil }
            return max(0, size - count)..<size
        }
    }
}
