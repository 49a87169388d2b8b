internal import COpenSSL

/// An owned `X509`.
@safe final class OwnedCertificate {
    let pointer: OpaquePointer

    init(_ pointer: OpaquePointer) { unsafe self.pointer = pointer }

    deinit { unsafe X509_free(pointer) }
}

/// An owned `X509_CRL`.
@safe final class OwnedRevocationList {
    let pointer: OpaquePointer

    init(_ pointer: OpaquePointer) { unsafe self.pointer = pointer }

    deinit { unsafe X509_CRL_free(pointer) }

    /// Of the same name and key? An authority with a new key may keep its name.
    func hasIssuer(of other: OwnedRevocationList) -> Bool {
        unsafe X509_NAME_cmp(X509_CRL_get_issuer(pointer), X509_CRL_get_issuer(other.pointer)) == 0
            && bailiwick_crl_key_is_same(pointer, other.pointer) == 1
    }

    /// When the next one is due, in unix seconds; nil where it does not say.
    var endSeconds: Int64? {
        guard let next = unsafe X509_CRL_get0_nextUpdate(pointer) else { return nil }
        return unsafe Certificate.seconds(next)
    }
}

/// Reads PEM (RFC 7468) out of memory.
enum PEM {
    /// All certificates, in order; none when the bytes hold none, or one that is damaged: a bundle is read whole.
    static func certificates(_ bytes: [UInt8]) -> [OwnedCertificate] {
        unsafe withBIO(bytes) { bio in
            var certificates: [OwnedCertificate] = []
            while let certificate = unsafe PEM_read_bio_X509(bio, nil, refusePassword, nil) {
                unsafe certificates.append(OwnedCertificate(certificate))
            }
            let isAtEnd = bailiwick_error_reason(ERR_peek_last_error()) == PEM_R_NO_START_LINE
            ERR_clear_error()
            return isAtEnd ? certificates : []
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

    /// All revocation lists, in order: of a PEM file as many as it holds, of a DER file one. None when anything else is among
    /// them or after them; a text may stand before a list (`openssl crl -text`).
    static func revocationLists(_ bytes: [UInt8]) -> [OwnedRevocationList] {
        var lists: [OwnedRevocationList] = []
        var restBytes = bytes.count
        unsafe withBIO(bytes) { bio in
            while let list = unsafe PEM_read_bio_X509_CRL(bio, nil, refusePassword, nil) {
                unsafe lists.append(OwnedRevocationList(list))
                restBytes = unsafe BIO_ctrl_pending(bio)
            }
            ERR_clear_error()
        }
        if lists.isEmpty { return derRevocationList(bytes).map { [$0] } ?? [] }
        // OpenSSL skips blocks of other names, and what lacks a whole BEGIN line: two boundaries for each list leave room
        // for neither.
        let boundaries = bytes.split { $0 == 0x0A || $0 == 0x0D }.count { $0.starts(with: "-----".utf8) }
        let endsBlank = bytes.suffix(restBytes).allSatisfy { " \t\r\n".utf8.contains($0) }
        return boundaries == 2 * lists.count && endsBlank ? lists : []
    }

    private static func derRevocationList(_ bytes: [UInt8]) -> OwnedRevocationList? {
        unsafe bytes.withUnsafeBufferPointer { buffer in
            var position = buffer.baseAddress
            defer { ERR_clear_error() }
            guard let pointer = unsafe d2i_X509_CRL(nil, &position, buffer.count) else { return nil }
            let list = unsafe OwnedRevocationList(pointer)
            return unsafe position == buffer.baseAddress.map { unsafe $0 + buffer.count } ? list : nil
        }
    }

    @discardableResult
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
