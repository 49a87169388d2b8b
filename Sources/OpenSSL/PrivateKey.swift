internal import COpenSSL

/// A private key for exactly one signature algorithm. Signs on the legal desk, not on the read path.
package final class PrivateKey: Sendable {
    package let algorithm: SignatureAlgorithm
    /// The other half, for the same algorithm.
    package let publicKey: PublicKey
    private let key: KeyHandle

    private init(_ key: consuming KeyHandle, _ algorithm: SignatureAlgorithm) throws(KeyError) {
        guard key.fits(algorithm) else { throw .otherType }
        self.algorithm = algorithm
        publicKey = try PublicKey(algorithm, try key.publicMembers(for: algorithm))
        self.key = key
        // A private part that is not of the public part would sign what nobody can verify.
        let probe = Array("bailiwick".utf8)
        guard publicKey.verify(try sign(probe), of: probe) else { throw .invalid }
    }

    /// Makes a new key pair; RSA has 3,072 bits.
    package convenience init(generating algorithm: SignatureAlgorithm) throws(KeyError) {
        try self.init(try KeyHandle(generatingFor: algorithm), algorithm)
    }

    /// Reads one unencrypted PKCS#8 block (RFC 5958, RFC 7468).
    /// - Parameter algorithm: What the key is to sign with; nil takes the one its type is for, and PS256 for RSA.
    package convenience init(pem: [UInt8], algorithm: SignatureAlgorithm? = nil) throws(KeyError) {
        let key = try KeyHandle(pkcs8: pem)
        guard let algorithm = algorithm ?? SignatureAlgorithm.allCases.first(where: { key.fits($0) }) else {
            throw .otherType
        }
        try self.init(key, algorithm)
    }

    /// A key of a private JWK's numbers: Ed25519's seed, or `d`.
    package convenience init(
        _ algorithm: SignatureAlgorithm, _ members: PublicKeyMembers, d number: [UInt8]
    ) throws(KeyError) {
        if case .okp = members {
            try self.init(try KeyHandle(ed25519Seed: number), algorithm)
        } else {
            try self.init(try members.handle(for: algorithm, private: number), algorithm)
        }
        guard publicKey.members == members else { throw .invalid }
    }

    /// The signature in JOSE's form: `r || s` for ECDSA.
    package func sign(_ message: [UInt8]) throws(KeyError) -> [UInt8] {
        ERR_clear_error()
        defer { ERR_clear_error() }
        guard let hash = algorithm.hash else { return try signWhole(message) }
        var hasher = Hasher(hash)
        hasher.update(message)
        let digest = hasher.finish()
        guard let context = unsafe EVP_PKEY_CTX_new_from_pkey(nil, key.pointer, nil) else {
            throw .library("EVP_PKEY_CTX_new_from_pkey")
        }
        defer { unsafe EVP_PKEY_CTX_free(context) }
        var count = 0
        guard unsafe EVP_PKEY_sign_init(context) == 1, unsafe algorithm.configure(context),
            unsafe EVP_PKEY_sign(context, nil, &count, digest, digest.count) == 1
        else { throw .library("EVP_PKEY_sign_init") }
        var signature = [UInt8](repeating: 0, count: count)
        guard unsafe EVP_PKEY_sign(context, &signature, &count, digest, digest.count) == 1 else {
            throw .library("EVP_PKEY_sign")
        }
        signature.removeLast(signature.count - count)
        guard let curve = algorithm.curve else { return signature }
        guard let raw = ECDSASignature.raw(der: signature, curve: curve) else { throw .library("EVP_PKEY_sign") }
        return raw
    }

    /// One unencrypted PKCS#8 block in PEM.
    package func pem() throws(KeyError) -> [UInt8] {
        ERR_clear_error()
        defer { ERR_clear_error() }
        guard let output = unsafe BIO_new(BIO_s_mem()) else { throw .library("BIO_new") }
        defer { unsafe BIO_free(output) }
        guard unsafe PEM_write_bio_PKCS8PrivateKey(output, key.pointer, nil, nil, 0, nil, nil) == 1 else {
            throw .library("PEM_write_bio_PKCS8PrivateKey")
        }
        var bytes = [UInt8](repeating: 0, count: KeyLimits.pemBytesMax)
        let count = unsafe BIO_read(output, &bytes, Int32(bytes.count))
        guard count > 0 else { throw .library("BIO_read") }
        return Array(bytes.prefix(Int(count)))
    }

    /// Ed25519 signs messages, not digests (RFC 8032, section 5.1.6).
    private func signWhole(_ message: [UInt8]) throws(KeyError) -> [UInt8] {
        guard let context = unsafe EVP_MD_CTX_new() else { throw .library("EVP_MD_CTX_new") }
        defer { unsafe EVP_MD_CTX_free(context) }
        var signature = [UInt8](repeating: 0, count: 64)
        var count = signature.count
        guard unsafe EVP_DigestSignInit(context, nil, nil, nil, key.pointer) == 1,
            unsafe EVP_DigestSign(context, &signature, &count, message, message.count) == 1, count == 64
        else { throw .library("EVP_DigestSign") }
        return signature
    }
}

extension KeyHandle {
    /// An Ed25519 key of its 32-byte seed (RFC 8032, section 5.1.5).
    init(ed25519Seed seed: [UInt8]) throws(KeyError) {
        guard seed.count == 32 else { throw .length }
        guard let pointer = unsafe EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nil, seed, seed.count) else {
            ERR_clear_error()
            throw .library("EVP_PKEY_new_raw_private_key")
        }
        unsafe self.init(owning: pointer)
    }

    /// The one private key of a PEM text that holds nothing else.
    init(pkcs8 pem: [UInt8]) throws(KeyError) {
        let text = String(decoding: pem, as: UTF8.self)
        let lines = text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
        guard pem.count <= KeyLimits.pemBytesMax,
            lines.count(where: { $0.hasPrefix("-----BEGIN") }) == 1, lines.contains(Substring(KeyError.pkcs8Begin))
        else { throw .notPEM }
        ERR_clear_error()
        defer { ERR_clear_error() }
        let read: OpaquePointer? = unsafe pem.withUnsafeBytes { bytes in
            guard let input = unsafe BIO_new_mem_buf(bytes.baseAddress, Int32(bytes.count)) else { return nil }
            defer { unsafe BIO_free(input) }
            return unsafe PEM_read_bio_PrivateKey(input, nil, nil, nil)
        }
        guard let read = unsafe read else { throw .notPEM }
        unsafe self.init(owning: read)
    }

    /// The public numbers, in a JWK's form.
    func publicMembers(for algorithm: SignatureAlgorithm) throws(KeyError) -> PublicKeyMembers {
        switch algorithm {
        case .ed25519:
            var x = [UInt8](repeating: 0, count: 32)
            var count = x.count
            guard unsafe EVP_PKEY_get_raw_public_key(pointer, &x, &count) == 1, count == 32 else { throw .invalid }
            return .okp(x: x)
        case .es256, .es384:
            let width = algorithm.curve?.coordinateBytes
            return .ec(x: try number("qx", width: width), y: try number("qy", width: width))
        case .ps256, .rs256:
            return .rsa(n: try number("n"), e: try number("e"))
        }
    }
}
