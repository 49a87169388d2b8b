import JSON
import OpenSSL
import Residency

@testable import Tokens

/// A legal desk in Ireland with one key of each algorithm, and beside it one in the US with a key of its own.
struct TokenDesk: Sendable {
    static let keys = Dictionary(
        uniqueKeysWithValues: SignatureAlgorithm.allCases.map { ($0, try! PrivateKey(generating: $0)) })
    static let usKey = try! PrivateKey(generating: .es256)
    static let irish = "https://authorizations.example.ie"
    static let american = "https://courts.example.us"

    static func keySet(_ keys: [(String, PrivateKey)]) -> KeySet {
        let set = JSONValue.object(["keys": .array(keys.map { $1.publicKey.jwk(keyID: $0) })])
        return try! KeySet(parsing: set.utf8Text)
    }

    static let irishKeys = keySet(SignatureAlgorithm.allCases.map { ($0.rawValue, keys[$0]!) })

    static func issuer(
        prefixes: Bool = false, instruments: Instruments = .defaults, lifetimeHoursMax: Int64 = 168,
        revocations: RevocationList? = nil, denied: Set<JSONString> = []
    ) -> Issuer {
        Issuer(
            id: irish, jurisdictions: [Jurisdiction("IE")!], keys: irishKeys, lifetimeHoursMax: lifetimeHoursMax,
            allowsPrefixes: prefixes, instruments: instruments, revocations: revocations, denied: denied)
    }

    static func verifier(_ issuer: Issuer = issuer()) -> TokenVerifier {
        let us = Issuer(
            id: american, jurisdictions: [Jurisdiction("US")!], keys: keySet([("us-1", usKey)]))
        return TokenVerifier(issuers: IssuerRegistry([issuer, us])!)
    }

    static let claims = Claims(
        issuer: irish, subject: "ediscovery", audience: ["dub1-gw1"], tokenID: "order-118",
        issuedAtSeconds: 1_800_000_000,
        notBeforeSeconds: 1_800_000_000, expiresSeconds: 1_800_086_400,
        elements: [
            GrantElement(
                jurisdiction: Jurisdiction("IE")!, datacenters: nil, mailboxes: [.exact(Array("alice".utf8))],
                data: .content, received: nil)
        ],
        legalBasis: LegalBasis(
            instrument: "warrant", reference: "2026/CCC/118", authorityName: "Central Criminal Court",
            authorityCountry: Jurisdiction("IE")!, requester: .lawEnforcement))

    static let payload = text(claims.json)

    static func header(_ algorithm: SignatureAlgorithm = .es256) -> String {
        #"{"alg":"\#(algorithm.rawValue)","typ":"bailiwick-authorization+jwt","kid":"\#(algorithm.rawValue)"}"#
    }

    /// A token of any header and payload, signed by the key whatever they say.
    static func token(
        _ header: String = header(), _ payload: String = payload, by key: PrivateKey = keys[.es256]!
    ) -> [UInt8] {
        let input = signingInput(header, payload)
        return input + [UInt8(ascii: ".")] + Array(Base64.url.encode(try! key.sign(input)).utf8)
    }

    static func signingInput(_ header: String, _ payload: String) -> [UInt8] {
        Array((Base64.url.encode(Array(header.utf8)) + "." + Base64.url.encode(Array(payload.utf8))).utf8)
    }

    static func text(_ value: JSONValue) -> String { String(decoding: value.utf8Text, as: UTF8.self) }
}

extension TokenOutcome {
    /// For a table: the outcome and why.
    var summary: String {
        switch self {
        case .malformed(let error): "malformed: \(error)"
        case .untrusted(let error): "untrusted: \(error)"
        case .verified: "verified"
        }
    }
}
