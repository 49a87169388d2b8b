internal import COpenSSL

/// The digests that the project uses, fetched once: a fetch by name costs more than hashing 200 bytes.
package enum HashAlgorithm: Sendable, CaseIterable {
    case md5, sha1, sha256, sha384, sha512

    /// Bytes in the digest.
    package var byteCount: Int {
        switch self {
        case .md5: 16
        case .sha1: 20
        case .sha256: 32
        case .sha384: 48
        case .sha512: 64
        }
    }

    var method: OpaquePointer {
        switch self {
        case .md5: unsafe Fetched.md5.pointer
        case .sha1: unsafe Fetched.sha1.pointer
        case .sha256: unsafe Fetched.sha256.pointer
        case .sha384: unsafe Fetched.sha384.pointer
        case .sha512: unsafe Fetched.sha512.pointer
        }
    }
}

/// `EVP_MD`s live as long as the process.
@safe private struct Fetched: @unchecked Sendable {
    let pointer: OpaquePointer

    static let md5 = Fetched("MD5")
    static let sha1 = Fetched("SHA1")
    static let sha256 = Fetched("SHA256")
    static let sha384 = Fetched("SHA384")
    static let sha512 = Fetched("SHA512")

    private init(_ name: StaticString) {
        guard let pointer = unsafe EVP_MD_fetch(nil, "\(name)", nil) else {
            preconditionFailure("libcrypto has no \(name)")
        }
        unsafe self.pointer = pointer
    }
}

/// An incremental digest. One object can be used again after `finish`, which spares two allocations a digest.
@safe package struct Hasher: ~Copyable {
    private let context: OpaquePointer
    private let algorithm: HashAlgorithm

    package init(_ algorithm: HashAlgorithm) {
        guard let context = unsafe EVP_MD_CTX_new() else { preconditionFailure("out of memory") }
        unsafe self.context = context
        self.algorithm = algorithm
        restart()
    }

    deinit { unsafe EVP_MD_CTX_free(context) }

    /// Adds bytes.
    package mutating func update(_ bytes: Span<UInt8>) {
        let isDone = unsafe bytes.withUnsafeBytes { unsafe EVP_DigestUpdate(context, $0.baseAddress, $0.count) }
        precondition(isDone == 1, "EVP_DigestUpdate failed")
    }

    /// Adds bytes.
    package mutating func update(_ bytes: [UInt8]) { update(bytes.span) }

    /// The digest of all that was added since the start or the last `finish`; ready for the next message.
    package mutating func finish() -> [UInt8] {
        let digest = unsafe [UInt8](unsafeUninitializedCapacity: algorithm.byteCount) { buffer, count in
            precondition(unsafe EVP_DigestFinal_ex(context, buffer.baseAddress, nil) == 1, "EVP_DigestFinal failed")
            count = algorithm.byteCount
        }
        restart()
        return digest
    }

    /// Like `finish`, for SHA-256, without an allocation.
    package mutating func finishSHA256() -> SHA256Digest {
        precondition(algorithm == .sha256)
        var digest = SHA256Digest.zero
        let isDone = unsafe withUnsafeMutableBytes(of: &digest) {
            unsafe EVP_DigestFinal_ex(context, $0.baseAddress?.assumingMemoryBound(to: UInt8.self), nil)
        }
        precondition(isDone == 1, "EVP_DigestFinal failed")
        restart()
        return digest
    }

    private func restart() {
        let isDone = unsafe EVP_DigestInit_ex2(context, algorithm.method, nil)
        precondition(isDone == 1, "EVP_DigestInit failed")
    }
}
