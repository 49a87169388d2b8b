internal import COpenSSL

/// libcrypto's table of the multiples of one point on P-256: a copy of the group whose generator is that point. Multiplying the point by
/// a number takes a sixth of the time with it. Threads share it: nothing changes it once it is made. 151,552 bytes.
@safe final class FixedBaseTable: @unchecked Sendable {
    /// An `EC_GROUP`.
    fileprivate let group: OpaquePointer

    /// Takes about 25 ms. Nil where the coordinates, 32 bytes each, are not those of a point on the curve, and where libcrypto makes no
    /// table for the curve: precomputation is deprecated since 3.0.
    init?(x: [UInt8], y: [UInt8]) {
        defer { clearErrors() }
        guard x.count == 32, y.count == 32, let p256 = P256.shared, let group = unsafe EC_GROUP_dup(p256.group) else {
            return nil
        }
        unsafe self.group = group
        guard let point = unsafe EC_POINT_new(p256.group) else { return nil }
        defer { unsafe EC_POINT_free(point) }
        let octets = [0x04] + x + y
        // The general code for prime fields keeps a table too, but multiplies one point without it.
        guard unsafe EC_GROUP_method_of(group) != EC_GFp_mont_method(),
            unsafe EC_POINT_oct2point(p256.group, point, octets, octets.count, nil) == 1,
            unsafe EC_GROUP_set_generator(group, point, p256.order, BN_value_one()) == 1,
            unsafe EC_GROUP_precompute_mult(group, nil) == 1, unsafe EC_GROUP_have_precompute_mult(group) == 1,
            unsafe isOf(point, p256)
        else { return nil }
    }

    deinit { unsafe EC_GROUP_free(group) }

    /// Is a multiple by the table one of the point's? Were it one of the curve's generator, everybody could sign.
    @unsafe private func isOf(_ point: OpaquePointer, _ p256: P256) -> Bool {
        let (fixed, general) = unsafe (EC_POINT_new(p256.group), EC_POINT_new(p256.group))
        defer {
            unsafe EC_POINT_free(fixed)
            unsafe EC_POINT_free(general)
        }
        return unsafe EC_POINT_mul(group, fixed, p256.exponent, nil, nil, nil) == 1
            && EC_POINT_mul(p256.group, general, nil, point, p256.exponent, nil) == 1
            && EC_POINT_cmp(p256.group, fixed, general, nil) == 0
    }
}

/// The equation of an ES256 signature (FIPS 186-5, section 6.4.2), with the numbers and points that it takes. One thread uses it at a
/// time. All of it is public, so that time may depend on it.
@safe final class P256Equation: @unchecked Sendable {
    private let p256: P256
    private let numbers: OpaquePointer
    private let sum: OpaquePointer
    private let term: OpaquePointer

    /// Nil when libcrypto is out of memory.
    init?() {
        defer { clearErrors() }
        guard let p256 = P256.shared else { return nil }
        let (numbers, sum, term) = unsafe (BN_CTX_new(), EC_POINT_new(p256.group), EC_POINT_new(p256.group))
        guard let numbers = unsafe numbers, let sum = unsafe sum, let term = unsafe term else {
            unsafe BN_CTX_free(numbers)
            unsafe EC_POINT_free(sum)
            unsafe EC_POINT_free(term)
            return nil
        }
        self.p256 = p256
        unsafe self.numbers = numbers
        unsafe self.sum = sum
        unsafe self.term = term
    }

    deinit {
        unsafe EC_POINT_free(term)
        unsafe EC_POINT_free(sum)
        unsafe BN_CTX_free(numbers)
    }

    /// Is r the abscissa, modulo n, of [e / s]G + [r / s]Q?
    /// - Parameters:
    ///   - signature: r || s, both in 1..<n: 64 bytes.
    ///   - digest: e, 32 bytes.
    ///   - table: of Q.
    /// - Returns: nil where libcrypto failed.
    func holds(_ signature: [UInt8], _ digest: [UInt8], _ table: FixedBaseTable) -> Bool? {
        guard signature.count == 64, digest.count == 32 else { return nil }
        unsafe BN_CTX_start(numbers)
        defer {
            unsafe BN_CTX_end(numbers)
            clearErrors()
        }
        let (r, s, u) = unsafe (BN_CTX_get(numbers), BN_CTX_get(numbers), BN_CTX_get(numbers))
        // The last is nil where one before it is.
        guard let v = unsafe BN_CTX_get(numbers), unsafe BN_bin2bn(digest, 32, u) != nil,
            unsafe signature.withUnsafeBufferPointer({ halves in
                unsafe BN_bin2bn(halves.baseAddress, 32, r) != nil
                    && BN_bin2bn(halves.baseAddress.map { unsafe $0 + 32 }, 32, s) != nil
            }),
            unsafe invert(s), unsafe BN_nnmod(u, u, p256.order, numbers) == 1,
            unsafe BN_mod_mul_montgomery(u, u, s, p256.reduction, numbers) == 1,
            unsafe BN_mod_mul_montgomery(v, r, s, p256.reduction, numbers) == 1,
            unsafe EC_POINT_mul(p256.group, sum, u, nil, nil, numbers) == 1,
            unsafe EC_POINT_mul(table.group, term, v, nil, nil, numbers) == 1,
            unsafe EC_POINT_add(p256.group, sum, sum, term, numbers) == 1
        else { return nil }
        if unsafe EC_POINT_is_at_infinity(p256.group, sum) == 1 { return false }
        guard unsafe EC_POINT_get_affine_coordinates(p256.group, sum, v, nil, numbers) == 1,
            unsafe BN_nnmod(v, v, p256.order, numbers) == 1
        else { return nil }
        return unsafe BN_cmp(v, r) == 0
    }

    /// s^(n - 2) is 1 / s modulo the prime n. In Montgomery's form, so that a product with it is none any more.
    @unsafe private func invert(_ s: OpaquePointer?) -> Bool {
        unsafe BN_mod_exp_mont(s, s, p256.exponent, p256.order, numbers, p256.reduction) == 1
            && BN_to_montgomery(s, s, p256.reduction, numbers) == 1
    }
}

/// What all of this shares, as long as the process lives: libcrypto only reads it.
@safe private struct P256: @unchecked Sendable {
    /// The `EC_GROUP`, whose generator has a table of libcrypto's own.
    let group: OpaquePointer
    /// n.
    let order: OpaquePointer
    /// n - 2.
    let exponent: OpaquePointer
    /// The `BN_MONT_CTX` of n.
    let reduction: OpaquePointer

    static let shared = P256()

    private init?() {
        let numbers = unsafe BN_CTX_new()
        defer { unsafe BN_CTX_free(numbers) }
        guard let numbers = unsafe numbers, let group = unsafe EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1),
            let order = unsafe EC_GROUP_get0_order(group), let exponent = unsafe BN_dup(order),
            unsafe BN_sub_word(exponent, 2) == 1, let reduction = unsafe BN_MONT_CTX_new(),
            unsafe BN_MONT_CTX_set(reduction, order, numbers) == 1
        else { return nil }
        unsafe self.group = group
        unsafe self.order = order
        unsafe self.exponent = exponent
        unsafe self.reduction = reduction
    }
}

/// Looks before it clears, which writes some hundred bytes.
private func clearErrors() { if ERR_peek_error() != 0 { ERR_clear_error() } }
