internal import JSON
internal import OpenSSL

/// A signed token taken apart (RFC 7515, section 3.1), strictly: three parts, canonical base64url, one JSON reader for all,
/// and nothing in the header that could choose a key.
struct CompactJWS {
    let header: JOSEHeader
    let payload: [UInt8]
    let signature: [UInt8]
    /// The header and the payload as they came, with the dot between: what is signed.
    let signingInput: [UInt8]
    /// How many bytes of it are the header's.
    private let headerCount: Int

    /// - Parameters:
    ///   - type: What `typ` must be, exactly, so that no token is taken for one of another kind (RFC 8725, 3.11).
    ///   - known: headers of that type that need not be read again.
    init(
        parsing token: [UInt8], type: String, bytesMax: Int, known: KnownHeaders? = nil
    ) throws(MalformedToken) {
        guard token.count <= bytesMax else { throw .tooLong(bytes: token.count) }
        let (first, second) = try Self.dots(token)
        if let header = known?.header(token.span.extracting(..<first)) {
            self.header = header
        } else {
            header = try JOSEHeader(try Self.decode(token, 0..<first, .header), type: type, bytesMax: bytesMax)
        }
        payload = try Self.decode(token, (first + 1)..<second, .payload)
        signature = try Self.decode(token, (second + 1)..<token.count, .signature)
        signingInput = Array(token[..<second])
        headerCount = first
    }

    /// Where the two dots between the three parts are.
    private static func dots(_ token: [UInt8]) throws(MalformedToken) -> (first: Int, second: Int) {
        let dot = UInt8(ascii: ".")
        if let first = token.span.firstIndex(of: dot),
            let length = token.span.extracting((first + 1)...).firstIndex(of: dot),
            token.span.extracting((first + length + 2)...).firstIndex(of: dot) == nil
        {
            return (first, first + 1 + length)
        }
        throw .parts(min(token.count { $0 == dot }, 5) + 1)
    }

    /// The header as it came.
    var encodedHeader: [UInt8] { Array(signingInput[..<headerCount]) }

    /// The payload's JSON object.
    func claims(bytesMax: Int) throws(MalformedToken) -> JSONObject {
        try .parsing(payload, .payload, bytesMax: bytesMax)
    }

    /// - Throws: what keeps the signature from being one of a key in the set.
    func verify(by keys: KeySet) throws(UntrustedToken) {
        guard let key = keys[header.keyID] else { throw .unknownKey(header.keyIDText) }
        guard key.algorithm == header.algorithm else {
            throw .otherAlgorithm(token: header.algorithmName, key: key.algorithm.rawValue)
        }
        guard key.verify(signature, of: signingInput) else { throw .badSignature }
    }

    private static func decode(
        _ token: [UInt8], _ range: Range<Int>, _ part: MalformedToken.Part
    ) throws(MalformedToken) -> [UInt8] {
        guard !range.isEmpty, let bytes = Base64.url.decode(token.span.extracting(range)) else { throw .encoding(part) }
        return bytes
    }
}

/// What the header of a token says (RFC 7515, section 4.1). Handed on by reference.
final class JOSEHeader: Sendable {
    let algorithm: SignatureAlgorithm
    /// As it stands in the header: `Ed25519` or its older name `EdDSA`.
    let algorithmName: String
    let keyID: JSONString
    let keyIDText: String

    /// Header parameters that name a key, change what is signed, or make it a JWE.
    private static let forbidden = ["crit", "jwk", "jku", "x5u", "x5c", "b64", "enc"]

    fileprivate init(_ text: [UInt8], type: String, bytesMax: Int) throws(MalformedToken) {
        let parameters = try JSONObject.parsing(text, .header, bytesMax: bytesMax)
        for name in Self.forbidden where parameters.has(name) { throw .forbiddenHeader(name) }
        guard let name = parameters.string("alg")?.text, let algorithm = SignatureAlgorithm(jose: name) else {
            throw .header(name: "alg", expected: "one of Ed25519, EdDSA, ES256, ES384, PS256, RS256")
        }
        algorithmName = name
        self.algorithm = algorithm
        guard let identifier = parameters.string("kid")?.utf8,
            (1...TokenLimits.identifierBytesMax).contains(identifier.count)
        else { throw .header(name: "kid", expected: "a string of 1 to \(TokenLimits.identifierBytesMax) bytes") }
        keyID = JSONString(utf8: identifier)
        keyIDText = keyID.text
        guard parameters.string("typ")?.equals(type) == true else { throw .header(name: "typ", expected: type) }
    }
}

/// Headers of tokens that verified lately: those of one issuer have the same, byte for byte, as long as it signs by one key. Belongs to
/// one event loop.
final class KnownHeaders {
    private static let countMax = 8

    private var known: [(encoded: [UInt8], header: JOSEHeader)] = []
    private var next = 0

    /// What was read of just these bytes.
    func header(_ encoded: Span<UInt8>) -> JOSEHeader? {
        for index in known.indices where Self.areSame(known[index].encoded, encoded) { return known[index].header }
        return nil
    }

    private static func areSame(_ known: [UInt8], _ encoded: Span<UInt8>) -> Bool { known.span.isSame(as: encoded) }

    /// Keeps the header of a token that verified, in the place of the oldest one. Others are not kept: whoever sends them would have
    /// those read again that are.
    func keep(_ token: CompactJWS) {
        guard !known.contains(where: { $0.header === token.header }) else { return }
        let entry = (encoded: token.encodedHeader, header: token.header)
        guard known.count == Self.countMax else { return known.append(entry) }
        known[next] = entry
        next = (next + 1) % Self.countMax
    }
}

extension JSONObject {
    /// One part of a token, which is an object.
    fileprivate static func parsing(
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
