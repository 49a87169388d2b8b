import Foundation
import Synchronization
import TestSupport
import Testing

@testable import OpenSSL

/// A key twice: verifying by EVP, and by the equation with a table.
private struct Paths {
    let evp: PublicKey
    let table: PublicKey
    private let equation: P256Equation

    init(_ members: PublicKeyMembers) throws {
        evp = try PublicKey(.es256, members)
        table = try PublicKey(.es256, members)
        table.precompute()
        equation = try #require(P256Equation())
        try #require(table.table != nil && evp.table == nil)
    }

    /// Nil where they differ.
    func verify(_ signature: [UInt8], of message: [UInt8]) -> Bool? {
        let isValid = verify(signature, ofDigest: SHA256Digest(hashing: message).bytes)
        return evp.verify(signature, of: message) == isValid && table.verify(signature, of: message) == isValid
            ? isValid : nil
    }

    func verify(_ signature: [UInt8], ofDigest digest: [UInt8]) -> Bool? {
        let isValid = evp.verify(signature, ofDigest: digest)
        guard table.verify(signature, ofDigest: digest) == isValid else { return nil }
        guard ECDSASignature.isInRange(signature, .p256) else { return isValid ? nil : false }
        // A failure of the equation's would only be seen as EVP's verdict.
        guard let table = table.table, equation.holds(signature, digest, table) == isValid else { return nil }
        return isValid
    }
}

@Suite struct FixedBaseTableTests {
    @Test func bothPathsAgreeOnWhatWasSignedAndOnWhatWasChanged() throws {
        let other = try PrivateKey(generating: .es256)
        for _ in 0..<4 {
            let key = try PrivateKey(generating: .es256)
            let paths = try Paths(key.publicKey.members)
            for count in 0..<64 {
                let message = (0..<count).map { _ in UInt8.random(in: 0...255) }
                let signature = try key.sign(message)
                let (r, s) = (Scalar(signature.prefix(32)), Scalar(signature.suffix(32)))
                #expect(paths.verify(signature, of: message) == true)
                #expect(paths.verify(r.bytes + (-s).bytes, of: message) == true)
                var refused = [
                    s.bytes + r.bytes, (-r).bytes + s.bytes, try other.sign(message), signature + [0],
                    Array(signature.dropLast()), [0] + signature, r.plusOrder + s.bytes, r.bytes + s.plusOrder,
                    [0] + r.bytes + [0] + s.bytes,
                ]
                for special in [Scalar.zeroBytes, Scalar.one.bytes, Scalar.order, (-Scalar.one).bytes] {
                    refused += [special + s.bytes, r.bytes + special, special + special]
                }
                for byte in [Int.random(in: 0..<32), Int.random(in: 32..<64)] {
                    var changed = signature
                    changed[byte] ^= 1 << UInt8.random(in: 0..<8)
                    refused.append(changed)
                }
                for signature in refused { #expect(paths.verify(signature, of: message) == false) }
                #expect(paths.verify(signature, of: message + [0]) == false)
            }
        }
    }

    /// Project Wycheproof's vectors: Tests/Vectors says where they come from.
    @Test func theVectorsHold() throws {
        var count = 0
        var paths: Paths?
        let file = "\(repository)/Tests/Vectors/ecdsa_secp256r1_sha256_p1363.txt"
        for line in try String(contentsOfFile: file, encoding: .utf8).split(separator: "\n") {
            let words = line.split(separator: " ", maxSplits: 4).map(String.init)
            switch words[0] {
            case "#": continue
            case "key": paths = try Paths(.ec(x: bytes(words[1]), y: bytes(words[2])))
            default:
                let paths = try #require(paths)
                let message = words[2] == "-" ? [] : bytes(words[2])
                let signature = words[3] == "-" ? [] : bytes(words[3])
                #expect(paths.verify(signature, of: message) == (words[1] == "valid"), "\(line)")
                count += 1
            }
        }
        #expect(count == 262)
    }

    /// With k = 1, r is the abscissa of G and s = e + rd: digests can be chosen that no message is known for.
    @Test func digestsAtTheEquationsEdgesAreJudgedAlike() throws {
        var keys = [(d: Scalar.one, members: Generator.members)]
        for _ in 0..<4 {
            let handle = try KeyHandle(generatingFor: .es256)
            keys.append((Scalar(try handle.number("priv", width: 32)), try handle.publicMembers(for: .es256)))
        }
        let r = Scalar(Generator.x)
        for (d, members) in keys {
            let paths = try Paths(members)
            let rd = r * d
            func verify(_ digest: [UInt8], _ s: Scalar) -> Bool? {
                paths.verify(r.bytes + s.bytes, ofDigest: digest)
            }
            // [e / s]G is infinity.
            #expect(verify(Scalar.zeroBytes, rd) == true)
            #expect(verify(Scalar.order, rd) == true)
            #expect(verify(Scalar.zeroBytes, rd + Scalar.one) == false)
            // Both terms are the same point.
            #expect(verify(rd.bytes, rd + rd) == true)
            #expect(verify(rd.bytes, rd) == false)
            // The sum is infinity.
            for s in [Scalar.one, r, rd, -rd] { #expect(verify((-rd).bytes, s) == false) }
            // e is not below n.
            let one = Scalar.one
            #expect(verify(Array(one.plusOrder.dropFirst()), one + rd) == true)
            #expect(verify([UInt8](repeating: 0xFF, count: 32), Scalar.ones + rd) == true)
            #expect(verify([UInt8](repeating: 0xFF, count: 32), rd) == false)
            for digest in [[], [0], [UInt8](repeating: 0, count: 31), [UInt8](repeating: 0, count: 33)] {
                #expect(paths.evp.verify(r.bytes + one.bytes, ofDigest: digest) == false)
                #expect(paths.table.verify(r.bytes + one.bytes, ofDigest: digest) == false)
            }
        }
    }

    /// Whoever signs by d = 1 signs by the curve's generator, whose multiples libcrypto has a table of.
    @Test func theGeneratorsTableIsNeverTheKeys() throws {
        let key = try PrivateKey(.es256, Generator.members, d: Scalar.one.bytes)
        let paths = try Paths(PrivateKey(generating: .es256).publicKey.members)
        for byte: UInt8 in 0..<64 { #expect(try paths.verify(key.sign([byte]), of: [byte]) == false) }
    }

    @Test func threadsVerifyWhileTheTableIsMade() throws {
        let key = try PrivateKey(generating: .es256)
        let signature = try key.sign([9])
        let done = DispatchSemaphore(value: 0)
        let failures = Mutex(0)
        for number in 0..<6 {
            Thread.detachNewThread {
                if number < 2 { key.publicKey.precompute() }
                for _ in 0..<1000 {
                    let isRight =
                        key.publicKey.verify(signature, of: [9]) && !key.publicKey.verify(signature, of: [8])
                    if !isRight { failures.withLock { $0 += 1 } }
                }
                done.signal()
            }
        }
        for _ in 0..<6 { done.wait() }
        #expect(failures.withLock { $0 } == 0)
        #expect(key.publicKey.table != nil)
    }

    @Test func onlyAPointOnTheCurveHasATable() throws {
        guard case .ec(let x, var y) = try PrivateKey(generating: .es256).publicKey.members else { return }
        #expect(FixedBaseTable(x: x, y: y) != nil)
        #expect(FixedBaseTable(x: [0] + x, y: y) == nil)
        #expect(FixedBaseTable(x: x, y: Array(y.dropLast())) == nil)
        y[31] ^= 1
        #expect(FixedBaseTable(x: x, y: y) == nil)
        #expect(FixedBaseTable(x: Scalar.zeroBytes, y: Scalar.zeroBytes) == nil)
    }

    @Test(arguments: SignatureAlgorithm.allCases)
    func onlyES256HasATable(_ algorithm: SignatureAlgorithm) throws {
        let key = try PrivateKey(generating: algorithm)
        key.publicKey.precompute()
        #expect((key.publicKey.table != nil) == (algorithm == .es256))
        #expect(try key.publicKey.verify(key.sign([1]), of: [1]))
    }

    @Test func onlyAnEqualKeySharesATable() throws {
        let key = try PrivateKey(generating: .es256)
        let again = try PublicKey(.es256, key.publicKey.members)
        let other = try PrivateKey(generating: .es256).publicKey
        again.adoptTable(of: key.publicKey)
        #expect(again.table == nil)
        key.publicKey.precompute()
        again.adoptTable(of: key.publicKey)
        other.adoptTable(of: key.publicKey)
        #expect(again.table === key.publicKey.table)
        #expect(other.table == nil)
        let table = again.table
        again.precompute()
        #expect(again.table === table)
        #expect(try again.verify(key.sign([1]), of: [1]))
    }
}

/// SEC 2, section 2.4.2.
private enum Generator {
    static let x = bytes("6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296")
    static let y = bytes("4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5")
    static let members = PublicKeyMembers.ec(x: x, y: y)
}

/// A number modulo n, by school arithmetic.
private struct Scalar {
    /// 32, big-endian.
    let bytes: [UInt8]

    static let order = Curve.p256.order
    static let zeroBytes = [UInt8](repeating: 0, count: 32)
    static let one = Scalar(zeroBytes.dropLast() + [1])
    /// 2^256 - 1.
    static let ones = Scalar(wide: [0] + [UInt8](repeating: 0xFF, count: 32))

    /// Of 32 bytes below n.
    init(_ bytes: some Collection<UInt8>) { self.bytes = Array(bytes) }

    /// Of 33 bytes below 2n.
    private init(wide: [UInt8]) {
        let order = [0] + Self.order
        bytes = Array((wide.lexicographicallyPrecedes(order) ? wide : Self.subtract(wide, order)).dropFirst())
    }

    /// The number plus n: 33 bytes.
    var plusOrder: [UInt8] { Self.add(bytes, Self.order) }

    static prefix func - (number: Scalar) -> Scalar { Scalar(wide: [0] + subtract(order, number.bytes)) }
    static func + (left: Scalar, right: Scalar) -> Scalar { Scalar(wide: add(left.bytes, right.bytes)) }

    static func * (left: Scalar, right: Scalar) -> Scalar {
        var product = Scalar(zeroBytes)
        for byte in left.bytes {
            for bit in (0..<8).reversed() {
                product = product + product
                if byte >> bit & 1 == 1 { product = product + right }
            }
        }
        return product
    }

    private static func add(_ left: [UInt8], _ right: [UInt8]) -> [UInt8] {
        var sum: [UInt8] = []
        var carry = 0
        for (one, other) in zip(left, right).reversed() {
            carry += Int(one) + Int(other)
            sum.append(UInt8(truncatingIfNeeded: carry))
            carry >>= 8
        }
        return (sum + [UInt8(carry)]).reversed()
    }

    private static func subtract(_ left: [UInt8], _ right: [UInt8]) -> [UInt8] {
        var difference: [UInt8] = []
        var borrow = 0
        for (one, other) in zip(left, right).reversed() {
            borrow += Int(one) - Int(other)
            difference.append(UInt8(truncatingIfNeeded: borrow))
            borrow >>= 8
        }
        return difference.reversed()
    }
}
