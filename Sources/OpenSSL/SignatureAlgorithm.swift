/// The signature algorithms of DESIGN section 5, by their JOSE names (RFC 7518, RFC 8037, RFC 9864). A key is for exactly one.
package enum SignatureAlgorithm: String, Hashable, Sendable, CaseIterable {
    case ed25519 = "Ed25519"
    case es256 = "ES256"
    case es384 = "ES384"
    case ps256 = "PS256"
    case rs256 = "RS256"

    /// What is hashed before the signature proper; Ed25519 hashes for itself.
    var hash: HashAlgorithm? {
        switch self {
        case .ed25519: nil
        case .es256, .ps256, .rs256: .sha256
        case .es384: .sha384
        }
    }

    /// The elliptic curve of an ECDSA algorithm.
    package var curve: Curve? {
        switch self {
        case .es256: .p256
        case .es384: .p384
        case .ed25519, .ps256, .rs256: nil
        }
    }
}

/// The two curves that JOSE's ECDSA is used with here (SEC 2: secp256r1 and secp384r1).
package enum Curve: Sendable {
    case p256, p384

    /// Bytes in a coordinate, in a private scalar and in each half of a signature.
    package var coordinateBytes: Int {
        switch self {
        case .p256: 32
        case .p384: 48
        }
    }

    /// libcrypto's name of the group.
    var groupName: StaticString {
        switch self {
        case .p256: "prime256v1"
        case .p384: "secp384r1"
        }
    }

    /// The group's order n, big-endian (FIPS 186-4, D.1.2): each half of a signature lies in 1..<n.
    var order: [UInt8] {
        switch self {
        case .p256: Self.orderP256
        case .p384: Self.orderP384
        }
    }

    private static let orderP256: [UInt8] = [
        0xFF, 0xFF, 0xFF, 0xFF, 0x00, 0x00, 0x00, 0x00, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
        0xBC, 0xE6, 0xFA, 0xAD, 0xA7, 0x17, 0x9E, 0x84, 0xF3, 0xB9, 0xCA, 0xC2, 0xFC, 0x63, 0x25, 0x51,
    ]
    private static let orderP384: [UInt8] = [
        0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
        0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xC7, 0x63, 0x4D, 0x81, 0xF4, 0x37, 0x2D, 0xDF,
        0x58, 0x1A, 0x0D, 0xB2, 0x48, 0xB0, 0xA7, 0x7A, 0xEC, 0xEC, 0x19, 0x6A, 0xCC, 0xC5, 0x29, 0x73,
    ]
}

/// Why bytes are not a key that is used here.
package enum KeyError: Error, Hashable, Sendable, CustomStringConvertible {
    /// A member has another count of bytes than the key type asks, or leading zeros.
    case length
    /// The point is not on the curve, the modulus or exponent not a possible one, or the private part not of the public.
    case invalid
    /// An RSA modulus outside 2,048 to 8,192 bits.
    case modulusBits(Int)
    /// Not one unencrypted PKCS#8 `PRIVATE KEY` block in PEM.
    case notPEM
    /// A key of another type or curve than the algorithm is for.
    case otherType
    /// libcrypto failed where valid arguments should not.
    case library(String)

    /// The first line of an unencrypted PKCS#8 block (RFC 7468, section 10).
    static let pkcs8Begin = "-----BEGIN " + "PRIVATE KEY-----"

    package var description: String {
        switch self {
        case .length: "a part of the key has the wrong length"
        case .invalid: "the key is not a valid one"
        case .modulusBits(let bits): "an RSA modulus of \(bits) bits: \(KeyLimits.modulusBits) are taken"
        case .notPEM: "not one unencrypted PKCS#8 block (\(Self.pkcs8Begin))"
        case .otherType: "the key is of a type or curve that the algorithm is not for"
        case .library(let call): "libcrypto: \(call)"
        }
    }
}

/// Bounds on keys that come from outside.
package enum KeyLimits {
    /// Fewer is weak (RFC 7518, section 3.3); more lets one signature cost milliseconds.
    package static let modulusBits = 2048...8192
    /// F4 is 3 bytes; a long exponent makes verification slow.
    package static let exponentBytesMax = 8
    package static let pemBytesMax = 16_384
}
