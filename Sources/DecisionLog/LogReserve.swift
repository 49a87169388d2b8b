internal import Synchronization

/// Room that the log keeps on its disk, so that a full one does not take its last words away. Given back once, when the disk is full.
final class LogReserve: Sendable {
    static let name = "reserve"

    private let files: LogFolder
    let byteCount: Int
    private let isHeld: Mutex<Bool>

    /// Takes the room.
    /// - Parameter byteCount: 0 for none.
    init(_ files: LogFolder, byteCount: Int) throws(LogSystemError) {
        self.files = files
        self.byteCount = byteCount
        isHeld = Mutex(byteCount > 0)
        guard byteCount > 0 else {
            if try files.exists(Self.name) { try files.removeDurably(Self.name) }
            return
        }
        let descriptor = try files.open(Self.name, .keep)
        defer { files.disk.close(descriptor) }
        try files.attempt("fallocate", Self.name) { () throws(Errno) in
            try files.disk.allocate(descriptor, byteCount: byteCount)
        }
        try files.attempt("fsync", Self.name) { () throws(Errno) in try files.disk.fsync(descriptor) }
        try files.syncFolder("")
    }

    /// Gives the room back.
    /// - Returns: false where there was none to begin with.
    func release() -> Bool {
        isHeld.withLock { isHeld in
            if isHeld {
                isHeld = false
                // Whatever comes of it: the write that needs the room says whether it is there.
                try? files.removeDurably(Self.name)
            }
        }
        return byteCount > 0
    }

    /// Bytes that are kept now.
    var heldBytes: Int { isHeld.withLock { $0 } ? byteCount : 0 }
}
