package import Residency

/// The response headers that an object brings with it.
package enum StoredHeader: UInt8, Hashable, Sendable, CaseIterable {
    case contentType = 3
    case contentEncoding = 4
    case contentDisposition = 5
    case contentLanguage = 6
    case cacheControl = 7
    case expires = 8

    /// The header's name in lower case.
    package var name: String {
        switch self {
        case .contentType: "content-type"
        case .contentEncoding: "content-encoding"
        case .contentDisposition: "content-disposition"
        case .contentLanguage: "content-language"
        case .cacheControl: "cache-control"
        case .expires: "expires"
        }
    }
}

/// A name and a value, as bytes.
package struct MetadataPair: Hashable, Sendable {
    package var name: [UInt8]
    package var value: [UInt8]

    package init(name: [UInt8], value: [UInt8]) {
        self.name = name
        self.value = value
    }
}

/// What a client says of an object beside its bytes.
package struct ObjectMetadata: Hashable, Sendable {
    /// Stored headers that are set, each at most once.
    package var headers: [StoredHeader: [UInt8]]
    /// `x-amz-meta-*`, names without that prefix, in the order in which they came.
    package var userMetadata: [MetadataPair]
    /// The user's object tags.
    package var tags: [MetadataPair]

    package init(
        headers: [StoredHeader: [UInt8]] = [:], userMetadata: [MetadataPair] = [], tags: [MetadataPair] = []
    ) {
        self.headers = headers
        self.userMetadata = userMetadata
        self.tags = tags
    }
}

/// A checksum that a client declared and that was verified.
package struct StoredChecksum: Hashable, Sendable {
    package enum Algorithm: UInt8, Hashable, Sendable, CaseIterable {
        case crc32 = 1
        case crc32c = 2
        case crc64nvme = 3
        case sha1 = 4
        case sha256 = 5
    }

    package let algorithm: Algorithm
    /// Over the checksums of the parts of a multipart upload, not over the object's bytes.
    package let isComposite: Bool
    package let value: [UInt8]

    package init(algorithm: Algorithm, isComposite: Bool = false, value: [UInt8]) {
        self.algorithm = algorithm
        self.isComposite = isComposite
        self.value = value
    }
}

/// What storage tells of an object against a permit.
package final class ObjectFacts: Sendable {
    /// Bytes of the content.
    package let size: Int64
    package let lastModifiedSeconds: Int64
    /// Without quotes; nil when it is withheld (DESIGN 3.5).
    package let etag: String?
    /// Where ETag and metadata are withheld only the media type, without parameters: the others are the writer's own words, and a mail's
    /// subject or an attachment's name may stand in them.
    package let headers: [StoredHeader: [UInt8]]
    /// nil when it is withheld.
    package let userMetadata: [MetadataPair]?
    package let tags: [MetadataPair]
    /// nil when they are withheld.
    package let checksums: [StoredChecksum]?
    /// Bytes of each part of a multipart upload; empty for any other object.
    package let partSizes: [Int64]
    package let residency: ResidencyFacts

    init(_ object: SealedObject, _ status: FileStatus, withholdsEntityTag: Bool) {
        let rest = object.rest
        size = status.size
        lastModifiedSeconds = status.modified.seconds
        etag = withholdsEntityTag ? nil : rest.etag
        headers = withholdsEntityTag ? Self.mediaType(rest.metadata.headers) : rest.metadata.headers
        userMetadata = withholdsEntityTag ? nil : rest.metadata.userMetadata
        tags = rest.metadata.tags
        checksums = withholdsEntityTag ? nil : rest.checksums
        partSizes = rest.partSizes
        residency = object.tag.residency
    }

    private static func mediaType(_ headers: [StoredHeader: [UInt8]]) -> [StoredHeader: [UInt8]] {
        guard let type = headers[.contentType] else { return [:] }
        return [.contentType: Array(type.prefix { $0 != UInt8(ascii: ";") })]
    }
}
