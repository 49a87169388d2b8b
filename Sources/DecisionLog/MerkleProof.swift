package import OpenSSL

/// Proofs as RFC 6962 (sections 2.1.1 and 2.1.2) defines them.
///
/// Making one needs the hashes of perfect subtrees, which the caller looks up: `node(level, index)` is the hash of the
/// leaves `index << level ..< (index + 1) << level`. Checking one follows RFC 9162, sections 2.1.3.2 and 2.1.4.2.
package enum MerkleProof {
    /// More hashes than that no proof in a tree of 2^63 leaves has.
    package static let hashesMax = 63

    /// The proof that leaf `index` is in the tree of the first `size` leaves, from its sibling up. `index < size`.
    package static func inclusion<Failure: Error>(
        index: UInt64, size: UInt64, _ hasher: inout MerkleHasher,
        node: (_ level: Int, _ index: UInt64) throws(Failure) -> SHA256Digest
    ) throws(Failure) -> [SHA256Digest] {
        precondition(index < size)
        var proof: [SHA256Digest] = []
        var range = 0..<size
        // From the root down: each step keeps the half that holds the leaf and writes down the other.
        while range.count64 > 1 {
            let split = range.lowerBound + splitPoint(range.count64)
            let (left, right) = (range.lowerBound..<split, split..<range.upperBound)
            proof.append(try root(of: index < split ? right : left, &hasher, node: node))
            range = index < split ? left : right
        }
        return proof.reversed()
    }

    /// The proof that the tree of `size` leaves begins with the tree of `old` leaves. `old <= size`; empty when they are equal
    /// and when `old` is 0.
    package static func consistency<Failure: Error>(
        from old: UInt64, to size: UInt64, _ hasher: inout MerkleHasher,
        node: (_ level: Int, _ index: UInt64) throws(Failure) -> SHA256Digest
    ) throws(Failure) -> [SHA256Digest] {
        precondition(old <= size)
        guard old > 0, old < size else { return [] }
        var proof: [SHA256Digest] = []
        var range = 0..<size
        var isWholeOldTree = true
        while range.upperBound != old {
            let split = range.lowerBound + splitPoint(range.count64)
            let (left, right) = (range.lowerBound..<split, split..<range.upperBound)
            if old <= split {
                proof.append(try root(of: right, &hasher, node: node))
                range = left
            } else {
                proof.append(try root(of: left, &hasher, node: node))
                range = right
                isWholeOldTree = false
            }
        }
        if !isWholeOldTree { proof.append(try root(of: range, &hasher, node: node)) }
        return proof.reversed()
    }

    /// Does `proof` show that `leaf` is at `index` of the tree of `size` leaves with that root?
    package static func verifyInclusion(
        of leaf: SHA256Digest, index: UInt64, size: UInt64, root: SHA256Digest, proof: [SHA256Digest]
    ) -> Bool {
        guard index < size else { return false }
        var hasher = MerkleHasher()
        var (fn, sn, r) = (index, size - 1, leaf)
        for p in proof {
            guard sn > 0 else { return false }
            if fn & 1 == 1 || fn == sn {
                r = hasher.node(p, r)
                while fn & 1 == 0, fn != 0 {
                    fn >>= 1
                    sn >>= 1
                }
            } else {
                r = hasher.node(r, p)
            }
            fn >>= 1
            sn >>= 1
        }
        return sn == 0 && r == root
    }

    /// Does `proof` show that the tree of `size` leaves begins with that of `old` leaves? Every tree begins with the empty one.
    package static func verifyConsistency(
        from old: UInt64, root oldRoot: SHA256Digest, to size: UInt64, root: SHA256Digest, proof: [SHA256Digest]
    ) -> Bool {
        guard old <= size else { return false }
        guard old > 0 else { return proof.isEmpty && oldRoot == MerkleHasher.emptyRoot }
        guard old < size else { return proof.isEmpty && oldRoot == root }
        // A tree of a power of two leaves is itself the first hash of the path.
        let path = old & (old - 1) == 0 ? [oldRoot] + proof : proof
        guard let first = path.first else { return false }
        var (fn, sn) = (old - 1, size - 1)
        while fn & 1 == 1 {
            fn >>= 1
            sn >>= 1
        }
        var hasher = MerkleHasher()
        var (fr, sr) = (first, first)
        for c in path.dropFirst() {
            guard sn > 0 else { return false }
            if fn & 1 == 1 || fn == sn {
                fr = hasher.node(c, fr)
                sr = hasher.node(c, sr)
                while fn & 1 == 0, fn != 0 {
                    fn >>= 1
                    sn >>= 1
                }
            } else {
                sr = hasher.node(sr, c)
            }
            fn >>= 1
            sn >>= 1
        }
        return sn == 0 && fr == oldRoot && sr == root
    }

    /// MTH of a range that begins at a multiple of the smallest power of two not below its count.
    private static func root<Failure: Error>(
        of range: Range<UInt64>, _ hasher: inout MerkleHasher,
        node: (_ level: Int, _ index: UInt64) throws(Failure) -> SHA256Digest
    ) throws(Failure) -> SHA256Digest {
        var end = range.upperBound
        var root: SHA256Digest?
        // The smallest perfect subtree is at the end; each one before it is larger.
        while end > range.lowerBound {
            let level = (end - range.lowerBound).trailingZeroBitCount
            end -= 1 << level
            let hash = try node(level, end >> level)
            root = root.map { hasher.node(hash, $0) } ?? hash
        }
        return root ?? MerkleHasher.emptyRoot
    }

    /// The largest power of two below `count`, which is at least 2.
    private static func splitPoint(_ count: UInt64) -> UInt64 { 1 << (63 - (count - 1).leadingZeroBitCount) }
}

extension Range<UInt64> {
    fileprivate var count64: UInt64 { upperBound - lowerBound }
}
