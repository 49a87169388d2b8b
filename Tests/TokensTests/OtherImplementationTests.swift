import Foundation
import JSON
import OpenSSL
import TestSupport
import Testing

@testable import Tokens

/// The Python that has joserfc, a JOSE library that nobody here wrote: the one that Tests/run prepared, else any.
private let joserfc: String? = {
    let candidates = [ProcessInfo.processInfo.environment["BAILIWICK_TEST_PYTHON"], "python3"].compactMap { $0 }
    return candidates.first { (try? run([$0, "-c", "import joserfc, cryptography"]).status) == 0 }
}()

private let algorithms = SignatureAlgorithm.allCases.map(\.rawValue)

@Suite(.enabled(if: joserfc != nil, "no Python with joserfc and cryptography (pip install joserfc cryptography)"))
struct OtherImplementationTests {
    @Test func joserfcsTokensVerifyHere() throws {
        let script = """
            import json, sys
            from joserfc import jwt
            from joserfc.jwk import ECKey, OKPKey, RSAKey
            payload = json.load(sys.stdin)
            keys, tokens = [], []
            for alg in \(algorithms):
                parameters = {"kid": alg, "alg": alg, "use": "sig"}
                if alg == "Ed25519": key = OKPKey.generate_key("Ed25519", parameters)
                elif alg.startswith("ES"): key = ECKey.generate_key("P-" + alg[2:], parameters)
                else: key = RSAKey.generate_key(2048, parameters)
                keys.append(key.as_dict(private=False))
                header = {"alg": alg, "kid": alg, "typ": "bailiwick-authorization+jwt"}
                tokens.append(jwt.encode(header, payload, key, algorithms=[alg]))
            print(json.dumps({"keys": keys, "tokens": tokens}))
            """
        let python = try #require(joserfc)
        let result = try run([python, "-c", script], input: Data(TokenDesk.payload.utf8))
        #expect(result.status == 0, "\(result.errors)")
        let answer = try JSONValue(parsing: Array(result.output))
        let keys = try KeySet(parsing: Array(result.output))
        let issuer = Issuer(id: TokenDesk.irish, jurisdictions: [], keys: keys)
        let tokens = try #require(answer.object?["tokens"]?.array)
        #expect(tokens.count == algorithms.count)
        for token in tokens {
            let summary = TokenDesk.verifier(issuer).verify(try #require(token.utf8)).summary
            #expect(summary == "verified", "\(token.string ?? "")")
        }
    }

    @Test func ourTokensVerifyWithJoserfc() throws {
        let script = """
            import json, sys
            from joserfc import jwt
            from joserfc.jwk import KeySet
            given = json.load(sys.stdin)
            keys = KeySet.import_key_set({"keys": given["keys"]})
            for token in given["tokens"]:
                decoded = jwt.decode(token, keys, algorithms=\(algorithms))
                assert decoded.header["typ"] == "bailiwick-authorization+jwt", decoded.header
                print(decoded.claims["jti"])
            """
        var tokens: [JSONValue] = []
        for (algorithm, key) in TokenDesk.keys {
            let builder = try TokenBuilder(claims: TokenDesk.claims, algorithm: algorithm, keyID: algorithm.rawValue)
            tokens.append(.string(JSONString(utf8: try builder.signed(by: key))))
        }
        let given = JSONValue.object([
            "keys": .array(TokenDesk.keys.map { $1.publicKey.jwk(keyID: $0.rawValue) }), "tokens": .array(tokens),
        ])
        let python = try #require(joserfc)
        let result = try run([python, "-c", script], input: Data(given.utf8Text))
        #expect(result.status == 0, "\(result.errors)")
        #expect(result.text == String(repeating: "order-118\n", count: algorithms.count))
    }

    /// Debian's own tool writes the PKCS#8 that the legal desk signs with, and signs where this program may not run.
    @Test func opensslsKeysAndSignaturesAreTaken() throws {
        let folder = try Sandbox("openssl")
        let made = try run([
            "openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", folder("key.pem"),
        ])
        #expect(made.status == 0, "\(made.errors)")
        let key = try PrivateKey(pem: Array(Data(contentsOf: URL(fileURLWithPath: folder("key.pem")))))
        let request = try TokenBuilder(claims: TokenDesk.claims, algorithm: .es256, keyID: "ES256")
        try Data(request.signingInput).write(to: URL(fileURLWithPath: folder("request")))
        let signed = try run([
            "openssl", "dgst", "-sha256", "-sign", folder("key.pem"), "-out", folder("signature"), folder("request"),
        ])
        #expect(signed.status == 0, "\(signed.errors)")
        let signature = Array(try Data(contentsOf: URL(fileURLWithPath: folder("signature"))))
        let token = try #require(request.attaching(signature, of: key.publicKey))
        let issuer = Issuer(
            id: TokenDesk.irish, jurisdictions: [], keys: TokenDesk.keySet([("ES256", key)]))
        #expect(TokenDesk.verifier(issuer).verify(token).summary == "verified")
        // And what we write, openssl reads.
        try Data(TokenDesk.keys[.ed25519]!.pem()).write(to: URL(fileURLWithPath: folder("ed.pem")))
        let shown = try run(["openssl", "pkey", "-in", folder("ed.pem"), "-noout", "-text"])
        #expect(shown.status == 0 && shown.text.hasPrefix("ED25519 Private-Key"))
    }
}
