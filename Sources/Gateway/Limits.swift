/// The gateway's own bounds; each layer below has its own `Limits`.
enum Limits {
    /// A request body of a refused request that is read and thrown away, so that the answer arrives before the close.
    static let drainedBytesMax = 8 << 20
    /// How long a refused body is drained.
    static let drainSecondsMax: Int64 = 5
    /// Bytes of an object handed to the socket at a time: seven TLS records, which one call encrypts and one call sends while they
    /// are in the processor's cache.
    static let readChunkBytes = 112 << 10
    /// What a head is likely to take.
    static let headRoomBytes = 1 << 10
    /// Bytes of requests that are held undecoded while one is in hand; the socket is not read beyond it.
    static let bufferedBytesMax = 64 << 10
    /// Threads for file calls that would block a loop.
    static let fileThreads = 8
    /// A connection that has sent no byte of a request for so long is closed.
    static let idleSecondsMax: Int64 = 300
    /// A request head must be whole within this time of its first byte.
    static let headSecondsMax: Int64 = 20
    /// How long a client may take to send the next bytes of a body, or to take those of an answer.
    static let stalledSecondsMax: Int64 = 300
    /// How long an idle connection may still bring a request once the service stops.
    static let lastRequestSecondsMax: Int64 = 1
    /// Foreign overwrites answered to one principal in a minute before its foreign writes are suspended (DESIGN 3.7).
    static let foreignOverwritesPerMinuteMax = 10
    /// Networks of strangers that are counted apart in one minute; beyond it they are counted together.
    static let strangerNetworksMax = 256
    /// Verified tokens kept for one event loop.
    static let tokenCacheEntriesMax = 4096
    /// Pinned ES256 keys that get a table of their multiples: 151,552 bytes each, 19 MB together.
    static let keyTablesMax = 128
    /// Keys of a loop whose pseudonyms are known from the last entry; a power of two.
    static let entryNamesCount = 2048
    /// Tokens of a loop whose part of an entry is known from the last one; a power of two.
    static let entryAuthorizationsCount = 256
    /// Objects of a loop whose fields of an answer are known from the last one; a power of two.
    static let objectFieldsCount = 1024
    /// Connections of callers that are open at a time: the stores have a quarter of all descriptors (`StoreDescriptors`), and what is left is
    /// for their folders, the log and the operators.
    static func connectionsMax(descriptorsMax: UInt64) -> Int {
        Int(clamping: max(32, descriptorsMax / 8 * 5 - min(descriptorsMax / 8, 1024)))
    }

    /// The same at the operators' listener.
    static let operatorsConnectionsMax = 256
    /// For how long a living connection's certificate is not looked at again after something was wrong with it.
    static let strangerSecondsMax: Int64 = 10
    /// TLS handshakes in progress at a time, of all callers and of one.
    static let handshakesMax = 1024
    static let handshakesOfOneSourceMax = 512
    /// The same at the operators' listener.
    static let operatorsHandshakesMax = 128
    /// Memory for an answer that is kept for the next one is no larger.
    static let spareAnswerBytesMax = 128 << 10
    /// Bytes of a request to the operators' listener.
    static let operatorBodyBytesMax = 64 << 10
}
