internal import COpenSSL
internal import OpenSSL

/// The certificate that the other side proved to hold, with all that is needed to hold it against later settings.
package struct PeerCertificate: Sendable {
    /// SHA-256 of the DER, 32 bytes.
    package let sha256: [UInt8]
    /// The URIs among its subject alternative names, printable ASCII only; others are not identities.
    package let uris: [String]
    /// Its common name, where it has exactly one and that is UTF-8 without NUL.
    package let commonName: String?
    package let notBeforeSeconds: Int64
    package let notAfterSeconds: Int64
    /// The leaf's DER and those of the intermediates that came with it.
    let leaf: [UInt8]
    let intermediates: [[UInt8]]
    let intermediateEndSeconds: [Int64]

    /// - Parameter certificate: borrowed.
    init?(_ certificate: OpaquePointer, intermediates: [[UInt8]]) {
        guard let leaf = unsafe Certificate.der(certificate) else { return nil }
        self.leaf = leaf
        self.intermediates = intermediates
        intermediateEndSeconds = intermediates.compactMap { der in
            guard let parsed = unsafe Certificate.parse(der: der) else { return nil }
            defer { unsafe X509_free(parsed) }
            return unsafe Certificate.seconds(X509_get0_notAfter(parsed))
        }
        sha256 = SHA256Digest(hashing: leaf).bytes
        uris = unsafe Certificate.uris(certificate)
        commonName = unsafe Certificate.commonName(certificate)
        guard let before = unsafe Certificate.seconds(X509_get0_notBefore(certificate)),
            let after = unsafe Certificate.seconds(X509_get0_notAfter(certificate))
        else { return nil }
        notBeforeSeconds = before
        notAfterSeconds = after
    }
}

/// What is read out of an `X509`.
enum Certificate {
    static func der(_ certificate: OpaquePointer) -> [UInt8]? {
        let count = unsafe i2d_X509(certificate, nil)
        guard count > 0 else { return nil }
        var bytes = [UInt8](repeating: 0, count: Int(count))
        let written = unsafe bytes.withUnsafeMutableBufferPointer { buffer in
            var position = buffer.baseAddress
            return unsafe i2d_X509(certificate, &position)
        }
        return written == count ? bytes : nil
    }

    /// An owned `X509`; nil when the bytes are none.
    static func parse(der bytes: [UInt8]) -> OpaquePointer? {
        unsafe bytes.withUnsafeBufferPointer { buffer in
            var position = buffer.baseAddress
            return unsafe d2i_X509(nil, &position, buffer.count)
        }
    }

    static func uris(_ certificate: OpaquePointer) -> [String] {
        guard let names = unsafe bailiwick_san(certificate) else { return [] }
        defer { unsafe GENERAL_NAMES_free(names) }
        var uris: [String] = []
        for index in 0..<(unsafe bailiwick_san_count(names)) {
            var count: Int32 = 0
            guard let data = unsafe bailiwick_san_uri(names, index, &count), count > 0 else { continue }
            let bytes = unsafe [UInt8](UnsafeBufferPointer(start: data, count: Int(count)))
            guard bytes.allSatisfy({ (0x21...0x7E).contains($0) }) else { continue }
            uris.append(String(decoding: bytes, as: UTF8.self))
        }
        return uris
    }

    static func commonName(_ certificate: OpaquePointer) -> String? {
        guard let name = unsafe X509_get_subject_name(certificate) else { return nil }
        let first = unsafe X509_NAME_get_index_by_NID(name, NID_commonName, -1)
        guard first >= 0, unsafe X509_NAME_get_index_by_NID(name, NID_commonName, first) < 0,
            let entry = unsafe X509_NAME_get_entry(name, first), let value = unsafe X509_NAME_ENTRY_get_data(entry)
        else { return nil }
        var utf8: UnsafeMutablePointer<UInt8>?
        let count = unsafe ASN1_STRING_to_UTF8(&utf8, value)
        guard count > 0, let start = unsafe utf8 else { return nil }
        defer { unsafe CRYPTO_free(start, "", 0) }
        let bytes = unsafe [UInt8](UnsafeBufferPointer(start: start, count: Int(count)))
        guard !bytes.contains(0) else { return nil }
        return String(validating: bytes, as: UTF8.self)
    }

    /// Unix seconds of an ASN.1 time.
    static func seconds(_ time: UnsafePointer<ASN1_TIME>?) -> Int64? {
        guard let time = unsafe time, let epoch = unsafe ASN1_TIME_set(nil, 0) else { return nil }
        defer { unsafe ASN1_TIME_free(epoch) }
        var days: Int32 = 0
        var seconds: Int32 = 0
        guard unsafe ASN1_TIME_diff(&days, &seconds, epoch, time) == 1 else { return nil }
        return Int64(days) * 86_400 + Int64(seconds)
    }
}
