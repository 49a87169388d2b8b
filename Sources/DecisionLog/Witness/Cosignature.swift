internal import OpenSSL

/// A witness's signature on a checkpoint, with the time at which it was made (C2SP tlog-cosignature, cosignature/v1).
struct Cosignature {
    /// POSIX time; at most 2^63 - 1.
    let seconds: UInt64
    /// Ed25519, 64 bytes.
    let signature: [UInt8]

    /// From what stands behind the key id: the time, 8 bytes big-endian, and the signature. nil when it is not that.
    init?(_ bytes: [UInt8]) {
        guard bytes.count == 72 else { return nil }
        seconds = bytes.prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
        signature = Array(bytes.dropFirst(8))
        guard seconds <= UInt64(Int64.max) else { return nil }
    }

    /// Two lines, then the whole text of the checkpoint.
    static func message(_ text: [UInt8], seconds: UInt64) -> [UInt8] {
        Array("cosignature/v1\ntime \(seconds)\n".utf8) + text
    }

    func verify(_ text: [UInt8], by key: Ed25519PublicKey) -> Bool {
        key.verify(signature, of: Self.message(text, seconds: seconds))
    }
}

extension NoteSigner {
    /// The line, without its line end, by which a witness cosigns a checkpoint's text at a time.
    package func cosign(_ text: [UInt8], atSeconds seconds: UInt64) throws(NoteError) -> String {
        precondition(type == .cosignature, "a log's key does not cosign")
        let time = (0..<8).map { UInt8(truncatingIfNeeded: seconds >> (56 - 8 * UInt64($0))) }
        return line(time + (try signature(of: Cosignature.message(text, seconds: seconds))))
    }
}

extension SignedNote {
    /// When this witness cosigned the note, in POSIX seconds.
    /// - Throws: `NoteError.unsigned` or `.badSignature`.
    package func cosignedSeconds(by witness: NoteVerifier) throws(NoteError) -> UInt64 {
        try verify(by: witness)
        return Cosignature(try signature(of: witness))?.seconds ?? 0
    }
}
