import Foundation
import TestSupport
import Testing

/// What is withdrawn has no effect from then on: on what is being sent, and over a restart.
@Suite final class RevocationTests {
    static let issuer = "https://authorizations.example.ie"

    let world: World

    init() throws { world = try World() }

    /// A client that reads an object slowly, and says at each line it is sent how much it has; at `all`, when it has the rest.
    private func slowReader(token: String) throws -> Client {
        try world.folder.write(
            "slow.py",
            """
            import socket, ssl, sys
            folder, port, token = sys.argv[1], int(sys.argv[2]), sys.argv[3]
            context = ssl.create_default_context(cafile=f"{folder}/pki/servers-ca.crt")
            context.check_hostname = False
            context.load_cert_chain(f"{folder}/pki/iad1-ediscovery.crt", f"{folder}/pki/iad1-ediscovery.key")
            raw = socket.socket()
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
            raw.bind(("127.0.20.5", 0))
            raw.settimeout(30)
            raw.connect(("127.0.0.1", port))
            connection = context.wrap_socket(raw)
            connection.sendall(f"GET /mail-dub1/alice/big HTTP/1.1\\r\\nHost: gw\\r\\nx-bailiwick-authorization: {token}\\r\\n\\r\\n".encode())
            first = connection.recv(4096)
            count = len(first)
            for line in sys.stdin:
                end = "open"
                if line.startswith("all"):
                    try:
                        while piece := connection.recv(1 << 20):
                            count += len(piece)
                        end = "ended"
                    except (ssl.SSLError, ConnectionResetError, TimeoutError) as error:
                        end = type(error).__name__
                print(first.split()[1].decode(), count, end, flush=True)
            """)
        return try Client(["python3", world.folder("slow.py"), world.folder.path, "\(world.dublin)", token])
    }

    private func prepare() throws -> Daemon {
        let daemon = try world.start("dub1-gw1")
        let big = Data(repeating: 7, count: 24 << 20)
        #expect(try world.curl("dub1-mailserver", from: "127.0.10.5", "/mail-dub1/alice/big", body: big).status == 200)
        return daemon
    }

    /// Waits until the log says that a release was withdrawn, and gives how long that took.
    private func waitForWithdrawal() throws -> TimeInterval {
        let started = Date()
        while Date().timeIntervalSince(started) < 20 {
            let log = try world.bailiwick("log", "query", world.folder("log/dub1"), "--kind", "completion", "--json")
            if log.text.contains("\"withdrawn\"") { return Date().timeIntervalSince(started) }
            usleep(100_000)
        }
        throw TestFailure("nothing was withdrawn")
    }

    @Test func aReleaseThatOutlivesItsRevocationIsBrokenOff() throws {
        let daemon = try prepare()
        let token = try world.irishToken()
        let reader = try slowReader(token: token)
        #expect(try reader.ask().hasPrefix("200 "))
        let denied = try world.bailiwick("token", "revoke", "--deny-list", world.folder("issuers/ie.denied"), token)
        #expect(denied.status == 0)
        daemon.signal(SIGHUP)
        try daemon.waitForOutput("settings reloaded")
        // The completion is on disk at most a checkpoint's interval after the release was broken off.
        #expect(try waitForWithdrawal() < 7)
        let end = try reader.ask("all").split(separator: " ")
        #expect(try #require(Int(end[1])) < 24 << 20 && end[2] != "open", "\(end)")
        reader.end()
    }

    /// What the log was last served under, the log says: the times of its files are those of a copy, or of a clock that was wrong.
    @Test(arguments: [false, true]) func aDenyListMayNotVanishWhateverTheTimesOfFiles(_ isKilled: Bool) throws {
        let daemon = try world.start("dub1-gw1")
        #expect(daemon.stop() == 0)
        let aged = try run(["sh", "-c", "touch -d '+3 days' '\(world.folder("log/dub1/policy"))'/*"])
        #expect(aged.status == 0, "\(aged.errors)")
        let denied = try world.bailiwick(
            "token", "revoke", "--deny-list", world.folder("issuers/ie.denied"), try world.irishToken())
        #expect(denied.status == 0)
        let second = try world.start("dub1-gw1")
        if isKilled { second.kill() } else { #expect(second.stop() == 0) }
        try FileManager.default.removeItem(atPath: world.folder("issuers/ie.denied"))
        let check = try run(["\(products)/bailiwickd", "--check", "--config", world.folder("dub1-gw1.toml")])
        #expect(check.status == 1 && check.errors.contains("ie.denied is gone"), "\(check)")
    }

    @Test func aReleaseThatOutlivesItsAuthorizationIsBrokenOff() throws {
        _ = try prepare()
        let expires = ISO8601DateFormatter().string(from: Date().addingTimeInterval(4))
        let reader = try slowReader(token: try world.irishToken("--expires", expires))
        #expect(try reader.ask().hasPrefix("200 "))
        #expect(try waitForWithdrawal() < 11)
        let end = try reader.ask("all").split(separator: " ")
        #expect(try #require(Int(end[1])) < 24 << 20, "\(end)")
        reader.end()
    }

    private func writeList(_ name: String, _ tokenIDs: [String], hours: Int = 24) throws {
        let made = try world.bailiwick(
            "token", "revocations", "--issuer", Self.issuer, "--key", world.folder("keys/issuer-ie.pem"), "--kid",
            "ie-2026", "--hours", "\(hours)")
        #expect(made.status == 0, "\(made.errors)")
        let list =
            tokenIDs.isEmpty
            ? made
            : try run(
                [
                    "\(products)/bailiwick", "token", "revocations", "--issuer", Self.issuer, "--key",
                    world.folder("keys/issuer-ie.pem"), "--kid", "ie-2026", "--hours", "\(hours)",
                ] + tokenIDs.flatMap { ["--token-id", $0] })
        try world.folder.write(name, list.text)
    }

    /// Whoever puts an older list back would bring a withdrawn token back with it: by a reload, or by a restart.
    @Test func anIssuersListNeverGoesBackNotEvenOverARestart() throws {
        try writeList("old.revocations", [])
        try writeList("issuers/ie.revocations", [])
        try world.edit("dub1-gw1") {
            $0 = $0.replacingOccurrences(
                of: "deny_list = \"\(world.folder("issuers/ie.denied"))\"",
                with: "revocations = \"\(world.folder("issuers/ie.revocations"))\"")
        }
        let daemon = try world.start("dub1-gw1")
        let path = "/mail-dub1/alice/1"
        #expect(try world.curl("dub1-mailserver", from: "127.0.10.5", path, body: Data("x".utf8)).status == 200)
        let header = "x-bailiwick-authorization: " + (try world.irishToken("--token-id", "order-7"))
        func outcome() throws -> String? {
            let answer = try world.curl("iad1-ediscovery", from: "127.0.20.5", path, "-H", header)
            return answer.status == 200 ? "served" : answer.reason
        }
        #expect(try outcome() == "served")
        // `iat` counts seconds: the new list is a later one.
        let second = Date()
        while Date().timeIntervalSince(second) < 1.1 { usleep(20_000) }
        try writeList("issuers/ie.revocations", ["order-7"])
        daemon.signal(SIGHUP)
        try daemon.waitForOutput("settings reloaded")
        #expect(try outcome() == "authorization-revoked")

        try world.folder.write("issuers/ie.revocations", world.folder.read("old.revocations"))
        daemon.signal(SIGHUP)
        try daemon.waitForOutput("NOT reloaded")
        #expect(daemon.output.contains("went back"))
        #expect(try outcome() == "authorization-revoked")

        #expect(daemon.stop() == 0)
        for arguments in [["--check"], []] {
            let started = try run(
                ["\(products)/bailiwickd", "--config", world.folder("dub1-gw1.toml")] + arguments)
            #expect(started.status == 1)
            #expect(started.errors.contains("the list went back") && started.errors.contains(Self.issuer))
        }
        try writeList("issuers/ie.revocations", ["order-7"])
        try world.start("dub1-gw1")
        #expect(try outcome() == "authorization-revoked")
    }

    /// A store that compares an object's digest looks at all of it before ten bytes are answered. What ends meanwhile ends the answer too.
    @Test func noAnswerBeginsAfterItsAuthorizationEnded() throws {
        try world.edit("dub1-gw1") {
            $0 = $0.replacingOccurrences(
                of: "driver = \"directory\"",
                with: "driver = \"directory\"\nuntagged = \"adopt\"\nverify_content = true")
        }
        let daemon = try world.start("dub1-gw1")
        let file = world.folder("store/dub1/alice/huge")
        #expect(try run(["sh", "-c", "mkdir -p $(dirname \(file)) && truncate -s 512M \(file)"]).status == 0)
        let range = ["-H", "Range: bytes=0-9"]
        #expect(
            try world.curl("dub1-mailserver", from: "127.0.10.5", "/mail-dub1/alice/huge", arguments: range).status
                == 206)
        let expiry = ISO8601DateFormatter().string(from: Date().addingTimeInterval(3))
        let token = try world.irishToken("--expires", expiry)
        // The daemon stands still from within the look at the object until the token has expired.
        let script = """
            curl -sS --max-time 60 --cacert pki/servers-ca.crt --cert pki/iad1-ediscovery.crt --key pki/iad1-ediscovery.key \
              --interface 127.0.20.5 -H 'x-bailiwick-authorization: \(token)' -r 0-9 -o late -w '%{http_code}' \
              https://127.0.0.1:\(world.dublin)/mail-dub1/alice/huge &
            sleep 0.4; kill -STOP \(daemon.process.processIdentifier); sleep 4; kill -CONT \(daemon.process.processIdentifier); wait
            """
        let late = try run(["bash", "-c", script], folder: world.folder.path)
        #expect(late.text != "206", "\(late)")
        #expect(!FileManager.default.fileExists(atPath: world.folder("late")) || late.text == "403")
    }
}
