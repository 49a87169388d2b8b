internal import OpenSSL
package import Residency

/// Proof that one decision to allow is durable. Storage hands out bytes and facts only against one, and consumes it.
///
/// Its initialiser is internal to this module and is called in one place, after the group that holds the decision is on
/// disk. Outside `DecisionLog` an unauthorised read does not compile (Tests/Conformance/PermitTests holds that).
package struct Permit: ~Copyable {
    /// The decision's index in the log.
    package let index: UInt64
    private let release: Release

    init(index: UInt64, release: Release) {
        self.index = index
        self.release = release
    }

    /// Uses the permit up. Gives what was decided when all four of bucket, operation, target and identity are those that
    /// were decided on; throws otherwise, and the permit is gone either way.
    package consuming func redeem(
        bucket: BucketName, operation: Operation, target: [UInt8], identity: LocatedIdentity
    ) throws(PermitMismatch) -> Release {
        guard release.bucket.text == bucket.text else { throw .bucket }
        guard release.operation == operation else { throw .operation }
        let mine = release.target
        guard mine.span.isSame(as: target.span) else { throw .target }
        guard release.identity == identity else { throw .identity }
        return release
    }
}

/// What a decision to allow lets storage do, and to what. Handed from thread to thread by reference.
package final class Release: Sendable {
    package let bucket: BucketName
    package let operation: Operation
    /// The key's bytes, or the prefix of a listing.
    package let target: [UInt8]
    package let identity: LocatedIdentity
    /// Which entries a listing may show; nil for everything but a listing.
    package let admission: Admission?
    /// ETag, checksums and user metadata are withheld (DESIGN 3.5).
    package let withholdsEntityTag: Bool

    package init(
        bucket: BucketName, operation: Operation, target: [UInt8], identity: LocatedIdentity,
        admission: Admission? = nil, withholdsEntityTag: Bool = false
    ) {
        self.bucket = bucket
        self.operation = operation
        self.target = target
        self.identity = identity
        self.admission = admission
        self.withholdsEntityTag = withholdsEntityTag
    }
}

/// Which located object a decision was about: storage opens nothing a second time.
package enum LocatedIdentity: Hashable, Sendable {
    /// A listing, a new object, or an operation that looks nothing up.
    case none
    /// An open file descriptor and the file that it was opened on.
    case descriptor(Int32, device: UInt64, inode: UInt64)
    /// What an upstream store called the version.
    case entityTag(String)
}

/// The part of a use that is not what was decided. Always a defect of the caller, never an attacker's doing.
package enum PermitMismatch: Error, Sendable {
    case bucket, operation, target, identity
}
