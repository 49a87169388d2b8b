package import OpenSSL

/// Why the log cannot be opened, or closed itself.
package enum LogError: Error, Sendable, CustomStringConvertible {
    case system(LogSystemError)
    /// Another daemon holds the folder.
    case locked(String)
    /// What is on disk cannot be told apart from damage. Nobody should restart before somebody looked.
    case damaged(String)
    case note(NoteError)
    /// A file was removed or replaced under the daemon.
    case replaced(String)
    /// A witness has cosigned another history than the one that is here.
    case witnessed(String)
    /// The log is closed, for what `LogStatus.closedBecause` says.
    case closed

    package var isDamage: Bool { if case .damaged = self { true } else { false } }

    package var description: String {
        switch self {
        case .system(let error): "\(error)"
        case .locked(let path): "another daemon holds the log folder \(path)"
        case .damaged(let what): "the log is damaged: \(what)"
        case .note(let error): "signing: \(error)"
        case .closed: "the log is closed"
        case .witnessed(let what): what
        case .replaced(let what): "\(what) was removed or replaced under the daemon"
        }
    }
}

/// What the log is opened with.
package struct LogConfiguration: Sendable {
    package var directory: String
    package var origin: String
    /// All sign every checkpoint: that is how they rotate.
    package var signers: [NoteSigner]
    package var checkpointIntervalMilliseconds = 1000
    /// Bytes of one write-ahead segment.
    package var segmentBytes = 8 << 20
    /// Bytes kept free for the last words on a full disk; 0 for none.
    package var reserveBytes = 0
    /// Witnesses are asked to cosign each checkpoint: the next one waits for them, within a bound. Nothing is published but what was
    /// there before until the first answer (`settle`).
    package var isWitnessed = false
    /// Called after each publication, on the integrator's thread: must not wait.
    package var published: @Sendable () -> Void = {}
    /// Told of every entry once it is durable.
    package var follower: (any LogFollower)?
    var clock: any LogClock = SystemClock()
    var disk: any LogDisk = LinuxDisk()

    package init(directory: String, origin: String, signers: [NoteSigner]) {
        self.directory = directory
        self.origin = origin
        self.signers = signers
    }
}

/// How the log is, for `/ready`, the status line and metrics.
package struct LogStatus: Sendable {
    /// nil while it is open.
    package var closedBecause: String?
    /// Entries queued or durable.
    package var size: UInt64 = 0
    package var durableSize: UInt64 = 0
    /// How far the last entry's time is ahead of the clock; 0 where it is not.
    package var aheadMicroseconds: Int64 = 0
    /// Why decisions are refused for the time being, while the log itself is well; nil where they are not.
    package var suspendedBecause: String?
    package var checkpointSize: UInt64 = 0
    /// Entries before it were pruned; 0 where none were.
    package var minimumIndex: UInt64 = 0
    package var checkpointAgeMilliseconds: Int64 = 0
    package var groups: UInt64 = 0
    /// How long the durable writes of groups took.
    package var commits = Histogram()
    package var usesDirectIO = false
    /// Bytes that are kept for the last words; 0 for none.
    package var reserveBytes = 0
    /// Bytes of them that are not given back yet.
    package var reserveHeldBytes = 0
    /// Entries that the follower could not take; nil without one.
    package var missedByFollower: UInt64?
}

/// A token that is to be kept, durable before the first permit under it.
package struct TokenEvidence: Sendable {
    package let sha256: SHA256Digest
    package let bytes: [UInt8]

    package init(sha256: SHA256Digest, bytes: [UInt8]) {
        self.sha256 = sha256
        self.bytes = bytes
    }
}
