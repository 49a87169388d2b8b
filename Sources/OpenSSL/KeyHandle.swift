internal import COpenSSL

/// Owns one EVP_PKEY, which libcrypto lets threads share as long as nobody changes it; nobody here does.
@safe struct KeyHandle: ~Copyable, @unchecked Sendable {
    let pointer: OpaquePointer

    init(owning pointer: OpaquePointer) { unsafe self.pointer = pointer }

    deinit { unsafe EVP_PKEY_free(pointer) }

    /// One number or string that a key is made of.
    enum Part {
        case name(StaticString)
        case octets([UInt8])
        case number([UInt8])
    }

    /// Which parts `EVP_PKEY_fromdata` is to find: OSSL_KEYMGMT_SELECT_* of core_dispatch.h, whose macros Swift does not see.
    private static let publicParts: Int32 = 0x86
    private static let allParts: Int32 = 0x87

    /// A key of numbers.
    /// - Throws: `.invalid` where the numbers are not those of a key: a point off the curve, an even modulus.
    init(type: StaticString, _ parts: [(name: StaticString, part: Part)], hasPrivate: Bool) throws(KeyError) {
        ERR_clear_error()
        defer { ERR_clear_error() }
        guard let builder = unsafe OSSL_PARAM_BLD_new() else { throw .library("OSSL_PARAM_BLD_new") }
        defer { unsafe OSSL_PARAM_BLD_free(builder) }
        // The builder keeps the pointers of names, strings and numbers until its parameters are made.
        var kept = KeptParts()
        defer { kept.free() }
        for (name, part) in parts {
            let label = unsafe UnsafeRawPointer(name.utf8Start).assumingMemoryBound(to: CChar.self)
            let isPushed: Int32
            switch part {
            case .name(let text):
                isPushed = unsafe OSSL_PARAM_BLD_push_utf8_string(
                    builder, label, UnsafeRawPointer(text.utf8Start).assumingMemoryBound(to: CChar.self), 0)
            case .octets(let bytes):
                let buffer = unsafe kept.keep(octets: bytes)
                isPushed = unsafe OSSL_PARAM_BLD_push_octet_string(builder, label, buffer.baseAddress, buffer.count)
            case .number(let bytes):
                isPushed = unsafe OSSL_PARAM_BLD_push_BN(builder, label, kept.keep(number: bytes))
            }
            guard isPushed == 1 else { throw .library("OSSL_PARAM_BLD_push") }
        }
        guard let parameters = unsafe OSSL_PARAM_BLD_to_param(builder) else {
            throw .library("OSSL_PARAM_BLD_to_param")
        }
        defer { unsafe OSSL_PARAM_free(parameters) }
        let typeName = unsafe UnsafeRawPointer(type.utf8Start).assumingMemoryBound(to: CChar.self)
        guard let context = unsafe EVP_PKEY_CTX_new_from_name(nil, typeName, nil) else {
            throw .library("EVP_PKEY_CTX_new_from_name")
        }
        defer { unsafe EVP_PKEY_CTX_free(context) }
        var made: OpaquePointer?
        guard unsafe EVP_PKEY_fromdata_init(context) == 1,
            unsafe EVP_PKEY_fromdata(context, &made, hasPrivate ? Self.allParts : Self.publicParts, parameters) == 1,
            let made = unsafe made
        else { throw .invalid }
        guard unsafe Self.isValid(made) else {
            unsafe EVP_PKEY_free(made)
            throw .invalid
        }
        unsafe pointer = made
    }

    /// Is the public part possible: a point on the curve and in the group, a modulus without small factors?
    @unsafe private static func isValid(_ key: OpaquePointer) -> Bool {
        guard let check = unsafe EVP_PKEY_CTX_new_from_pkey(nil, key, nil) else { return false }
        defer { unsafe EVP_PKEY_CTX_free(check) }
        return unsafe EVP_PKEY_public_check(check) == 1
    }

    /// A new key pair for an algorithm; RSA gets 3,072 bits.
    init(generatingFor algorithm: SignatureAlgorithm) throws(KeyError) {
        ERR_clear_error()
        defer { ERR_clear_error() }
        let type = unsafe EVP_PKEY_CTX_new_from_name(nil, algorithm.keyTypeName, nil)
        guard let context = unsafe type else { throw .library("EVP_PKEY_CTX_new_from_name") }
        defer { unsafe EVP_PKEY_CTX_free(context) }
        var isReady = unsafe EVP_PKEY_keygen_init(context) == 1
        switch algorithm {
        case .ed25519: break
        case .es256, .es384:
            if let curve = algorithm.curve {
                isReady = unsafe isReady && EVP_PKEY_CTX_set_group_name(context, "\(curve.groupName)") == 1
            }
        case .ps256, .rs256: isReady = unsafe isReady && EVP_PKEY_CTX_set_rsa_keygen_bits(context, 3072) == 1
        }
        var made: OpaquePointer?
        guard isReady, unsafe EVP_PKEY_generate(context, &made) == 1, let made = unsafe made else {
            throw .library("EVP_PKEY_generate")
        }
        unsafe pointer = made
    }

    /// Is this a key that the algorithm is for?
    func fits(_ algorithm: SignatureAlgorithm) -> Bool {
        guard unsafe EVP_PKEY_is_a(pointer, algorithm.keyTypeName) == 1 else { return false }
        guard let curve = algorithm.curve else { return true }
        var name = [CChar](repeating: 0, count: 64)
        var count = 0
        guard unsafe EVP_PKEY_get_group_name(pointer, &name, name.count, &count) == 1 else { return false }
        return name.prefix(count).map { UInt8(bitPattern: $0) } == Array(curve.groupName.description.utf8)
    }

    /// One of the key's numbers, big-endian: without leading zeros, or padded to `width` bytes.
    func number(_ name: StaticString, width: Int? = nil) throws(KeyError) -> [UInt8] {
        var number: OpaquePointer?
        defer { unsafe BN_clear_free(number) }
        guard unsafe EVP_PKEY_get_bn_param(pointer, "\(name)", &number) == 1 else {
            ERR_clear_error()
            throw .invalid
        }
        let count = unsafe width ?? Int((BN_num_bits(number) + 7) / 8)
        var bytes = [UInt8](repeating: 0, count: count)
        guard unsafe BN_bn2binpad(number, &bytes, Int32(count)) == Int32(count) else { throw .invalid }
        return bytes
    }
}

/// What a parameter builder points to, until it is done.
@safe private struct KeptParts {
    private var numbers: [OpaquePointer] = unsafe []
    private var buffers: [UnsafeMutableBufferPointer<UInt8>] = unsafe []

    @unsafe mutating func keep(number bytes: [UInt8]) -> OpaquePointer? {
        guard let number = unsafe BN_bin2bn(bytes, Int32(bytes.count), nil) else { return nil }
        unsafe numbers.append(number)
        return unsafe number
    }

    @unsafe mutating func keep(octets bytes: [UInt8]) -> UnsafeMutableBufferPointer<UInt8> {
        let buffer = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: bytes.count)
        _ = unsafe buffer.initialize(from: bytes)
        unsafe buffers.append(buffer)
        return unsafe buffer
    }

    mutating func free() {
        while let number = unsafe numbers.popLast() { unsafe BN_clear_free(number) }
        while let buffer = unsafe buffers.popLast() { unsafe buffer.deallocate() }
    }
}

extension SignatureAlgorithm {
    /// libcrypto's name of the key type.
    var keyTypeName: String {
        switch self {
        case .ed25519: "ED25519"
        case .es256, .es384: "EC"
        case .ps256, .rs256: "RSA"
        }
    }
}
