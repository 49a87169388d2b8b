internal import COpenSSL

/// When what a configuration is made of runs out, in unix seconds.
package enum Expiry {
    /// From when until when a certificate holds.
    package struct Validity: Hashable, Sendable {
        package let notBeforeSeconds: Int64
        package let notAfterSeconds: Int64
    }

    /// Of each certificate of a PEM file, in its order.
    package static func certificates(_ pem: [UInt8]) -> [Validity] {
        PEM.certificates(pem).compactMap { certificate in
            guard let before = unsafe Certificate.seconds(X509_get0_notBefore(certificate.pointer)),
                let after = unsafe Certificate.seconds(X509_get0_notAfter(certificate.pointer))
            else { return nil }
            return Validity(notBeforeSeconds: before, notAfterSeconds: after)
        }
    }

    /// When the next revocation list is due: past that, nobody whom this one covers is let in. nil for a list that does not say.
    package static func revocationList(_ bytes: [UInt8]) -> Int64? {
        guard let list = unsafe PEM.revocationList(bytes) else { return nil }
        defer { unsafe X509_CRL_free(list) }
        guard let next = unsafe X509_CRL_get0_nextUpdate(list) else { return nil }
        return unsafe Certificate.seconds(next)
    }
}
