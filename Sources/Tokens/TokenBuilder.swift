package import JSON
package import OpenSSL
internal import Residency

/// Makes authorizations: claims to the bytes that are signed, a signature to the token. The two steps are apart because the key
/// may lie where this program does not run.
package struct TokenBuilder: Sendable {
    /// The header and the payload, each base64url, with the dot between (RFC 7515, section 5.1).
    package let signingInput: [UInt8]
    package let algorithm: SignatureAlgorithm

    /// - Throws: what a verifier would find malformed in these claims: nothing is issued that nobody would take.
    package init(claims: Claims, algorithm: SignatureAlgorithm, keyID: String) throws(MalformedToken) {
        self.init(payload: claims.json, type: TokenVerifier.tokenType, algorithm: algorithm, keyID: keyID)
        _ = try UnverifiedToken(parsing: assembled([0]))
    }

    /// Takes bytes that were written to be signed elsewhere.
    package init(signingInput: [UInt8]) throws(MalformedToken) {
        self.signingInput = signingInput
        algorithm = try UnverifiedToken(parsing: signingInput + Array(".AA".utf8)).algorithm
    }

    /// A revocation list (DESIGN section 5).
    package init(
        revoking tokenIDs: [String], issuer: String, issuedAtSeconds: Int64, expiresSeconds: Int64,
        algorithm: SignatureAlgorithm, keyID: String
    ) {
        let payload = JSONValue.object([
            "iss": .text(issuer), "iat": .integer(issuedAtSeconds), "exp": .integer(expiresSeconds),
            "revoked": .array(tokenIDs.map { .text($0) }),
        ])
        self.init(payload: payload, type: RevocationList.tokenType, algorithm: algorithm, keyID: keyID)
    }

    init(payload: JSONValue, type: String, algorithm: SignatureAlgorithm, keyID: String) {
        let header = JSONValue.object([
            "alg": .text(algorithm.rawValue), "typ": .text(type), "kid": .text(keyID),
        ])
        var input: [UInt8] = []
        Base64.url.append(header.utf8Text.span, to: &input)
        input.append(UInt8(ascii: "."))
        Base64.url.append(payload.utf8Text.span, to: &input)
        signingInput = input
        self.algorithm = algorithm
    }

    /// The token, signed here.
    package func signed(by key: PrivateKey) throws(KeyError) -> [UInt8] {
        guard key.algorithm == algorithm else { throw .otherType }
        return assembled(try key.sign(signingInput))
    }

    /// The token with a signature made elsewhere: JOSE's form or, for ECDSA, the DER that most tools write. Nil when it is
    /// neither, or does not verify under the key.
    package func attaching(_ signature: [UInt8], of key: PublicKey) -> [UInt8]? {
        guard key.algorithm == algorithm else { return nil }
        if key.verify(signature, of: signingInput) { return assembled(signature) }
        guard let curve = algorithm.curve, let raw = ECDSASignature.raw(der: signature, curve: curve),
            key.verify(raw, of: signingInput)
        else { return nil }
        return assembled(raw)
    }

    func assembled(_ signature: [UInt8]) -> [UInt8] {
        var token = signingInput
        token.append(UInt8(ascii: "."))
        Base64.url.append(signature.span, to: &token)
        return token
    }
}

extension Claims {
    /// The payload, in the order of DESIGN section 5.
    package var json: JSONValue {
        .object([
            "iss": .string(issuer), "sub": .string(subject),
            "aud": audience.count == 1 ? .string(audience[0]) : .array(audience.map { .string($0) }),
            "jti": .string(tokenID), "iat": .integer(issuedAtSeconds), "nbf": .integer(notBeforeSeconds),
            "exp": .integer(expiresSeconds),
            "cnf": certificate.map { .object(["x5t#S256": .text(Base64.url.encode($0))]) },
            "authorization_details": .array(elements.map(\.json)), "legal_basis": legalBasis.json,
        ])
    }
}

extension GrantElement {
    fileprivate var json: JSONValue {
        .object([
            "type": .text("mailbox-read"), "jurisdiction": .text(jurisdiction.code),
            "datacenters": datacenters.map { .array($0.map { .text($0) }) },
            "mailboxes": .array(mailboxes.map { .string($0.text) }),
            "data": .array(
                DataClasses.names.filter { data.contains($0.data) }.map { .text($0.name) }),
            "received": received.map {
                .object(["from": .text($0.lowerBound.rfc3339), "to": .text($0.upperBound.rfc3339)])
            },
        ])
    }
}

extension LegalBasis {
    fileprivate var json: JSONValue {
        .object([
            "instrument": .string(instrument), "reference": .string(reference),
            "authority": .object(["name": .string(authorityName), "country": .text(authorityCountry.code)]),
            "requester": .text(requester.rawValue),
            "nondisclosure_until": nondisclosureUntil.map { .text($0.rfc3339) },
        ])
    }
}
