internal import ArgumentParser
internal import DecisionLog
internal import JSON
internal import OpenSSL
internal import Tokens

/// `bailiwick keys`.
struct KeysCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "keys", abstract: "Makes the keys that Bailiwick uses.", subcommands: [KeysNew.self])
}

/// `bailiwick keys new`.
struct KeysNew: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "new", abstract: "Makes one key, in a new file that only its owner can read.",
        discussion: """
            issuer     signs authorizations: PKCS#8 in PEM; the public half is added to the JWKS file that gateways pin
            seal       seals residency tags: one line KEYID:base64(32 bytes)
            pseudonym  hides mailbox and object names in the log: the same form
            log        signs the log's checkpoints: C2SP's note form; prints the vkey that auditors need
            witness    cosigns checkpoints of others' logs: the same form, of type 0x04; prints the vkey for [log] witnesses

            An existing file is never overwritten.

            EXAMPLES
              bailiwick keys new --kind issuer --algorithm ES256 --kid ie-2026 --private issuer-ie.pem --jwks ie.jwks
              bailiwick keys new --kind seal --id dub1-2026 --private seal-dub1
              bailiwick keys new --kind log --name logs.example.org/dub1-gw1 --private log-key > log-key.vkey
            """)

    enum Kind: String, ExpressibleByArgument, CaseIterable { case issuer, seal, pseudonym, log, witness }

    @Option(help: "What the key is for.")
    var kind: Kind
    @Option(name: .customLong("private"), help: ArgumentHelp("The file for the private key.", valueName: "file"))
    var privatePath: String
    @Option(help: "issuer: Ed25519, ES256, ES384, PS256 or RS256.")
    var algorithm: SignatureAlgorithm = .es256
    @Option(help: "issuer: how tokens name the key.")
    var kid: String?
    @Option(
        help: ArgumentHelp("issuer: the key set to add the public key to; made where there is none.", valueName: "file")
    )
    var jwks: String?
    @Option(help: "seal, pseudonym: how tags and the log name the key.")
    var id: String?
    @Option(help: "log: the log's origin; witness: its name.")
    var name: String?

    func validate() throws {
        for (option, isGiven, kinds) in [
            ("--kid", kid != nil, [.issuer]), ("--jwks", jwks != nil, [.issuer]),
            ("--id", id != nil, [.seal, .pseudonym]),
            ("--name", name != nil, [.log, .witness]),
        ] as [(String, Bool, [Kind])] where isGiven && !kinds.contains(kind) {
            throw ValidationError("\(option) is not for a key of the kind \(kind.rawValue).")
        }
        switch kind {
        case .issuer:
            guard let kid, (1...TokenLimits.identifierBytesMax).contains(kid.utf8.count) else {
                throw ValidationError("An issuer's key needs --kid, such as --kid ie-2026.")
            }
            guard jwks != nil else {
                throw ValidationError("An issuer's key needs --jwks, the file that gateways pin.")
            }
        case .seal, .pseudonym:
            guard let id, Self.isKeyID(id) else {
                throw ValidationError(
                    "This kind of key needs --id: 1 to 64 of A-Z a-z 0-9 . _ -, such as --id dub1-2026.")
            }
        case .log, .witness:
            guard let name, Self.isNoteName(name) else {
                throw ValidationError(
                    "This kind of key needs --name without spaces and +, such as logs.example.org/dub1-gw1.")
            }
        }
    }

    func run() throws {
        switch kind {
        case .issuer: try makeIssuerKey(kid: kid ?? "", jwks: jwks ?? "")
        case .seal, .pseudonym: try makeSecret(id: id ?? "")
        case .log, .witness: try makeNoteKey(name: name ?? "")
        }
    }

    private func makeIssuerKey(kid: String, jwks: String) throws {
        guard !KeyFiles.exists(privatePath) else { throw KeyFileError.exists(privatePath) }
        var keys: [JSONValue] = []
        if KeyFiles.exists(jwks) {
            let file = try KeyFiles.read(jwks)
            let set = try KeySet(parsing: file)
            guard set[JSONString(kid)] == nil else { throw KeysError.keyIDTaken(kid, jwks) }
            keys = try JSONValue(parsing: file).object?["keys"]?.array ?? []
        }
        let key = try PrivateKey(generating: algorithm)
        let jwk = key.publicKey.jwk(keyID: kid)
        let file = KeySetText.lines(keys + [jwk])
        // A set that is too large would be taken by no gateway.
        do throws(KeySetError) { _ = try KeySet(parsing: file) } catch { throw KeysError.notTaken(jwks, error) }
        try KeyFiles.create(privatePath, try key.pem(), mode: 0o600)
        try KeyFiles.replace(jwks, file, mode: 0o644)
        try Output.text(String(decoding: jwk.utf8Text, as: UTF8.self) + "\n")
        KeyFiles.tell(
            """
            \(privatePath): the private key (\(algorithm.rawValue)). Keep it in the issuer's jurisdiction, with persons whom no foreign \
            order reaches.
            \(jwks): \(keys.count + 1) public key\(keys.isEmpty ? "" : "s"). Gateways read it at the next reload.
            """)
    }

    private func makeSecret(id: String) throws {
        let line = "\(id):\(Base64.standard.encode(randomBytes(32)))\n"
        try KeyFiles.create(privatePath, Array(line.utf8), mode: 0o600)
        KeyFiles.tell(
            kind == .seal
                ? "\(privatePath): the seal key \(id). To rotate, put it first in seal_keys and leave the others behind it."
                : "\(privatePath): the pseudonym key \(id). Destroying it later erases the names that it hides.")
    }

    /// C2SP signed-note: the hash is the first four bytes of SHA-256(name, LF, type, public key).
    private func makeNoteKey(name: String) throws {
        let seed = randomBytes(32)
        let publicKey = try Ed25519PrivateKey(seed: seed).publicKey.bytes
        let type: NoteSignatureType = kind == .witness ? .cosignature : .ed25519
        let typed = [type.rawValue] + publicKey
        let hash = Hex.encode(Array(SHA256Digest(hashing: Array(name.utf8) + [0x0A] + typed).bytes.prefix(4)))
        let line = "PRIVATE+KEY+\(name)+\(hash)+\(Base64.standard.encode([type.rawValue] + seed))\n"
        try KeyFiles.create(privatePath, Array(line.utf8), mode: 0o600)
        try Output.text("\(name)+\(hash)+\(Base64.standard.encode(typed))\n")
        KeyFiles.tell("\(privatePath): the \(kind.rawValue)'s signing key. What was printed verifies it: publish it.")
    }

    private static func isKeyID(_ id: String) -> Bool {
        (1...64).contains(id.utf8.count)
            && id.utf8.allSatisfy {
                switch $0 {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
                    true
                default: false
                }
            }
    }

    private static func isNoteName(_ name: String) -> Bool {
        !name.isEmpty && !name.unicodeScalars.contains { $0 == "+" || $0.properties.isWhitespace || $0.value < 0x20 }
    }
}

/// A key set that people can read: one key a line.
enum KeySetText {
    static func lines(_ keys: [JSONValue]) -> [UInt8] {
        let lines = keys.map { "  " + String(decoding: $0.utf8Text, as: UTF8.self) }
        return Array("{\"keys\":[\n\(lines.joined(separator: ",\n"))\n]}\n".utf8)
    }
}

/// Why a key is not made.
enum KeysError: Error, Hashable, CustomStringConvertible {
    case keyIDTaken(String, String)
    case notTaken(String, KeySetError)

    var description: String {
        switch self {
        case .notTaken(let path, let error): "\(path) with this key would be refused by gateways: \(error)"
        case .keyIDTaken(let id, let path): "\(path) already has a key with kid \(quoted(id)): choose another --kid"
        }
    }
}

extension SignatureAlgorithm: ExpressibleByArgument {
    /// By its JOSE name.
    public init?(argument: String) { self.init(jose: argument) }

    public static var allValueStrings: [String] { allCases.map(\.rawValue) }
}
