import Foundation
import TestSupport
import Testing

/// `bailiwick doctor` on set-ups that are broken in one way each: it names the thing, and says what to do.
@Suite struct DoctorTests {
    let world: World

    init() throws { world = try World() }

    /// A line of the table.
    struct Row {
        let state: String
        let words: String
    }

    func doctor() throws -> (status: Int32, rows: [String: Row], text: String) {
        let result = try world.bailiwick("doctor", "--config", world.folder("dub1-gw1.toml"))
        var rows: [String: Row] = [:]
        for line in result.text.split(separator: "\n") {
            let state = line.prefix { $0 != " " }
            let rest = line.dropFirst(state.count).drop { $0 == " " }
            guard let end = rest.range(of: "  ") else { continue }
            let words = rest[end.upperBound...].drop { $0 == " " }
            let name = String(rest[..<end.lowerBound])
            rows[name] = rows[name] ?? Row(state: String(state), words: String(words))
        }
        return (result.status, rows, result.text + result.errors)
    }

    /// It fails, in that row, with these words.
    func expectFailure(_ name: String, _ words: String...) throws {
        let (status, rows, text) = try doctor()
        #expect(status == 1)
        #expect(rows[name]?.state == "FAIL", "\(text)")
        for word in words { #expect(rows[name]?.words.contains(word) == true, "\(text)") }
    }

    func edit(_ old: String, _ new: String) throws {
        try world.edit("dub1-gw1") {
            #expect($0.contains(old))
            $0 = $0.replacingOccurrences(of: old, with: new)
        }
    }

    @Test func aSoundSetUpFailsNowhereBeforeAndAfterItsStart() throws {
        let before = try doctor()
        #expect(before.status == 0, "\(before.text)")
        #expect(before.rows["listen 127.0.0.1:\(world.dublin)"]?.state == "ok")
        #expect(before.rows["daemon"]?.state == "warn")
        #expect(
            before.rows["certificate"]?.state == "ok"
                && before.rows["revocation list 1"]?.words.contains("days") == true)
        #expect(before.rows["log growth"]?.words == "no checkpoint yet")
        let daemon = try world.start("dub1-gw1")
        for number in 0..<5 {
            #expect(
                try world.curl(
                    "dub1-mailserver", from: "127.0.10.5", "/mail-dub1/alice/\(number)", body: Data("x".utf8)
                )
                .status == 200)
        }
        let running = try doctor()
        #expect(running.status == 0, "\(running.text)")
        #expect(running.rows["listen 127.0.0.1:\(world.dublin)"] == nil)
        #expect(running.rows["daemon, witnesses"]?.state == "warn")
        #expect(running.rows["log disk"]?.words.contains("a durable write takes") == true)
        #expect(daemon.stop() == 0)
        let after = try doctor()
        #expect(after.rows["log growth"]?.words.contains("days left at that rate") == true, "\(after.text)")
    }

    @Test func brokenSettingsAreNamed() throws {
        try edit("driver = \"directory\"", "driver = \"x\"")
        try expectFailure("settings", "store[0].driver", "directory")
    }

    @Test func anEndedCertificateIsNamedWithItsDay() throws {
        try edit(world.folder("pki/dub1-gw1.crt"), world.folder("pki/dub1-expired.crt"))
        try edit(world.folder("pki/dub1-gw1.key"), world.folder("pki/dub1-expired.key"))
        try expectFailure("certificate", "ended on 20", "renew")
    }

    @Test func aCertificateWithAnotherKeyIsNamed() throws {
        try edit(world.folder("pki/dub1-gw1.key"), world.folder("pki/iad1-gw1.key"))
        try expectFailure("certificate", "does not match")
    }

    @Test func anEndedRevocationListIsNamed() throws {
        try world.revoke("dub1-support")
        let result = try run([
            "openssl", "ca", "-config", world.folder("ca.conf"), "-gencrl", "-crl_lastupdate", "20250101000000Z",
            "-crl_nextupdate", "20250201000000Z", "-out", world.folder("pki/clients.crl"),
        ])
        #expect(result.status == 0, "\(result.errors)")
        try expectFailure("revocation list 1", "ended on 2025-02-01", "refused")
    }

    @Test(.enabled(if: python != nil, "a Python with cryptography"))
    func anEndedListOfAnIssuerIsNamed() throws {
        let list = try run([
            try #require(python), "\(repository)/Tests/Conformance/revocations.py", world.folder("keys/issuer-ie.pem"),
            "https://authorizations.example.ie", "ie-2026", "-60",
        ])
        try world.folder.write("ie.revocations", list.text)
        try edit(
            "keys = \"\(world.folder("issuers/ie.jwks"))\"",
            "keys = \"\(world.folder("issuers/ie.jwks"))\"\nrevocations = \"\(world.folder("ie.revocations"))\"")
        try expectFailure("issuer https://authorizations.example.ie, revocations", "ended on", "ask the issuer")
    }

    /// A key set is somebody else's: its `exp` may be any number.
    @Test func anIssuersKeyMayEndAtAnyTime() throws {
        let keys = world.folder.read("issuers/ie.jwks")
        let name = "\"kid\":\"ie-2026\""
        #expect(keys.contains(name))
        for (end, state) in [(Int64.min, "warn"), (0, "warn"), (.max, "ok")] {
            try world.folder.write(
                "issuers/ie.jwks", keys.replacingOccurrences(of: name, with: "\(name),\"exp\":\(end)"))
            let (status, rows, text) = try doctor()
            #expect(status == 0, "\(text)")
            #expect(rows["issuer https://authorizations.example.ie, key ie-2026"]?.state == state, "\(text)")
        }
    }

    @Test func aStoreWithoutAFolderOrExtendedAttributesIsNamed() throws {
        let path = world.folder("store/dub1")
        try edit("path = \"\(path)\"", "path = \"\(path)/nowhere\"")
        try expectFailure("store mail-dub1", "does not exist")
        try edit("path = \"\(path)/nowhere\"", "path = \"/sys/kernel\"")
        try expectFailure("store mail-dub1", "/sys/kernel")
    }

    @Test func aPortThatIsTakenIsNamed() throws {
        try world.edit("iad1-gw1") {
            $0 = $0.replacingOccurrences(of: "127.0.0.1:\(world.virginia)\"", with: "127.0.0.1:\(world.dublin)\"")
        }
        try world.start("iad1-gw1")
        try expectFailure("listen 127.0.0.1:\(world.dublin)", "in use by another process")
        try edit("127.0.0.1:\(world.dublin)\"", "192.0.2.1:\(world.dublin)\"")
        try expectFailure("listen 192.0.2.1:\(world.dublin)", "no address of this machine")
    }

    @Test func aDaemonWhoseLogIsClosedIsNamed() throws {
        let daemon = try world.start("dub1-gw1")
        try FileManager.default.removeItem(atPath: world.folder("log/dub1/lock"))
        let deadline = Date().addingTimeInterval(10)
        while try doctor().rows["daemon, log"]?.state != "FAIL", Date() < deadline { usleep(50_000) }
        try expectFailure("daemon, log", "lock was removed or replaced")
        #expect(daemon.stop() == 0)
    }

    /// Silence is no good news: a daemon that just died, or another program in its place, says nothing of a log.
    @Test(arguments: [
        "", "hello\n", "HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 404 Not Found\r\n\r\nlog: ok\n",
        "HTTP/1.1 503 Service Unavailable\r\n\r\nlog: ok\n", "log: ok\n",
    ])
    func anAnswerThatIsNotOursIsNoGoodNews(answer: String) throws {
        try world.folder.write(
            "stranger.py",
            """
            import socket, sys, threading
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(sys.argv[1])
            listener.listen()
            def serve():
                while True:
                    connection, _ = listener.accept()
                    connection.recv(4096)
                    connection.sendall(sys.argv[2].encode())
                    connection.close()
            threading.Thread(target=serve, daemon=True).start()
            print("listening", flush=True)
            sys.stdin.read()
            """)
        let path = world.folder("run/dub1-gw1.sock")
        try? FileManager.default.removeItem(atPath: path)
        let stranger = try Client(["python3", world.folder("stranger.py"), path, answer])
        _ = try stranger.read()
        try expectFailure("daemon", path, "look at its journal")
    }

    @Test func aWitnessThatIsNotReachedFailsWhereItIsRequired() throws {
        let witness = try world.bailiwick(
            "keys", "new", "--kind", "witness", "--name", "w", "--private", world.folder("keys/witness"))
        let key = witness.text.trimmingCharacters(in: .whitespacesAndNewlines)
        try world.edit("dub1-gw1") { $0 += "\n[[log.witnesses]]\nurl = \"http://127.0.0.1:1/w\"\nkey = \"\(key)\"\n" }
        let (status, rows, text) = try doctor()
        #expect(status == 0 && rows["witness http://127.0.0.1:1/w"]?.state == "warn", "\(text)")
        try edit("[log]\n", "[log]\nwitness_quorum = 1\nwitness_required = true\n")
        try expectFailure("witness http://127.0.0.1:1/w", "127.0.0.1:1 takes no connection")
    }
}
