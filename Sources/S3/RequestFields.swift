internal import OpenSSL

/// What S3 cares about among a request's header fields. The caller feeds every field once; text is made of those that matter only.
/// Not copied: it has a dozen arrays.
package struct RequestFields: ~Copyable {
    package var range: [UInt8]?
    /// The range is wanted of one state of the object only (`If-Range`).
    package var hasRangeCondition = false
    package var conditions = Conditions()
    package var contentMD5: [UInt8]?
    package var contentSHA256: [UInt8]?
    package var decodedContentLength: [UInt8]?
    package var contentEncoding: [UInt8]?
    package var trailer: [UInt8]?
    package var authorization: [UInt8]?
    package var copySource: [UInt8]?
    package var acl: [UInt8]?
    package var storageClass: [UInt8]?
    package var tagging: [UInt8]?
    /// Lower-case names after `x-amz-checksum-`, values as they came.
    package var checksums: [(algorithm: String, value: [UInt8])] = []
    /// The stored headers by lower-case name, in the order in which they came.
    package var stored: [(name: String, value: [UInt8])] = []
    /// Lower-case names after `x-amz-meta-`.
    package var userMetadata: [(name: [UInt8], value: [UInt8])] = []
    /// Presented authorizations, each trimmed and not empty.
    package var tokens: [[UInt8]] = []
    /// A field of S3's whose meaning is not built: ignoring it would do less than was asked.
    package var unsupported: String?
    /// A field that says one thing came twice: nobody can tell which was meant, and whoever stands before us may have
    /// looked at the other.
    package private(set) var hasRepetition = false

    package init() {}

    /// Takes one field.
    package mutating func add(name: Span<UInt8>, value: Span<UInt8>) {
        guard name.count > 0 else { return }
        switch name[0] | 0x20 {
        case UInt8(ascii: "x"):
            if name.count > 6, name[1] == UInt8(ascii: "-") { addExtension(text(name), value) }
        case UInt8(ascii: "i") where name.count >= 8: addCondition(text(name), bytes(value))
        case UInt8(ascii: "r") where name.count == 5:
            if text(name) == "range" { Self.set(&range, bytes(value), &hasRepetition) }
        case UInt8(ascii: "c") where name.count >= 11: addContent(text(name), bytes(value))
        case UInt8(ascii: "e") where name.count == 7:
            if text(name) == "expires" { stored.append(("expires", bytes(value))) }
        case UInt8(ascii: "a") where name.count == 13:
            if text(name) == "authorization" { Self.set(&authorization, bytes(value), &hasRepetition) }
        default: break
        }
    }

    private static func set(_ field: inout [UInt8]?, _ value: [UInt8], _ hasRepetition: inout Bool) {
        if field != nil { hasRepetition = true }
        field = value
    }

    private mutating func addCondition(_ name: String, _ value: [UInt8]) {
        switch name {
        case "if-match": Self.set(&conditions.ifMatch, value, &hasRepetition)
        case "if-none-match": Self.set(&conditions.ifNoneMatch, value, &hasRepetition)
        case "if-modified-since": Self.set(&conditions.ifModifiedSince, value, &hasRepetition)
        case "if-unmodified-since": Self.set(&conditions.ifUnmodifiedSince, value, &hasRepetition)
        case "if-range": hasRangeCondition = true
        default: break
        }
    }

    private mutating func addContent(_ name: String, _ value: [UInt8]) {
        switch name {
        case "content-md5": Self.set(&contentMD5, value, &hasRepetition)
        case "content-encoding":
            // A list, which some clients send in two fields: `gzip` and `aws-chunked`.
            contentEncoding = contentEncoding.map { $0 + [UInt8(ascii: ",")] + value } ?? value
        case "content-type", "content-disposition", "content-language", "cache-control": stored.append((name, value))
        default: break
        }
    }

    private mutating func addExtension(_ name: String, _ span: Span<UInt8>) {
        if name == "x-bailiwick-authorization" || name == "x-amz-security-token" { return addTokens(span) }
        let value = bytes(span)
        switch name {
        case "x-amz-content-sha256": Self.set(&contentSHA256, value, &hasRepetition)
        case "x-amz-decoded-content-length": Self.set(&decodedContentLength, value, &hasRepetition)
        case "x-amz-trailer": Self.set(&trailer, value, &hasRepetition)
        case "x-amz-copy-source": Self.set(&copySource, value, &hasRepetition)
        case "x-amz-acl": Self.set(&acl, value, &hasRepetition)
        case "x-amz-storage-class": Self.set(&storageClass, value, &hasRepetition)
        case "x-amz-tagging": Self.set(&tagging, value, &hasRepetition)
        case "x-amz-checksum-mode", "x-amz-checksum-algorithm", "x-amz-date", "x-amz-request-payer", "x-amz-user-agent":
            break
        default:
            if name.hasPrefix("x-amz-meta-") {
                userMetadata.append((Array(name.utf8.dropFirst(11)), value))
            } else if name.hasPrefix("x-amz-checksum-") {
                checksums.append((String(name.dropFirst(15)), value))
            } else if name.hasPrefix("x-amz-sdk-") {
                break
            } else if name.hasPrefix("x-amz-") {
                unsupported = unsupported ?? name
            }
        }
    }

    /// One or several, joined by commas.
    private mutating func addTokens(_ value: Span<UInt8>) {
        func isBlank(_ at: Int) -> Bool { value[at] == 0x20 || value[at] == 0x09 }
        var start = 0
        while start < value.count {
            let comma = value.extracting(start...).firstIndex(of: UInt8(ascii: ",")).map { start + $0 } ?? value.count
            var end = comma
            while start < end, isBlank(start) { start += 1 }
            while end > start, isBlank(end - 1) { end -= 1 }
            if end > start { tokens.append(bytes(value.extracting(start..<end))) }
            start = comma + 1
        }
    }

    private func bytes(_ span: Span<UInt8>) -> [UInt8] { [UInt8](copying: span) }

    /// A field's name in lower case; its bytes are a token's, so ASCII.
    private func text(_ span: Span<UInt8>) -> String {
        String(decoding: span.indices.map { span[$0] &- 0x41 < 26 ? span[$0] | 0x20 : span[$0] }, as: UTF8.self)
    }
}
