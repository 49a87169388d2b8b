import JSON
import OpenSSL
import Residency
import Testing

@testable import Tokens

@Suite struct TokenVerifierTests {
    private func outcome(_ token: [UInt8]) -> String { TokenDesk.verifier().verify(token).summary }

    private func outcome(header: String = TokenDesk.header(), payload: String = TokenDesk.payload) -> String {
        outcome(TokenDesk.token(header, payload))
    }

    @Test(arguments: SignatureAlgorithm.allCases)
    func aTokenOfEachAlgorithmIsVerified(_ algorithm: SignatureAlgorithm) throws {
        let key = try #require(TokenDesk.keys[algorithm])
        let bytes = TokenDesk.token(TokenDesk.header(algorithm), by: key)
        guard case .verified(let token) = TokenDesk.verifier().verify(bytes) else {
            Issue.record("\(outcome(bytes))")
            return
        }
        #expect(token.sha256 == SHA256Digest(hashing: bytes))
        #expect(token.issuer.id == TokenDesk.irish)
        #expect(token.keyID == algorithm.rawValue)
        #expect(token.tokenID == "order-118" && token.expiresSeconds == 1_800_086_400)
        #expect(token.instrument == "warrant" && token.reference == "2026/CCC/118")
        #expect(token.requester == "law-enforcement" && token.country == "IE")
        #expect(token.claims == TokenDesk.claims)
    }

    @Test func edDSAIsEd25519sOlderName() throws {
        let header = TokenDesk.header(.ed25519).replacing(#""alg":"Ed25519""#, with: #""alg":"EdDSA""#)
        #expect(outcome(TokenDesk.token(header, by: TokenDesk.keys[.ed25519]!)) == "verified")
    }

    @Test(arguments: SignatureAlgorithm.allCases)
    func aFlippedBitAnywhereIsSeen(_ algorithm: SignatureAlgorithm) throws {
        let bytes = TokenDesk.token(TokenDesk.header(algorithm), by: try #require(TokenDesk.keys[algorithm]))
        for index in stride(from: 0, to: bytes.count, by: 7) {
            var flipped = bytes
            flipped[index] ^= 1
            #expect(outcome(flipped) != "verified")
        }
    }

    /// Header parameters that say how to verify, and other forms of the header.
    @Test(arguments: [
        (#""alg":"none""#, "malformed: header alg"), (#""alg":"None""#, "malformed: header alg"),
        (#""alg":"HS256""#, "malformed: header alg"), (#""alg":"es256""#, "malformed: header alg"),
        (#""alg":"ES256 ""#, "malformed: header alg"), (#""alg":"ES512""#, "malformed: header alg"),
        (#""alg":"ES256K""#, "malformed: header alg"), (#""alg":"PS384""#, "malformed: header alg"),
        (#""alg":"RS1""#, "malformed: header alg"), (#""alg":["ES256"]"#, "malformed: header alg"),
        (#""alg":null"#, "malformed: header alg"), (#""ALG":"ES256""#, "malformed: header alg"),
        (#""alg":"ES256","alg":"ES256""#, "malformed: the header is not strict JSON: two members"),
        (#""alg":"ES256","\u0061lg":"none""#, "malformed: the header is not strict JSON: two members"),
        (#""alg":"ES256","crit":["exp"]"#, "malformed: header crit"),
        (#""alg":"ES256","crit":[]"#, "malformed: header crit"),
        (#""alg":"ES256","b64":false"#, "malformed: header b64"),
        (#""alg":"ES256","b64":false,"crit":["b64"]"#, "malformed: header crit"),
        (#""alg":"ES256","jwk":{"kty":"EC"}"#, "malformed: header jwk"),
        (#""alg":"ES256","jku":"https://evil.example/jwks""#, "malformed: header jku"),
        (#""alg":"ES256","x5u":"https://evil.example/crt""#, "malformed: header x5u"),
        (#""alg":"ES256","x5c":["MIIB"]"#, "malformed: header x5c"),
        (#""alg":"ES256","enc":"A128GCM""#, "malformed: header enc"),
        (#""alg":"ES384""#, "untrusted: alg is ES384, but the key of that kid is for ES256"),
        (#""alg":"Ed25519""#, "untrusted: alg is Ed25519, but the key of that kid is for ES256"),
        (#""alg":"ES256","unknown":1"#, "verified"), (#""alg":"E\u0053256""#, "verified"),
    ])
    func theHeaderDoesNotSayHowToVerify(_ parameters: String, _ expected: String) {
        let header = TokenDesk.header().replacing(#""alg":"ES256""#, with: parameters)
        #expect(outcome(header: header).hasPrefix(expected))
    }

    @Test(arguments: [
        (#""kid":"ES256""#, #""kid":"unknown""#, #"untrusted: kid "unknown""#),
        (#""kid":"ES256""#, #""kid":"us-1""#, #"untrusted: kid "us-1""#),
        (#""kid":"ES256""#, #""kid":"PS256""#, "untrusted: alg is ES256, but"),
        (#""kid":"ES256""#, #""kid":"""#, "malformed: header kid"),
        (#""kid":"ES256""#, #""kid":1"#, "malformed: header kid"),
        (#","kid":"ES256""#, "", "malformed: header kid"),
        (#""kid":"ES256""#, #""kid":"\#(String(repeating: "k", count: 257))""#, "malformed: header kid"),
        ("bailiwick-authorization+jwt", "JWT", "malformed: header typ"),
        ("bailiwick-authorization+jwt", "bailiwick-revocations+jwt", "malformed: header typ"),
        ("bailiwick-authorization+jwt", "Bailiwick-Authorization+JWT", "malformed: header typ"),
        (#""typ":"bailiwick-authorization+jwt","#, "", "malformed: header typ"),
    ])
    func keyAndTypeAreNamed(_ part: String, _ other: String, _ expected: String) {
        #expect(outcome(header: TokenDesk.header().replacing(part, with: other)).hasPrefix(expected))
    }

    @Test func theFormIsCompactAndCanonical() throws {
        let good = String(decoding: TokenDesk.token(), as: UTF8.self)
        let parts = good.split(separator: ".").map(String.init)
        // The last digit of a 64-byte signature carries 4 bits that nothing decodes.
        let digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
        let last = try #require(good.last.flatMap { digits.firstIndex(of: $0) })
        let table: [(String, String)] = [
            (good, "verified"), ("", "malformed: 1 part "), ("not-a-token", "malformed: 1 part "),
            (parts[0] + "." + parts[1], "malformed: 2 parts"), (good + "." + parts[2], "malformed: 4 parts"),
            (good + ".a.b", "malformed: five parts"),
            (String(repeating: ".", count: 4000), "malformed: more than 5 parts"),
            (good + "=", "malformed: the signature"), (good + "==", "malformed: the signature"),
            (good + "\n", "malformed: the signature"), (" " + good, "malformed: the header"),
            (good + " ", "malformed: the signature"), (good + "\u{0}", "malformed: the signature"),
            (parts[0] + "." + parts[1] + "\n." + parts[2], "malformed: the payload"),
            (parts[0] + "." + parts[1] + ".", "malformed: the signature"),
            ("." + parts[1] + "." + parts[2], "malformed: the header"), ("..", "malformed: the header"),
            (parts[0] + ".." + parts[2], "malformed: the payload"),
            (good.dropLast() + String(digits[digits.index(after: last)]), "malformed: the signature"),
            (good.replacing("_", with: "/").replacing("-", with: "+") + "/", "malformed: "),
        ]
        for (token, expected) in table { #expect(outcome(Array(token.utf8)).hasPrefix(expected), "\(token)") }
    }

    @Test func sizeAndNestingAreBounded() throws {
        func padded(_ count: Int) -> [UInt8] {
            TokenDesk.token(
                TokenDesk.header(),
                TokenDesk.payload.dropLast() + #","pad":"\#(String(repeating: "x", count: count))"}"#)
        }
        let base = padded(0).count
        let fitting = padded((8192 - base) / 4 * 3)
        #expect(fitting.count <= 8192 && outcome(fitting) == "verified")
        #expect(outcome(padded((8192 - base) / 4 * 3 + 8)).hasSuffix("bytes, and a token has at most 8192"))
        #expect(outcome([UInt8](repeating: UInt8(ascii: "a"), count: 8193)).hasPrefix("malformed: 8193 bytes"))
        func nested(_ depth: Int) -> String {
            TokenDesk.payload.dropLast() + #","x":"# + String(repeating: "[", count: depth - 1)
                + String(repeating: "]", count: depth - 1) + "}"
        }
        #expect(outcome(payload: nested(8)) == "verified")
        #expect(outcome(payload: nested(9)).hasPrefix("malformed: the payload is not strict JSON: nested"))
    }

    @Test func whoeverIsNotTheIssuerIsNotTrusted() throws {
        let other = try PrivateKey(generating: .es256)
        #expect(outcome(TokenDesk.token(by: other)) == "untrusted: \(UntrustedToken.badSignature)")
        #expect(outcome(TokenDesk.token(by: TokenDesk.usKey)) == "untrusted: \(UntrustedToken.badSignature)")
        let unknown = TokenDesk.payload.replacing("authorizations.example.ie", with: "evil.example")
        #expect(outcome(payload: unknown).hasPrefix(#"untrusted: iss "https://evil.example""#))
        // The US issuer's own key, under its own name, but for a token that says it is the Irish one's.
        let header = TokenDesk.header().replacing(#""kid":"ES256""#, with: #""kid":"us-1""#)
        #expect(outcome(TokenDesk.token(header, by: TokenDesk.usKey)).hasPrefix("untrusted: kid"))
    }

    /// `iss` is compared as bytes: an equivalent spelling is another issuer.
    @Test func issuersAreComparedAsBytes() throws {
        let composed = Issuer(
            id: "https://d\u{E9}sk.example", jurisdictions: [Jurisdiction("IE")!], keys: TokenDesk.irishKeys)
        let verifier = TokenVerifier(issuers: try #require(IssuerRegistry([composed])))
        func payload(_ id: String) -> String { TokenDesk.payload.replacing(TokenDesk.irish, with: id) }
        #expect(
            verifier.verify(TokenDesk.token(TokenDesk.header(), payload("https://d\u{E9}sk.example"))).summary
                == "verified")
        #expect(
            verifier.verify(TokenDesk.token(TokenDesk.header(), payload("https://de\u{301}sk.example"))).summary
                .hasPrefix("untrusted: iss"))
        #expect(IssuerRegistry([composed, composed]) == nil)
    }

    /// CVE-2022-21449, and what else passes for an ECDSA signature elsewhere.
    @Test func onlySignaturesInRangeAndOfTheRightFormVerify() throws {
        let input = TokenDesk.signingInput(TokenDesk.header(), TokenDesk.payload)
        func token(_ signature: [UInt8]) -> [UInt8] { input + Array(("." + Base64.url.encode(signature)).utf8) }
        let good = try TokenDesk.keys[.es256]!.sign(input)
        let der = try #require(ECDSASignature.der(raw: good, curve: .p256))
        #expect(outcome(token(good)) == "verified")
        for bad in [
            [UInt8](repeating: 0, count: 64), [UInt8](repeating: 0xFF, count: 64), der, Array(good.prefix(63)),
            good + [0],
            [0] + good, Array(good.suffix(32) + good.prefix(32)), [0x30, 0x06, 0x02, 0x01, 0x00, 0x02, 0x01, 0x00],
        ] {
            #expect(outcome(token(bad)) == "untrusted: \(UntrustedToken.badSignature)")
        }
    }

    /// The classic confusion: a MAC whose key is the public key's text.
    @Test func aMACUnderThePublicKeyIsNoSignature() throws {
        let header = TokenDesk.header().replacing("\"ES256\",\"typ", with: "\"HS256\",\"typ")
        let input = TokenDesk.signingInput(header, TokenDesk.payload)
        let key = HMACKey(TokenDesk.keys[.es256]!.publicKey.jwk(keyID: "ES256").utf8Text)
        let mac = key.authenticate(input.span).bytes
        #expect(outcome(input + Array(("." + Base64.url.encode(mac)).utf8)).hasPrefix("malformed: header alg"))
    }
}

/// RFC 7515, RFC 7520, RFC 8037.
@Suite struct JOSEVectorTests {
    @Test(arguments: JOSEVector.supported)
    func theSignatureVerifies(_ vector: JOSEVector) throws {
        let file = #"{"keys":[{\#(vector.jwk),"kid":"k","alg":"\#(vector.algorithm)"}]}"#
        let key = try #require(try KeySet(parsing: Array(file.utf8))[JSONString("k")])
        let token = Array(vector.token.utf8)
        let dot = try #require(token.lastIndex(of: UInt8(ascii: ".")))
        let signature = try #require(Base64.url.decode(String(decoding: token[(dot + 1)...], as: UTF8.self)))
        #expect(key.verify(signature, of: Array(token[..<dot])))
        #expect(!key.verify(signature, of: Array(token[..<(dot - 1)])))
    }

    /// None of them names `typ` as ours does, and none of the RFCs' is an authorization.
    @Test(arguments: JOSEVector.supported)
    func noneIsAnAuthorization(_ vector: JOSEVector) {
        #expect(TokenDesk.verifier().verify(Array(vector.token.utf8)).summary.hasPrefix("malformed: header"))
    }

    @Test(arguments: JOSEVector.refused)
    func otherAlgorithmsAreRefused(_ token: String) {
        let summary = TokenDesk.verifier().verify(Array(token.utf8)).summary
        #expect(
            summary.hasPrefix("malformed: header alg")
                || (token.hasSuffix(".") && summary.hasPrefix("malformed: the signature")))
    }
}
