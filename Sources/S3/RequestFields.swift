internal import OpenSSL

/// What S3 cares about among a request's header fields. The caller feeds every field once; text is made of those that matter only.
/// A class, and made by the first of these: it has a dozen arrays, and most requests have no such field.
package final class RequestFields {
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

    /// Takes one field, into `fields`, which are made where it may be one of them.
    package static func add(name: Span<UInt8>, value: Span<UInt8>, to fields: inout RequestFields?) {
        guard mayMatter(name) else { return }
        let all = fields ?? RequestFields()
        fields = all
        all.add(name: name, value: value)
    }

    private static func mayMatter(_ name: Span<UInt8>) -> Bool {
        guard name.count > 4 else { return false }
        return switch name[0] | 0x20 {
        case UInt8(ascii: "x"): name[1] == UInt8(ascii: "-")
        case UInt8(ascii: "i"): name.count >= 8
        case UInt8(ascii: "r"): name.count == 5
        case UInt8(ascii: "c"): name.count >= 11
        case UInt8(ascii: "e"): name.count == 7
        case UInt8(ascii: "a"): name.count == 13
        default: false
        }
    }

    /// Takes one field.
    package func add(name: Span<UInt8>, value: Span<UInt8>) {
        guard Self.mayMatter(name) else { return }
        switch name[0] | 0x20 {
        case UInt8(ascii: "x"): addExtension(text(name), value)
        case UInt8(ascii: "i"): addCondition(text(name), bytes(value))
        case UInt8(ascii: "r"):
            if text(name) == "range" { set(&range, bytes(value)) }
        case UInt8(ascii: "c"): addContent(text(name), bytes(value))
        case UInt8(ascii: "e"):
            if text(name) == "expires" { stored.append(("expires", bytes(value))) }
        default:
            if text(name) == "authorization" { set(&authorization, bytes(value)) }
        }
    }

    private func set(_ field: inout [UInt8]?, _ value: [UInt8]) {
        if field != nil { hasRepetition = true }
        field = value
    }

    private func addCondition(_ name: String, _ value: [UInt8]) {
        switch name {
        case "if-match": set(&conditions.ifMatch, value)
        case "if-none-match": set(&conditions.ifNoneMatch, value)
        case "if-modified-since": set(&conditions.ifModifiedSince, value)
        case "if-unmodified-since": set(&conditions.ifUnmodifiedSince, value)
        case "if-range": hasRangeCondition = true
        default: break
        }
    }

    private func addContent(_ name: String, _ value: [UInt8]) {
        switch name {
        case "content-md5": set(&contentMD5, value)
        case "content-encoding":
            // A list, which some clients send in two fields: `gzip` and `aws-chunked`.
            contentEncoding = contentEncoding.map { $0 + [UInt8(ascii: ",")] + value } ?? value
        case "content-type", "content-disposition", "content-language", "cache-control": stored.append((name, value))
        default: break
        }
    }

    private func addExtension(_ name: String, _ span: Span<UInt8>) {
        if name == "x-bailiwick-authorization" || name == "x-amz-security-token" { return addTokens(span) }
        let value = bytes(span)
        switch name {
        case "x-amz-content-sha256": set(&contentSHA256, value)
        case "x-amz-decoded-content-length": set(&decodedContentLength, value)
        case "x-amz-trailer": set(&trailer, value)
        case "x-amz-copy-source": set(&copySource, value)
        case "x-amz-acl": set(&acl, value)
        case "x-amz-storage-class": set(&storageClass, value)
        case "x-amz-tagging": set(&tagging, value)
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
    private func addTokens(_ value: Span<UInt8>) {
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
