internal import CGMP
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
        return unsafe EC_POINT_mul(group, fixed, p256.factor, nil, nil, nil) == 1
            && EC_POINT_mul(p256.group, general, nil, point, p256.factor, nil) == 1
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
        guard let r = unsafe BN_CTX_get(numbers), let s = unsafe BN_CTX_get(numbers),
            let u = unsafe BN_CTX_get(numbers), let v = unsafe BN_CTX_get(numbers),
            unsafe BN_bin2bn(digest, 32, u) != nil,
            unsafe signature.withUnsafeBufferPointer({ halves in
                guard let first = halves.baseAddress else { return false }
                return unsafe BN_bin2bn(first, 32, r) != nil && BN_bin2bn(first + 32, 32, s) != nil
                    && invert(first + 32, s, v)
            }),
            unsafe BN_nnmod(u, u, p256.order, numbers) == 1,
            unsafe BN_mod_mul_montgomery(u, u, s, p256.reduction, numbers) == 1,
            unsafe BN_mod_mul_montgomery(v, r, s, p256.reduction, numbers) == 1,
            unsafe EC_POINT_mul(p256.group, sum, u, nil, nil, numbers) == 1,
            unsafe EC_POINT_mul(table.group, term, v, nil, nil, numbers) == 1,
            unsafe EC_POINT_add(p256.group, sum, sum, term, numbers) == 1
        else { return nil }
        if unsafe EC_POINT_is_at_infinity(p256.group, sum) == 1 { return false }
        // The abscissa is X / Z^2, which is r, or r + n where that is below p: neither needs the quotient. With Montgomery's products, which
        // divide by a constant c, X / c and r Z^2 / c are compared.
        let (x, square) = unsafe (u, v)
        guard unsafe EC_POINT_get_Jprojective_coordinates_GFp(p256.group, sum, x, nil, square, numbers) == 1,
            unsafe BN_from_montgomery(x, x, p256.fieldReduction, numbers) == 1,
            unsafe BN_mod_mul_montgomery(square, square, square, p256.fieldReduction, numbers) == 1,
            unsafe multiply(square, by: r, to: s)
        else { return nil }
        if unsafe BN_cmp(x, s) == 0 { return true }
        guard unsafe BN_add(r, r, p256.order) == 1 else { return nil }
        if unsafe BN_cmp(r, p256.field) >= 0 { return false }
        guard unsafe multiply(square, by: r, to: s) else { return nil }
        return unsafe BN_cmp(x, s) == 0
    }

    /// The product modulo p of a number that is divided by Montgomery's constant and one that is not: divided by it as well.
    @unsafe private func multiply(_ divided: OpaquePointer, by number: OpaquePointer, to product: OpaquePointer) -> Bool
    {
        unsafe BN_to_montgomery(product, number, p256.fieldReduction, numbers) == 1
            && BN_mod_mul_montgomery(product, product, divided, p256.fieldReduction, numbers) == 1
    }

    /// 1 / s modulo n, in Montgomery's form, so that a product with it is none any more. GMP's, in a sixth of the time that libcrypto's
    /// takes; that it is the inverse is seen at the product with s.
    /// - Parameters:
    ///   - octets: of s, 32.
    ///   - s: the number; becomes its inverse.
    ///   - product: whatever it is, it becomes one.
    @unsafe private func invert(
        _ octets: UnsafePointer<UInt8>, _ s: OpaquePointer, _ product: OpaquePointer
    ) -> Bool {
        var inverse = InlineArray<32, UInt8>(repeating: 0)
        var span = inverse.mutableSpan
        return unsafe span.withUnsafeMutableBufferPointer { inverse in
            unsafe bailiwick_inverse(inverse.baseAddress, octets, p256.orderOctets, 32) == 1
                && BN_bin2bn(inverse.baseAddress, 32, product) != nil
                && BN_to_montgomery(product, product, p256.reduction, numbers) == 1
                && BN_mod_mul_montgomery(s, s, product, p256.reduction, numbers) == 1
                && BN_is_one(s) == 1 && BN_copy(s, product) != nil
        }
    }
}

/// What all of this shares, as long as the process lives: libcrypto only reads it.
@safe private struct P256: @unchecked Sendable {
    /// The `EC_GROUP`, whose generator has a table of libcrypto's own.
    let group: OpaquePointer
    /// p.
    let field: OpaquePointer
    /// n.
    let order: OpaquePointer
    /// n again, big-endian.
    let orderOctets: [UInt8]
    /// The `BN_MONT_CTX` of n.
    let reduction: OpaquePointer
    /// That of p.
    let fieldReduction: OpaquePointer
    /// What a table is tried with: n - 2, which takes every row of it.
    let factor: OpaquePointer

    static let shared = P256()

    private init?() {
        let numbers = unsafe BN_CTX_new()
        defer { unsafe BN_CTX_free(numbers) }
        var octets = [UInt8](repeating: 0, count: 32)
        guard let numbers = unsafe numbers, let group = unsafe EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1),
            let field = unsafe EC_GROUP_get0_field(group), let order = unsafe EC_GROUP_get0_order(group),
            unsafe BN_bn2binpad(order, &octets, 32) == 32, let reduction = unsafe BN_MONT_CTX_new(),
            unsafe BN_MONT_CTX_set(reduction, order, numbers) == 1, let fieldReduction = unsafe BN_MONT_CTX_new(),
            unsafe BN_MONT_CTX_set(fieldReduction, field, numbers) == 1, let factor = unsafe BN_dup(order),
            unsafe BN_sub_word(factor, 2) == 1
        else { return nil }
        unsafe self.group = group
        unsafe self.field = field
        unsafe self.order = order
        orderOctets = octets
        unsafe self.reduction = reduction
        unsafe self.fieldReduction = fieldReduction
        unsafe self.factor = factor
    }
}

/// Looks before it clears, which writes some hundred bytes.
private func clearErrors() { if ERR_peek_error() != 0 { ERR_clear_error() } }
