import JSON
import OpenSSL
import Residency
import Testing

@testable import Tokens

@Suite struct RevocationListTests {
    private let key = TokenDesk.keys[.es256]!

    private func file(_ revoked: [String], iat: Int64 = 1000, exp: Int64 = 2000, issuer: String = TokenDesk.irish)
        throws -> [UInt8]
    {
        try TokenBuilder(
            revoking: revoked, issuer: issuer, issuedAtSeconds: iat, expiresSeconds: exp, algorithm: .es256,
            keyID: "ES256"
        ).signed(by: key)
    }

    private func list(_ file: [UInt8], previous: Int64? = nil) throws(RevocationListError) -> RevocationList {
        try RevocationList(
            parsing: file, issuer: TokenDesk.irish, keys: TokenDesk.irishKeys, previousIssuedAtSeconds: previous)
    }

    @Test func aListRevokesItsTokensAndAllOnceItIsPastItsTime() throws {
        let list = try list(file(["order-118", "order-119"]) + Array("\n".utf8))
        #expect(list.count == 2 && list.issuedAtSeconds == 1000 && list.expiresSeconds == 2000)
        let during = Timestamp(seconds: 1999)
        #expect(list.isRevoked(JSONString("order-118"), at: during))
        #expect(!list.isRevoked(JSONString("order-120"), at: during))
        #expect(list.isRevoked(JSONString("order-120"), at: Timestamp(seconds: 2000)))
        #expect(try !self.list(file([])).isRevoked(JSONString("a"), at: during))
    }

    @Test func aListNeverGoesBack() throws {
        #expect(throws: RevocationListError.wentBack(issuedAtSeconds: 999, previousSeconds: 1000)) {
            try list(file([], iat: 999), previous: 1000)
        }
        #expect(try list(file([], iat: 1000), previous: 1000).issuedAtSeconds == 1000)
    }

    /// It would refuse every right list after it: milliseconds for seconds, say.
    @Test func aListOfFarAheadIsRefused() throws {
        func list(_ iat: Int64, at now: Int64?) throws -> RevocationList {
            try RevocationList(
                parsing: file([], iat: iat, exp: .max), issuer: TokenDesk.irish, keys: TokenDesk.irishKeys,
                nowSeconds: now)
        }
        let now: Int64 = 1_795_000_000
        #expect(try list(now + 86_400, at: now).issuedAtSeconds == now + 86_400)
        for ahead in [now + 86_401, now * 1000, .max] {
            #expect(throws: RevocationListError.ahead(issuedAtSeconds: ahead)) { try list(ahead, at: now) }
            // An auditor takes what was in force.
            #expect(try list(ahead, at: nil).issuedAtSeconds == ahead)
        }
    }

    @Test func aListThatIsNotTheIssuersIsRefused() throws {
        #expect(throws: RevocationListError.otherIssuer) { try list(file([], issuer: TokenDesk.american)) }
        var flipped = try file([])
        flipped[flipped.count - 10] ^= 1
        #expect(throws: RevocationListError.self) { try list(flipped) }
        let other = try PrivateKey(generating: .es256)
        let builder = TokenBuilder(
            revoking: [], issuer: TokenDesk.irish, issuedAtSeconds: 1, expiresSeconds: 2, algorithm: .es256,
            keyID: "ES256")
        #expect(throws: RevocationListError.untrusted(.badSignature)) { try list(builder.signed(by: other)) }
        // An authorization is no revocation list, and the other way round.
        #expect(throws: RevocationListError.self) { try list(TokenDesk.token()) }
        #expect(TokenDesk.verifier().verify(try file([])).summary.hasPrefix("malformed: header typ"))
    }

    @Test(arguments: [
        #"{"iss":"I","iat":1,"exp":2}"#, #"{"iss":"I","iat":1,"revoked":[]}"#, #"{"iss":"I","exp":1,"revoked":[]}"#,
        #"{"iss":"I","iat":1.0,"exp":2,"revoked":[]}"#, #"{"iss":"I","iat":1,"exp":2,"revoked":[1]}"#,
        #"{"iss":"I","iat":1,"exp":2,"revoked":[""]}"#, #"{"iss":"I","iat":1,"exp":2,"revoked":"a"}"#,
        #"{"iat":1,"exp":2,"revoked":[]}"#, #"{"iss":"I","iat":1,"exp":2,"revoked":[],"revoked":["a"]}"#, "[]",
    ])
    func aListIsReadStrictly(_ payload: String) throws {
        let header = TokenDesk.header().replacing("bailiwick-authorization+jwt", with: "bailiwick-revocations+jwt")
        let token = TokenDesk.token(header, payload.replacing(#""I""#, with: #""\#(TokenDesk.irish)""#))
        #expect(throws: RevocationListError.self) { try list(token) }
    }

    @Test func revocationIsJudgedAtEveryUse() throws {
        let list = try list(file(["other"]))
        guard
            case .verified(let token) = TokenDesk.verifier(TokenDesk.issuer(revocations: list)).verify(
                TokenDesk.token()),
            case .verified(let denied) = TokenDesk.verifier(TokenDesk.issuer(denied: [JSONString("order-118")]))
                .verify(TokenDesk.token())
        else {
            Issue.record("not verified")
            return
        }
        #expect(!token.grant(at: Timestamp(seconds: 1500)).isRevoked)
        #expect(token.grant(at: Timestamp(seconds: 2000)).isRevoked)
        #expect(denied.isRevoked(at: Timestamp(seconds: 0)))
        #expect(!denied.grant(isRevoked: false).isRevoked)
    }
}

@Suite struct DenyListTests {
    @Test func aLineDeniesOneTokenOfOneIssuer() throws {
        let time = Timestamp(seconds: 1_800_000_000)
        let file =
            DenyList.line(issuer: "a", tokenID: "1", time: time, reason: "said\nso \u{1}")
            + DenyList.line(issuer: "a", tokenID: "2", time: time, reason: nil)
            + DenyList.line(issuer: "b", tokenID: "1", time: time, reason: nil)
        let list = try DenyList(parsing: file)
        #expect(list.tokens(of: "a") == [JSONString("1"), JSONString("2")])
        #expect(list.tokens(of: "b") == [JSONString("1")])
        #expect(list.tokens(of: "c").isEmpty)
        #expect(try DenyList(parsing: []).tokens(of: "a").isEmpty)
        #expect(file.count { $0 == UInt8(ascii: "\n") } == 3)
    }

    @Test(arguments: [
        #"{"iss":"a","jti":"1"}"#, "\n", "x\n", #"{"iss":"a"}"# + "\n", #"{"iss":"a","jti":1}"# + "\n",
        #"{"iss":"a","jti":""}"# + "\n", #"{"iss":"a","jti":"1"}"# + "\n\n", #"{"iss":"a","jti":"1","jti":"2"}"# + "\n",
    ])
    func aListThatCannotBeReadIsRefusedWhole(_ text: String) {
        #expect(throws: DenyListError.self) { try DenyList(parsing: Array(text.utf8)) }
    }
}
