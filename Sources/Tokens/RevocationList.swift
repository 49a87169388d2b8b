package import JSON
package import Residency

/// An issuer's signed list of withdrawn tokens (DESIGN section 5): a compact JWS of `{iss, iat, exp, revoked: [jti]}`.
package struct RevocationList: Sendable {
    package static let tokenType = "bailiwick-revocations+jwt"

    package let issuedAtSeconds: Int64
    package let expiresSeconds: Int64
    private let revoked: Set<JSONString>

    /// Reads the issuer's list.
    /// - Parameters:
    ///   - file: The JWS, at most with one line end behind it.
    ///   - previousIssuedAtSeconds: `iat` of the list in force until now: an older one is refused, or whoever can
    ///     replace the file could bring a withdrawn token back.
    ///   - nowSeconds: the clock, for one that is to come in force: a list of far ahead would refuse every right one after it, and
    ///     likely never end.
    /// - Throws: `RevocationListError`; the caller then keeps what it has.
    package init(
        parsing file: [UInt8], issuer id: String, keys: KeySet, previousIssuedAtSeconds: Int64? = nil,
        nowSeconds: Int64? = nil
    ) throws(RevocationListError) {
        let jws: CompactJWS
        let claims: JSONObject
        do throws(MalformedToken) {
            (jws, claims) = try Self.parse(file)
        } catch { throw .malformed(error) }
        do throws(UntrustedToken) { try jws.verify(by: keys) } catch { throw .untrusted(error) }
        guard claims["iss"]?.utf8 == Array(id.utf8) else { throw .otherIssuer }
        guard let issuedAt = claims["iat"]?.integer, let expires = claims["exp"]?.integer,
            let list = claims["revoked"]?.array
        else { throw .claims }
        var revoked: Set<JSONString> = []
        for entry in list {
            guard let utf8 = entry.utf8, !utf8.isEmpty else { throw .claims }
            revoked.insert(JSONString(utf8: utf8))
        }
        if let previous = previousIssuedAtSeconds, issuedAt < previous {
            throw .wentBack(issuedAtSeconds: issuedAt, previousSeconds: previous)
        }
        if let nowSeconds, issuedAt > nowSeconds + TokenLimits.revocationsAheadSecondsMax {
            throw .ahead(issuedAtSeconds: issuedAt)
        }
        issuedAtSeconds = issuedAt
        expiresSeconds = expires
        self.revoked = revoked
    }

    /// How many tokens are on the list.
    package var count: Int { revoked.count }

    /// Past its `exp` the list can no longer say that a token was not withdrawn: every token is taken for revoked.
    package func isExpired(at time: Timestamp) -> Bool { time >= Timestamp(seconds: expiresSeconds) }

    package func isRevoked(_ tokenID: JSONString, at time: Timestamp) -> Bool {
        isExpired(at: time) || revoked.contains(tokenID)
    }

    private static func parse(_ file: [UInt8]) throws(MalformedToken) -> (CompactJWS, JSONObject) {
        let token = file.last == UInt8(ascii: "\n") ? file.dropLast() : file
        let jws = try CompactJWS(parsing: token, type: tokenType, bytesMax: TokenLimits.revocationsBytesMax)
        return (jws, try jws.claims(bytesMax: TokenLimits.revocationsBytesMax))
    }
}

/// Why a revocation list is not taken.
package enum RevocationListError: Error, Hashable, Sendable, CustomStringConvertible {
    case malformed(MalformedToken)
    case untrusted(UntrustedToken)
    case otherIssuer
    case claims
    case wentBack(issuedAtSeconds: Int64, previousSeconds: Int64)
    case ahead(issuedAtSeconds: Int64)

    package var description: String {
        switch self {
        case .malformed(let error): "the revocation list is malformed: \(error)"
        case .untrusted(let error): "the revocation list is not the issuer's: \(error)"
        case .otherIssuer: "the revocation list names another issuer in iss"
        case .claims: "the revocation list needs iat and exp as integers, and revoked as an array of token ids"
        case .wentBack(let now, let previous):
            "the list went back: iat \(now) is before \(previous), the list in force; ask the issuer for its newest"
        case .ahead(let issuedAt):
            "the list is from the future: iat \(issuedAt) is more than a day ahead; is it in seconds, and are both clocks right?"
        }
    }
}
