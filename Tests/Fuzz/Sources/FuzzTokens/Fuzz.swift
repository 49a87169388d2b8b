import JSON
import OpenSSL
import Residency

@testable import Tokens

/// Keys that no input is signed by: whatever is verified here is forged.
private let verifier: TokenVerifier = {
    let keys = JSONValue.object([
        "keys": .array(
            SignatureAlgorithm.allCases.map { try! PrivateKey(generating: $0).publicKey.jwk(keyID: $0.rawValue) })
    ])
    let issuer = Issuer(
        id: "https://authorizations.example.ie", jurisdictions: [Jurisdiction("IE")!],
        keys: try! KeySet(parsing: keys.utf8Text))
    return TokenVerifier(issuers: IssuerRegistry([issuer])!)
}()

/// The input is a token, a payload and a key set in turn.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let input = Array(UnsafeBufferPointer(start: start, count: count))
    token(input)
    payload(input)
    _ = try? KeySet(parsing: input)
    return 0
}

private func token(_ input: [UInt8]) {
    let unverified = try? UnverifiedToken(parsing: input)
    switch verifier.verify(input) {
    case .malformed: precondition(unverified == nil, "malformed to one reader alone")
    case .untrusted: precondition(unverified != nil, "malformed to one reader alone")
    case .verified: preconditionFailure("a forged token verified")
    }
}

private func payload(_ input: [UInt8]) {
    guard let object = try? JSONValue(parsing: input, depthMax: TokenLimits.nestingMax, bytesMax: 8192).object,
        let claims = try? Claims(object)
    else {
        // Whatever it is, it does not get in as a token's payload either.
        token(signed(input))
        return
    }
    precondition((try? Claims(claims.json.object!)) == claims, "the claims are written otherwise than read")
    token(signed(input))
}

private func signed(_ payload: [UInt8]) -> [UInt8] {
    let header = #"{"alg":"ES256","typ":"bailiwick-authorization+jwt","kid":"ES256"}"#
    let parts = [Array(header.utf8), payload, [UInt8](repeating: 1, count: 64)]
    return Array(parts.map { Base64.url.encode($0) }.joined(separator: ".").utf8)
}
