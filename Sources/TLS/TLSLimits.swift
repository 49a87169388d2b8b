/// The bounds of one connection's TLS.
package enum TLSLimits {
    /// Plaintext that may be queued before the handshake is done.
    package static let earlyPlaintextBytesMax = 64 << 10
    /// Records that may be held undecrypted; more is no TLS.
    package static let incomingBytesMax = 1 << 20
    /// Plaintext handed on in one read.
    package static let readBytesMax = 256 << 10
    /// Plaintext that a record holds (RFC 8446, section 5.1), and that is taken from a socket in one step.
    static let recordBytesMax = 16 << 10
    /// Reads of a socket, of 16 KiB each, before other sockets have their turn.
    static let readsMax = 4
    package static let handshakeSecondsMax: Int64 = 10
    /// How long the other side's close_notify is waited for.
    package static let closeSecondsMax: Int64 = 5
    /// How long, before that, the socket may take none of what is still to be sent.
    package static let lastBytesSecondsMax: Int64 = 60
    /// Records of TLS's own, answers to key updates above all, that may wait for a socket that takes nothing.
    static let controlBytesMax = 64 << 10
    /// Plaintext that is encrypted before it is handed to the socket.
    package static let writeBytesMax = 48 << 10
    /// What a record costs beside its plaintext (RFC 8446, section 5.2: header, type and tag; TLS 1.2 adds a nonce).
    static let recordOverheadBytesMax = 64
    /// A larger buffer is not kept for the next records.
    static let spareBytesMax = 512 << 10
}
