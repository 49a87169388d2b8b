package import DecisionLog
package import NIOCore
package import NIOPosix
package import Residency
package import S3

/// One bucket: a regional storage in exactly one datacenter. Its drivers share nothing but this.
///
/// Bytes and facts leave only against a `Permit`, which a store consumes and of which it checks all four parts. Every callback
/// is called exactly once, on `loop`, possibly before the call returns; every call is made on `loop`'s thread.
package protocol Store: Sendable {
    var bucket: BucketName { get }
    /// The datacenter that the store lies in.
    var place: Place { get }
    /// Which part of a key names the mailbox.
    var mailboxRule: MailboxRule { get }

    /// Looks a key up, and tells what the rule and the log's entry need to know. An absent object is no failure.
    /// - Parameter round: begun after the request had come.
    func locate(_ key: ObjectKey, in round: LookupRound, on loop: any EventLoop, for waiter: any ObjectWaiter)

    /// What is known of a located object, for an operation that reads no content.
    func describe(_ located: Located, for operation: Operation, permit: consuming Permit) throws(StoreError)
        -> ObjectFacts

    /// Opens a located object's content, for an operation that reads it.
    func open(
        _ located: Located, for operation: Operation, permit: consuming Permit, on loop: any EventLoop,
        _ waiter: any ObjectWaiter)

    /// One page of a listing. Its permit's target is the prefix.
    func list(
        _ query: ListQuery, for operation: Operation, permit: consuming Permit, on loop: any EventLoop,
        _ done: @escaping (Result<ListPage, StoreError>) -> Void)

    /// Begins a new object, which nobody sees before the writer's `finish`.
    /// - Parameter located: what was decided on, where the key was looked up; its identity is the permit's.
    func put(
        _ key: ObjectKey, replacing located: Located?, _ options: PutOptions, for operation: Operation,
        permit: consuming Permit, on loop: any EventLoop
    ) throws(StoreError) -> ObjectWriter

    /// Removes what lies under a key. True when something did; where `located` is given, only that very object is removed.
    func delete(
        _ key: ObjectKey, located: Located?, for operation: Operation, permit: consuming Permit, on loop: any EventLoop,
        _ done: @escaping (Result<Bool, StoreError>) -> Void)

    /// Seals an untagged object with the store's datacenter, received at `time`; the adoption event is durable before the call. Gives the same
    /// located object with its new tag, still under the same identity.
    func adopt(
        _ located: Located, at time: Timestamp, on loop: any EventLoop,
        _ done: @escaping (Result<Located, StoreError>) -> Void)

    /// Seals an object that has no tag, or one that does not verify, with the store's datacenter; renews a sound tag of that datacenter, which
    /// goes on to say what it says. A seal that verifies and names another place stands: `misplaced`.
    /// - Parameter records: called before the seal, on a thread of the pool; true once the event is durable, else `notRecorded`.
    func reseal(
        _ key: ObjectKey, at time: Timestamp, on loop: any EventLoop, _ records: @escaping @Sendable (Reseal) -> Bool,
        _ done: @escaping (Result<Reseal, StoreError>) -> Void)

    /// Is it there, and how full is it? May wait for a disk or a network: not for an event loop.
    func condition() -> StoreCondition

    /// Walks the whole store. Releases no object: tells keys and what is wrong with them, to operators.
    /// - Parameter pool: a thread of it is taken for as long as the walk lasts.
    func scan(
        _ options: ScanOptions, in pool: NIOThreadPool, on loop: any EventLoop,
        _ done: @escaping (Result<ScanSummary, StoreError>) -> Void)
}

/// Who has an object looked up and opened: told as the callbacks above are. An object, because a read makes both calls, and a closure for each
/// would be one more to be made.
package protocol ObjectWaiter: AnyObject {
    func objectIsLocated(_ located: Located)
    func objectIsOpen(_ object: OpenObject)
    /// In the place of either.
    func objectFailed(_ error: StoreError)
}

/// Which keys a listing asks for.
package struct ListQuery: Hashable, Sendable {
    package var prefix: [UInt8]
    /// Keys with one common beginning up to this, after the prefix, are shown as that beginning.
    package var delimiter: [UInt8]?
    /// Only keys after this, and no common prefix equal to it: `start-after`, `marker`, or a page's `next`.
    package var after: [UInt8]?
    /// 0 to `StoreLimits.pageKeysMax`.
    package var keysMax: Int

    package init(prefix: [UInt8] = [], delimiter: [UInt8]? = nil, after: [UInt8]? = nil, keysMax: Int = 1000) {
        self.prefix = prefix
        self.delimiter = delimiter.flatMap { $0.isEmpty ? nil : $0 }
        self.after = after.flatMap { $0.isEmpty ? nil : $0 }
        self.keysMax = min(max(0, keysMax), StoreLimits.pageKeysMax)
    }
}

/// One page of a listing, in byte order of keys.
package struct ListPage: Hashable, Sendable {
    package var entries: [ListEntry] = []
    package var commonPrefixes: [[UInt8]] = []
    /// More follows.
    package var isTruncated = false
    /// The `after` of the next page where there is one: the last key or common prefix of this one.
    package var next: [UInt8]?
    /// Entries that were left out because the decision does not admit them.
    package var excluded = 0

    package init() {}
}

/// One object of a listing.
package struct ListEntry: Hashable, Sendable {
    package let key: ObjectKey
    package let size: Int64
    package let lastModifiedSeconds: Int64
    /// Without quotes; nil when it is withheld.
    package let etag: String?
}

/// How a new object is to be published.
package struct PutOptions: Sendable {
    package enum Condition: Hashable, Sendable {
        /// Replaces whatever is there.
        case none
        /// Only creates: `If-None-Match: *`, and writes from abroad under `create`.
        case mustBeAbsent
        /// `If-Match` with one of these entity tags, without quotes; empty for `*`.
        case mustMatch([String], of: Subject = .anyNative)
    }

    /// Of which objects the outcome of `If-Match` may tell: those that the decision holds for.
    package enum Subject: Hashable, Sendable {
        /// Whatever is tagged for the store's own datacenter: no border of it is crossed.
        case anyNative
        /// What was located and nothing else: the decision on it rests on a grant.
        case only(LocatedIdentity)
    }

    package var metadata: ObjectMetadata
    package var condition: Condition
    /// What the tag is to say; nil: the store's datacenter, received when it is sealed.
    package var residency: ResidencyFacts?
    /// The declared length.
    package var size: Int64?

    package init(
        metadata: ObjectMetadata = .init(), condition: Condition = .none, residency: ResidencyFacts? = nil,
        size: Int64? = nil
    ) {
        self.metadata = metadata
        self.condition = condition
        self.residency = residency
        self.size = size
    }
}

/// What is known of a new object only at its end.
package struct PutCompletion: Sendable {
    /// What the client declared and storage checks, 16 and 32 bytes.
    package var md5: [UInt8]?
    package var sha256: [UInt8]?
    /// What the caller verified, to be stored.
    package var checksums: [StoredChecksum]
    /// An entity tag that is not the MD5 of the content (multipart), and the sizes of the parts.
    package var etag: String?
    package var partSizes: [Int64]

    package init(
        md5: [UInt8]? = nil, sha256: [UInt8]? = nil, checksums: [StoredChecksum] = [], etag: String? = nil,
        partSizes: [Int64] = []
    ) {
        self.md5 = md5
        self.sha256 = sha256
        self.checksums = checksums
        self.etag = etag
        self.partSizes = partSizes
    }
}

/// What became of a new object.
package struct PutOutcome: Hashable, Sendable {
    package let etag: String
    package let size: Int64
    package let residency: ResidencyFacts
    /// An object was there before.
    package let replaced: Bool
}

/// What a reseal does.
package struct Reseal: Hashable, Sendable {
    /// What the tag says from now on.
    package let residency: ResidencyFacts
    /// The state before.
    package let before: ObjectState
    /// What was wrong with the tag; nil where nothing was, or there was none.
    package let problem: TagProblem?
    /// The tag's text before, whether or not it verifies; nil where there was none or it is no text.
    package let textBefore: String?

    /// The tag was sound: only its key is another.
    package var isRenewal: Bool { if case .tagged = before { true } else { false } }
}

/// How a store is to be scanned.
package struct ScanOptions: Sendable {
    /// Read every object and compare its digest.
    package var readsContent: Bool
    /// Called before an untagged object is adopted, on a thread of the pool; true once the event is durable. nil: none is adopted.
    package var adopts: (@Sendable (ObjectKey) -> Bool)?
    /// Seal sound tags again that another key than the first of their datacenter sealed.
    package var renews: Bool
    /// Called for everything that is wrong, on a thread of the pool.
    package var finding: @Sendable (ScanFinding) -> Void
    /// Asked before each object and each piece of one, on a thread of the pool; false ends the scan.
    package var isWanted: @Sendable () -> Bool

    package init(
        readsContent: Bool = false, adopts: (@Sendable (ObjectKey) -> Bool)? = nil, renews: Bool = false,
        finding: @escaping @Sendable (ScanFinding) -> Void, isWanted: @escaping @Sendable () -> Bool = { true }
    ) {
        self.readsContent = readsContent
        self.adopts = adopts
        self.renews = renews
        self.finding = finding
        self.isWanted = isWanted
    }
}

/// What a scan counted.
package struct ScanSummary: Hashable, Sendable {
    package var objects = 0
    package var bytes: Int64 = 0
    package var adopted = 0
    package var renewed = 0
    /// Findings that make the scan fail; what was adopted is none, nor is what is misplaced.
    package var problems = 0
    package var misplaced = 0
    /// Nobody wanted it any more before it had seen all.
    package var isComplete = true

    package init() {}
}

extension ObjectWaiter {
    func objectIsLocated(_ result: Result<Located, StoreError>) {
        switch result {
        case .success(let located): objectIsLocated(located)
        case .failure(let error): objectFailed(error)
        }
    }

    func objectIsOpen(_ result: Result<OpenObject, StoreError>) {
        switch result {
        case .success(let object): objectIsOpen(object)
        case .failure(let error): objectFailed(error)
        }
    }
}
