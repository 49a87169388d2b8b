/// What a caller asked for, by the S3 API's own names and, for the operators' listener, ours.
package enum Operation: String, Hashable, Sendable, CaseIterable {
    case listBuckets = "ListBuckets"
    case headBucket = "HeadBucket"
    case getBucketLocation = "GetBucketLocation"
    case createBucket = "CreateBucket"
    case listObjects = "ListObjects"
    case listObjectsV2 = "ListObjectsV2"
    case getObject = "GetObject"
    case headObject = "HeadObject"
    case getObjectAttributes = "GetObjectAttributes"
    case putObject = "PutObject"
    case copyObject = "CopyObject"
    case deleteObject = "DeleteObject"
    case deleteObjects = "DeleteObjects"
    case getObjectTagging = "GetObjectTagging"
    case putObjectTagging = "PutObjectTagging"
    case deleteObjectTagging = "DeleteObjectTagging"
    case createMultipartUpload = "CreateMultipartUpload"
    case uploadPart = "UploadPart"
    case uploadPartCopy = "UploadPartCopy"
    case completeMultipartUpload = "CompleteMultipartUpload"
    case abortMultipartUpload = "AbortMultipartUpload"
    case listParts = "ListParts"
    case listMultipartUploads = "ListMultipartUploads"
    /// Any other S3 operation, and any request that could not be parsed: refused, and recorded.
    case other = "Other"
    case readLog = "ReadLog"
    case readMetrics = "ReadMetrics"
    case scanTags = "ScanTags"
    case resealTag = "ResealTag"
}

extension Operation {
    /// The raw value, as it is written into entries: two stores.
    package var literal: StaticString {
        switch self {
        case .listBuckets: "ListBuckets"
        case .headBucket: "HeadBucket"
        case .getBucketLocation: "GetBucketLocation"
        case .createBucket: "CreateBucket"
        case .listObjects: "ListObjects"
        case .listObjectsV2: "ListObjectsV2"
        case .getObject: "GetObject"
        case .headObject: "HeadObject"
        case .getObjectAttributes: "GetObjectAttributes"
        case .putObject: "PutObject"
        case .copyObject: "CopyObject"
        case .deleteObject: "DeleteObject"
        case .deleteObjects: "DeleteObjects"
        case .getObjectTagging: "GetObjectTagging"
        case .putObjectTagging: "PutObjectTagging"
        case .deleteObjectTagging: "DeleteObjectTagging"
        case .createMultipartUpload: "CreateMultipartUpload"
        case .uploadPart: "UploadPart"
        case .uploadPartCopy: "UploadPartCopy"
        case .completeMultipartUpload: "CompleteMultipartUpload"
        case .abortMultipartUpload: "AbortMultipartUpload"
        case .listParts: "ListParts"
        case .listMultipartUploads: "ListMultipartUploads"
        case .other: "Other"
        case .readLog: "ReadLog"
        case .readMetrics: "ReadMetrics"
        case .scanTags: "ScanTags"
        case .resealTag: "ResealTag"
        }
    }
}

/// What an operation does to objects: the classes of DESIGN section 3.5.
package enum Access: Hashable, Sendable {
    /// The bytes of an object.
    case content
    /// Anything else that tells something about objects.
    case traffic
    /// Creates or replaces an object. A conditional write also tells whether the object is there.
    case write(conditional: Bool)
    case delete
    /// Configuration only.
    case none
}

/// Whose objects an operation can touch.
package enum MailboxScope: Hashable, Sendable {
    /// No object (`Access.none`), or an object in no mailbox: no authorization covers it.
    case nobody
    case mailbox(Mailbox)
    /// Every mailbox whose name begins with these bytes: a listing whose prefix ends inside a mailbox name, or is empty.
    case mailboxes(startingWith: [UInt8])
}
