package import Residency

/// One object of a listing, as it is shown.
package struct ListedObject: Sendable {
    package let key: [UInt8]
    package let size: Int64
    package let lastModifiedSeconds: Int64
    /// Without quotes; nil when it is withheld.
    package let etag: String?

    package init(key: [UInt8], size: Int64, lastModifiedSeconds: Int64, etag: String?) {
        self.key = key
        self.size = size
        self.lastModifiedSeconds = lastModifiedSeconds
        self.etag = etag
    }
}

/// The bodies of answers.
package enum AnswerBody {
    /// ListBucketResult of ListObjectsV2.
    package static func list(
        _ listing: ListingRequest, bucket: BucketName, objects: [ListedObject], commonPrefixes: [[UInt8]],
        next: [UInt8]?
    ) -> [UInt8] {
        func shown(_ key: [UInt8]) -> [UInt8] { listing.encodesKeys ? Percent.encode(key) : key }
        var xml = XMLWriter()
        xml.open("ListBucketResult", namespace: true)
        xml.element("Name", bucket.text)
        xml.element("Prefix", shown(listing.prefix))
        if let startAfter = listing.startAfter { xml.element("StartAfter", shown(startAfter)) }
        if let token = listing.continuationToken { xml.element("ContinuationToken", token) }
        if let next { xml.element("NextContinuationToken", ListingRequest.token(for: next)) }
        xml.element("KeyCount", "\(objects.count + commonPrefixes.count)")
        xml.element("MaxKeys", "\(listing.keysMax)")
        if !listing.delimiter.isEmpty { xml.element("Delimiter", shown(listing.delimiter)) }
        if listing.encodesKeys { xml.element("EncodingType", "url") }
        xml.element("IsTruncated", next == nil ? "false" : "true")
        var modified = (seconds: Int64.min, text: "")
        for object in objects {
            if object.lastModifiedSeconds != modified.seconds {
                modified = (object.lastModifiedSeconds, date(object.lastModifiedSeconds))
            }
            xml.open("Contents")
            xml.element("Key", shown(object.key))
            xml.element("LastModified", modified.text)
            if let etag = object.etag { xml.element("ETag", "\"\(etag)\"") }
            xml.element("Size", "\(object.size)")
            if listing.fetchesOwner {
                xml.open("Owner")
                xml.element("ID", bucket.text)
                xml.close("Owner")
            }
            xml.element("StorageClass", "STANDARD")
            xml.close("Contents")
        }
        for prefix in commonPrefixes {
            xml.open("CommonPrefixes")
            xml.element("Prefix", shown(prefix))
            xml.close("CommonPrefixes")
        }
        xml.close("ListBucketResult")
        return xml.bytes
    }

    /// ListAllMyBucketsResult. A bucket is as old as the gateway's settings: S3 wants a date.
    package static func buckets(_ buckets: [BucketName], owner: PrincipalName, createdSeconds: Int64) -> [UInt8] {
        var xml = XMLWriter()
        xml.open("ListAllMyBucketsResult", namespace: true)
        xml.open("Owner")
        xml.element("ID", owner.text)
        xml.element("DisplayName", owner.text)
        xml.close("Owner")
        xml.open("Buckets")
        for bucket in buckets {
            xml.open("Bucket")
            xml.element("Name", bucket.text)
            xml.element("CreationDate", date(createdSeconds))
            xml.close("Bucket")
        }
        xml.close("Buckets")
        xml.close("ListAllMyBucketsResult")
        return xml.bytes
    }

    /// LocationConstraint: the datacenter.
    package static func location(_ datacenter: DatacenterName) -> [UInt8] {
        var bytes = Array(
            #"<?xml version="1.0" encoding="UTF-8"?><LocationConstraint xmlns="http://s3.amazonaws.com/doc/2006-03-01/">"#
                .utf8)
        bytes.append(contentsOf: datacenter.text.utf8)
        bytes.append(contentsOf: "</LocationConstraint>".utf8)
        return bytes
    }

    /// Error, with what a refusal adds to S3's own elements.
    /// - Parameter details: the elements that errors of this code alone have.
    package static func error(
        code: S3ErrorCode, message: String, details: [(name: String, value: [UInt8])] = [], resource: [UInt8],
        requestID: String, jurisdiction: Jurisdiction? = nil,
        reason: Reason? = nil, decision: UInt64? = nil
    ) -> [UInt8] {
        var xml = XMLWriter()
        xml.open("Error")
        xml.element("Code", code.rawValue)
        xml.element("Message", message)
        for detail in details { xml.element(detail.name, detail.value) }
        if let jurisdiction { xml.element("Jurisdiction", jurisdiction.code) }
        if let reason { xml.element("Reason", reason.rawValue) }
        if let decision { xml.element("DecisionIndex", "\(decision)") }
        xml.element("Resource", resource)
        xml.element("RequestId", requestID)
        xml.close("Error")
        return xml.bytes
    }

    /// `2026-11-23T22:30:00.000Z`.
    static func date(_ seconds: Int64) -> String {
        String(Timestamp(seconds: seconds).rfc3339.prefix(23)) + "Z"
    }
}
