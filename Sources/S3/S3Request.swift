internal import OpenSSL
package import Residency

/// The methods that S3 knows.
package enum S3Method: String, Hashable, Sendable {
    case get = "GET"
    case head = "HEAD"
    case put = "PUT"
    case post = "POST"
    case delete = "DELETE"
    case other
}

/// One request, parsed once: what is decided is the very key that storage opens. A class, because it is handed on a dozen times and
/// holds as many arrays.
package final class S3Request: Sendable {
    package let operation: Operation
    package let bucket: BucketName?
    package let key: ObjectKey?
    /// Presented authorizations, at most `tokensMax`.
    package var tokens: [[UInt8]] { presented ?? [] }
    package var hasTokens: Bool { presented != nil }
    /// nil for none: an empty array would be counted.
    private let presented: [[UInt8]]?
    /// nil for all of the object, in whatever state it is.
    package let selection: Selection?
    private let detail: Detail

    /// Which state and which part of an object is wanted.
    package final class Selection: Sendable {
        package let conditions: Conditions
        package let range: ByteRange?

        fileprivate init(_ conditions: Conditions, _ range: ByteRange?) {
            self.conditions = conditions
            self.range = range
        }
    }

    /// What few operations have, out of the way of the others.
    private enum Detail {
        case none
        indirect case listing(ListingRequest)
        indirect case put(PutRequest)
    }

    package var listing: ListingRequest? { if case .listing(let listing) = detail { listing } else { nil } }
    package var put: PutRequest? { if case .put(let put) = detail { put } else { nil } }

    package var hasEntityTagCondition: Bool { selection?.conditions.hasEntityTag ?? false }

    package static let tokensMax = 4

    /// What it does to objects (DESIGN 3.5).
    package var access: Access {
        switch operation {
        case .getObject: .content
        case .headObject, .listObjects, .listObjectsV2: .traffic
        case .putObject: .write(conditional: hasEntityTagCondition)
        case .deleteObject: .delete
        default: .none
        }
    }

    /// Parses a request of path style.
    /// - Parameters:
    ///   - target: in origin form, as it came.
    ///   - fields: nil where none is S3's.
    ///   - bucket: the one that is likely named, whose text is then not made again.
    ///   - declaredLength: the Content-Length; nil for a chunked body.
    package init(
        method: S3Method, target: Span<UInt8>, fields: RequestFields?, declaredLength: Int64?,
        likely bucket: BucketName? = nil
    ) throws(S3Error) {
        let query: Query
        (self.bucket, key, query) = try Target.parts(target, likely: bucket)
        presented = fields == nil && query.isEmpty ? nil : try Self.tokens(fields, query)
        selection = try fields.flatMap(Self.selection)
        try Self.refuseSignature(fields, query)
        let resource: Resource = self.bucket == nil ? .service : key == nil ? .bucket : .object
        operation = try Self.operation(method, resource, query, fields)
        switch operation {
        case .listObjectsV2: detail = .listing(try ListingRequest(query))
        case .putObject: detail = .put(try PutRequest(fields ?? RequestFields(), declaredLength: declaredLength))
        default: detail = .none
        }
        if operation == .deleteObject, hasEntityTagCondition {
            throw S3Error(.notImplemented, "Conditional deletes are not built.")
        }
    }

    /// nil for none.
    private static func tokens(_ fields: RequestFields?, _ query: Query) throws(S3Error) -> [[UInt8]]? {
        let tokens = (fields?.tokens ?? []) + query.values("X-Amz-Security-Token")
        guard tokens.count <= tokensMax else {
            throw S3Error(.invalidRequest, "At most \(tokensMax) authorizations may be presented.")
        }
        return tokens.isEmpty ? nil : tokens
    }

    private static func selection(_ fields: RequestFields) throws(S3Error) -> Selection? {
        let conditions = fields.conditions
        guard !fields.hasRepetition else { throw S3Error(.invalidRequest, "A header is repeated.") }
        guard !conditions.hasEmptyList else {
            throw S3Error(.invalidArgument, "If-Match or If-None-Match names no entity tag")
        }
        // Under If-Range the object is served whole: a range may always be ignored (RFC 9110, section 14.2), and an
        // entity tag that is compared would be one more that confirms a guess.
        let range = fields.hasRangeCondition ? nil : fields.range.flatMap { ByteRange($0) }
        return conditions == Conditions() && range == nil ? nil : Selection(conditions, range)
    }

    private enum Resource { case service, bucket, object }

    /// A signature that is present would have to be verified; until that is built it is never accepted unverified.
    private static func refuseSignature(_ fields: RequestFields?, _ query: Query) throws(S3Error) {
        guard fields?.authorization != nil || !query.isEmpty else { return }
        let isSigned =
            fields?.authorization.map(isSigningScheme) ?? false || query.has("X-Amz-Signature")
            || query.has("X-Amz-Algorithm") || query.has("X-Amz-Credential") || query.has("AWSAccessKeyId")
            || query.has("Signature")
        guard !isSigned else {
            throw S3Error(
                .notImplemented,
                "Signed requests are not built: send none (signature_version=UNSIGNED); the certificate is the identity."
            )
        }
    }

    /// `AWS4-HMAC-SHA256`, `AWS4-ECDSA-P256-SHA256` or `AWS`; a scheme's name has no case (RFC 9110, section 11.1).
    private static func isSigningScheme(_ authorization: [UInt8]) -> Bool {
        authorization.prefix(3).map { $0 & 0xDF } == Array("AWS".utf8)
    }

    @inline(__always)
    private static func operation(
        _ method: S3Method, _ resource: Resource, _ query: Query, _ fields: RequestFields?
    ) throws(S3Error) -> Operation {
        if !query.isEmpty {
            if let name = query.subresource { throw S3Error(.notImplemented, "The sub-resource \(name) is not built.") }
            for name in query.names where name.hasPrefix("response-") {
                throw S3Error(
                    .invalidRequest, "Request specific response headers cannot be used for anonymous GET requests.")
            }
        }
        if let name = fields?.unsupported { throw S3Error(.notImplemented, "The header \(name) is not built.") }
        if fields?.copySource != nil { throw S3Error(.notImplemented, "Copies are not built.") }
        switch (resource, method) {
        case (.service, .get): return .listBuckets
        case (.bucket, .head): return .headBucket
        case (.bucket, .get):
            if query.has("location") { return .getBucketLocation }
            guard query.first("list-type") == Array("2".utf8) else {
                throw S3Error(.notImplemented, "ListObjects (version 1) is not built: use list-type=2.")
            }
            return .listObjectsV2
        case (.object, .get): return .getObject
        case (.object, .head): return .headObject
        case (.object, .put): return .putObject
        case (.object, .delete): return .deleteObject
        case (.service, .head), (.service, .put), (.service, .post), (.service, .delete), (.service, .other),
            (.bucket, .put),
            (.bucket, .post), (.bucket, .delete), (.bucket, .other), (.object, .post), (.object, .other):
            throw S3Error(.notImplemented, "The operation is not built.")
        }
    }
}

/// A target's parts: the path decoded once and never normalised, and the query.
enum Target {
    @inline(__always)
    static func parts(
        _ target: Span<UInt8>, likely: BucketName?
    ) throws(S3Error) -> (bucket: BucketName?, key: ObjectKey?, query: Query) {
        let pathEnd = target.firstIndex(of: UInt8(ascii: "?")) ?? target.count
        let query = try Query(target.extracting(min(pathEnd + 1, target.count)..<target.count))
        guard pathEnd > 1 else { return (nil, nil, query) }
        let path = target.extracting(1..<pathEnd)
        let bucketEnd = path.firstIndex(of: UInt8(ascii: "/")).map { 1 + $0 } ?? pathEnd
        guard let bucket = bucket(target.extracting(1..<bucketEnd), likely) else { throw S3Error(.invalidBucketName) }
        guard bucketEnd + 1 < pathEnd else { return (bucket, nil, query) }
        guard let bytes = Percent.decode(target.extracting(bucketEnd + 1..<pathEnd)) else { throw S3Error(.invalidURI) }
        guard bytes.count <= ObjectKey.bytesMax else { throw S3Error(.keyTooLong) }
        guard let key = ObjectKey(utf8: bytes) else { throw S3Error(.invalidURI) }
        return (bucket, key, query)
    }

    @inline(__always)
    private static func bucket(_ text: Span<UInt8>, _ likely: BucketName?) -> BucketName? {
        if let likely, text.isSame(as: likely.text.utf8.span) { return likely }
        guard text.firstIndex(of: UInt8(ascii: "%")) != nil else { return BucketName(bucket: text) }
        return Percent.decode(text).flatMap { BucketName(bucket: $0.span) }
    }
}
