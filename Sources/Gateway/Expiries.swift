internal import JSON
internal import Settings
internal import TLS
internal import Tokens

/// When what a snapshot is made of runs out, in unix seconds: read once, told by metrics and held by `/ready`.
struct Expiries: Sendable {
    /// The gateway's certificate; with its intermediates, the narrowest of all.
    let notBeforeSeconds: Int64
    let notAfterSeconds: Int64
    /// By the place in `tls.client_authorities`.
    let authorities: [Int64]
    /// By the place in `tls.revocation_lists`; nil for a list without an end.
    let revocationLists: [Int64?]
    /// Of the issuers that have a signed revocation list.
    let issuerRevocations: [(issuer: String, seconds: Int64)]
    /// Of the keys that name an end.
    let issuerKeys: [(issuer: String, keyID: String, seconds: Int64)]

    init(_ settings: Settings) {
        let chain = Expiry.certificates(settings.tls.certificate)
        notBeforeSeconds = chain.map(\.notBeforeSeconds).max() ?? 0
        notAfterSeconds = chain.map(\.notAfterSeconds).min() ?? 0
        authorities = Expiry.certificates(settings.tls.clientAuthorities).map(\.notAfterSeconds)
        revocationLists = Expiry.revocationLists(settings.tls.revocationLists)
        issuerRevocations = settings.issuers.all.compactMap { issuer in
            issuer.revocations.map { (issuer.id, $0.expiresSeconds) }
        }
        issuerKeys = settings.issuers.all.flatMap { issuer in
            issuer.keys.expiries.map { (issuer.id, String(decoding: $0.keyID.utf8, as: UTF8.self), $0.seconds) }
        }
    }
}
