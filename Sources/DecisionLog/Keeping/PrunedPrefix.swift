internal import Residency

/// What the daemon knows of the entries that were pruned: what the file `minimum-index` said when it was last looked at.
struct PrunedPrefix {
    private(set) var minimumIndex: UInt64
    private var identity: FileIdentity?

    init(_ files: LogFolder) throws(LogError) {
        (identity, minimumIndex) = try Self.read(files)
    }

    /// Looks again. One call where nothing was pruned.
    mutating func hasChanged(_ files: LogFolder) throws(LogError) -> Bool {
        let now: FileIdentity?
        do throws(LogSystemError) { now = try files.identity(MinimumIndex.file) } catch { throw .system(error) }
        guard now != identity else { return false }
        (identity, minimumIndex) = try Self.read(files)
        return true
    }

    /// What the log says of itself: the first entry that is still there. nil where none was pruned.
    func event(_ gateway: GatewayName) -> EventEntry? {
        guard minimumIndex > 0 else { return nil }
        return EventEntry(
            gateway: gateway, name: "pruned", members: [("minimum_index", .number(Int64(clamping: minimumIndex)))])
    }

    private static func read(_ files: LogFolder) throws(LogError) -> (FileIdentity?, UInt64) {
        let found: (identity: FileIdentity?, index: UInt64?)
        do throws(LogSystemError) {
            found = (try files.identity(MinimumIndex.file), try MinimumIndex.value(files))
        } catch { throw .system(error) }
        guard let index = found.index else {
            throw .damaged("\(MinimumIndex.file) is no multiple of 256 and a line end")
        }
        return (found.identity, index)
    }
}
