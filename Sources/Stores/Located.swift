package import DecisionLog
package import Residency
package import S3

/// What a look-up found. Shows the rule and the log's entry what they need, and nobody anything else: content and metadata come
/// out of it only against a permit, by the store that located it. Keeps the object open as long as it lives.
package final class Located: Sendable {
    package let key: ObjectKey
    package let state: ObjectState
    package let identity: LocatedIdentity
    /// What is wrong with the tag where `state` is `.tagInvalid`.
    package let tagProblem: TagProblem?
    let file: ObjectFile?
    /// What the entry says of it.
    package let entryPart: EntryPart
    /// What a permit opens of it where nothing is withheld; made once where what may be told of it was.
    private let whole: OpenObject?

    /// Bytes of the content, for the entry; nil where nothing lies under the key.
    package var size: Int64? { file?.status.size }
    /// The entity tag for the entry, without quotes; nil without a sound tag.
    package var etag: String? { file?.sealed?.rest.etag }

    /// Nothing lies under the key.
    init(absent key: ObjectKey) {
        self.key = key
        state = .absent
        identity = .none
        tagProblem = nil
        file = nil
        entryPart = .nothing
        whole = nil
    }

    init(_ key: ObjectKey, _ file: ObjectFile, _ jobs: FileJobs) {
        self.key = key
        self.file = file
        identity = .descriptor(
            file.descriptor.number, device: file.status.identity.device, inode: file.status.identity.inode)
        switch file.tagState {
        case .missing: (state, tagProblem) = (.untagged, nil)
        case .invalid(let problem): (state, tagProblem) = (.tagInvalid, problem)
        case .sealed(let sealed): (state, tagProblem) = (.tagged(sealed.tag.residency), nil)
        }
        entryPart = file.tag.entryPart ?? file.makeEntryPart()
        whole = file.tag.facts.map { OpenObject(file, facts: $0, jobs: jobs) }
    }

    /// What a permit that was redeemed opens.
    @inline(__always)
    func open(withholdingEntityTag: Bool, _ jobs: FileJobs) throws(StoreError) -> OpenObject {
        if !withholdingEntityTag, let whole { return whole }
        let file = try soundFile()
        return OpenObject(file, facts: try file.facts(withholdsEntityTag: withholdingEntityTag), jobs: jobs)
    }
}

/// An open file, with what was read of it when it was opened.
final class ObjectFile: Sendable {
    enum TagState: Sendable {
        case missing
        case invalid(TagProblem)
        case sealed(SealedObject)
    }

    /// A descriptor that several views of one file share.
    private final class Handle: Sendable {
        let descriptor: FileDescriptor

        init(_ descriptor: consuming FileDescriptor) { self.descriptor = descriptor }
    }

    private let handle: Handle
    let status: FileStatus
    let tag: JudgedTag

    init(_ descriptor: consuming FileDescriptor, _ status: FileStatus, _ tag: JudgedTag) {
        handle = Handle(descriptor)
        self.status = status
        self.tag = tag
    }

    private init(_ other: ObjectFile, _ tag: JudgedTag) {
        handle = other.handle
        status = other.status
        self.tag = tag
    }

    /// The packed value as it is on disk; nil where there is none.
    var attribute: [UInt8]? { tag.attribute }

    var tagState: TagState { tag.state }

    var descriptor: FileDescriptor {
        _read { yield handle.descriptor }
    }

    /// The same open file, seen with another tag.
    func with(_ tag: JudgedTag) -> ObjectFile { ObjectFile(self, tag) }

    /// The same.
    func with(_ state: TagState, attribute: [UInt8]? = nil) -> ObjectFile {
        with(JudgedTag(attribute: attribute ?? self.attribute, state: state))
    }

    func makeEntryPart() -> EntryPart {
        let residency = sealed?.tag.residency
        return .found(
            size: status.size, etag: sealed?.rest.etag, datacenter: residency?.place.datacenter,
            jurisdiction: residency?.place.jurisdiction, receivedSeconds: residency?.receivedSeconds)
    }

    /// What the attribute did not hold is still to be read.
    var needsSideFile: Bool { sealed?.rest.sideFile != nil }

    /// The tag and what it binds, where it is sound.
    var sealed: SealedObject? {
        switch tagState {
        case .sealed(let sealed): sealed
        case .missing, .invalid: nil
        }
    }
}
