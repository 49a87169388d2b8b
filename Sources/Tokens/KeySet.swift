package import JSON
package import OpenSSL

/// An issuer's pinned public keys: a JWK Set file (RFC 7517, section 5), read strictly. Each key names its `kid` and the one
/// `alg` that it is for.
package struct KeySet: Sendable {
    /// In the file's order.
    package let keyIDs: [JSONString]
    private let keys: [JSONString: PublicKey]
    /// When keys are to be replaced, unix seconds, where their `exp` says so (OpenID Federation 1.0, section 8.7.2). It reminds; what
    /// ends a key is that the file does not hold it any more.
    package let expiries: [(keyID: JSONString, seconds: Int64)]

    /// The key of that `kid`, compared as bytes.
    package subscript(_ keyID: JSONString) -> PublicKey? { keys[keyID] }

    /// All of them, in the file's order.
    package var all: [PublicKey] { keyIDs.compactMap { keys[$0] } }

    /// - Throws: `KeySetError`, with the place of the key in the file.
    package init(parsing file: [UInt8]) throws(KeySetError) {
        let value: JSONValue
        do throws(JSONError) {
            value = try JSONValue(
                parsing: file, depthMax: TokenLimits.nestingMax, bytesMax: TokenLimits.keySetBytesMax)
        } catch { throw .json(error) }
        guard let list = value.object?["keys"]?.array, (1...TokenLimits.keysMax).contains(list.count) else {
            throw .keys
        }
        var keys: [JSONString: PublicKey] = [:]
        var keyIDs: [JSONString] = []
        var expiries: [(keyID: JSONString, seconds: Int64)] = []
        for (index, element) in list.enumerated() {
            guard let members = element.object else {
                throw .member(key: index, name: "(whole)", expected: "an object")
            }
            let jwk = JSONWebKey(members: members, place: index)
            try jwk.refusePrivateMembers()
            let keyID = try jwk.keyID()
            let key: PublicKey
            let algorithm = try jwk.algorithm()
            let numbers = try jwk.publicMembers(algorithm)
            do throws(KeyError) { key = try PublicKey(algorithm, numbers) } catch { throw .key(key: index, error) }
            guard keys.updateValue(key, forKey: keyID) == nil else {
                throw .member(key: index, name: "kid", expected: "one that no key before it has")
            }
            keyIDs.append(keyID)
            if let seconds = members["exp"]?.integer { expiries.append((keyID, seconds)) }
        }
        self.keys = keys
        self.keyIDs = keyIDs
        self.expiries = expiries
    }
}

/// Why a file is no key set that is taken. Keys are counted from 0.
package enum KeySetError: Error, Hashable, Sendable, CustomStringConvertible {
    case json(JSONError)
    case keys
    case member(key: Int, name: String, expected: String)
    case privateMember(key: Int, name: String)
    case key(key: Int, KeyError)

    package var description: String {
        switch self {
        case .json(let error): "not strict JSON: \(error)"
        case .keys: "expected an object with an array \"keys\" of 1 to \(TokenLimits.keysMax) keys"
        case .member(let key, let name, let expected): "keys[\(key)].\(name): expected \(expected)"
        case .privateMember(let key, let name): "keys[\(key)].\(name): a private or secret key must not be here"
        case .key(let key, let error): "keys[\(key)]: \(error)"
        }
    }
}

/// One JWK (RFC 7517, section 4; RFC 7518, section 6; RFC 8037).
struct JSONWebKey {
    let members: JSONObject
    /// Its place in the set, for errors.
    let place: Int

    private static let privateNames = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"]

    func refusePrivateMembers() throws(KeySetError) {
        for name in Self.privateNames where members[name] != nil { throw .privateMember(key: place, name: name) }
    }

    func keyID() throws(KeySetError) -> JSONString {
        guard let bytes = members["kid"]?.utf8, (1...TokenLimits.identifierBytesMax).contains(bytes.count) else {
            throw expected("kid", "a string of 1 to \(TokenLimits.identifierBytesMax) bytes")
        }
        return JSONString(utf8: bytes)
    }

    /// The one algorithm that the key is for; `use` and `key_ops`, where given, must not speak against signatures.
    func algorithm() throws(KeySetError) -> SignatureAlgorithm {
        guard let name = members["alg"]?.string, let algorithm = SignatureAlgorithm(jose: name) else {
            throw expected("alg", "one of Ed25519, EdDSA, ES256, ES384, PS256, RS256")
        }
        if let use = members["use"], use.utf8 != Array("sig".utf8) { throw expected("use", "\"sig\"") }
        if let operations = members["key_ops"] {
            let allowed = [Array("verify".utf8), Array("sign".utf8)]
            guard let list = operations.array, !list.isEmpty,
                list.allSatisfy({ operation in allowed.contains { $0 == operation.utf8 } })
            else { throw expected("key_ops", "[\"verify\"]") }
        }
        return algorithm
    }

    func publicMembers(_ algorithm: SignatureAlgorithm) throws(KeySetError) -> PublicKeyMembers {
        switch algorithm {
        case .ed25519:
            try require("kty", "OKP")
            try require("crv", "Ed25519")
            return .okp(x: try bytes("x"))
        case .es256, .es384:
            try require("kty", "EC")
            try require("crv", algorithm == .es256 ? "P-256" : "P-384")
            return .ec(x: try bytes("x"), y: try bytes("y"))
        case .ps256, .rs256:
            try require("kty", "RSA")
            return .rsa(n: try bytes("n"), e: try bytes("e"))
        }
    }

    /// A member that is canonical base64url.
    func bytes(_ name: String) throws(KeySetError) -> [UInt8] {
        guard let text = members[name]?.string, !text.isEmpty, let bytes = Base64.url.decode(text) else {
            throw expected(name, "canonical base64url")
        }
        return bytes
    }

    private func require(_ name: String, _ value: String) throws(KeySetError) {
        guard members[name]?.utf8 == Array(value.utf8) else { throw expected(name, "\"\(value)\"") }
    }

    private func expected(_ name: String, _ what: String) -> KeySetError {
        .member(key: place, name: name, expected: what)
    }
}

extension PrivateKey {
    /// A key of one private JWK (not a set); `alg` must be there.
    package convenience init(jwk text: [UInt8]) throws(KeySetError) {
        let value: JSONValue
        do throws(JSONError) {
            value = try JSONValue(parsing: text, depthMax: TokenLimits.nestingMax, bytesMax: TokenLimits.keySetBytesMax)
        } catch { throw .json(error) }
        guard let members = value.object else { throw .keys }
        let jwk = JSONWebKey(members: members, place: 0)
        let algorithm = try jwk.algorithm()
        let numbers = try jwk.publicMembers(algorithm)
        let secret = try jwk.bytes("d")
        do throws(KeyError) { try self.init(algorithm, numbers, d: secret) } catch { throw .key(key: 0, error) }
    }
}

extension PublicKey {
    /// The key as a JWK for a pinned set, with `kid`, `alg` and `use`.
    package func jwk(keyID: String) -> JSONValue {
        func text(_ bytes: [UInt8]) -> JSONValue { .text(Base64.url.encode(bytes)) }
        let names: (JSONValue, JSONValue, JSONValue) = (.text(keyID), .text(algorithm.rawValue), .text("sig"))
        switch members {
        case .okp(let x):
            return .object([
                "kty": .text("OKP"), "crv": .text("Ed25519"), "x": text(x), "kid": names.0, "alg": names.1,
                "use": names.2,
            ])
        case .ec(let x, let y):
            return .object([
                "kty": .text("EC"), "crv": .text(algorithm == .es384 ? "P-384" : "P-256"), "x": text(x), "y": text(y),
                "kid": names.0, "alg": names.1, "use": names.2,
            ])
        case .rsa(let n, let e):
            return .object([
                "kty": .text("RSA"), "n": text(n), "e": text(e), "kid": names.0, "alg": names.1, "use": names.2,
            ])
        }
    }
}
