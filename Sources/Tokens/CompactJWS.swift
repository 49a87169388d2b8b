internal import JSON
internal import OpenSSL

/// A signed token taken apart (RFC 7515, section 3.1), strictly: three parts, canonical base64url, one JSON reader for all,
/// and nothing in the header that could choose a key.
struct CompactJWS {
    let algorithm: SignatureAlgorithm
    /// As it stands in the header: `Ed25519` or its older name `EdDSA`.
    let algorithmName: String
    let keyID: JSONString
    let payload: [UInt8]
    let signature: [UInt8]
    /// The header and the payload as they came, with the dot between: what is signed.
    let signingInput: [UInt8]

    /// Header parameters that name a key, change what is signed, or make it a JWE.
    private static let forbidden = ["crit", "jwk", "jku", "x5u", "x5c", "b64", "enc"]

    /// - Parameter type: What `typ` must be, exactly, so that no token is taken for one of another kind (RFC 8725, 3.11).
    init(parsing token: [UInt8], type: String, bytesMax: Int) throws(MalformedToken) {
        guard token.count <= bytesMax else { throw .tooLong(bytes: token.count) }
        var dots: [Int] = []
        var start = 0
        while dots.count <= 4, let index = token.span.extracting(start...).firstIndex(of: UInt8(ascii: ".")) {
            dots.append(start + index)
            start += index + 1
        }
        guard dots.count == 2 else { throw .parts(dots.count + 1) }
        let header = try Self.decode(token, 0..<dots[0], .header)
        payload = try Self.decode(token, (dots[0] + 1)..<dots[1], .payload)
        signature = try Self.decode(token, (dots[1] + 1)..<token.count, .signature)
        signingInput = Array(token[..<dots[1]])
        let parameters = try Self.object(header, .header, bytesMax: bytesMax)
        for name in Self.forbidden where parameters[name] != nil { throw .forbiddenHeader(name) }
        guard case .string(let name) = parameters["alg"], let algorithm = SignatureAlgorithm(jose: name.text) else {
            throw .header(name: "alg", expected: "one of Ed25519, EdDSA, ES256, ES384, PS256, RS256")
        }
        algorithmName = name.text
        self.algorithm = algorithm
        guard let identifier = parameters["kid"]?.utf8, (1...TokenLimits.identifierBytesMax).contains(identifier.count)
        else { throw .header(name: "kid", expected: "a string of 1 to \(TokenLimits.identifierBytesMax) bytes") }
        keyID = JSONString(utf8: identifier)
        guard case .string(let given) = parameters["typ"], given.equals(type) else {
            throw .header(name: "typ", expected: type)
        }
    }

    /// The payload's JSON object.
    func claims(bytesMax: Int) throws(MalformedToken) -> JSONObject {
        try Self.object(payload, .payload, bytesMax: bytesMax)
    }

    /// - Throws: what keeps the signature from being one of a key in the set.
    func verify(by keys: KeySet) throws(UntrustedToken) {
        guard let key = keys[keyID] else { throw .unknownKey(keyID.text) }
        guard key.algorithm == algorithm else {
            throw .otherAlgorithm(token: algorithmName, key: key.algorithm.rawValue)
        }
        guard key.verify(signature, of: signingInput) else { throw .badSignature }
    }

    private static func decode(
        _ token: [UInt8], _ range: Range<Int>, _ part: MalformedToken.Part
    ) throws(MalformedToken) -> [UInt8] {
        guard !range.isEmpty, let bytes = Base64.url.decode(token.span.extracting(range)) else { throw .encoding(part) }
        return bytes
    }

    private static func object(
        _ text: [UInt8], _ part: MalformedToken.Part, bytesMax: Int
    ) throws(MalformedToken) -> JSONObject {
        let value: JSONValue
        do throws(JSONError) {
            value = try JSONValue(parsing: text, depthMax: TokenLimits.nestingMax, bytesMax: bytesMax)
        } catch { throw .json(part, error) }
        guard let object = value.object else {
            throw part == .header
                ? .header(name: "(whole)", expected: "a JSON object")
                : .claim(path: "(whole)", expected: "a JSON object")
        }
        return object
    }
}

extension SignatureAlgorithm {
    /// By the name in a JOSE header or a JWK, compared as bytes; `EdDSA` is Ed25519's name from before RFC 9864.
    package init?(jose name: String) {
        if name.utf8.elementsEqual("EdDSA".utf8) {
            self = .ed25519
            return
        }
        guard let algorithm = Self.allCases.first(where: { $0.rawValue.utf8.elementsEqual(name.utf8) }) else {
            return nil
        }
        self = algorithm
    }
}
