internal import COpenSSL

/// An Ed25519 public key (RFC 8032).
@safe package final class Ed25519PublicKey: @unchecked Sendable {
    /// 32 bytes.
    package let bytes: [UInt8]
    private let key: OpaquePointer

    /// - Parameter bytes: 32 bytes; throws for another count.
    package init(_ bytes: [UInt8]) throws(OpenSSLError) {
        ERR_clear_error()
        guard bytes.count == 32, let key = unsafe EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nil, bytes, bytes.count)
        else { throw OpenSSLError("EVP_PKEY_new_raw_public_key") }
        unsafe self.key = key
        self.bytes = bytes
    }

    deinit { unsafe EVP_PKEY_free(key) }

    /// Is this 64-byte signature of this message by this key?
    package func verify(_ signature: [UInt8], of message: [UInt8]) -> Bool {
        guard signature.count == 64, let context = unsafe EVP_MD_CTX_new() else { return false }
        defer { unsafe EVP_MD_CTX_free(context) }
        ERR_clear_error()
        defer { ERR_clear_error() }
        return unsafe EVP_DigestVerifyInit(context, nil, nil, nil, key) == 1
            && EVP_DigestVerify(context, signature, signature.count, message, message.count) == 1
    }
}

/// An Ed25519 private key.
@safe package final class Ed25519PrivateKey: @unchecked Sendable {
    package let publicKey: Ed25519PublicKey
    private let key: OpaquePointer

    /// - Parameter seed: 32 bytes (RFC 8032, section 5.1.5); throws for another count.
    package init(seed: [UInt8]) throws(OpenSSLError) {
        ERR_clear_error()
        guard seed.count == 32, let key = unsafe EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nil, seed, seed.count)
        else { throw OpenSSLError("EVP_PKEY_new_raw_private_key") }
        var raw = [UInt8](repeating: 0, count: 32)
        var count = raw.count
        guard unsafe EVP_PKEY_get_raw_public_key(key, &raw, &count) == 1 else {
            unsafe EVP_PKEY_free(key)
            throw OpenSSLError("EVP_PKEY_get_raw_public_key")
        }
        unsafe self.key = key
        publicKey = try Ed25519PublicKey(raw)
    }

    deinit { unsafe EVP_PKEY_free(key) }

    /// The 64-byte signature of a message.
    package func sign(_ message: [UInt8]) throws(OpenSSLError) -> [UInt8] {
        ERR_clear_error()
        guard let context = unsafe EVP_MD_CTX_new() else { throw OpenSSLError("EVP_MD_CTX_new") }
        defer { unsafe EVP_MD_CTX_free(context) }
        var signature = [UInt8](repeating: 0, count: 64)
        var count = signature.count
        guard unsafe EVP_DigestSignInit(context, nil, nil, nil, key) == 1,
            unsafe EVP_DigestSign(context, &signature, &count, message, message.count) == 1, count == 64
        else { throw OpenSSLError("EVP_DigestSign") }
        return signature
    }
}
