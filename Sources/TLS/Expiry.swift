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

    /// When the first authority of each file's revocation lists must have another one: past that, nobody whom it covers is let in. Of an
    /// authority's lists the last to end counts, whichever file holds it. nil where none says.
    package static func revocationLists(_ files: [[UInt8]]) -> [Int64?] {
        let files = files.map { PEM.revocationLists($0) }
        let all = files.flatMap { $0 }
        return files.map { lists in
            let ends = lists.map { list in
                all.filter { $0.hasIssuer(of: list) }.map { $0.endSeconds ?? .max }.max() ?? .max
            }
            return ends.min().flatMap { $0 == .max ? nil : $0 }
        }
    }
}
