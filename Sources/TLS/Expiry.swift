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

    /// When the first authority of a file's revocation lists must have another one: past that, nobody whom it covers is let in. Of an
    /// authority's lists the last to end counts. nil where none says.
    package static func revocationLists(_ bytes: [UInt8]) -> Int64? {
        let lists = PEM.revocationLists(bytes)
        let ends = lists.map { list in
            lists.filter { $0.hasIssuer(of: list) }.map { $0.endSeconds ?? .max }.max() ?? .max
        }
        return ends.min().flatMap { $0 == .max ? nil : $0 }
    }
}
