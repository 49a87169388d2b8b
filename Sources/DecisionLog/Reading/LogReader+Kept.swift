internal import OpenSSL

// What is kept beside the tree: settings snapshots and accepted tokens, each under its own hash.
extension LogReader {
    /// The settings snapshot of that SHA-256, in lower-case hexadecimal.
    package func policy(_ sha256: String) throws(LogFault) -> [UInt8] { try kept("policy", sha256) }

    /// The token of that SHA-256; nil where none is kept.
    package func evidence(_ sha256: String) throws(LogFault) -> [UInt8]? {
        let name = "evidence/" + sha256
        do throws(LogSystemError) { guard try files.exists(name) else { return nil } } catch {
            throw LogFault(file: name, what: "cannot be read: \(error)")
        }
        return try kept("evidence", sha256)
    }

    /// - Parameter folder: `policy` or `evidence`.
    func kept(_ folder: String, _ sha256: String) throws(LogFault) -> [UInt8] {
        let name = "\(folder)/\(sha256)"
        let bytes: [UInt8]?
        do throws(LogSystemError) { bytes = try files.read(name) } catch {
            throw LogFault(file: name, what: "cannot be read: \(error)")
        }
        guard let bytes else { throw LogFault(file: name, what: "is missing") }
        guard SHA256Digest(hashing: bytes).hex == sha256 else {
            throw LogFault(file: name, what: "its SHA-256 is not its name: it was changed")
        }
        return bytes
    }
}
