/// Why a log is not archived, or not pruned.
package enum KeepingError: Error, Sendable, CustomStringConvertible {
    case system(LogSystemError)
    /// The log itself, or what is wrong with it.
    case log(LogFault)
    /// The archive, or what is wrong with it.
    case archive(LogFault)
    /// Another archiving or pruning has the folder.
    case busy(String)
    case sameFolder
    /// The archive covers more than the log: an older copy of the log was put in its place.
    case archiveIsAhead(archived: UInt64, size: UInt64)
    /// What lies between was pruned and is nowhere.
    case gap(archived: UInt64, from: UInt64)
    /// The archive ends, or begins, inside what is to be pruned.
    case notArchived(from: UInt64, to: UInt64, archivedFrom: UInt64, archivedTo: UInt64)
    /// The two are not one history.
    case otherHistory

    package var description: String {
        switch self {
        case .system(let error): "\(error)"
        case .log(let fault): "the log: \(fault)"
        case .archive(let fault): "the archive: \(fault)"
        case .busy(let path): "another archiving or pruning holds \(path)"
        case .sameFolder: "the archive is the log's own folder"
        case .archiveIsAhead(let archived, let size):
            "the archive holds \(archived) entries, the log \(size): an older copy of the log was put in its place"
        case .gap(let archived, let from):
            "the archive ends at entry \(archived), and the log was pruned up to entry \(from): what lies between is missing"
        case .notArchived(let from, let to, let archivedFrom, let archivedTo):
            "entries \(from) to \(to) are to be pruned, the archive holds \(archivedFrom) to \(archivedTo): run `bailiwick log archive` first"
        case .otherHistory: "the log and its archive are not one history: run `bailiwick log verify` on both"
        }
    }
}

extension LogFolder {
    /// Runs `body` while nobody else archives into or prunes this folder.
    func alone<Value>(_ lockName: String, _ body: () throws(KeepingError) -> Value) throws(KeepingError) -> Value {
        let lock: Int32?
        do throws(LogSystemError) { lock = try self.lock(lockName) } catch { throw .system(error) }
        guard let lock else { throw .busy(path) }
        defer { disk.close(lock) }
        return try body()
    }

    /// `body`, whose system errors are this error's.
    func keeping<Value>(_ body: () throws(LogSystemError) -> Value) throws(KeepingError) -> Value {
        do throws(LogSystemError) { return try body() } catch { throw .system(error) }
    }
}

extension TilePath {
    /// Entries that a full tile of a kind spans.
    static func span(_ kind: TileKind) -> UInt64 {
        switch kind {
        case .entries: 256
        case .hashes(let level): 1 << UInt64(8 * (level + 1))
        }
    }
}

extension TreeShape {
    /// Bundles first: what a tile hashes is there before it.
    var kinds: [TileKind] { [.entries] + (0..<levels).map { .hashes(level: $0) } }

    /// Full tiles of a kind that a log with that minimum index must have: those that end beyond it (tlog-tiles, "Pruning").
    func keptTiles(_ kind: TileKind, minimumIndex: UInt64) -> Range<UInt64> {
        let end = fullTiles(kind)
        return min(end, minimumIndex / TilePath.span(kind))..<end
    }
}
