package import Residency

/// What an entry's `data` says: the class of what the request opens.
///
/// A condition on an entity tag confirms a guessed message, and needs a grant for content (DESIGN 3.5): such a request's `data` is
/// `content`, whatever else it does. So the condition, on which the rule depends, can be told from operation and `data`.
package enum EntryData: String, Hashable, Sendable, CaseIterable {
    case content, traffic, write, delete, none

    package init(_ access: Access, hasEntityTagCondition: Bool) {
        switch access {
        case .content: self = .content
        case .traffic: self = hasEntityTagCondition ? .content : .traffic
        case .write: self = hasEntityTagCondition ? .content : .write
        case .delete: self = hasEntityTagCondition ? .content : .delete
        case .none: self = .none
        }
    }

    /// What the request did to objects, and whether it put a condition on an entity tag; nil where such an operation can have no
    /// such `data`. For a read of content the condition changes no decision.
    package func meaning(of operation: Operation) -> (access: Access, hasEntityTagCondition: Bool)? {
        for access in operation.accesses {
            for condition in [false, true]
            where EntryData(access.with(condition), hasEntityTagCondition: condition) == self {
                return (access.with(condition), condition)
            }
        }
        return nil
    }
}

extension EntryData {
    /// The raw value, as it is written into entries: two stores.
    package var literal: StaticString {
        switch self {
        case .content: "content"
        case .traffic: "traffic"
        case .write: "write"
        case .delete: "delete"
        case .none: "none"
        }
    }
}

extension Access {
    fileprivate func with(_ hasEntityTagCondition: Bool) -> Access {
        switch self {
        case .write: .write(conditional: hasEntityTagCondition)
        case .content, .traffic, .delete, .none: self
        }
    }
}

extension Operation {
    /// What it can do to objects (DESIGN 3.5); a copy reads its source and writes its destination.
    fileprivate var accesses: [Access] {
        switch self {
        case .getObject: [.content]
        case .headObject, .listObjects, .listObjectsV2, .getObjectAttributes, .getObjectTagging, .listParts,
            .listMultipartUploads:
            [.traffic]
        case .putObject, .putObjectTagging, .deleteObjectTagging, .createMultipartUpload, .uploadPart,
            .completeMultipartUpload, .abortMultipartUpload:
            [.write(conditional: false)]
        case .copyObject, .uploadPartCopy: [.content, .write(conditional: false)]
        case .deleteObject, .deleteObjects: [.delete]
        case .listBuckets, .headBucket, .getBucketLocation, .createBucket, .other, .readLog, .readMetrics, .scanTags,
            .resealTag:
            [.none]
        }
    }
}
