import JSON
import OpenSSL
import Testing

@testable import Tokens

@Suite struct KeySetTests {
    private static let good = TokenDesk.text(TokenDesk.keys[.es256]!.publicKey.jwk(keyID: "k1"))

    private func problem(_ keys: String...) -> String {
        do throws(KeySetError) {
            _ = try KeySet(parsing: Array(#"{"keys":[\#(keys.joined(separator: ","))]}"#.utf8))
            return "taken"
        } catch { return error.description }
    }

    @Test(arguments: SignatureAlgorithm.allCases)
    func aKeyComesBackFromItsJWK(_ algorithm: SignatureAlgorithm) throws {
        let key = try #require(TokenDesk.irishKeys[JSONString(algorithm.rawValue)])
        #expect(key.algorithm == algorithm)
        #expect(key.members == TokenDesk.keys[algorithm]!.publicKey.members)
        #expect(TokenDesk.irishKeys.keyIDs.count == 5)
        #expect(TokenDesk.irishKeys[JSONString("none")] == nil)
    }

    @Test(arguments: [
        (#""alg":"ES256","#, "", "keys[0].alg"), (#""alg":"ES256""#, #""alg":"HS256""#, "keys[0].alg"),
        (#""alg":"ES256""#, #""alg":"ES384""#, "keys[0].crv"), (#""alg":"ES256""#, #""alg":"RS256""#, "keys[0].kty"),
        (#""alg":"ES256""#, #""alg":"EdDSA""#, "keys[0].kty"), (#""kid":"k1","#, "", "keys[0].kid"),
        (#""kid":"k1""#, #""kid":"""#, "keys[0].kid"), (#""kid":"k1""#, #""kid":"k1","kid":"k2""#, "not strict JSON"),
        (#""use":"sig""#, #""use":"enc""#, "keys[0].use"),
        (#""use":"sig""#, #""key_ops":["encrypt"]"#, "keys[0].key_ops"),
        (#""use":"sig""#, #""key_ops":[]"#, "keys[0].key_ops"), (#""use":"sig""#, #""key_ops":["verify"]"#, "taken"),
        (#""use":"sig""#, #""d":"AAAA""#, "keys[0].d: a private"),
        (#""use":"sig""#, #""k":"AAAA""#, "keys[0].k: a private"),
        (#""kty":"EC""#, #""kty":"oct""#, "keys[0].kty"), (#""crv":"P-256""#, #""crv":"secp256k1""#, "keys[0].crv"),
        (#""x":""#, #""x":"AA"#, "keys[0]"), (#""y":""#, #""y":"=="#, "keys[0].y"),
        (#""x":""#, #""xx":""#, "keys[0].x"),
        (#""use":"sig""#, #""unknown":[1.5]"#, "taken"),
    ])
    func aSetIsReadStrictly(_ part: String, _ other: String, _ expected: String) {
        #expect(Self.good.contains(part))
        let problem = problem(Self.good.replacing(part, with: other))
        #expect(problem.hasPrefix(expected), "\(problem)")
    }

    @Test func theSetIsOneOfDifferentKeys() throws {
        #expect(problem(Self.good, Self.good).hasPrefix("keys[1].kid"))
        #expect(problem().hasPrefix("expected an object"))
        #expect(problem("1").hasPrefix("keys[0].(whole)"))
        #expect(throws: KeySetError.keys) { try KeySet(parsing: Array("{}".utf8)) }
        #expect(throws: KeySetError.keys) { try KeySet(parsing: Array("[]".utf8)) }
        #expect(throws: KeySetError.self) { try KeySet(parsing: [0xFF]) }
        let many = (0..<65).map { TokenDesk.text(TokenDesk.usKey.publicKey.jwk(keyID: "k\($0)")) }
        #expect(throws: KeySetError.keys) {
            try KeySet(parsing: Array(#"{"keys":[\#(many.joined(separator: ","))]}"#.utf8))
        }
    }

    /// RFC 8037, A.1, and RFC 7515, A.3.1.
    @Test func aPrivateJWKSigns() throws {
        let edwards =
            #"{"kty":"OKP","crv":"Ed25519","alg":"EdDSA","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A","#
            + #""x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#
        let vector = JOSEVector.supported[3].token
        let dot = try #require(vector.lastIndex(of: "."))
        let key = try PrivateKey(jwk: Array(edwards.utf8))
        #expect(
            Base64.url.encode(try key.sign(Array(vector[..<dot].utf8))) == String(vector[vector.index(after: dot)...]))
        let elliptic =
            #"{"kty":"EC","crv":"P-256","alg":"ES256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","#
            + #""y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0","d":"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"}"#
        let other = try PrivateKey(jwk: Array(elliptic.utf8))
        #expect(other.publicKey.verify(try other.sign([1]), of: [1]))
        #expect(throws: KeySetError.self) {
            try PrivateKey(jwk: Array(elliptic.replacing(#""d":"jps"#, with: #""d":"kps"#).utf8))
        }
    }
}
