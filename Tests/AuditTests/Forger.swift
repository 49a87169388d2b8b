import Foundation
import OpenSSL
import Residency
import TestSupport

@testable import DecisionLog

/// Writes logs that are in perfect order and correctly signed, whatever their entries say.
final class Forger {
    let folder: Sandbox
    let signer: NoteSigner
    private let origin = "logs.example.org/dub1-gw1"

    init() throws {
        folder = try Sandbox("forged")
        let seed = randomBytes(32)
        let typed = [1] + (try Ed25519PrivateKey(seed: seed)).publicKey.bytes
        let hash = Hex.encode(Array(SHA256Digest(hashing: Array(origin.utf8) + [0x0A] + typed).bytes.prefix(4)))
        signer = try NoteSigner("PRIVATE+KEY+\(origin)+\(hash)+\(Base64.standard.encode([1] + seed))")
    }

    /// The log of these lines, with what is kept beside it.
    func write(_ lines: [[UInt8]], policies: [[UInt8]], evidence: [[UInt8]]) throws {
        let files = LogFolder(path: folder.path)
        for name in ["tile", "policy", "evidence"] { try files.makeFolder(name) }
        var tree = try Tree(files, origin: origin, signers: [signer])
        var framed: [UInt8] = []
        for line in lines { EntryFraming.append(line, to: &framed) }
        try tree.append(framed)
        try tree.publish()
        for bytes in policies { try keep("policy", bytes) }
        for bytes in evidence { try keep("evidence", bytes) }
    }

    private func keep(_ kind: String, _ bytes: [UInt8]) throws {
        try Data(bytes).write(to: URL(fileURLWithPath: folder("\(kind)/\(SHA256Digest(hashing: bytes).hex)")))
    }
}

extension DecisionEntry {
    var line: [UInt8] {
        var line: [UInt8] = []
        append(to: &line)
        return line
    }
}
