package import JSON

/// Why bytes are not an authorization at all: found before anybody's key is looked at.
package enum MalformedToken: Error, Hashable, Sendable {
    case tooLong(bytes: Int)
    /// Not three parts; five are a JWE, and nobody counts beyond six.
    case parts(Int)
    /// A part that is no canonical base64url, or an empty one.
    case encoding(Part)
    case json(Part, JSONError)
    case header(name: String, expected: String)
    /// A header parameter that would let the token say how it is to be verified.
    case forbiddenHeader(String)
    case claim(path: String, expected: String)

    package enum Part: String, Hashable, Sendable { case header, payload, signature }

    /// The same, where it was found in the claim that has this path.
    func within(_ path: String) -> MalformedToken {
        guard case .claim(let inner, let expected) = self else { return self }
        return .claim(path: "\(path).\(inner)", expected: expected)
    }
}

/// Why nobody whom the settings name vouches for a token.
package enum UntrustedToken: Error, Hashable, Sendable {
    case unknownIssuer(String)
    /// No key of that `kid` in the issuer's set, though perhaps in another's.
    case unknownKey(String)
    /// The key is for another algorithm than the header names.
    case otherAlgorithm(token: String, key: String)
    case badSignature
}

extension MalformedToken: CustomStringConvertible {
    package var description: String {
        switch self {
        case .tooLong(let bytes): "\(bytes) bytes, and a token has at most \(TokenLimits.tokenBytesMax)"
        case .parts(5): "five parts: an encrypted token (JWE), not a signed one"
        case .parts(let count) where count > 5: "more than 5 parts between dots instead of 3"
        case .parts(let count): "\(count) part\(count == 1 ? "" : "s") between dots instead of 3"
        case .encoding(let part):
            "the \(part.rawValue) is not canonical base64url without padding (RFC 7515, section 2)"
        case .json(let part, let error): "the \(part.rawValue) is not strict JSON: \(error)"
        case .header(let name, let expected): "header \(name): expected \(expected)"
        case .forbiddenHeader(let name): "header \(name): never taken from a token"
        case .claim(let path, let expected): "claim \(path): expected \(expected)"
        }
    }
}

extension UntrustedToken: CustomStringConvertible {
    package var description: String {
        switch self {
        case .unknownIssuer(let id): "iss \(quoted(id)) is not a configured issuer"
        case .unknownKey(let id): "kid \(quoted(id)) is not in the issuer's key set"
        case .otherAlgorithm(let token, let key): "alg is \(token), but the key of that kid is for \(key)"
        case .badSignature: "the signature does not verify under the key of that kid"
        }
    }
}

/// Text from outside as a JSON string, so that it cannot steer a terminal or fake a line.
package func quoted(_ text: String) -> String {
    var bytes: [UInt8] = []
    for scalar in text.unicodeScalars {
        // C1 controls and DEL steer terminals too; JSON lets them stand.
        if scalar.value == 0x7F || (0x80..<0xA0).contains(scalar.value) || scalar.properties.isBidiControl {
            bytes.append(contentsOf: "\u{FFFD}".utf8)
        } else {
            bytes.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
        }
    }
    var quoted: [UInt8] = []
    JSONText.append(string: bytes, to: &quoted)
    return String(decoding: quoted, as: UTF8.self)
}
