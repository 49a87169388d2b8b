internal import JSON
package import OpenSSL
package import Residency

/// What the bytes of a token are, judged by one settings snapshot and no clock.
package enum TokenOutcome: Sendable {
    case malformed(MalformedToken)
    case untrusted(UntrustedToken)
    case verified(VerifiedToken)
}

/// Verifies authorizations by the keys that the settings pin. Everything malformed is found before a key is looked for, and
/// nothing in a token is believed before its signature verified.
package struct TokenVerifier: Sendable {
    package static let tokenType = "bailiwick-authorization+jwt"

    package let issuers: IssuerRegistry

    package init(issuers: IssuerRegistry) { self.issuers = issuers }

    /// Judges a token by its bytes; about as much work as its signature's verification.
    package func verify(_ token: [UInt8]) -> TokenOutcome {
        verify(token, sha256: SHA256Digest(hashing: token))
    }

    /// - Parameter known: headers that need not be read again; that of this token is kept there when it verifies.
    func verify(_ token: [UInt8], sha256: SHA256Digest, known: KnownHeaders? = nil) -> TokenOutcome {
        let jws: CompactJWS
        let claims: Claims
        do throws(MalformedToken) {
            jws = try CompactJWS(
                parsing: token, type: Self.tokenType, bytesMax: TokenLimits.tokenBytesMax, known: known)
            claims = try Claims(try jws.claims(bytesMax: TokenLimits.tokenBytesMax))
        } catch { return .malformed(error) }
        guard let issuer = issuers[claims.issuer] else { return .untrusted(.unknownIssuer(claims.issuer.text)) }
        do throws(UntrustedToken) { try jws.verify(by: issuer.keys) } catch { return .untrusted(error) }
        known?.keep(jws)
        return .verified(VerifiedToken(sha256: sha256, keyID: jws.header.keyIDText, claims: claims, issuer: issuer))
    }
}

/// What a token says, believed by nobody yet: for `token inspect`, and for naming what is to be revoked.
package struct UnverifiedToken: Sendable {
    package let algorithm: SignatureAlgorithm
    package let keyID: String
    package let claims: Claims

    package init(parsing token: [UInt8]) throws(MalformedToken) {
        let jws = try CompactJWS(
            parsing: token, type: TokenVerifier.tokenType, bytesMax: TokenLimits.tokenBytesMax)
        algorithm = jws.header.algorithm
        keyID = jws.header.keyIDText
        claims = try Claims(try jws.claims(bytesMax: TokenLimits.tokenBytesMax))
    }
}

/// A token whose signature verified under a pinned key of its issuer. Time, revocation, audience and binding are still to be
/// checked, at every use: they are the grant's and the rule's.
package final class VerifiedToken: Sendable {
    /// Over the token's text.
    package let sha256: SHA256Digest
    package let keyID: String
    package let claims: Claims
    package let issuer: Issuer
    private let lasting: Grant
    /// `lasting` as the rule takes it, made once.
    private let unrevoked: PresentedAuthorization

    init(sha256: SHA256Digest, keyID: String, claims: Claims, issuer: Issuer) {
        self.sha256 = sha256
        self.keyID = keyID
        self.issuer = issuer
        lasting = Grant(
            subject: PrincipalName(claims.subject.text), audience: claims.audience.map(\.text),
            notBeforeSeconds: claims.notBeforeSeconds, issuedAtSeconds: claims.issuedAtSeconds,
            expiresSeconds: claims.expiresSeconds, certificate: claims.certificate, elements: claims.elements,
            isRevoked: false, jurisdictions: issuer.jurisdictions,
            instrumentOpens: issuer.instruments.opens(claims.legalBasis.instrument),
            lifetimeSecondsMax: issuer.lifetimeSecondsMax(claims.legalBasis.instrument),
            allowsPrefixes: issuer.allowsPrefixes)
        unrevoked = .verified(lasting)
        // The last that is done with them: they are moved, not copied.
        self.claims = claims
    }

    package var tokenID: String { claims.tokenID.text }
    package var expiresSeconds: Int64 { claims.expiresSeconds }
    package var instrument: String { claims.legalBasis.instrument.text }
    package var reference: String { claims.legalBasis.reference.text }
    package var requester: String { claims.legalBasis.requester.rawValue }
    package var country: String { claims.legalBasis.authorityCountry.code }

    /// On the issuer's list, on the local one, or judged so because the issuer's list is past its `exp`.
    package func isRevoked(at time: Timestamp) -> Bool { issuer.isRevoked(claims.tokenID, at: time) }

    /// What the rule is to look at, with revocation as it stands at that time.
    package func authorization(at time: Timestamp) -> PresentedAuthorization {
        isRevoked(at: time) ? .verified(grant(isRevoked: true)) : unrevoked
    }

    /// The claims in it.
    package func grant(at time: Timestamp) -> Grant { grant(isRevoked: isRevoked(at: time)) }

    /// The same where the caller knows about revocation, as an auditor does.
    package func grant(isRevoked: Bool) -> Grant {
        var grant = lasting
        grant.isRevoked = isRevoked
        return grant
    }
}
