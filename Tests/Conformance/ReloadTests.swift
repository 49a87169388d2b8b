import Foundation
import TestSupport
import Testing

/// A reload swaps one snapshot: nobody who is being served notices, and what it withdrew has no effect from the next request on.
@Suite struct ReloadTests {
    let world: World
    let daemon: Daemon

    init() throws {
        world = try World()
        daemon = try world.start("dub1-gw1")
        let answer = try world.curl("dub1-mailserver", from: "127.0.10.5", "/mail-dub1/alice/1", body: Data("x".utf8))
        guard answer.status == 200 else { throw TestFailure("put: \(answer.text)") }
    }

    /// 64 keep-alive connections, 100 reloads in a row: no request and no connection is dropped.
    @Test func aHundredReloadsUnderLoadDropNothing() throws {
        let load = try Client([
            "python3", "\(repository)/Tests/Conformance/steady.py", world.folder.path, "\(world.dublin)",
            "dub1-support", "64",
        ])
        defer { load.end() }
        try poll { try Tally(load.ask()).connections == 64 }
        for count in 1...100 {
            daemon.signal(SIGHUP)
            try waitForReloads(count)
        }
        let during = try Tally(load.ask())
        try poll { try Tally(load.ask()).answered > during.answered + 200 }
        let tally = try Tally(load.ask("end"))
        #expect(tally.wrong == 0 && tally.refused == 0 && tally.dropped == 0, "\(tally.text)")
        #expect(tally.connections == 64)
        #expect(during.answered > 100)
        #expect(daemon.stop() == 0)
        let events = try world.bailiwick("log", "query", world.folder("log/dub1"), "--kind", "event", "--json")
        #expect(events.text.components(separatedBy: "\"event\":\"reload\"").count == 101)
    }

    /// Certificate, key, authorities and lists are read anew; connections that were open live on.
    @Test func aNewCertificateIsShownFromTheNextHandshakeOn() throws {
        let client = try client("dub1-support")
        defer { client.end() }
        #expect(try client.ask("GET").hasPrefix("200 "))
        let before = try serial()
        let request = try run([
            "openssl", "x509", "-in", world.folder("pki/dub1-gw1.crt"), "-signkey", world.folder("pki/dub1-gw1.key"),
            "-x509toreq", "-copy_extensions", "copyall", "-out", world.folder("gw.csr"),
        ])
        #expect(request.status == 0, "\(request.errors)")
        let signed = try run([
            "openssl", "x509", "-req", "-in", world.folder("gw.csr"), "-CA", world.folder("pki/servers-ca.crt"),
            "-CAkey", world.folder("pki/servers-ca.key"), "-copy_extensions", "copyall", "-days", "30", "-set_serial",
            "4711", "-out", world.folder("pki/dub1-gw1.crt"),
        ])
        #expect(signed.status == 0, "\(signed.errors)")
        #expect(try serial() == before)
        try reload()
        #expect(try serial() == "1267")
        #expect(try client.ask("GET").hasPrefix("200 "))
    }

    // MARK: - What was withdrawn

    @Test func aPrincipalThatIsTakenOutIsNobodyOnItsOldConnection() throws {
        let client = try client("dub1-support")
        defer { client.end() }
        #expect(try client.ask("GET").hasPrefix("200 "))
        try world.edit("dub1-gw1") { text in
            let parts = text.components(separatedBy: "[[principal]]")
            text = parts.filter { !$0.contains("dub1/support") }.joined(separator: "[[principal]]")
        }
        try reload()
        #expect(try client.ask("GET") == "403 unauthenticated")
    }

    /// The connection lives, the certificate's authority does not, and a session of before is not resumed.
    @Test func anAuthorityThatIsTakenOutEndsConnectionsAndSessions() throws {
        let client = try client("dub1-support")
        defer { client.end() }
        #expect(try client.ask("GET").hasPrefix("200 "))
        #expect(try client.ask("RESUME") == "200 resumed")
        // Another authority in place of the one that signed the client's certificate.
        let made = try run([
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
            world.folder("other.key"), "-out", world.folder("other.crt"), "-subj", "/CN=Other", "-days", "30",
        ])
        #expect(made.status == 0, "\(made.errors)")
        try world.edit("dub1-gw1") {
            $0 = $0.replacingOccurrences(of: world.folder("pki/clients-ca.crt"), with: world.folder("other.crt"))
            $0 = $0.replacingOccurrences(of: "revocation_lists = [\"\(world.folder("pki/clients.crl"))\"]", with: "")
        }
        try reload()
        #expect(try client.ask("GET") == "403 unauthenticated")
        #expect(try client.ask("RESUME").hasPrefix("error "))
    }

    @Test func aCertificateOnTheNewListIsNobodyAndItsSessionIsNotResumed() throws {
        let client = try client("dub1-support")
        let other = try self.client("dub1-mailserver")
        defer {
            client.end()
            other.end()
        }
        #expect(try client.ask("GET").hasPrefix("200 "))
        #expect(try client.ask("RESUME") == "200 resumed")
        #expect(try other.ask("GET").hasPrefix("200 "))
        try world.revoke("dub1-support")
        try reload()
        #expect(try client.ask("GET") == "403 unauthenticated")
        #expect(try client.ask("RESUME").hasPrefix("error "))
        #expect(try other.ask("GET").hasPrefix("200 "))
        // A session that nothing was withdrawn from begins anew, and is served.
        #expect(try other.ask("RESUME").hasPrefix("200 "))
    }

    /// A token that was verified and cached under a key, presented again on the same connection after the key was taken out.
    @Test func anIssuersKeyThatIsTakenOutOpensNothingAnyMore() throws {
        let client = try client("iad1-ediscovery", from: "127.0.20.5", token: world.irishToken())
        defer { client.end() }
        #expect(try client.ask("GET").hasPrefix("200 "))
        let made = try world.bailiwick(
            "keys", "new", "--kind", "issuer", "--algorithm", "ES256", "--kid", "ie-2027", "--private",
            world.folder("keys/next.pem"), "--jwks", world.folder("issuers/next.jwks"))
        #expect(made.status == 0, "\(made.errors)")
        try world.edit("dub1-gw1") {
            $0 = $0.replacingOccurrences(of: world.folder("issuers/ie.jwks"), with: world.folder("issuers/next.jwks"))
        }
        try reload()
        #expect(try client.ask("GET") == "403 authorization-untrusted")
    }

    @Test func aTokenOnTheDenyListOpensNothingAnyMore() throws {
        let token = try world.irishToken()
        let client = try client("iad1-ediscovery", from: "127.0.20.5", token: token)
        defer { client.end() }
        #expect(try client.ask("GET").hasPrefix("200 "))
        let revoked = try world.bailiwick("token", "revoke", token, "--deny-list", world.folder("issuers/ie.denied"))
        #expect(revoked.status == 0, "\(revoked.errors)")
        try reload()
        #expect(try client.ask("GET") == "403 authorization-revoked")
    }

    // MARK: - Stores

    @Test func aStoreThatIsTakenOutGivesItsLockBackWhileConnectionsLiveOn() throws {
        let client = try client("dub1-support")
        defer { client.end() }
        #expect(try client.ask("GET").hasPrefix("200 "))
        try FileManager.default.createDirectory(
            atPath: world.folder("store/second"), withIntermediateDirectories: false)
        try world.edit("dub1-gw1") {
            $0 = $0.replacingOccurrences(of: world.folder("store/dub1"), with: world.folder("store/second"))
        }
        #expect(try isLocked("store/dub1"))
        try reload()
        try poll { try !isLocked("store/dub1") }
        #expect(try isLocked("store/second"))
        #expect(try client.ask("GET").hasPrefix("404 "))
        let put = try world.curl("dub1-mailserver", from: "127.0.10.5", "/mail-dub1/alice/1", body: Data("y".utf8))
        #expect(put.status == 200)
        #expect(try client.ask("GET").hasPrefix("200 "))
    }

    /// By what the path leads to: another spelling of it, and a folder that comes back while somebody still reads from it, are this
    /// process's own.
    @Test func aStoreIsKnownByItsFolder() throws {
        let path = world.folder("store/dub1")
        func set(_ from: String, _ to: String) throws {
            try world.edit("dub1-gw1") {
                #expect($0.contains(from))
                $0 = $0.replacingOccurrences(of: from, with: to)
            }
        }
        func get() throws -> Int {
            try world.curl("dub1-mailserver", from: "127.0.10.5", "/mail-dub1/alice/1").status
        }
        let body = Data(repeating: 7, count: 24 << 20)
        #expect(try world.curl("dub1-mailserver", from: "127.0.10.5", "/mail-dub1/alice/big", body: body).status == 200)
        try set("\"\(path)\"", "\"\(path)/\"")
        try reload()
        #expect(try get() == 200)
        let reader = Process()
        reader.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        reader.arguments = [
            "curl", "-s", "--limit-rate", "100k", "-o", world.folder("big"), "--cacert",
            world.folder("pki/servers-ca.crt"), "--interface", "127.0.10.5", "--cert",
            world.folder("pki/dub1-mailserver.crt"), "--key", world.folder("pki/dub1-mailserver.key"),
            "https://127.0.0.1:\(world.dublin)/mail-dub1/alice/big",
        ]
        try reader.run()
        defer { reader.terminate() }
        try poll { world.folder.read("big").utf8.count > 0 }
        let other = world.folder("store/other")
        try FileManager.default.createDirectory(atPath: other, withIntermediateDirectories: false)
        try set("\"\(path)/\"", "\"\(other)\"")
        try reload(2)
        #expect(try get() == 404)
        try set("\"\(other)\"", "\"\(path)\"")
        try reload(3)
        #expect(try get() == 200 && reader.isRunning)
    }

    @Test func whatWaitsForARestartIsSaid() throws {
        try world.edit("dub1-gw1") {
            $0 = $0.replacingOccurrences(of: "[log]\n", with: "[log]\ncheckpoint_interval_ms = 2000\n")
            $0 = $0.replacingOccurrences(of: "[tls]", with: "event_loops = 7\n\n[tls]")
        }
        try reload()
        #expect(daemon.output.contains("gateway.event_loops, log.checkpoint_interval_ms changed"))
        let ready = try world.curl("dub1-operator", from: "127.0.10.5", "/ready", at: world.dublin + 1)
        #expect(
            ready.text.contains(
                "settings: warning: a restart is due for gateway.event_loops, log.checkpoint_interval_ms\n"))
        try world.edit("dub1-gw1") {
            $0 = $0.replacingOccurrences(of: "name = \"dub1-gw1\"", with: "name = \"dub1-gw2\"")
        }
        daemon.signal(SIGHUP)
        try daemon.waitForOutput("NOT reloaded")
        #expect(daemon.output.contains("gateway.name: \"dub1-gw2\" instead of \"dub1-gw1\""))
    }

    // MARK: - Watched files

    /// Renamed into place, swapped by a symbolic link one folder up (Kubernetes), and written in place: each is seen, without a signal.
    @Test func aWatchedFileIsReadAgainHoweverItIsRenewed() throws {
        let world = try World()
        let list = world.folder("issuers/live/ie.denied")
        let manager = FileManager.default
        for version in ["..1", "..2"] {
            try manager.createDirectory(
                atPath: world.folder("issuers/live/\(version)"), withIntermediateDirectories: true)
            try world.folder.write("issuers/live/\(version)/ie.denied", "")
        }
        try manager.createSymbolicLink(atPath: world.folder("issuers/live/..data"), withDestinationPath: "..1")
        try manager.createSymbolicLink(atPath: list, withDestinationPath: "..data/ie.denied")
        try world.edit("dub1-gw1") {
            $0 = $0.replacingOccurrences(of: "[tls]", with: "watch_files = true\n\n[tls]")
            $0 = $0.replacingOccurrences(of: world.folder("issuers/ie.denied"), with: list)
        }
        let daemon = try world.start("dub1-gw1")
        #expect(
            try world.curl("dub1-mailserver", from: "127.0.10.5", "/mail-dub1/alice/1", body: Data("x".utf8)).status
                == 200)
        let token = try world.irishToken()
        let client = try client("iad1-ediscovery", from: "127.0.20.5", token: token, in: world)
        defer { client.end() }
        #expect(try client.ask("GET").hasPrefix("200 "))
        let denied = world.folder("denied")
        #expect(try world.bailiwick("token", "revoke", token, "--deny-list", denied).status == 0)
        // The link is swapped, as `mv -T` does it.
        try manager.removeItem(atPath: world.folder("issuers/live/..2/ie.denied"))
        try manager.copyItem(atPath: denied, toPath: world.folder("issuers/live/..2/ie.denied"))
        try manager.createSymbolicLink(atPath: world.folder("issuers/live/..tmp"), withDestinationPath: "..2")
        rename(world.folder("issuers/live/..tmp"), world.folder("issuers/live/..data"))
        try waitForReloads(1, daemon)
        #expect(daemon.output.contains("\(list) changed"))
        #expect(try client.ask("GET") == "403 authorization-revoked")
        // A new file renamed over the old one.
        try world.folder.write("new.crl", world.folder.read("pki/clients.crl"))
        rename(world.folder("new.crl"), world.folder("pki/clients.crl"))
        try waitForReloads(2, daemon)
        // Written in place, and broken: the old ones stay in force.
        try world.folder.write("issuers/ie.jwks", "{}")
        try daemon.waitForOutput("NOT reloaded")
        #expect(daemon.output.contains("issuer[0].keys"))
        #expect(daemon.stop() == 0)
    }

    /// A machine that gives no inotify instance, or no watch, as one whose users have taken them all: files are looked at by time.
    @Test(.enabled(if: mayBound, "needs user namespaces"), arguments: ["max_inotify_instances", "max_inotify_watches"])
    func aWatchedFileIsReadAgainWhereNothingCanBeWatched(bound: String) throws {
        let world = try World()
        try world.edit("dub1-gw1") { $0 = $0.replacingOccurrences(of: "[tls]", with: "watch_files = true\n\n[tls]") }
        let daemon = try Daemon(
            settings: world.folder("dub1-gw1.toml"), socket: world.folder("run/dub1-gw1.sock"),
            launcher: Self.bounding(bound))
        defer { daemon.kill() }
        try daemon.waitUntilReady()
        try world.folder.write("new.crl", world.folder.read("pki/clients.crl"))
        rename(world.folder("new.crl"), world.folder("pki/clients.crl"))
        try waitForReloads(1, daemon)
        #expect(daemon.output.contains("\(world.folder("pki/clients.crl")) changed"))
    }

    // MARK: - Helpers

    /// Runs a command in a user namespace of its own that has none of something.
    private static func bounding(_ name: String) -> [String] {
        ["/usr/bin/unshare", "--map-root-user", "sh", "-c", "echo 0 > /proc/sys/user/\(name) && exec \"$@\"", "sh"]
    }

    private static let mayBound = (try? run(bounding("max_inotify_watches") + ["true"]).status) == 0

    private func client(
        _ who: String, from address: String = "127.0.10.5", token: String = "", in world: World? = nil
    ) throws -> Client {
        let world = world ?? self.world
        return try Client([
            "python3", "\(repository)/Tests/Conformance/session.py", world.folder.path, "\(world.dublin)", who, address,
            token,
        ])
    }

    private func reload(_ count: Int = 1) throws {
        daemon.signal(SIGHUP)
        try waitForReloads(count)
    }

    private func waitForReloads(_ count: Int, _ daemon: Daemon? = nil) throws {
        let daemon = daemon ?? self.daemon
        try poll { daemon.output.components(separatedBy: "settings reloaded").count > count }
    }

    private func poll(_ condition: () throws -> Bool) throws {
        let deadline = Date().addingTimeInterval(60)
        while try !condition() {
            guard Date() < deadline else { throw TestFailure("it did not happen: \(daemon.output)") }
            usleep(2000)
        }
    }

    /// The serial number, in hexadecimal, of the certificate that a new connection is shown.
    private func serial() throws -> String {
        let shown = try run(
            [
                "sh", "-c",
                "openssl s_client -connect 127.0.0.1:\(world.dublin) 2>/dev/null | openssl x509 -noout -serial",
            ], input: Data())
        return shown.text.trimmingCharacters(in: .whitespacesAndNewlines).replacingOccurrences(of: "serial=", with: "")
    }

    /// Does somebody hold the folder's lock?
    private func isLocked(_ folder: String) throws -> Bool {
        try run(["flock", "--nonblock", world.folder(folder), "true"]).status != 0
    }
}
