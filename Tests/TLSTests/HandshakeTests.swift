import Foundation
import NIOCore
import NIOEmbedded
import TestSupport
import Testing

@testable import TLS

@Suite struct HandshakeTests {
    @Test(arguments: [1, 7, 1000, Int.max])
    func bothSidesKnowEachOtherWhateverThePieces(pieceBytes: Int) throws {
        let pair = try Pair()
        try pair.settle(pieceBytes: pieceBytes)
        let peer = try #require(pair.server.recorder.completed.first?.peer)
        #expect(peer.uris == ["spiffe://example.org/dub1/support"])
        let der = try run(["openssl", "x509", "-in", try PKI.path("dub1-support.crt"), "-outform", "DER"]).output
        #expect(peer.leaf == Array(der))
        #expect(pair.client.recorder.completed.count == 1)
        #expect(pair.server.recorder.completed.first?.resumed == false)
    }

    @Test func versionsFollowTheConfiguration() throws {
        let old = try Pair(
            client: PKI.client { $0.minimumVersion = .tls12 }, server: PKI.server { $0.minimumVersion = .tls12 })
        try old.settle()
        #expect(old.server.recorder.completed.count == 1)
        // A ClientHello of TLS 1.2 alone, as `openssl s_client -tls1_2` sends it, is refused where 1.3 is the minimum: see
        // OtherImplementationTests.
    }

    @Test(
        arguments: [
            ("dub1-expired", "certificate-expired"), ("dub1-revoked", "certificate-revoked"), (nil, "no-certificate"),
            ("iad1-gw1", "untrusted-certificate"),
        ] as [(String?, String)])
    func aClientThatIsNotWhoItMustBeIsRefused(name: String?, cause: String) throws {
        let server = try PKI.server { $0.revocationLists = [try PKI.bytes("clients-revoked.crl")] }
        let pair = try Pair(client: PKI.client(name), server: server)
        try pair.settle()
        #expect(pair.server.recorder.failed.map(\.cause) == [cause])
        #expect(pair.server.recorder.completed.isEmpty)
        #expect(!pair.server.channel.isActive)
        // An alert tells the client; TLS 1.3 lets it believe for a moment that all is well.
        #expect(!pair.client.channel.isActive)
        #expect(pair.client.recorder.errors.count + pair.client.recorder.failed.count == 1)
    }

    @Test func whereCertificatesAreOptionalNoneIsNobody() throws {
        let pair = try Pair(client: PKI.client(nil), server: PKI.server { $0.peerCertificates = .optional })
        try pair.settle()
        #expect(pair.server.recorder.completed.count == 1)
        #expect(pair.server.recorder.completed[0].peer == nil)
    }

    @Test func aServerOfAnotherNameOrAuthorityIsRefusedByTheClient() throws {
        let name = try Pair(client: PKI.client { $0.serverName = "gw.example.com" })
        try name.settle()
        #expect(name.client.recorder.failed.count == 1)
        let authority = try Pair(client: PKI.client { $0.authorities = try PKI.bytes("clients-ca.crt") })
        try authority.settle()
        #expect(authority.client.recorder.failed.map(\.cause) == ["untrusted-certificate"])
    }

    @Test func aStaleRevocationListFailsClosed() throws {
        let stale = try list(of: "clients-ca", from: "20200101000000Z", to: "20200102000000Z")
        let pair = try Pair(server: PKI.server { $0.revocationLists = [stale] })
        try pair.settle()
        #expect(pair.server.recorder.failed.map(\.cause) == ["revocation-list-expired"])
    }

    /// A file may hold the lists of several authorities, in any order.
    @Test func everyRevocationListOfAFileCounts() throws {
        let other = try list(of: "servers-ca", from: "20200101000000Z", to: "20990102000000Z")
        let file = Array("A text, as of `openssl crl -text`\n".utf8) + other + (try PKI.bytes("clients-revoked.crl"))
        for (name, causes) in [("dub1-revoked", ["certificate-revoked"]), ("dub1-support", [])] {
            let pair = try Pair(client: PKI.client(name), server: PKI.server { $0.revocationLists = [file] })
            try pair.settle()
            #expect(pair.server.recorder.failed.map(\.cause) == causes)
            #expect(pair.server.recorder.completed.count == (causes.isEmpty ? 1 : 0))
        }
        let ends = try Expiry.revocationLists([other, PKI.bytes("clients-revoked.crl")]).map { $0 ?? 0 }
        #expect(Expiry.revocationLists([file]) == [ends.min()] && ends[1] < ends[0] && ends[1] > PKI.now)
    }

    /// The next list is put beside the one in force, in its file or in one of its own: it lets in, and nothing has ended.
    @Test func ofAnAuthoritysListsTheLastToEndCounts() throws {
        let ended = try list(of: "clients-ca", from: "20200101000000Z", to: "20200102000000Z")
        let next = try list(of: "clients-ca", from: "20200102000000Z", to: "20990102000000Z")
        let other = try list(of: "servers-ca", from: "20200101000000Z", to: "20200103000000Z")
        let end = try #require(Expiry.revocationLists([next])[0])
        #expect(end > PKI.now)
        for files in [[ended + next], [next + ended], [ended, next], [next, ended]] {
            let pair = try Pair(server: PKI.server { $0.revocationLists = files })
            try pair.settle()
            #expect(pair.server.recorder.completed.count == 1)
            #expect(Expiry.revocationLists(files) == files.map { _ in end })
            let others = Expiry.revocationLists(files + [other])
            #expect(others.dropLast().allSatisfy { $0 == end } && others.last == Expiry.revocationLists([other])[0])
        }
        #expect(Expiry.revocationLists([ended, other])[0] == Expiry.revocationLists([ended])[0])
    }

    /// An authority that takes a new key and keeps its name is another one: its list says nothing of what the old key signed.
    @Test func theListOfAnAuthoritysNewKeyIsNoneOfItsOldOne() throws {
        let folder = try Sandbox("authority")
        let made = try run([
            "openssl", "req", "-new", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-subj",
            "/O=Bailiwick development/CN=Clients", "-keyout", folder("new.key"), "-out", folder("new.crt"),
        ])
        #expect(made.status == 0, "\(made.errors)")
        let old = try list(of: "clients-ca", from: "20200101000000Z", to: "20200102000000Z", namesKey: true)
        let new = try list(of: "new", in: folder.path, from: "20200101000000Z", to: "20990102000000Z", namesKey: true)
        let pair = try Pair(
            server: PKI.server {
                $0.authorities += Array(folder.read("new.crt").utf8)
                $0.revocationLists = [old + new]
            })
        try pair.settle()
        #expect(pair.server.recorder.failed.map(\.cause) == ["revocation-list-expired"])
        let ends = Expiry.revocationLists([old]) + Expiry.revocationLists([new])
        #expect(ends[0] ?? .max < PKI.now && ends[1] ?? 0 > PKI.now)
        #expect(Expiry.revocationLists([old + new]) == [ends[0]])
        #expect(Expiry.revocationLists([old, new]) == ends)
    }

    /// On a connection that lives on, too: whoever has it is told when to look again.
    @Test func whenTimeAloneMakesAProblemIsKnown() throws {
        let list = try list(of: "clients-ca", from: "20200101000000Z", to: "20990102000000Z")
        let context = try TLSContext(
            PKI.server { $0.revocationLists = [try PKI.bytes("clients.crl"), list] }, nowSeconds: PKI.now)
        let pair = try Pair()
        try pair.settle()
        let peer = try #require(pair.server.recorder.completed.first?.peer)
        let ends =
            try [PKI.bytes("clients.crl"), list].compactMap { Expiry.revocationLists([$0])[0] }
            + Expiry.certificates(PKI.bytes("clients-ca.crt")).map(\.notAfterSeconds)
        var now = PKI.now
        for end in ends.sorted() {
            #expect(context.problemHolds(with: peer, afterSeconds: now) == end)
            now = end
        }
        #expect(context.problemHolds(with: peer, afterSeconds: now) == .max)
        let alone = try TLSContext(
            PKI.server { $0.revocationLists = [try PKI.bytes("clients.crl")] }, nowSeconds: PKI.now)
        #expect(alone.problem(with: peer, atSeconds: ends[0] - 1) == nil)
        #expect(alone.problem(with: peer, atSeconds: ends[0]) == .revocationListExpired)
    }

    /// What is not read could be the list that names somebody.
    @Test func aFileWithAnythingBesideRevocationListsIsRefused() throws {
        let list = try PKI.bytes("clients.crl")
        let der = Array(try run(["openssl", "crl", "-in", try PKI.path("clients.crl"), "-outform", "DER"]).output)
        func isGood(_ bytes: [UInt8]) throws -> Bool {
            do throws(TLSConfigurationError) {
                _ = try TLSContext(try! PKI.server { $0.revocationLists = [list, bytes] }, nowSeconds: PKI.now)
                return true
            } catch {
                #expect(error == .revocationListUnreadable(index: 1))
                return false
            }
        }
        #expect(try isGood(list + list + Array("\r\n \n".utf8)) && isGood(der))
        for rest in [
            try PKI.bytes("clients-ca.crt"), Array(list.dropLast(40)), Array(list.dropFirst()), der, Array("x".utf8),
            [0],
        ] {
            #expect(try !isGood(list + rest) && !isGood(list + rest + list) && !isGood(der + rest))
        }
        let text = String(decoding: list, as: UTF8.self)
        for (old, new) in [
            ("-----BEGIN", " -----BEGIN"), ("-----BEGIN", "----BEGIN"), ("\nM", "\n*"), (" CRL", " LIST"),
        ] {
            #expect(try !isGood(list + Array(text.replacing(old, with: new).utf8) + list), "\(new)")
        }
    }

    @Test func aBundleWithADamagedAuthorityIsRefused() throws {
        let whole = try PKI.bytes("clients-ca.crt")
        #expect(throws: TLSConfigurationError.authoritiesUnreadable) {
            try TLSContext(PKI.server { $0.authorities = whole + whole.dropLast(40) }, nowSeconds: PKI.now)
        }
    }

    /// A list that revokes nobody.
    /// - Parameters:
    ///   - folder: where the authority's certificate and key are; the PKI's when not given.
    ///   - namesKey: as RFC 5280, section 5.2.1, asks for.
    private func list(
        of authority: String, in pki: String? = nil, from: String, to: String, namesKey: Bool = false
    ) throws -> [UInt8] {
        let folder = try Sandbox("crl")
        let pki = try pki ?? PKI.folder.get().path
        try folder.write(
            "ca.conf",
            """
            [ca]
            default_ca = a
            [a]
            database = \(folder("index"))
            certificate = \(pki)/\(authority).crt
            private_key = \(pki)/\(authority).key
            default_md = sha256
            \(namesKey ? "crl_extensions = list" : "")
            [list]
            authorityKeyIdentifier = keyid
            """)
        try folder.write("index", "")
        let made = try run([
            "openssl", "ca", "-config", folder("ca.conf"), "-gencrl", "-crl_lastupdate", from, "-crl_nextupdate", to,
            "-out", folder("made.crl"),
        ])
        #expect(made.status == 0, "\(made.errors)")
        return Array(folder.read("made.crl").utf8)
    }

    // MARK: - What is no handshake

    @Test(arguments: [
        (Array("GET / HTTP/1.1\r\nHost: gw\r\n\r\n".utf8), "not-tls"), ([UInt8](repeating: 0, count: 100), "protocol"),
        ([UInt8](repeating: 0xFF, count: 5000), "protocol"), ([0x16, 0x03, 0x01, 0xFF, 0xFF, 0x01], "protocol"),
    ])
    func garbageIsRefusedWithACause(bytes: [UInt8], cause: String) throws {
        let server = try End(try PKI.server())
        try server.connect()
        server.take(ByteBuffer(bytes: bytes))
        #expect(server.recorder.failed.count == 1)
        #expect(!server.channel.isActive)
        #expect([cause, "handshake", "not-tls"].contains(server.recorder.failed.first?.cause ?? ""))
    }

    @Test func everyTruncatedHelloIsWaitedForAndThenTimedOut() throws {
        let client = try End(try PKI.client())
        try client.connect()
        let hello = try #require(try client.takeRecords().first)
        for count in stride(from: 0, to: hello.readableBytes, by: 37) {
            let server = try End(try PKI.server())
            try server.connect()
            server.take(hello.getSlice(at: hello.readerIndex, length: count) ?? ByteBuffer())
            #expect(server.recorder.failed.isEmpty)
            server.channel.embeddedEventLoop.advanceTime(by: .seconds(TLSLimits.handshakeSecondsMax - 1))
            #expect(server.channel.isActive)
            server.channel.embeddedEventLoop.advanceTime(by: .seconds(1))
            #expect(server.recorder.failed == [.handshakeTimeout])
            #expect(!server.channel.isActive)
        }
    }

    @Test func aConnectionThatEndsInTheHandshakeIsTruncated() throws {
        let gate = SourceGate(max: 1, eachMax: 1)
        for _ in 0..<3 {
            let server = try End(try PKI.server(), gate: gate)
            try server.connect()
            server.channel.close(promise: nil)
            server.channel.pipeline.fireChannelInactive()
            #expect(server.recorder.failed.count <= 1)
        }
        // Each left the gate.
        let last = try Pair(gate: gate)
        try last.settle()
        #expect(last.server.recorder.completed.count == 1)
    }

    /// One that opens connections and says nothing keeps out nobody else.
    @Test func oneSourceHasItsShareOfTheGate() {
        let gate = SourceGate(max: 4, eachMax: 2)
        #expect(gate.enter(from: 1) && gate.enter(from: 1) && !gate.enter(from: 1))
        #expect(gate.enter(from: 2) && gate.enter(from: 3) && !gate.enter(from: 4))
        gate.leave(from: 1)
        #expect(gate.enter(from: 4))
        for source in [1, 2, 3, 4] as [UInt128] { gate.leave(from: source) }
        #expect(gate.enter(from: 1) && gate.enter(from: 1))
    }

    @Test func handshakesInProgressAreBounded() throws {
        let gate = SourceGate(max: 2, eachMax: 2)
        let waiting = try (0..<2).map { _ in try Pair(gate: gate) }
        let third = try Pair(gate: gate)
        #expect(third.server.recorder.failed.count == 1)
        #expect(!third.server.channel.isActive)
        for pair in waiting { try pair.settle() }
        let fourth = try Pair(gate: gate)
        try fourth.settle()
        #expect(fourth.server.recorder.completed.count == 1)
    }

    @Test func aCertificateThatIsNotTheKeysOrHasExpiredIsNoConfiguration() throws {
        #expect(throws: TLSConfigurationError.keyDoesNotMatch) {
            try TLSContext(PKI.server { $0.privateKey = try PKI.bytes("iad1-gw1.key") }, nowSeconds: PKI.now)
        }
        #expect(throws: TLSConfigurationError.self) {
            try TLSContext(
                PKI.server {
                    $0.certificateChain = try PKI.bytes("dub1-expired.crt")
                    $0.privateKey = try PKI.bytes("dub1-expired.key")
                }, nowSeconds: PKI.now)
        }
        #expect(throws: TLSConfigurationError.revocationListUnreadable(index: 0)) {
            try TLSContext(PKI.server { $0.revocationLists = [[1, 2, 3]] }, nowSeconds: PKI.now)
        }
        #expect(throws: TLSConfigurationError.self) {
            try TLSContext(PKI.server { $0.authorities = [] }, nowSeconds: PKI.now)
        }
    }
}
