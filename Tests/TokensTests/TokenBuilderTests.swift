import OpenSSL
import Residency
import Testing

@testable import Tokens

@Suite struct TokenBuilderTests {
    @Test(arguments: SignatureAlgorithm.allCases)
    func whatIsIssuedVerifies(_ algorithm: SignatureAlgorithm) throws {
        let key = try #require(TokenDesk.keys[algorithm])
        let builder = try TokenBuilder(claims: TokenDesk.claims, algorithm: algorithm, keyID: algorithm.rawValue)
        #expect(TokenDesk.verifier().verify(try builder.signed(by: key)).summary == "verified")
    }

    @Test func aSignatureMadeElsewhereIsTakenInEitherForm() throws {
        for algorithm in SignatureAlgorithm.allCases {
            let key = try #require(TokenDesk.keys[algorithm])
            let request = try TokenBuilder(claims: TokenDesk.claims, algorithm: algorithm, keyID: algorithm.rawValue)
            let again = try TokenBuilder(signingInput: request.signingInput)
            #expect(again.algorithm == algorithm)
            let signature = try key.sign(again.signingInput)
            let token = try #require(again.attaching(signature, of: key.publicKey))
            #expect(TokenDesk.verifier().verify(token).summary == "verified")
            if let curve = algorithm.curve {
                let der = try #require(ECDSASignature.der(raw: signature, curve: curve))
                #expect(again.attaching(der, of: key.publicKey) == token)
                #expect(again.attaching(der + [0], of: key.publicKey) == nil)
            }
            #expect(again.attaching(signature.dropLast() + [signature.last! ^ 1], of: key.publicKey) == nil)
            #expect(again.attaching(signature, of: try PrivateKey(generating: algorithm).publicKey) == nil)
        }
    }

    @Test func nothingIsIssuedThatNobodyWouldTake() {
        var claims = TokenDesk.claims
        claims.elements = []
        #expect(throws: MalformedToken.self) { try TokenBuilder(claims: claims, algorithm: .es256, keyID: "k") }
        claims = TokenDesk.claims
        claims.audience = []
        #expect(throws: MalformedToken.self) { try TokenBuilder(claims: claims, algorithm: .es256, keyID: "k") }
        claims = TokenDesk.claims
        claims.elements[0].mailboxes = [.exact(Array(repeating: UInt8(ascii: "m"), count: 7000))]
        #expect(throws: MalformedToken.self) { try TokenBuilder(claims: claims, algorithm: .es256, keyID: "k") }
        #expect(throws: MalformedToken.self) {
            try TokenBuilder(claims: TokenDesk.claims, algorithm: .es256, keyID: "")
        }
        #expect(throws: MalformedToken.self) { try TokenBuilder(signingInput: Array("a.b".utf8)) }
        #expect(throws: KeyError.otherType) {
            try TokenBuilder(claims: TokenDesk.claims, algorithm: .es256, keyID: "k").signed(
                by: TokenDesk.keys[.es384]!)
        }
    }
}

@Suite struct VerifiedTokenCacheTests {
    private func token(_ number: Int) -> [UInt8] {
        TokenDesk.token(
            TokenDesk.header(.ed25519), TokenDesk.payload.replacing("order-118", with: "order-\(number)"),
            by: TokenDesk.keys[.ed25519]!)
    }

    @Test func aTokenIsVerifiedOnce() throws {
        let cache = VerifiedTokenCache(entriesMax: 8)
        let verifier = TokenDesk.verifier()
        let token = token(1)
        let first = cache.review(token, by: verifier)
        let second = cache.review(token, by: verifier)
        #expect(first.sha256 == SHA256Digest(hashing: token) && first.sha256 == second.sha256)
        #expect(first.token != nil && first.token === second.token)
        #expect(cache.hits == 1 && cache.misses == 1)
        guard case .verified(let grant) = second.authorization(at: Timestamp(seconds: 0)) else {
            Issue.record("not verified")
            return
        }
        #expect(grant.expiresSeconds == 1_800_086_400)
    }

    @Test func aTokenThatDiffersInOneBitIsAnother() {
        let cache = VerifiedTokenCache(entriesMax: 8)
        var token = token(1)
        #expect(cache.review(token, by: TokenDesk.verifier()).token != nil)
        token[token.count - 20] = token[token.count - 20] == UInt8(ascii: "A") ? UInt8(ascii: "B") : UInt8(ascii: "A")
        let review = cache.review(token, by: TokenDesk.verifier())
        #expect(review.token == nil && cache.misses == 2)
        guard case .untrusted = review.authorization(at: Timestamp(seconds: 0)) else {
            Issue.record("trusted")
            return
        }
        guard case .malformed = cache.review([1], by: TokenDesk.verifier()).authorization(at: Timestamp(seconds: 0))
        else {
            Issue.record("well formed")
            return
        }
    }

    @Test func aFloodOfBadTokensPushesNoGoodOneOut() {
        let cache = VerifiedTokenCache(entriesMax: 16)
        let verifier = TokenDesk.verifier()
        let good = token(1)
        _ = cache.review(good, by: verifier)
        for number in 0..<1000 { _ = cache.review(Array("bad.\(number)".utf8), by: verifier) }
        #expect(cache.hits == 0)
        _ = cache.review(good, by: verifier)
        #expect(cache.hits == 1)
        #expect(cache.count <= 16 + 2)
    }

    @Test func whatIsShownOnceIsNotKept() {
        let cache = VerifiedTokenCache(entriesMax: 8)
        let verifier = TokenDesk.verifier()
        let used = (0..<8).map(token)
        for token in used {
            for _ in 0..<2 { _ = cache.review(token, by: verifier) }
        }
        for number in 100..<150 { _ = cache.review(token(number), by: verifier) }
        #expect(cache.hits == 8 && cache.misses == 58 && cache.count == 9)
        for token in used { _ = cache.review(token, by: verifier) }
        #expect(cache.hits == 16 && cache.misses == 58)
    }

    /// Though it was let go in between.
    @Test func whatIsShownAgainLaterIsKept() {
        let cache = VerifiedTokenCache(entriesMax: 64)
        let verifier = TokenDesk.verifier()
        // The cache remembers 128 digests, each by its last bits: three that differ in them.
        var slots: Set<UInt64> = []
        var tokens: [[UInt8]] = []
        for number in 0..<1000 where tokens.count < 3 {
            let token = token(number)
            if slots.insert(SHA256Digest(hashing: token).slotHash % 128).inserted { tokens.append(token) }
        }
        for number in [0, 1, 2, 0, 1] { _ = cache.review(tokens[number], by: verifier) }
        #expect(cache.hits == 0 && cache.misses == 5)
        for number in [0, 1] { _ = cache.review(tokens[number], by: verifier) }
        #expect(cache.hits == 2 && cache.misses == 5)
    }

    @Test func itsSizeIsBoundedAndWhatIsUsedStays() {
        let cache = VerifiedTokenCache(entriesMax: 8)
        let verifier = TokenDesk.verifier()
        for number in 0..<50 {
            _ = cache.review(token(number), by: verifier)
            _ = cache.review(token(0), by: verifier)
            #expect(cache.count <= 8)
        }
        #expect(cache.misses == 50 && cache.hits == 50)
    }
}
