internal import JSON
package import OpenSSL

/// That an entry is in a log, for whoever has the log's key and nothing else (C2SP tlog-proof).
package struct TlogProof: Sendable {
    private static let header = "c2sp.org/tlog-proof@v1"
    /// Longer is no proof: 63 hashes and a signed note.
    static let bytesMax = 1 << 20

    package let index: UInt64
    /// From the leaf's sibling up.
    package let hashes: [SHA256Digest]
    /// The checkpoint's signed note, as the log published it.
    package let checkpoint: [UInt8]

    /// The proof of an entry of a log.
    package init(of index: UInt64, in reader: LogReader) throws(LogFault) {
        guard index < reader.checkpoint.size else {
            throw LogFault(
                file: "checkpoint", what: "covers \(reader.checkpoint.size) entries: there is no entry \(index) yet")
        }
        self.index = index
        hashes = try reader.inclusionProof(of: index)
        checkpoint = reader.noteBytes
        // Never hand out what does not hold.
        let leaf = MerkleProof.leaf(try reader.entry(index))
        guard
            MerkleProof.verifyInclusion(
                of: leaf, index: index, size: reader.checkpoint.size, root: reader.checkpoint.root, proof: hashes)
        else {
            throw LogFault(index: index, file: "tile", what: "the tiles do not prove it: run `bailiwick log verify`")
        }
    }

    package var text: [UInt8] {
        var text = "\(Self.header)\nindex \(index)\n"
        for hash in hashes { text += Base64.standard.encode(hash.bytes) + "\n" }
        return Array((text + "\n").utf8) + checkpoint
    }

    /// Reads a proof. Extra data is passed over: nothing vouches for it.
    package init(text: [UInt8]) throws(TlogProofError) {
        guard text.count <= Self.bytesMax else { throw .malformed("it is longer than \(Self.bytesMax) bytes") }
        var rest = text[...]
        func line() throws(TlogProofError) -> String {
            guard let end = rest.firstIndex(of: 0x0A) else { throw .malformed("it ends early") }
            defer { rest = rest[(end + 1)...] }
            return String(decoding: rest[..<end], as: UTF8.self)
        }
        guard try line() == Self.header else { throw .malformed("its first line is not \(Self.header)") }
        var next = try line()
        if next.hasPrefix("extra ") {
            guard Base64.standard.decode(String(next.dropFirst(6))) != nil else {
                throw .malformed("its extra data is no base64")
            }
            next = try line()
        }
        guard next.hasPrefix("index "), let index = UInt64(next.dropFirst(6)), next == "index \(index)" else {
            throw .malformed("it has no index line")
        }
        var hashes: [SHA256Digest] = []
        while true {
            let next = try line()
            if next.isEmpty { break }
            guard hashes.count < MerkleProof.hashesMax,
                let hash = Base64.standard.decode(next).flatMap({ SHA256Digest(bytes: $0) })
            else { throw .malformed("line \(hashes.count + 3) is no hash") }
            hashes.append(hash)
        }
        self.index = index
        self.hashes = hashes
        checkpoint = Array(rest)
    }

    /// Holds when the checkpoint is signed by `verifier`, is of its log, and has `entry` at the index.
    package func verify(_ entry: [UInt8], by verifier: NoteVerifier) throws(TlogProofError) -> Checkpoint {
        let tree: Checkpoint
        do throws(NoteError) {
            let note = try SignedNote(checkpoint)
            try note.verify(by: verifier)
            tree = try Checkpoint(text: note.text)
        } catch { throw .checkpoint(error) }
        guard tree.origin == verifier.name else { throw .otherLog(tree.origin) }
        guard index < tree.size else { throw .beyond(size: tree.size) }
        guard
            MerkleProof.verifyInclusion(
                of: MerkleProof.leaf(entry), index: index, size: tree.size, root: tree.root, proof: hashes)
        else { throw .notIncluded }
        return tree
    }
}

/// Why a proof proves nothing.
package enum TlogProofError: Error, Hashable, Sendable, CustomStringConvertible {
    case malformed(String)
    case checkpoint(NoteError)
    case otherLog(String)
    case beyond(size: UInt64)
    case notIncluded

    package var description: String {
        switch self {
        case .malformed(let why): "is no tlog-proof: \(why)"
        case .checkpoint(let error): "its checkpoint \(error.words)"
        case .otherLog(let origin): "its checkpoint is of the log \(origin)"
        case .beyond(let size): "its index is not in the tree of \(size) entries"
        case .notIncluded: "the entry is not at that index of the log: the hashes do not lead to the signed root"
        }
    }
}

extension MerkleProof {
    /// The hash of one entry.
    static func leaf(_ entry: [UInt8]) -> SHA256Digest {
        let hasher = MerkleHasher()
        return hasher.leaf(entry.span)
    }
}
