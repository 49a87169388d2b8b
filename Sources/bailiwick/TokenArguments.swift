internal import ArgumentParser
internal import Glibc
internal import OpenSSL
internal import Residency
internal import Tokens

extension Jurisdiction: ExpressibleByArgument {
    /// An ISO 3166 code.
    public init?(argument: String) { self.init(argument) }
}

extension Timestamp: ExpressibleByArgument {
    /// RFC 3339, such as 2026-11-27T17:00:00Z.
    public init?(argument: String) { self.init(rfc3339: argument) }
}

extension LegalBasis.Requester: ExpressibleByArgument {}

/// A class of data on the command line.
enum DataClassArgument: String, ExpressibleByArgument, CaseIterable {
    case traffic, content, relocate

    var data: DataClasses {
        switch self {
        case .traffic: .traffic
        case .content: .content
        case .relocate: .relocate
        }
    }
}

/// A certificate's SHA-256, as `cnf` carries it.
enum CertificateFile {
    private static let begin = "-----BEGIN CERTIFICATE-----"
    private static let end = "-----END CERTIFICATE-----"

    /// Of the first certificate in a PEM file (RFC 7468), which is the leaf's place.
    static func fingerprint(_ path: String) throws -> [UInt8] {
        let lines = String(decoding: try KeyFiles.read(path), as: UTF8.self).split(whereSeparator: \.isNewline)
            .map { $0.trimmed }
        guard let first = lines.firstIndex(of: begin), let last = lines[first...].firstIndex(of: end),
            let der = Base64.standard.decode(lines[(first + 1)..<last].joined()), der.first == 0x30
        else { throw TokenCommandError.noCertificate(path) }
        return SHA256Digest(hashing: der).bytes
    }
}

extension Substring {
    fileprivate var trimmed: String {
        String(drop { $0 == " " || $0 == "\t" }.reversed().drop { $0 == " " || $0 == "\t" }.reversed())
    }
}

/// The clock.
enum Clock {
    static func now() -> Timestamp {
        var time = timespec()
        unsafe clock_gettime(CLOCK_REALTIME, &time)
        return Timestamp(microseconds: Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000)
    }
}

/// Why one of the token commands cannot do what it was asked.
enum TokenCommandError: Error, CustomStringConvertible {
    case noCertificate(String)
    case key(String, KeyError)
    case keySet(String, KeySetError)
    case malformed(MalformedToken)
    case unknownKey(String, String)
    case signature
    case revocations(String, RevocationListError)
    case denyList(String, DenyListError)
    case issuers

    var description: String {
        switch self {
        case .noCertificate(let path): "\(path) holds no certificate in PEM"
        case .key(let path, let error): "\(path): \(error)"
        case .keySet(let path, let error): "\(path): \(error)"
        case .malformed(let error): "the token is malformed: \(error)"
        case .unknownKey(let id, let path): "\(path) has no key with kid \(quoted(id))"
        case .signature:
            "the signature does not verify over the request under that key: was it made of exactly those bytes, by that key?"
        case .revocations(let path, let error): "\(path): \(error)"
        case .denyList(let path, let error): "\(path): \(error)"
        case .issuers: "the issuers could not be read"
        }
    }
}

/// Files that the token commands share.
enum TokenFiles {
    /// A private key: PKCS#8 in PEM, or a private JWK.
    static func privateKey(_ path: String, _ algorithm: SignatureAlgorithm?) throws -> PrivateKey {
        let file = try KeyFiles.readPrivate(path)
        if file.first == UInt8(ascii: "{") {
            let key: PrivateKey
            do throws(KeySetError) { key = try PrivateKey(jwk: file) } catch {
                throw TokenCommandError.keySet(path, error)
            }
            guard key.algorithm == algorithm ?? key.algorithm else { throw TokenCommandError.key(path, .otherType) }
            return key
        }
        do throws(KeyError) { return try PrivateKey(pem: file, algorithm: algorithm) } catch {
            throw TokenCommandError.key(path, error)
        }
    }

    static func keySet(_ path: String) throws -> KeySet {
        let file = try KeyFiles.read(path)
        do throws(KeySetError) { return try KeySet(parsing: file) } catch {
            throw TokenCommandError.keySet(path, error)
        }
    }
}
