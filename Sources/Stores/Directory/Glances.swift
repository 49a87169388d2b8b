internal import NIOConcurrencyHelpers
internal import NIOCore
internal import Residency
internal import S3

/// What a listing sees of one object. It holds no descriptor, so that a page of them keeps none open.
struct Glance: Sendable {
    let key: ObjectKey
    let size: Int64
    let lastModifiedSeconds: Int64
    let state: ObjectState
    let etag: String?
}

extension DirectoryStore {
    /// Opens an object as far as a listing needs it; nil when there is none.
    func glance(at key: [UInt8], path: [UInt8]) throws(SystemError) -> Glance? {
        guard let objectKey = ObjectKey(utf8: key),
            let opened = try DirectoryRoot.openFile(path, below: root.folder, .reading)
        else { return nil }
        var file = try read(opened, binding: key)
        if file.needsSideFile {
            // Few have one. Without it the object is refused to everyone, and so not shown.
            guard let whole = try findFile(objectKey) else { return nil }
            file = whole
        }
        let state: ObjectState
        switch file.tagState {
        case .missing: state = .untagged
        case .invalid: state = .tagInvalid
        case .sealed(let sealed): state = .tagged(sealed.tag.residency)
        }
        return Glance(
            key: objectKey, size: file.status.size, lastModifiedSeconds: file.status.modified.seconds, state: state,
            etag: file.sealed?.rest.etag)
    }
}

/// Looks at many objects with the help of other threads of the file pool. Whoever is free takes the next few; the one who asks takes part,
/// and so waits for nobody who has not begun: a pool whose threads all list cannot stand still.
final class Glances: Sendable {
    typealias Item = (key: [UInt8], path: [UInt8])
    typealias Found = Result<Glance?, SystemError>

    private struct State {
        var next = 0
        /// Objects that were looked at.
        var count = 0
        var found: [Found?]
    }

    /// Objects that one thread takes at a time.
    private static let chunk = 32
    /// Threads that help beside the one that asks: more than there are processors, since at a first look they wait for the disk, and fewer than
    /// the pool has.
    private static let helpersMax = 5
    /// Fewer objects are not worth a helper.
    static let itemsMin = 64

    private let store: DirectoryStore
    private let items: [Item]
    private let state: NIOLockedValueBox<State>
    /// Its value is the state's `count`.
    private let done = ConditionLock(value: 0)

    /// What each of `items` is, in their order. Waits for the disk.
    static func of(_ items: [Item], in store: DirectoryStore) -> [Found] {
        let glances = Glances(items, store)
        for _ in 0..<helpersMax { store.root.jobs.run { glances.work() } }
        glances.work()
        glances.done.lock(whenValue: items.count)
        glances.done.unlock()
        return glances.state.withLockedValue { $0.found.map { $0 ?? .success(nil) } }
    }

    private init(_ items: [Item], _ store: DirectoryStore) {
        self.items = items
        self.store = store
        state = NIOLockedValueBox(State(found: Array(repeating: nil, count: items.count)))
    }

    private func work() {
        while let range = take() {
            let found = range.map { index -> Found in
                do throws(SystemError) {
                    return .success(try store.glance(at: items[index].key, path: items[index].path))
                } catch { return .failure(error) }
            }
            done.lock()
            let count = state.withLockedValue { state in
                for (index, one) in zip(range, found) { state.found[index] = one }
                state.count += range.count
                return state.count
            }
            done.unlock(withValue: count)
        }
    }

    private func take() -> Range<Int>? {
        state.withLockedValue { state in
            guard state.next < items.count else { return nil }
            let range = state.next..<min(state.next + Self.chunk, items.count)
            state.next = range.upperBound
            return range
        }
    }
}
