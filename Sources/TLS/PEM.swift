internal import COpenSSL

/// An owned `X509`.
@safe final class OwnedCertificate {
    let pointer: OpaquePointer

    init(_ pointer: OpaquePointer) { unsafe self.pointer = pointer }

    deinit { unsafe X509_free(pointer) }
}

/// Reads PEM (RFC 7468) out of memory.
enum PEM {
    /// All certificates, in order; none when the bytes hold none.
    static func certificates(_ bytes: [UInt8]) -> [OwnedCertificate] {
        unsafe withBIO(bytes) { bio in
            var certificates: [OwnedCertificate] = []
            while let certificate = unsafe PEM_read_bio_X509(bio, nil, refusePassword, nil) {
                unsafe certificates.append(OwnedCertificate(certificate))
            }
            ERR_clear_error()
            return certificates
        } ?? []
    }

    /// An owned `EVP_PKEY`.
    static func privateKey(_ bytes: [UInt8]) -> OpaquePointer? {
        unsafe withBIO(bytes) { bio in
            let key = unsafe PEM_read_bio_PrivateKey(bio, nil, refusePassword, nil)
            ERR_clear_error()
            return unsafe key
        } ?? nil
    }

    /// An owned `X509_CRL`, from PEM or DER.
    static func revocationList(_ bytes: [UInt8]) -> OpaquePointer? {
        let list = unsafe withBIO(bytes) { bio in unsafe PEM_read_bio_X509_CRL(bio, nil, refusePassword, nil) } ?? nil
        ERR_clear_error()
        if let list = unsafe list { return unsafe list }
        return unsafe bytes.withUnsafeBufferPointer { buffer in
            var position = buffer.baseAddress
            let list = unsafe d2i_X509_CRL(nil, &position, buffer.count)
            ERR_clear_error()
            return unsafe list
        }
    }

    private static func withBIO<Result>(_ bytes: [UInt8], _ body: (OpaquePointer) -> Result) -> Result? {
        ERR_clear_error()
        return unsafe bytes.withUnsafeBytes { buffer in
            guard let bio = unsafe BIO_new_mem_buf(buffer.baseAddress, Int32(buffer.count)) else { return nil }
            defer { unsafe BIO_free(bio) }
            return unsafe body(bio)
        }
    }
}

/// An encrypted key is unreadable: nobody is there to type a password.
private func refusePassword(
    _: UnsafeMutablePointer<CChar>?, _: Int32, _: Int32, _: UnsafeMutableRawPointer?
) -> Int32 { -1 }
