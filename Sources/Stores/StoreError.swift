package import DecisionLog
internal import Glibc
package import Residency

/// Why a store did not do what it was asked. What the caller is told of it is decided above.
package enum StoreError: Error, Hashable, Sendable {
    /// The permit is for something else: a defect of the caller.
    case permit(PermitMismatch)
    /// Nothing lies under the key.
    case absent
    /// The object has no tag, so that nothing may be told of it.
    case untagged
    /// The object's tag refuses it to everyone.
    case tagInvalid(TagProblem)
    /// The object's tag is sound and of another place: no reseal takes it away.
    case misplaced(Place)
    /// The event that must come first could not be made durable; nothing was changed.
    case notRecorded
    /// The object's bytes are not those that its tag was sealed over, or are fewer.
    case contentDamaged
    /// `If-None-Match: *`, or a write that may only create, met an object.
    case exists
    /// `If-Match` met an object with another entity tag.
    case preconditionFailed
    /// `If-Match` met another object than was decided on: nothing may be told of it.
    case notDecidedOn
    /// The body was not of the declared length.
    case sizeMismatch
    /// The body's MD5 is not the declared one.
    case md5Mismatch
    /// The body's SHA-256 is not the declared one.
    case sha256Mismatch
    /// Headers, metadata and tags are more than the side file holds.
    case metadataTooLarge
    /// No seal key of the datacenter that the tag is to name.
    case sealKeyMissing(DatacenterName)
    /// Something that is no object of ours, a symbolic link or a mount point, stands in the key's way.
    case obstructed
    /// A race was lost more often than is tried again.
    case contended
    /// No space, no inode or no quota left; nothing was published.
    case full
    /// As many objects are open as may be.
    case busy
    /// The store is being shut down.
    case closing
    /// A call came while another of the same object was still under way, or after its end.
    case outOfTurn
    /// Any other system call that failed.
    case system(call: String, code: Int32)

    init(_ error: SystemError) {
        switch error.code {
        case ENOSPC, EDQUOT: self = .full
        case ELOOP, EXDEV: self = .obstructed
        case EMFILE, ENFILE: self = .busy
        default: self = .system(call: error.call, code: error.code)
        }
    }
}

extension StoreError: CustomStringConvertible {
    /// For the journal and for operators; names no key.
    package var description: String {
        switch self {
        case .permit(let part): "the permit is for another \(part)"
        case .absent: "no such object"
        case .untagged: "the object has no residency tag"
        case .tagInvalid(let problem): "the residency tag is invalid: \(problem)"
        case .misplaced(let place): "the object's tag is sound, and of \(place.datacenter), \(place.jurisdiction)"
        case .notRecorded: "the event could not be recorded; nothing was changed"
        case .contentDamaged: "the object's bytes are not those that its tag was sealed over"
        case .exists: "the object exists already"
        case .preconditionFailed: "the object has another entity tag"
        case .notDecidedOn: "the object is another one than was decided on"
        case .sizeMismatch: "the body is not of the declared length"
        case .md5Mismatch: "the body does not have the declared MD5"
        case .sha256Mismatch: "the body does not have the declared SHA-256"
        case .metadataTooLarge: "headers, metadata and tags are too large"
        case .sealKeyMissing(let datacenter): "no seal key of datacenter \(datacenter)"
        case .obstructed: "something that is no object stands in the key's way"
        case .contended: "too many changes at once under one name"
        case .full: "no space left in the store"
        case .busy: "too many objects are open"
        case .closing: "the store is closing"
        case .outOfTurn: "a call out of turn"
        case .system(let call, let code): "\(call): \(systemMessage(code))"
        }
    }
}

/// What is wrong with an object's tag.
package enum TagProblem: String, Hashable, Sendable {
    /// Not of the form of DESIGN section 4.
    case malformed
    /// Sealed under a key that this gateway does not hold.
    case unknownKey = "unknown-key"
    /// The seal is not that of this text under this key and binding.
    case seal
    /// The rest of the attribute is not what was sealed.
    case rest
    /// The file's size is not what was sealed.
    case size
    /// The side file is missing or not what was sealed.
    case sideFile = "side-file"
}
