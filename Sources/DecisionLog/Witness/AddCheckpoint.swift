package import OpenSSL

/// The body of `POST /add-checkpoint` (C2SP tlog-witness): what the witness is known to have seen, the proof from there, and the
/// checkpoint to cosign.
package struct AddCheckpoint: Sendable {
    /// Longer is no request: 63 hashes and a signed note.
    package static let bytesMax = 64 << 10

    package let oldSize: UInt64
    package let proof: [SHA256Digest]
    /// The signed note.
    package let note: [UInt8]

    package init(oldSize: UInt64, proof: [SHA256Digest], note: [UInt8]) {
        self.oldSize = oldSize
        self.proof = proof
        self.note = note
    }

    package var body: [UInt8] {
        var text = "old \(oldSize)\n"
        for hash in proof { text += Base64.standard.encode(hash.bytes) + "\n" }
        return Array((text + "\n").utf8) + note
    }

    /// nil when the bytes are no such request.
    package init?(body: [UInt8]) {
        guard body.count <= Self.bytesMax else { return nil }
        var rest = body[...]
        func line() -> String? {
            guard let end = rest.firstIndex(of: 0x0A) else { return nil }
            defer { rest = rest[(end + 1)...] }
            return String(validating: rest[..<end], as: UTF8.self)
        }
        guard let first = line(), first.hasPrefix("old "), let size = UInt64(first.dropFirst(4)),
            first == "old \(size)"
        else { return nil }
        var proof: [SHA256Digest] = []
        while true {
            guard let next = line() else { return nil }
            if next.isEmpty { break }
            guard proof.count < MerkleProof.hashesMax,
                let hash = Base64.standard.decode(next).flatMap({ SHA256Digest(bytes: $0) })
            else { return nil }
            proof.append(hash)
        }
        self.init(oldSize: size, proof: proof, note: Array(rest))
    }
}

/// What a witness answers.
package struct WitnessAnswer: Sendable {
    package let status: Int
    package var contentType = "text/plain; charset=utf-8"
    package let body: [UInt8]

    package init(status: Int, contentType: String = "text/plain; charset=utf-8", body: [UInt8]) {
        self.status = status
        self.contentType = contentType
        self.body = body
    }

    init(_ status: Int, _ text: String) { self.init(status: status, body: Array("\(text)\n".utf8)) }

    /// 409: what was cosigned last has this size.
    static func conflict(_ size: UInt64) -> WitnessAnswer {
        WitnessAnswer(status: 409, contentType: "text/x.tlog.size", body: Array("\(size)\n".utf8))
    }
}
