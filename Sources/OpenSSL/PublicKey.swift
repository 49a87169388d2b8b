internal import COpenSSL
internal import Synchronization

/// The numbers of a public key, as a JWK carries them (RFC 7518, section 6; RFC 8037), big-endian.
package enum PublicKeyMembers: Hashable, Sendable {
    /// Ed25519: 32 bytes.
    case okp(x: [UInt8])
    /// The coordinates, each of the curve's width.
    case ec(x: [UInt8], y: [UInt8])
    /// Without leading zeros.
    case rsa(n: [UInt8], e: [UInt8])
}

/// A public key for exactly one signature algorithm, so that no message can choose how it is verified. Shared between threads:
/// each verification takes an idle context of libcrypto's, or makes one.
package final class PublicKey: Sendable {
    package let algorithm: SignatureAlgorithm
    package let members: PublicKeyMembers
    private let form: Form

    private enum Form: Sendable {
        case edwards(Ed25519PublicKey)
        case digesting(DigestVerifiers)
    }

    /// - Throws: `KeyError` where the members are not those of a key for the algorithm.
    package init(_ algorithm: SignatureAlgorithm, _ members: PublicKeyMembers) throws(KeyError) {
        self.algorithm = algorithm
        self.members = members
        switch (algorithm, members) {
        case (.ed25519, .okp(let x)):
            guard x.count == 32 else { throw .length }
            do { form = .edwards(try Ed25519PublicKey(x)) } catch { throw .invalid }
        case (.es256, .ec), (.es384, .ec), (.ps256, .rsa), (.rs256, .rsa):
            form = .digesting(DigestVerifiers(key: try members.handle(for: algorithm, private: nil), algorithm))
        default: throw .otherType
        }
    }

    /// Is this signature, in JOSE's form, of this message by this key? Never takes DER.
    package func verify(_ signature: [UInt8], of message: [UInt8]) -> Bool {
        switch form {
        case .edwards(let key): key.verify(signature, of: message)
        case .digesting(let verifiers): isOfFullLength(signature) && verifiers.verify(signature) { $0.digest(message) }
        }
    }

    /// An RSA signature is as long as the modulus (RFC 8017, sections 8.1.2 and 8.2.2, step 1): libcrypto takes one of
    /// PSS without its leading zeros too, and one token would have two forms.
    private func isOfFullLength(_ signature: [UInt8]) -> Bool {
        if case .rsa(let n, _) = members { signature.count == n.drop { $0 == 0 }.count } else { true }
    }

    /// Makes a table of an ES256 key's multiples, with which `verify` takes half the time from then on: about 25 ms and 151,552 bytes,
    /// once. No effect on a key for another algorithm, or where libcrypto has no such tables. Any thread may call it; until it is done
    /// EVP verifies.
    package func precompute() {
        guard algorithm == .es256, case .ec(let x, let y) = members, case .digesting(let verifiers) = form,
            verifiers.table.load() == nil, let table = FixedBaseTable(x: x, y: y)
        else { return }
        _ = verifiers.table.storeIfNil(table)
    }

    /// Shares the table of an equal key that has one.
    package func adoptTable(of other: PublicKey) {
        guard algorithm == other.algorithm, members == other.members, case .digesting(let verifiers) = form,
            case .digesting(let others) = other.form, let table = others.table.load()
        else { return }
        _ = verifiers.table.storeIfNil(table)
    }

    /// The table with which `verify` goes, once there is one.
    var table: FixedBaseTable? {
        if case .digesting(let verifiers) = form { verifiers.table.load() } else { nil }
    }

    /// The same of a digest, for those that no known message has.
    func verify(_ signature: [UInt8], ofDigest digest: [UInt8]) -> Bool {
        if case .digesting(let verifiers) = form { verifiers.verify(signature) { _ in digest } } else { false }
    }
}

extension PublicKeyMembers {
    /// A key of libcrypto's, with the private number of an elliptic curve (`d`) or of RSA where there is one.
    func handle(for algorithm: SignatureAlgorithm, private number: [UInt8]?) throws(KeyError) -> KeyHandle {
        switch self {
        case .okp: throw .otherType
        case .ec(let x, let y):
            guard let curve = algorithm.curve else { throw .otherType }
            guard x.count == curve.coordinateBytes, y.count == x.count, (number?.count ?? x.count) == x.count else {
                throw .length
            }
            var parts: [(StaticString, KeyHandle.Part)] = [
                ("group", .name(curve.groupName)), ("pub", .octets([0x04] + x + y)),
            ]
            if let number { parts.append(("priv", .number(number))) }
            return try KeyHandle(type: "EC", parts, hasPrivate: number != nil)
        case .rsa(let n, let e):
            guard let top = n.first, top != 0, let first = e.first, first != 0, e.count <= KeyLimits.exponentBytesMax
            else {
                throw .length
            }
            let bits = n.count * 8 - top.leadingZeroBitCount
            guard KeyLimits.modulusBits.contains(bits) else { throw .modulusBits(bits) }
            guard let low = n.last, low & 1 == 1, let odd = e.last, odd & 1 == 1, e != [1] else { throw .invalid }
            var parts: [(StaticString, KeyHandle.Part)] = [("n", .number(n)), ("e", .number(e))]
            if let number { parts.append(("d", .number(number))) }
            return try KeyHandle(type: "RSA", parts, hasPrivate: number != nil)
        }
    }
}

/// Contexts that are ready to verify by one key: making one costs a fifth of an ES256 verification.
private final class DigestVerifiers: Sendable {
    /// More threads than that verify by one key only now and then.
    private static let idleMax = 16

    private let key: KeyHandle
    private let algorithm: SignatureAlgorithm
    private let idle = Mutex<[DigestVerifier]>([])
    /// Of an ES256 key, once it was asked for.
    let table = AtomicLazyReference<FixedBaseTable>()

    init(key: consuming KeyHandle, _ algorithm: SignatureAlgorithm) {
        self.key = key
        self.algorithm = algorithm
    }

    /// - Parameter digest: makes the digest that is signed.
    func verify(_ signature: [UInt8], of digest: (DigestVerifier) -> [UInt8]) -> Bool {
        guard let verifier = idle.withLock({ $0.popLast() }) ?? DigestVerifier(key, algorithm) else { return false }
        let isValid = verifier.verify(signature, of: digest(verifier), by: table.load())
        idle.withLock { if $0.count < Self.idleMax { $0.append(verifier) } }
        return isValid
    }
}

/// One EVP_PKEY_CTX, set up to verify digests, with the hasher that makes them. One thread uses it at a time.
@safe private final class DigestVerifier: @unchecked Sendable {
    private let context: OpaquePointer
    private let curve: Curve?
    private let hash: HashAlgorithm
    private var hasher: Hasher
    private var equation: P256Equation?

    /// Nil when libcrypto is out of memory.
    init?(_ key: borrowing KeyHandle, _ algorithm: SignatureAlgorithm) {
        guard let hash = algorithm.hash, let context = unsafe EVP_PKEY_CTX_new_from_pkey(nil, key.pointer, nil) else {
            ERR_clear_error()
            return nil
        }
        unsafe self.context = context
        self.hash = hash
        curve = algorithm.curve
        hasher = Hasher(hash)
        guard unsafe EVP_PKEY_verify_init(context) == 1, unsafe algorithm.configure(context) else {
            ERR_clear_error()
            return nil
        }
    }

    deinit { unsafe EVP_PKEY_CTX_free(context) }

    func digest(_ message: [UInt8]) -> [UInt8] {
        hasher.update(message)
        return hasher.finish()
    }

    /// - Parameter table: of the key, where it has one.
    func verify(_ signature: [UInt8], of digest: [UInt8], by table: FixedBaseTable?) -> Bool {
        if let table, let isValid = solve(signature, digest, table) { return isValid }
        var form = signature
        if let curve {
            guard let der = ECDSASignature.der(raw: signature, curve: curve) else { return false }
            form = der
        }
        ERR_clear_error()
        defer { ERR_clear_error() }
        return unsafe EVP_PKEY_verify(context, form, form.count, digest, digest.count) == 1
    }

    /// Nil where libcrypto failed: EVP is asked then.
    private func solve(_ signature: [UInt8], _ digest: [UInt8], _ table: FixedBaseTable) -> Bool? {
        guard ECDSASignature.isInRange(signature, .p256) else { return false }
        if equation == nil { equation = P256Equation() }
        return equation?.holds(signature, digest, table)
    }
}

extension SignatureAlgorithm {
    /// Sets hash and padding of a context that is initialised to sign or to verify. PSS salts are exactly as long as the hash
    /// (RFC 7518, section 3.5).
    @unsafe func configure(_ context: OpaquePointer) -> Bool {
        guard let hash, unsafe EVP_PKEY_CTX_set_signature_md(context, hash.method) == 1 else { return false }
        switch self {
        case .ed25519, .es256, .es384: return true
        case .rs256: return unsafe EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) == 1
        case .ps256:
            return unsafe EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) == 1
                && EVP_PKEY_CTX_set_rsa_mgf1_md(context, hash.method) == 1
                && EVP_PKEY_CTX_set_rsa_pss_saltlen(context, Int32(hash.byteCount)) == 1
        }
    }
}
