import Testing

@testable import OpenSSL

func bytes(_ hex: String) -> [UInt8] {
    let digits = Array(hex)
    return stride(from: 0, to: digits.count, by: 2).compactMap { UInt8(String(digits[$0...$0 + 1]), radix: 16) }
}

@Suite struct PrivateKeyTests {
    @Test(arguments: SignatureAlgorithm.allCases)
    func aNewKeySignsWhatItsPublicHalfVerifies(_ algorithm: SignatureAlgorithm) throws {
        let key = try PrivateKey(generating: algorithm)
        let message = Array("The quick brown fox".utf8)
        let signature = try key.sign(message)
        #expect(key.publicKey.verify(signature, of: message))
        #expect(!key.publicKey.verify(signature, of: message + [0]))
        #expect(!key.publicKey.verify(signature + [0], of: message))
        #expect(!key.publicKey.verify(Array(signature.dropLast()), of: message))
        #expect(!key.publicKey.verify([], of: message))
        for index in [0, signature.count / 2, signature.count - 1] {
            var flipped = signature
            flipped[index] ^= 1
            #expect(!key.publicKey.verify(flipped, of: message))
        }
        #expect(try !PrivateKey(generating: algorithm).publicKey.verify(signature, of: message))
        if let curve = algorithm.curve { #expect(signature.count == 2 * curve.coordinateBytes) }
    }

    @Test(arguments: SignatureAlgorithm.allCases)
    func aKeyComesBackFromItsPEM(_ algorithm: SignatureAlgorithm) throws {
        let key = try PrivateKey(generating: algorithm)
        let pem = try key.pem()
        #expect(String(decoding: pem, as: UTF8.self).hasPrefix("-----BEGIN PRIVATE KEY-----\n"))
        let again = try PrivateKey(pem: pem, algorithm: algorithm)
        #expect(again.publicKey.members == key.publicKey.members)
        #expect(try PrivateKey(pem: pem).algorithm == (algorithm == .rs256 ? .ps256 : algorithm))
        for other in SignatureAlgorithm.allCases where other != algorithm {
            guard Set([other, algorithm]) != [.ps256, .rs256] else { continue }
            #expect(throws: KeyError.otherType) { try PrivateKey(pem: pem, algorithm: other) }
        }
    }

    @Test func otherPEMIsRefused() throws {
        let pem = try PrivateKey(generating: .es256).pem()
        let text = String(decoding: pem, as: UTF8.self)
        let bad = [
            "", "hello", text + text, text.replacing("PRIVATE KEY", with: "EC PRIVATE KEY"),
            text.replacing("PRIVATE KEY", with: "ENCRYPTED PRIVATE KEY"), String(text.dropLast(40)),
            text + String(repeating: "\n", count: KeyLimits.pemBytesMax),
        ]
        for text in bad { #expect(throws: KeyError.notPEM) { try PrivateKey(pem: Array(text.utf8)) } }
    }

    @Test func aPrivateNumberThatIsNotOfThePublicOneIsRefused() throws {
        let one = try PrivateKey(generating: .es256)
        #expect(throws: KeyError.invalid) {
            try PrivateKey(.es256, one.publicKey.members, d: [UInt8](repeating: 7, count: 32))
        }
        let edwards = try PrivateKey(generating: .ed25519)
        #expect(throws: KeyError.invalid) {
            try PrivateKey(.ed25519, edwards.publicKey.members, d: [UInt8](repeating: 7, count: 32))
        }
        #expect(throws: KeyError.length) { try PrivateKey(.ed25519, edwards.publicKey.members, d: [1]) }
    }
}

@Suite struct PublicKeyTests {
    @Test func membersOfAnotherTypeAreRefused() throws {
        let members = try SignatureAlgorithm.allCases.map { ($0, try PrivateKey(generating: $0).publicKey.members) }
        for algorithm in SignatureAlgorithm.allCases {
            for (other, members) in members where other != algorithm {
                guard Set([other, algorithm]) != [.ps256, .rs256] else { continue }
                #expect(throws: KeyError.self) { try PublicKey(algorithm, members) }
            }
        }
    }

    @Test func aSignatureOfOneRSASchemeIsNoneOfTheOther() throws {
        let key = try PrivateKey(generating: .ps256)
        let message: [UInt8] = [1, 2, 3]
        #expect(try !PublicKey(.rs256, key.publicKey.members).verify(key.sign(message), of: message))
        let other = try PrivateKey(pem: key.pem(), algorithm: .rs256)
        #expect(try !key.publicKey.verify(other.sign(message), of: message))
        #expect(try other.publicKey.verify(other.sign(message), of: message))
    }

    /// RFC 8017, sections 8.1.2 and 8.2.2, step 1: one signature has one form. libcrypto takes a shorter one for PSS.
    @Test(arguments: [SignatureAlgorithm.ps256, .rs256])
    func anRSASignatureIsAsLongAsTheModulus(_ algorithm: SignatureAlgorithm) throws {
        let key = try PrivateKey(generating: algorithm)
        for number in 0... {
            let message = Array("message \(number)".utf8)
            let signature = try key.sign(message)
            guard signature[0] == 0 else { continue }
            #expect(key.publicKey.verify(signature, of: message))
            #expect(!key.publicKey.verify(Array(signature.dropFirst()), of: message))
            #expect(!key.publicKey.verify([0] + signature, of: message))
            return
        }
    }

    @Test func aPointOffTheCurveIsRefused() throws {
        guard case .ec(let x, var y) = try PrivateKey(generating: .es256).publicKey.members else { return }
        y[31] ^= 1
        #expect(throws: KeyError.invalid) { try PublicKey(.es256, .ec(x: x, y: y)) }
        let zero = [UInt8](repeating: 0, count: 32)
        #expect(throws: KeyError.invalid) { try PublicKey(.es256, .ec(x: zero, y: zero)) }
        #expect(throws: KeyError.length) { try PublicKey(.es256, .ec(x: [0] + x, y: y)) }
        #expect(throws: KeyError.length) { try PublicKey(.ed25519, .okp(x: Array(x.dropLast()))) }
    }

    @Test func weakAndMalformedRSAKeysAreRefused() throws {
        guard case .rsa(let n, let e) = try PrivateKey(generating: .rs256).publicKey.members else { return }
        #expect(e == [1, 0, 1])
        let short = Array(n.suffix(128).dropFirst()).withFirst(0xFF)
        #expect(throws: KeyError.modulusBits(1024)) { try PublicKey(.rs256, .rsa(n: short, e: e)) }
        #expect(throws: KeyError.modulusBits(8200)) {
            try PublicKey(.rs256, .rsa(n: [UInt8](repeating: 0xFF, count: 1025), e: e))
        }
        #expect(throws: KeyError.length) { try PublicKey(.rs256, .rsa(n: [0] + n, e: e)) }
        #expect(throws: KeyError.length) { try PublicKey(.rs256, .rsa(n: n, e: [0, 1, 0, 1])) }
        #expect(throws: KeyError.length) { try PublicKey(.rs256, .rsa(n: n, e: [])) }
        #expect(throws: KeyError.length) { try PublicKey(.rs256, .rsa(n: n, e: [UInt8](repeating: 1, count: 9))) }
        #expect(throws: KeyError.invalid) { try PublicKey(.rs256, .rsa(n: n, e: [1])) }
        #expect(throws: KeyError.invalid) { try PublicKey(.rs256, .rsa(n: n, e: [4])) }
        #expect(throws: KeyError.invalid) {
            try PublicKey(.rs256, .rsa(n: n.dropLast() + [n[n.count - 1] & 0xFE], e: e))
        }
    }

    @Test func manyThreadsVerifyByOneKey() async throws {
        let key = try PrivateKey(generating: .es256)
        let message: [UInt8] = [9]
        let signature = try key.sign(message)
        let results = await withTaskGroup(of: Bool.self) { group in
            for number in 0..<64 {
                group.addTask { key.publicKey.verify(signature, of: number.isMultiple(of: 2) ? message : [8]) }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        #expect(results.count { $0 } == 32)
    }
}

/// RFC 7518, section 3.4, and CVE-2022-21449.
@Suite struct ECDSASignatureTests {
    private static let order = bytes("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551")
    private static let zero = [UInt8](repeating: 0, count: 32)
    private static let one = zero.dropLast() + [1]

    @Test func halvesOutOfRangeAreRefused() throws {
        let key = try PrivateKey(generating: .es256).publicKey
        let below = Self.order.dropLast() + [0x50]
        for raw in [
            Self.zero + Self.zero, Self.zero + Self.one, Self.one + Self.zero, Self.order + Self.one,
            Self.one + Self.order, [UInt8](repeating: 0xFF, count: 64), Self.order + Self.order,
        ] {
            #expect(ECDSASignature.der(raw: raw, curve: .p256) == nil)
            #expect(!key.verify(Array(raw), of: [1]))
        }
        #expect(ECDSASignature.der(raw: Array(below + Self.one), curve: .p256) != nil)
    }

    @Test func derIsNeverASignature() throws {
        for algorithm in [SignatureAlgorithm.es256, .es384] {
            let key = try PrivateKey(generating: algorithm)
            let curve = try #require(algorithm.curve)
            let signature = try key.sign([1])
            let der = try #require(ECDSASignature.der(raw: signature, curve: curve))
            #expect(!key.publicKey.verify(der, of: [1]))
            #expect(ECDSASignature.raw(der: der, curve: curve) == signature)
        }
    }

    @Test(arguments: [
        "", "30", "3000", "3006020101020101ff", "30060201010201", "300702010102020001", "3006020180020101",
        "30060201010201ff", "3080020101020101", "308106020101020101", "3006020100020101", "3106020101020101",
        "3006030101020101", "30040200020101",
        "30260221" + "01" + String(repeating: "00", count: 32) + "020101",
    ])
    func anythingButTheOneEncodingIsRefused(_ hex: String) {
        #expect(ECDSASignature.raw(der: bytes(hex), curve: .p256) == nil)
    }

    @Test func shortHalvesArePadded() {
        #expect(
            ECDSASignature.raw(der: bytes("3007020200ff020101"), curve: .p256)
                == Array(Self.zero.dropLast() + [0xFF] + Self.one))
        #expect(
            ECDSASignature.der(raw: Array(Self.zero.dropLast() + [0xFF] + Self.one), curve: .p256)
                == bytes("3007020200ff020101"))
    }
}

/// RFC 8032, section 7.1.
@Suite struct Ed25519Tests {
    static let vectors = [
        (
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
        ),
        (
            "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
        ),
        (
            "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
            "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"
        ),
    ]

    @Test(arguments: 0..<3)
    func theVectorsHold(_ number: Int) throws {
        let (seed, publicKey, message, signature) = Self.vectors[number]
        let key = try Ed25519PrivateKey(seed: bytes(seed))
        #expect(key.publicKey.bytes == bytes(publicKey))
        #expect(try key.sign(bytes(message)) == bytes(signature))
        #expect(key.publicKey.verify(bytes(signature), of: bytes(message)))
        #expect(!key.publicKey.verify(bytes(signature), of: bytes(message) + [0]))
        let bound = try PrivateKey(.ed25519, .okp(x: bytes(publicKey)), d: bytes(seed))
        #expect(try bound.sign(bytes(message)) == bytes(signature))
        #expect(bound.publicKey.verify(bytes(signature), of: bytes(message)))
    }

    /// S of another encoding plus the group order is the same number modulo it: RFC 8032, section 5.1.7, refuses it.
    @Test func aMalleatedSignatureIsRefused() throws {
        let (_, publicKey, message, text) = Self.vectors[1]
        var signature = bytes(text)
        let order = Array(bytes("1000000000000000000000000000000014def9dea2f79cd65812631a5cf5d3ed").reversed())
        var carry = 0
        for index in 0..<32 {
            let sum = Int(signature[32 + index]) + Int(order[index]) + carry
            signature[32 + index] = UInt8(truncatingIfNeeded: sum)
            carry = sum >> 8
        }
        #expect(carry == 0)
        #expect(try !Ed25519PublicKey(bytes(publicKey)).verify(signature, of: bytes(message)))
    }

    @Test func otherLengthsAreRefused() throws {
        #expect(throws: OpenSSLError.self) { try Ed25519PublicKey([1, 2, 3]) }
        #expect(throws: OpenSSLError.self) { try Ed25519PrivateKey(seed: [UInt8](repeating: 1, count: 31)) }
    }
}

extension [UInt8] {
    fileprivate func withFirst(_ byte: UInt8) -> [UInt8] { [byte] + self }
}
