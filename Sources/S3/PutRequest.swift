internal import OpenSSL

/// What a PutObject says of its object beside the bytes.
package struct PutRequest: Sendable {
    /// How the body is coded inside HTTP's own framing.
    package enum Coding: Hashable, Sendable {
        case plain
        /// `aws-chunked` with an unsigned payload, with or without a checksum as trailer.
        case awsChunked(trailer: ChecksumAlgorithm?)
    }

    /// S3's own bound on a single PUT, 5 GiB.
    package static let bytesMax: Int64 = 5 << 30
    package static let metadataBytesMax = 2048

    package let coding: Coding
    /// The object's length where it is declared: an aws-chunked body declares it apart, a chunked one not at all.
    package let size: Int64?
    /// 16 bytes.
    package let md5: [UInt8]?
    /// 32 bytes, from `x-amz-content-sha256`.
    package let sha256: [UInt8]?
    /// The declared checksum, which the body must have.
    package let checksum: (algorithm: ChecksumAlgorithm, value: [UInt8])?
    /// The stored headers by lower-case name; `aws-chunked` is no part of the content's encoding.
    package let headers: [(name: String, value: [UInt8])]
    package let userMetadata: [(name: [UInt8], value: [UInt8])]
    /// `If-None-Match: *`.
    package let mustBeAbsent: Bool
    /// `If-Match`, without quotes; empty for `*`, nil where there is none.
    package let mustMatch: [String]?

    init(_ fields: RequestFields, declaredLength: Int64?) throws(S3Error) {
        (coding, size) = try Self.coding(fields, declaredLength: declaredLength)
        if let size, size > Self.bytesMax { throw S3Error(.entityTooLarge) }
        md5 = try Self.digest(fields.contentMD5, byteCount: 16)
        sha256 = try Self.payloadHash(fields.contentSHA256)
        checksum = try Self.checksum(fields)
        if checksum != nil, case .awsChunked(trailer: .some) = coding {
            throw S3Error(.invalidRequest, "A checksum is declared in a header and announced as a trailer: send one.")
        }
        headers = try Self.headers(fields)
        userMetadata = fields.userMetadata
        guard userMetadata.reduce(0, { $0 + $1.name.count + $1.value.count }) <= Self.metadataBytesMax else {
            throw S3Error(.metadataTooLarge)
        }
        guard !userMetadata.contains(where: { $0.name.starts(with: "bailiwick-".utf8) }) else {
            throw S3Error(.invalidTag)
        }
        if let acl = fields.acl, acl != Array("private".utf8) {
            throw S3Error(.notImplemented, "ACLs are not built: access is the gateway's settings.")
        }
        if let storageClass = fields.storageClass, storageClass != Array("STANDARD".utf8) {
            throw S3Error(.notImplemented, "Storage classes are not built.")
        }
        if fields.tagging != nil { throw S3Error(.notImplemented, "Object tagging is not built.") }
        (mustBeAbsent, mustMatch) = try Self.condition(fields.conditions)
    }

    private static func coding(
        _ fields: RequestFields, declaredLength: Int64?
    ) throws(S3Error) -> (Coding, Int64?) {
        let payload = fields.contentSHA256.map { String(decoding: $0, as: UTF8.self) } ?? ""
        let isAWSChunked =
            payload.hasPrefix("STREAMING-") || fields.decodedContentLength != nil
            || (fields.contentEncoding.map { encodings($0).contains("aws-chunked") } ?? false)
        guard isAWSChunked else {
            // It would come in a trailer of the coding's own, and be verified by nobody.
            guard fields.trailer == nil else {
                throw S3Error(.invalidRequest, "x-amz-trailer announces what only an aws-chunked body can bring.")
            }
            return (.plain, declaredLength)
        }
        guard payload == "STREAMING-UNSIGNED-PAYLOAD-TRAILER" || payload.isEmpty || payload == "UNSIGNED-PAYLOAD" else {
            throw S3Error(.notImplemented, "Signed payloads are not built.")
        }
        guard let text = fields.decodedContentLength, text.allSatisfy({ (0x30...0x39).contains($0) }), text.count <= 18,
            let size = Int64(String(decoding: text, as: UTF8.self))
        else { throw S3Error(.missingContentLength) }
        guard let trailer = fields.trailer else { return (.awsChunked(trailer: nil), size) }
        let name = String(decoding: trailer, as: UTF8.self).lowercased()
        guard name.hasPrefix("x-amz-checksum-"), let algorithm = ChecksumAlgorithm(rawValue: String(name.dropFirst(15)))
        else {
            throw S3Error(.invalidRequest, "The value specified in the x-amz-trailer header is not supported")
        }
        return (.awsChunked(trailer: algorithm), size)
    }

    private static func encodings(_ value: [UInt8]) -> [String] {
        value.split(separator: UInt8(ascii: ",")).map {
            String(decoding: $0.filter { $0 != 0x20 && $0 != 0x09 }, as: UTF8.self).lowercased()
        }
    }

    private static func headers(_ fields: RequestFields) throws(S3Error) -> [(name: String, value: [UInt8])] {
        var headers = fields.stored
        if let value = fields.contentEncoding {
            let kept = encodings(value).filter { $0 != "aws-chunked" }
            if !kept.isEmpty { headers.append(("content-encoding", Array(kept.joined(separator: ",").utf8))) }
        }
        guard Set(headers.map(\.name)).count == headers.count else {
            throw S3Error(.invalidRequest, "A header is repeated.")
        }
        return headers
    }

    private static func digest(_ text: [UInt8]?, byteCount: Int) throws(S3Error) -> [UInt8]? {
        guard let text else { return nil }
        guard let bytes = ChecksumAlgorithm.decodeBase64(text), bytes.count == byteCount else {
            throw S3Error(.invalidDigest)
        }
        return bytes
    }

    private static func payloadHash(_ text: [UInt8]?) throws(S3Error) -> [UInt8]? {
        guard let text else { return nil }
        let value = String(decoding: text, as: UTF8.self)
        if value == "UNSIGNED-PAYLOAD" || value.hasPrefix("STREAMING-") { return nil }
        guard text.count == 64, let bytes = Hex.decode(text[...]) else {
            throw S3Error(.invalidArgument, "x-amz-content-sha256 is no SHA-256")
        }
        return bytes
    }

    private static func checksum(
        _ fields: RequestFields
    ) throws(S3Error) -> (algorithm: ChecksumAlgorithm, value: [UInt8])? {
        let declared = fields.checksums.filter { $0.algorithm != "type" }
        guard let first = declared.first else { return nil }
        guard declared.count == 1 else {
            throw S3Error(
                .invalidRequest, "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.")
        }
        guard let algorithm = ChecksumAlgorithm(rawValue: first.algorithm) else {
            throw S3Error(.invalidRequest, "Unknown checksum algorithm.")
        }
        guard let value = ChecksumAlgorithm.decodeBase64(first.value), value.count == algorithm.byteCount else {
            throw S3Error(.invalidRequest, "Value for x-amz-checksum-\(algorithm.rawValue) header is invalid.")
        }
        return (algorithm, value)
    }

    private static func condition(_ conditions: Conditions) throws(S3Error) -> (Bool, [String]?) {
        if let value = conditions.ifNoneMatch {
            guard Conditions.isAny(value), conditions.ifMatch == nil else {
                throw S3Error(
                    .notImplemented, "On a PUT only If-None-Match: * or If-Match with an entity tag is built.")
            }
            return (true, nil)
        }
        guard let value = conditions.ifMatch else { return (false, nil) }
        return (false, Conditions.isAny(value) ? [] : Conditions.entityTags(value))
    }
}
