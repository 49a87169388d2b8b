import Foundation
import TestSupport
import Testing

/// Who a certificate names, what a principal may address and do, and what a stop and a full disk do to requests in hand.
@Suite struct IdentityTests {
    @Test func aPrincipalIsNamedByUriFingerprintOrCommonName() throws {
        let world = try World()
        defer { withExtendedLifetime(world) {} }
        let fingerprint =
            try run([
                "openssl", "x509", "-in", world.folder("pki/dub1-support.crt"), "-noout", "-fingerprint", "-sha256",
            ]).text.split(separator: "=").last.map { $0.trimmingCharacters(in: .newlines) } ?? ""
        let subject = try run([
            "openssl", "x509", "-in", world.folder("pki/iad1-ediscovery.crt"), "-noout", "-subject", "-nameopt",
            "multiline",
        ]).text
        let name = try #require(
            subject.split(whereSeparator: \.isNewline).first { $0.contains("commonName") }?.split(separator: "=").last
        ).trimmingCharacters(in: .whitespaces)
        try world.edit("dub1-gw1") {
            $0 = $0.replacingOccurrences(
                of: "{ uri = \"spiffe://example.org/dub1/support\" }", with: "{ sha256 = \"\(fingerprint)\" }")
            $0 = $0.replacingOccurrences(
                of: "{ uri = \"spiffe://example.org/iad1/ediscovery\" }", with: "{ common_name = \"\(name)\" }")
        }
        try world.start("dub1-gw1")
        let path = "/mail-dub1/alice/1"
        #expect(try world.curl("dub1-mailserver", from: "127.0.10.5", path, body: Data("x".utf8)).status == 200)
        #expect(try world.curl("dub1-support", from: "127.0.10.5", path).status == 200)
        #expect(try world.curl("iad1-ediscovery", from: "127.0.20.5", path).reason == "authorization-required")
        let log = try world.bailiwick("log", "query", world.folder("log/dub1"), "--json")
        #expect(log.status == 0)
    }

    /// Swift takes canonically equivalent text for equal: by that, a KELVIN SIGN would be a K.
    @Test func aNameIsComparedByItsBytes() throws {
        let world = try World()
        try world.edit("dub1-gw1") {
            $0 = $0.replacingOccurrences(
                of: "spiffe://example.org/dub1/support", with: "spiffe://example.org/dub1/Kiosk")
        }
        try world.start("dub1-gw1")
        let pki = world.folder("pki")
        for (file, name) in [("ascii", "K"), ("kelvin", "\u{212A}")] {
            try world.folder.write(
                "extensions",
                "subjectAltName = URI:spiffe://example.org/dub1/\(name)iosk\nextendedKeyUsage = clientAuth\n")
            let made = try run([
                "sh", "-ec",
                "openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout \(pki)/\(file).key -subj /CN=\(file) | openssl x509 -req -CA \(pki)/clients-ca.crt -CAkey \(pki)/clients-ca.key -days 1 -extfile \(world.folder("extensions")) -out \(pki)/\(file).crt",
            ])
            #expect(made.status == 0, "\(made.errors)")
        }
        #expect(try world.curl("ascii", from: "127.0.10.5", "/mail-dub1/alice/1").status == 404)
        #expect(try world.curl("kelvin", from: "127.0.10.5", "/mail-dub1/alice/1").reason == "unauthenticated")
    }

    @Test func aConnectionLivesOnAfterAReloadButItsAuthorityDoesNot() throws {
        let world = try World()
        let daemon = try world.start("dub1-gw1")
        #expect(
            try world.curl("dub1-mailserver", from: "127.0.10.5", "/mail-dub1/alice/1", body: Data("x".utf8)).status
                == 200)
        // One curl, one connection, two requests; between them the principal loses its role.
        try world.folder.write(
            "two.py",
            """
            import http.client, ssl, sys, time
            folder, port = sys.argv[1], int(sys.argv[2])
            context = ssl.create_default_context(cafile=f"{folder}/pki/servers-ca.crt")
            context.check_hostname = False
            context.load_cert_chain(f"{folder}/pki/{sys.argv[3]}.crt", f"{folder}/pki/{sys.argv[3]}.key")
            connection = http.client.HTTPSConnection("127.0.0.1", port, context=context, source_address=("127.0.10.5", 0), timeout=20)
            for line in sys.stdin:
                connection.request("GET", "/mail-dub1/alice/1")
                answer = connection.getresponse()
                answer.read()
                print(answer.status, connection.sock.getsockname()[1] if connection.sock else "closed", flush=True)
            """)
        let client = try Client([
            "python3", world.folder("two.py"), world.folder.path, "\(world.dublin)", "dub1-support",
        ])
        let before = try client.ask()
        #expect(before.hasPrefix("200 "))
        try world.edit("dub1-gw1") {
            $0 = $0.replacingOccurrences(
                of: "certificate = { uri = \"spiffe://example.org/dub1/support\" }\nroles = [\"reader\"]",
                with: "certificate = { uri = \"spiffe://example.org/dub1/support\" }\nroles = [\"auditor\"]")
        }
        daemon.signal(SIGHUP)
        try daemon.waitForOutput("settings reloaded")
        #expect(try client.ask() == before.replacingOccurrences(of: "200", with: "403"))
        // The certificate is put on the revocation list: the very same connection names nobody.
        try world.edit("dub1-gw1") {
            $0 = $0.replacingOccurrences(of: "roles = [\"auditor\"]", with: "roles = [\"reader\"]")
        }
        daemon.signal(SIGHUP)
        try waitForReloads(daemon, 2)
        #expect(try client.ask() == before)
        try world.revoke("dub1-support")
        daemon.signal(SIGHUP)
        try waitForReloads(daemon, 3)
        #expect(try client.ask().hasPrefix("403 "))
        client.end()
        #expect(throws: TestFailure.self) { try world.curl("dub1-support", from: "127.0.10.5", "/mail-dub1/alice/1") }
    }

    /// Nobody is let in under a list that ran out, and who is in already is nobody either.
    @Test func aRevocationListThatRunsOutEndsALivingConnectionsAuthority() throws {
        let world = try World()
        let pki = world.folder("pki")
        let end = Date().addingTimeInterval(8)
        try world.folder.write(
            "ca.conf",
            """
            [ca]
            default_ca = a
            [a]
            database = \(world.folder("ca.index"))
            certificate = \(pki)/clients-ca.crt
            private_key = \(pki)/clients-ca.key
            default_md = sha256
            """)
        try world.folder.write("ca.index", "")
        let digits = ISO8601DateFormatter().string(from: end).filter { $0.isNumber || $0 == "Z" }
        let made = try run([
            "openssl", "ca", "-config", world.folder("ca.conf"), "-gencrl", "-crl_lastupdate", "20250101000000Z",
            "-crl_nextupdate", digits, "-out", "\(pki)/clients.crl",
        ])
        #expect(made.status == 0, "\(made.errors)")
        try world.start("dub1-gw1")
        let client = try Client([
            "python3", "\(repository)/Tests/Conformance/session.py", world.folder.path, "\(world.dublin)",
            "dub1-mailserver", "127.0.10.5",
        ])
        #expect(try client.ask("GET").hasPrefix("404"))
        while Date() < end.addingTimeInterval(1) { usleep(50_000) }
        #expect(try client.ask("GET") == "403 unauthenticated")
        client.end()
    }

    @Test func aStopFinishesWhatIsInHandWithinItsBound() throws {
        let world = try World()
        try world.edit("dub1-gw1") {
            $0 = $0.replacingOccurrences(of: "[tls]", with: "stop_timeout_seconds = 2\n[tls]")
        }
        let daemon = try world.start("dub1-gw1")
        let object = Data((0..<(24 << 20)).map { UInt8(truncatingIfNeeded: $0) })
        #expect(
            try world.curl("dub1-mailserver", from: "127.0.10.5", "/mail-dub1/alice/big", body: object).status == 200)
        try world.folder.write(
            "slow.py",
            """
            import socket, ssl, sys
            folder, port = sys.argv[1], int(sys.argv[2])
            context = ssl.create_default_context(cafile=f"{folder}/pki/servers-ca.crt")
            context.check_hostname = False
            context.load_cert_chain(f"{folder}/pki/dub1-mailserver.crt", f"{folder}/pki/dub1-mailserver.key")
            raw = socket.socket()
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
            raw.bind(("127.0.10.5", 0))
            raw.connect(("127.0.0.1", port))
            connection = context.wrap_socket(raw)
            connection.sendall(b"GET /mail-dub1/alice/big HTTP/1.1\\r\\nHost: gw\\r\\n\\r\\n")
            count = len(connection.recv(4096))
            for line in sys.stdin:
                if line.startswith("all"):
                    try:
                        while piece := connection.recv(1 << 20):
                            count += len(piece)
                    except (ssl.SSLError, ConnectionResetError):
                        pass
                print(count, flush=True)
            """)
        let quick = try Client(["python3", world.folder("slow.py"), world.folder.path, "\(world.dublin)"])
        let stalled = try Client(["python3", world.folder("slow.py"), world.folder.path, "\(world.dublin)"])
        _ = try quick.ask()
        _ = try stalled.ask()
        let started = Date()
        daemon.signal(SIGTERM)
        // The one that reads gets all of it; the one that does not is cut off when the bound is reached.
        #expect(try #require(Int(try quick.ask("all"))) > 24 << 20)
        daemon.process.waitUntilExit()
        #expect(daemon.process.terminationStatus == 0)
        #expect(Date().timeIntervalSince(started) < 8)
        quick.end()
        stalled.end()
        let key = world.folder.read("keys/log-dub1.vkey").trimmingCharacters(in: .whitespacesAndNewlines)
        #expect(try world.bailiwick("log", "verify", world.folder("log/dub1"), "--key", key).status == 0)
        let completions = try world.bailiwick(
            "log", "query", world.folder("log/dub1"), "--kind", "completion", "--json")
        #expect(completions.text.contains("\"whole\"") && completions.text.contains("\"broken-off\""))
    }

    @Test(.enabled(if: canMount, "mounting a small file system needs root and loop devices"))
    func aFullStoreAnswers503AndLosesNothing() throws {
        let world = try World()
        let mounted = try SmallFileSystem(world.folder("small"), mebibytes: 16)
        try world.edit("dub1-gw1") {
            $0 = $0.replacingOccurrences(of: world.folder("store/dub1"), with: mounted.path)
        }
        try world.start("dub1-gw1")
        let kept = Data((0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* 7) })
        #expect(
            try world.curl("dub1-mailserver", from: "127.0.10.5", "/mail-dub1/alice/kept", body: kept).status == 200)
        var statuses: [Int] = []
        for number in 0..<12 {
            let body = Data(repeating: UInt8(number), count: 3 << 20)
            let answer = try world.curl("dub1-mailserver", from: "127.0.10.5", "/mail-dub1/alice/\(number)", body: body)
            statuses.append(answer.status)
            if answer.status != 200 {
                #expect(answer.status == 503 && answer.text.contains("<Code>ServiceUnavailable"))
            }
        }
        #expect(statuses.contains(200) && statuses.contains(503))
        // Nothing half is seen, nothing that was answered is lost, and reads go on.
        for (number, status) in statuses.enumerated() {
            let answer = try world.curl("dub1-mailserver", from: "127.0.10.5", "/mail-dub1/alice/\(number)")
            #expect(answer.status == (status == 200 ? 200 : 404))
            if status == 200 { #expect(answer.body == Data(repeating: UInt8(number), count: 3 << 20)) }
        }
        #expect(try world.curl("dub1-mailserver", from: "127.0.10.5", "/mail-dub1/alice/kept").body == kept)
        #expect(
            try world.curl("dub1-mailserver", from: "127.0.10.5", "/mail-dub1/alice/0", "-X", "DELETE").status == 204)
        let again = Data(repeating: 0, count: 1 << 20)
        #expect(
            try world.curl("dub1-mailserver", from: "127.0.10.5", "/mail-dub1/alice/again", body: again).status == 200)
        withExtendedLifetime(mounted) {}
    }

    private func waitForReloads(_ daemon: Daemon, _ count: Int) throws {
        let deadline = Date().addingTimeInterval(10)
        while daemon.output.components(separatedBy: "settings reloaded").count <= count {
            guard Date() < deadline else { throw TestFailure("reload \(count) did not happen: \(daemon.output)") }
            usleep(5000)
        }
    }
}
