package import OpenSSL

/// Hashes leaves and nodes as RFC 6962, section 2.1, says. One object serves many hashes; it is not shared between threads.
package struct MerkleHasher: ~Copyable {
    /// A state that has taken a leaf's prefix.
    private let leafState: SHA256
    /// A node's preimage: 0x01 and two hashes, written over for each node, so that a node costs one call to libcrypto.
    private var node: [UInt8]
    /// MTH of no leaves: the digest of nothing.
    package static let emptyRoot = SHA256Digest(hashing: [])

    package init() {
        var state = SHA256()
        state.update(byte: 0x00)
        leafState = state
        node = [UInt8](repeating: 0, count: 65)
        node[0] = 0x01
    }

    /// The hash of one entry: `SHA-256(0x00 || entry)`.
    package func leaf(_ entry: Span<UInt8>) -> SHA256Digest {
        var state = leafState
        state.update(entry)
        return state.finish()
    }

    /// The hash of two subtrees: `SHA-256(0x01 || left || right)`.
    package mutating func node(_ left: SHA256Digest, _ right: SHA256Digest) -> SHA256Digest {
        left.write(to: &node, at: 1)
        right.write(to: &node, at: 33)
        return SHA256Digest(hashing: node)
    }

    /// The hash of a perfect subtree over `hashes`, whose count is a power of two: for a full tile, what stands for it in the
    /// tile above.
    package mutating func root(ofPerfect hashes: consuming [SHA256Digest]) -> SHA256Digest {
        precondition(hashes.count > 0 && hashes.count & (hashes.count - 1) == 0)
        var count = hashes.count
        while count > 1 {
            count /= 2
            for at in 0..<count { hashes[at] = node(hashes[2 * at], hashes[2 * at + 1]) }
        }
        return hashes[0]
    }
}

/// The right edge of a growing tree: the roots of the perfect subtrees that it is made of, the largest (oldest) first. All
/// that is needed to go on appending and to say the root at any size.
package struct MerkleFrontier: Sendable, Hashable {
    /// Leaves appended so far.
    package private(set) var size: UInt64 = 0
    /// One for each set bit of `size`, from the highest.
    package private(set) var hashes: [SHA256Digest] = []

    package init() {}

    /// Appends one leaf by its hash.
    package mutating func append(_ leaf: SHA256Digest, _ hasher: inout MerkleHasher) {
        append(leaf, level: 0, &hasher)
    }

    /// Appends a perfect subtree of `1 << level` leaves by its hash; `size` is a multiple of that.
    package mutating func append(_ subtree: SHA256Digest, level: Int, _ hasher: inout MerkleHasher) {
        let width = UInt64(1) << level
        precondition(size % width == 0)
        var hash = subtree
        var rest = size >> level
        while rest & 1 == 1 {
            hash = hasher.node(hashes.removeLast(), hash)
            rest >>= 1
        }
        hashes.append(hash)
        size += width
    }

    /// MTH of all leaves.
    package func root(_ hasher: inout MerkleHasher) -> SHA256Digest {
        guard var root = hashes.last else { return MerkleHasher.emptyRoot }
        for hash in hashes.dropLast().reversed() { root = hasher.node(hash, root) }
        return root
    }
}
