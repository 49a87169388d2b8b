package import OpenSSL

extension LogReader {
    /// The hash at `index` of a level of tiles: of the leaves `index * 256^level ..< (index + 1) * 256^level`.
    func hash(level: Int, _ index: UInt64) throws(LogFault) -> SHA256Digest {
        let tile = TreeShape(size: checkpoint.size).tile(.hashes(level: level), holding: index)
        let bytes = try read(tile)
        guard bytes.count == 32 * tile.width else {
            throw LogFault(file: tile.path, what: "holds \(bytes.count) bytes, expected \(32 * tile.width)")
        }
        return SHA256Digest(bytes.span, at: 32 * Int(index % 256))
    }

    /// The hash of the perfect subtree of leaves `index << height ..< (index + 1) << height`, from the tile that spans it.
    func node(_ height: Int, _ index: UInt64, _ hasher: inout MerkleHasher) throws(LogFault) -> SHA256Digest {
        let inTile = height % 8
        let level = height / 8
        let first = index << UInt64(inTile)
        let tile = TreeShape(size: checkpoint.size).tile(.hashes(level: level), holding: first)
        let bytes = try read(tile)
        let start = Int(first % 256)
        guard bytes.count == 32 * tile.width, start + 1 << inTile <= tile.width else {
            throw LogFault(file: tile.path, what: "holds \(bytes.count) bytes, expected \(32 * tile.width)")
        }
        return hasher.root(
            ofPerfect: (start..<start + 1 << inTile).map { SHA256Digest(bytes.span, at: 32 * $0) })
    }

    /// The inclusion proof of an entry in the published tree (RFC 6962, section 2.1.1), from the leaf's sibling up.
    package func inclusionProof(of index: UInt64) throws(LogFault) -> [SHA256Digest] {
        try requireKept(index)
        var hasher = MerkleHasher()
        var nodes = MerkleHasher()
        return try MerkleProof.inclusion(index: index, size: checkpoint.size, &hasher) {
            height, index throws(LogFault) in try node(height, index, &nodes)
        }
    }

    /// The proof that the published tree begins with its first `old` entries (RFC 6962, section 2.1.2).
    package func consistencyProof(from old: UInt64) throws(LogFault) -> [SHA256Digest] {
        var hasher = MerkleHasher()
        var nodes = MerkleHasher()
        return try MerkleProof.consistency(from: old, to: checkpoint.size, &hasher) {
            height, index throws(LogFault) in try node(height, index, &nodes)
        }
    }
}
