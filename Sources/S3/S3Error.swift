/// S3's own error codes, with S3's own status and words: mail servers branch on them.
package enum S3ErrorCode: String, Hashable, Sendable, CaseIterable {
    case accessDenied = "AccessDenied"
    case badDigest = "BadDigest"
    case conditionalRequestConflict = "ConditionalRequestConflict"
    case entityTooLarge = "EntityTooLarge"
    case incompleteBody = "IncompleteBody"
    case internalError = "InternalError"
    case invalidArgument = "InvalidArgument"
    case invalidBucketName = "InvalidBucketName"
    case invalidDigest = "InvalidDigest"
    case invalidRange = "InvalidRange"
    case invalidRequest = "InvalidRequest"
    case invalidTag = "InvalidTag"
    case invalidURI = "InvalidURI"
    case keyTooLong = "KeyTooLongError"
    case metadataTooLarge = "MetadataTooLarge"
    case methodNotAllowed = "MethodNotAllowed"
    case missingContentLength = "MissingContentLength"
    case noSuchBucket = "NoSuchBucket"
    case noSuchKey = "NoSuchKey"
    case notImplemented = "NotImplemented"
    case preconditionFailed = "PreconditionFailed"
    case serviceUnavailable = "ServiceUnavailable"
    case slowDown = "SlowDown"
    case contentSHA256Mismatch = "XAmzContentSHA256Mismatch"

    package var status: Int {
        switch self {
        case .accessDenied: 403
        case .badDigest, .entityTooLarge, .incompleteBody, .invalidArgument, .invalidBucketName, .invalidDigest,
            .invalidRequest, .invalidTag, .invalidURI, .keyTooLong, .metadataTooLarge, .contentSHA256Mismatch:
            400
        case .conditionalRequestConflict: 409
        case .internalError: 500
        case .invalidRange: 416
        case .methodNotAllowed: 405
        case .missingContentLength: 411
        case .noSuchBucket, .noSuchKey: 404
        case .notImplemented: 501
        case .preconditionFailed: 412
        case .serviceUnavailable, .slowDown: 503
        }
    }

    package var message: String {
        switch self {
        case .accessDenied: "Access Denied"
        case .badDigest: "The Content-MD5 or checksum value that you specified did not match what the server received."
        case .conditionalRequestConflict: "The object was changed while the request was under way. Send it again."
        case .entityTooLarge: "Your proposed upload exceeds the maximum allowed object size."
        case .incompleteBody: "You did not provide the number of bytes specified by the Content-Length HTTP header."
        case .internalError: "An internal error occurred. Try again."
        case .invalidArgument: "Invalid Argument"
        case .invalidBucketName: "The specified bucket is not valid."
        case .invalidDigest: "The Content-MD5 or checksum value that you specified is not valid."
        case .invalidRange: "The requested range is not satisfiable"
        case .invalidRequest: "Invalid Request"
        case .invalidTag: "The tag or metadata name is reserved."
        case .invalidURI: "Couldn't parse the specified URI."
        case .keyTooLong: "Your key is too long"
        case .metadataTooLarge: "Your metadata headers exceed the maximum allowed metadata size."
        case .methodNotAllowed: "The specified method is not allowed against this resource."
        case .missingContentLength: "You must provide the Content-Length HTTP header."
        case .noSuchBucket: "The specified bucket does not exist"
        case .noSuchKey: "The specified key does not exist."
        case .notImplemented: "A header or query you provided implies functionality that is not implemented."
        case .preconditionFailed: "At least one of the preconditions you specified did not hold"
        case .serviceUnavailable: "Service is unable to handle request."
        case .slowDown: "Please reduce your request rate."
        case .contentSHA256Mismatch: "The provided 'x-amz-content-sha256' header does not match what was computed."
        }
    }
}

/// Why a request is no request of ours: what the caller is told.
package struct S3Error: Error, Hashable, Sendable {
    package let code: S3ErrorCode
    /// Words that say more than the code's own.
    package let detail: String?

    package init(_ code: S3ErrorCode, _ detail: String? = nil) {
        self.code = code
        self.detail = detail
    }

    package var message: String { detail ?? code.message }
}
