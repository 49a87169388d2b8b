/// The two forms of an ECDSA signature: JOSE's `r || s` of fixed width (RFC 7518, section 3.4) and libcrypto's DER
/// (RFC 3279, section 2.2.3). Only the first is ever taken from a token.
package enum ECDSASignature {
    /// The DER form of `r || s`; nil unless the width is the curve's and both halves lie in 1..<n (CVE-2022-21449).
    package static func der(raw: [UInt8], curve: Curve) -> [UInt8]? {
        guard isInRange(raw, curve) else { return nil }
        let width = curve.coordinateBytes
        var body: [UInt8] = []
        body.reserveCapacity(2 * width + 8)
        appendInteger(raw, from: 0, width, to: &body)
        appendInteger(raw, from: width, width, to: &body)
        // At most 2 * (2 + 49) = 102 bytes: the short form of a length always does.
        return [0x30, UInt8(body.count)] + body
    }

    /// The `r || s` form of a DER signature; nil for anything but its one DER encoding, with both halves in 1..<n.
    package static func raw(der: [UInt8], curve: Curve) -> [UInt8]? {
        let width = curve.coordinateBytes
        guard der.count >= 2, der[0] == 0x30, der[1] < 0x80, Int(der[1]) == der.count - 2 else { return nil }
        var at = 2
        var raw: [UInt8] = []
        for _ in 0..<2 {
            guard at + 2 <= der.count, der[at] == 0x02 else { return nil }
            let count = Int(der[at + 1])
            var start = at + 2
            let end = start + count
            guard count >= 1, end <= der.count, der[start] < 0x80 else { return nil }
            if der[start] == 0 {
                guard count >= 2, der[start + 1] >= 0x80 else { return nil }
                start += 1
            }
            guard end - start <= width else { return nil }
            raw.append(contentsOf: repeatElement(0, count: width - (end - start)))
            for index in start..<end { raw.append(der[index]) }
            at = end
        }
        guard at == der.count, isInRange(raw, curve) else { return nil }
        return raw
    }

    /// Are these `r || s` of the curve's width, both in 1..<n?
    static func isInRange(_ raw: [UInt8], _ curve: Curve) -> Bool {
        let width = curve.coordinateBytes
        return raw.count == 2 * width && isScalar(raw, from: 0, curve) && isScalar(raw, from: width, curve)
    }

    /// Do the curve's width of bytes at `start` hold a number in 1..<n?
    private static func isScalar(_ bytes: [UInt8], from start: Int, _ curve: Curve) -> Bool {
        let order = curve.order
        var isZero = true
        var isBelow = false
        for index in 0..<curve.coordinateBytes {
            let byte = bytes[start + index]
            if byte != 0 { isZero = false }
            if !isBelow {
                if byte > order[index] { return false }
                isBelow = byte < order[index]
            }
        }
        return isBelow && !isZero
    }

    private static func appendInteger(_ bytes: [UInt8], from start: Int, _ width: Int, to body: inout [UInt8]) {
        var first = start
        while first < start + width - 1, bytes[first] == 0 { first += 1 }
        let needsZero = bytes[first] >= 0x80
        body.append(0x02)
        body.append(UInt8(start + width - first + (needsZero ? 1 : 0)))
        if needsZero { body.append(0) }
        for index in first..<(start + width) { body.append(bytes[index]) }
    }
}
