internal import DecisionLog
internal import Synchronization

/// What an object's attribute says, judged once.
final class JudgedTag: Sendable {
    /// The packed value as it is on disk; nil where there is none.
    let attribute: [UInt8]?
    let state: ObjectFile.TagState
    /// What an entry says of the object, where that was made already.
    let entryPart: EntryPart?
    /// What may be told of the object, likewise.
    let facts: ObjectFacts?

    init(
        attribute: [UInt8]?, state: ObjectFile.TagState, entryPart: EntryPart? = nil, facts: ObjectFacts? = nil
    ) {
        self.attribute = attribute
        self.state = state
        self.entryPart = entryPart
        self.facts = facts
    }
}

/// Tags of objects that were looked up lately, for as long as their files stay as they were: whoever changes a file's attribute or
/// content changes its `ctime`. As with `SortedFolderCache`, only what had rested before it was read is kept.
///
/// A read, the ranges of one download and the HEAD before it thus verify one seal. A cache belongs to one store under one snapshot of the
/// settings, since what a tag is judged by is the keyring.
final class JudgedTags: Sendable {
    private struct Kept {
        let identity: FileIdentity
        let changed: FileTime
        let size: Int64
        /// Over which the seal was made: a file that was renamed, or has another name too, is judged again.
        let binding: [UInt8]
        let tag: JudgedTag
    }

    /// A file has one slot, which the next one takes from it.
    private let slots: Mutex<[Kept?]>
    private let mask: UInt64

    /// - Parameter count: a power of two.
    init(count: Int) {
        precondition(count & (count - 1) == 0, "the slots are a power of two")
        slots = Mutex(Array(repeating: nil, count: count))
        mask = UInt64(count - 1)
    }

    /// What was judged of this very file; nil where it has to be read.
    func tag(of status: FileStatus, binding: [UInt8]) -> JudgedTag? {
        let slot = slot(of: status)
        return slots.withLock { slots in
            guard let kept = slots[slot], kept.identity == status.identity, kept.changed == status.changed,
                kept.size == status.size, kept.binding == binding
            else { return nil }
            return kept.tag
        }
    }

    /// - Parameters:
    ///   - file: whose status fstat said before the attribute was read.
    ///   - now: not after fstat was asked.
    /// - Returns: the same file, with what its entry says of it where it was kept.
    @discardableResult
    func keep(_ file: ObjectFile, binding: [UInt8], now: FileTime) -> ObjectFile {
        let status = file.status
        guard case .sealed(let sealed) = file.tagState, sealed.rest.sideFile == nil,
            now.nanoseconds(since: status.changed) >= StoreLimits.restNanosecondsMin
        else { return file }
        let tag = JudgedTag(
            attribute: file.attribute, state: file.tagState, entryPart: file.makeEntryPart(),
            facts: ObjectFacts(sealed, status, withholdsEntityTag: false))
        let kept = Kept(
            identity: status.identity, changed: status.changed, size: status.size, binding: binding, tag: tag)
        let slot = slot(of: status)
        slots.withLock { $0[slot] = kept }
        return file.with(tag)
    }

    private func slot(of status: FileStatus) -> Int {
        let inode = status.identity.inode
        return Int((inode ^ inode >> 12) & mask)
    }
}
