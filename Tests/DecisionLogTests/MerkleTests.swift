import OpenSSL
import Testing

@testable import DecisionLog

/// The seven trees of the certificate-transparency reference implementation (`merkle/merkle_tree_test.cc`).
private let leaves: [[UInt8]] = [
    [], [0x00], [0x10], [0x20, 0x21], [0x30, 0x31], [0x40, 0x41, 0x42, 0x43],
    [0x50, 0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x57],
    [0x60, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x6b, 0x6c, 0x6d, 0x6e, 0x6f],
]
private let roots = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]

/// MTH as RFC 6962, section 2.1, writes it down: recursive, and nothing of ours but the digest.
private func naiveRoot(_ hashes: ArraySlice<SHA256Digest>) -> SHA256Digest {
    guard let first = hashes.first else { return SHA256Digest(hashing: []) }
    guard hashes.count > 1 else { return first }
    var k = 1
    while k * 2 < hashes.count { k *= 2 }
    let middle = hashes.startIndex + k
    return SHA256Digest(
        hashing: [0x01] + naiveRoot(hashes[..<middle]).bytes + naiveRoot(hashes[middle...]).bytes)
}

private func naiveLeaves(_ count: Int) -> [SHA256Digest] {
    (0..<count).map { SHA256Digest(hashing: [0x00] + Array("entry \($0)".utf8)) }
}

@Suite struct MerkleTests {
    @Test func theEmptyTreeHasTheDigestOfNothing() {
        #expect(
            MerkleHasher.emptyRoot.hex == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
        var hasher = MerkleHasher()
        #expect(MerkleFrontier().root(&hasher) == MerkleHasher.emptyRoot)
    }

    @Test(arguments: 1...8) func rootsAreThoseOfCertificateTransparency(size: Int) {
        var hasher = MerkleHasher()
        var frontier = MerkleFrontier()
        for leaf in leaves.prefix(size) { frontier.append(hasher.leaf(leaf.span), &hasher) }
        #expect(frontier.size == UInt64(size))
        #expect(frontier.root(&hasher).hex == roots[size - 1])
    }

    @Test func inclusionProofsAreThoseOfCertificateTransparency() {
        // Leaf 5 of 8 and leaf 2 of 3, 0-based, of the reference implementation's `paths`.
        let hasher = MerkleHasher()
        let hashes = leaves.map { hasher.leaf($0.span) }
        func proof(_ index: UInt64, _ size: UInt64) -> [String] {
            var hasher = MerkleHasher()
            return MerkleProof.inclusion(index: index, size: size, &hasher) { level, index in
                naiveRoot(hashes[Int(index) << level..<Int(index + 1) << level])
            }.map(\.hex)
        }
        #expect(proof(0, 1) == [])
        #expect(
            proof(0, 8) == [
                "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
                "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
            ])
        #expect(
            proof(5, 8) == [
                "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
                "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            ])
        #expect(proof(2, 3) == ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"])
    }

    @Test func everyTreeToThreeHundredLeavesHasTheNaiveRoot() {
        let hashes = naiveLeaves(300)
        var hasher = MerkleHasher()
        var frontier = MerkleFrontier()
        for size in 0...300 {
            #expect(frontier.root(&hasher) == naiveRoot(hashes.prefix(size)))
            if size < 300 { frontier.append(hashes[size], &hasher) }
        }
    }

    @Test func subtreesMayBeAppendedWhole() {
        let hashes = naiveLeaves(7)
        var hasher = MerkleHasher()
        var frontier = MerkleFrontier()
        frontier.append(naiveRoot(hashes[0..<4]), level: 2, &hasher)
        frontier.append(naiveRoot(hashes[4..<6]), level: 1, &hasher)
        frontier.append(hashes[6], &hasher)
        #expect(frontier.size == 7)
        #expect(frontier.root(&hasher) == naiveRoot(hashes[...]))
        #expect(hasher.root(ofPerfect: Array(hashes[0..<4])) == naiveRoot(hashes[0..<4]))
    }

    /// Sizes that mean something (around powers of two) and all small ones; every index of each.
    private static let sizes = Array(1...40) + [63, 64, 65, 127, 128, 129, 255, 256, 257, 299, 300]

    @Test(arguments: sizes) func everyInclusionProofVerifiesAndNoOther(size: Int) {
        let hashes = naiveLeaves(size)
        let root = naiveRoot(hashes[...])
        var hasher = MerkleHasher()
        for index in 0..<size {
            let proof = MerkleProof.inclusion(index: UInt64(index), size: UInt64(size), &hasher) { level, index in
                naiveRoot(hashes[Int(index) << level..<Int(index + 1) << level])
            }
            func verifies(_ leaf: SHA256Digest, _ at: Int, _ size: Int, _ proof: [SHA256Digest]) -> Bool {
                MerkleProof.verifyInclusion(
                    of: leaf, index: UInt64(at), size: UInt64(size), root: root, proof: proof)
            }
            #expect(verifies(hashes[index], index, size, proof))
            #expect(!verifies(SHA256Digest.zero, index, size, proof))
            #expect(!verifies(hashes[index], index, size, proof + [root]))
            if !proof.isEmpty { #expect(!verifies(hashes[index], index, size, proof.dropLast())) }
            if size > 1 { #expect(!verifies(hashes[index], (index + 1) % size, size, proof)) }
            #expect(!verifies(hashes[index], size, size, proof))
        }
    }

    @Test(arguments: sizes) func everyConsistencyProofVerifiesAndNoOther(size: Int) {
        let hashes = naiveLeaves(size)
        let root = naiveRoot(hashes[...])
        var hasher = MerkleHasher()
        for old in 0...size {
            let oldRoot = naiveRoot(hashes.prefix(old))
            let proof = MerkleProof.consistency(from: UInt64(old), to: UInt64(size), &hasher) { level, index in
                naiveRoot(hashes[Int(index) << level..<Int(index + 1) << level])
            }
            func verifies(_ oldRoot: SHA256Digest, _ root: SHA256Digest, _ proof: [SHA256Digest]) -> Bool {
                MerkleProof.verifyConsistency(
                    from: UInt64(old), root: oldRoot, to: UInt64(size), root: root, proof: proof)
            }
            #expect(proof.count <= MerkleProof.hashesMax)
            #expect(verifies(oldRoot, root, proof))
            #expect(!verifies(.zero, root, proof))
            if old > 0 { #expect(!verifies(oldRoot, .zero, proof)) }
            #expect(!verifies(oldRoot, root, proof + [root]))
            if !proof.isEmpty {
                #expect(!verifies(oldRoot, root, proof.dropLast()))
                var changed = proof
                changed[0] = .zero
                #expect(!verifies(oldRoot, root, changed))
            }
        }
        #expect(
            !MerkleProof.verifyConsistency(
                from: UInt64(size) + 1, root: root, to: UInt64(size), root: root, proof: []))
    }
}
