import Foundation
import TestSupport
import Testing

/// `bailiwick tags scan`, through the running daemon and while it is stopped.
@Suite final class ScanTests {
    let world: World

    init() throws { world = try World() }

    private func throughDaemon(_ arguments: String...) throws -> CommandResult {
        try run(self.arguments(of: arguments))
    }

    private func arguments(of others: [String]) -> [String] {
        [
            "\(products)/bailiwick", "tags", "scan", "mail-dub1", "--operators",
            "https://127.0.0.1:\(world.dublin + 1)", "--certificate", world.folder("pki/dub1-operator.crt"),
            "--key", world.folder("pki/dub1-operator.key"), "--authorities", world.folder("pki/servers-ca.crt"),
        ] + others
    }

    private func whileStopped(_ arguments: String...) throws -> CommandResult {
        try run(
            ["\(products)/bailiwick", "tags", "scan", "mail-dub1", "--config", world.folder("dub1-gw1.toml")]
                + arguments)
    }

    private func put(_ key: String, _ text: String) throws {
        let answer = try world.curl(
            "dub1-mailserver", from: "127.0.10.5", "/mail-dub1/\(key)", body: Data(text.utf8))
        #expect(answer.status == 200)
    }

    @Test func bothWaysFindTheSame() throws {
        let daemon = try world.start("dub1-gw1")
        for number in 0..<4 { try put("alice/\(number)", "message \(number)") }
        let clean = try throughDaemon("--content")
        #expect(clean.status == 0 && clean.text.hasSuffix("4 objects, 36 bytes, 0 adopted, 0 misplaced, 0 wrong\n"))

        // One tag edited, one content altered at the same size, one file without a tag.
        let store = world.folder("store/dub1/alice")
        let changed = try run([
            "sh", "-ec",
            """
            python3 -c 'import os,sys; v=os.getxattr(sys.argv[1],"user.bailiwick"); os.setxattr(sys.argv[1],"user.bailiwick",v.replace(b";IE;",b";US;",1))' \(store)/0
            printf 'massage 1' | dd of=\(store)/1 conv=notrunc status=none
            echo stray > \(store)/stray
            """,
        ])
        #expect(changed.status == 0, "\(changed.errors)")
        let expected = [
            "alice/0: tag invalid", "alice/1: the content is not what was sealed", "alice/stray: no tag",
            "5 objects, 42 bytes, 0 adopted, 0 misplaced, 3 wrong",
        ]
        let running = try throughDaemon("--content")
        #expect(running.status == 1)
        for line in expected { #expect(running.text.contains(line), "\(running.text)") }

        // Its lock is the daemon's while that runs.
        let kept = try whileStopped()
        #expect(kept.status == 1 && kept.errors.contains("in use by another process"), "\(kept.errors)")

        #expect(daemon.stop() == 0)
        let stopped = try whileStopped("--content")
        #expect(stopped.status == 1)
        #expect(stopped.text == running.text)
        let without = try whileStopped()
        #expect(without.status == 1 && !without.text.contains("alice/1:"))
        let unreached = try throughDaemon()
        #expect(unreached.status == 69 && unreached.errors.hasPrefix("Cannot reach the daemon at https://127.0.0.1:"))
        #expect(unreached.errors.contains("nothing listens there; is it running"), "\(unreached.errors)")
    }

    @Test func whatIsAdoptedWhileStoppedIsOnRecordBefore() throws {
        try world.edit("dub1-gw1") {
            $0 = $0.replacingOccurrences(
                of: "driver = \"directory\"", with: "driver = \"directory\"\nuntagged = \"adopt\"")
        }
        try world.folder.write("store/dub1/alice/stray", "hello")
        let adopted = try whileStopped()
        #expect(
            adopted.status == 0 && adopted.text == "1 objects, 5 bytes, 1 adopted, 0 misplaced, 0 wrong\n", "\(adopted)"
        )
        let again = try whileStopped("--content")
        #expect(again.text == "1 objects, 5 bytes, 0 adopted, 0 misplaced, 0 wrong\n")
        let events = try world.bailiwick("log", "query", world.folder("log/dub1"), "--kind", "event", "--json").text
        #expect(events.components(separatedBy: "\"adoption\"").count == 2, "\(events)")
        // The daemon goes on in the same log, and serves what was adopted.
        try world.start("dub1-gw1")
        #expect(try world.curl("dub1-mailserver", from: "127.0.10.5", "/mail-dub1/alice/stray").text == "hello")
        let key = world.folder.read("keys/log-dub1.vkey").trimmingCharacters(in: .whitespacesAndNewlines)
        #expect(try world.bailiwick("log", "verify", world.folder("log/dub1"), "--key", key).status == 0)
        #expect(try world.bailiwick("log", "audit", world.folder("log/dub1"), "--key", key).status == 0)
    }

    /// One exit status for a daemon that is not reached, which is not the one for what is wrong in a store.
    @Test func aDaemonThatIsNotReachedIsToldApart() throws {
        try world.start("dub1-gw1")
        let port = world.dublin + 1
        func scan(_ url: String, _ certificate: String = "dub1-operator", authorities: String = "servers-ca") throws
            -> CommandResult
        {
            try run([
                "\(products)/bailiwick", "tags", "scan", "mail-dub1", "--operators", url, "--certificate",
                world.folder("pki/\(certificate).crt"), "--key", world.folder("pki/\(certificate).key"),
                "--authorities", world.folder("pki/\(authorities).crt"),
            ])
        }
        for (result, says) in [
            (try scan("https://host.invalid:\(port)"), "there is no such host"),
            (
                try scan("https://127.0.0.1:\(port)", authorities: "clients-ca"),
                "its certificate is not one of --authorities"
            ),
            (
                try scan("https://127.0.0.1:\(port)", "iad1-gw1"),
                "does --certificate descend from its tls.client_authorities"
            ),
        ] {
            #expect(result.status == 69 && result.errors.hasPrefix("Cannot reach the daemon at https://"), "\(result)")
            #expect(result.errors.contains(says) && !result.errors.contains("Usage"), "\(result.errors)")
        }
        // Of 16 bits it would be the right one.
        for wrong in [port + 65_536, 0, -1, 65_536] {
            let result = try scan("https://127.0.0.1:\(wrong)")
            #expect(result.status == 64 && result.errors.contains("the port 1 to 65535"), "\(result)")
        }
        let elsewhere = try scan("https://127.0.0.1:\(world.dublin)")
        #expect(elsewhere.status == 69 && elsewhere.errors.contains("gateway.operators_listen"), "\(elsewhere)")
        let noOperator = try scan("https://127.0.0.1:\(port)", "dub1-auditor")
        #expect(noOperator.status == 1 && noOperator.text.contains("no role"), "\(noOperator)")
    }

    /// Adoptions are events of the log: by them a scan is seen under way.
    private func entries() -> Int {
        world.folder.read("log/dub1/checkpoint").split(separator: "\n").dropFirst().first.flatMap { Int($0) } ?? 0
    }

    private func plant(_ objects: Int) throws {
        let planted = try run([
            "python3", "-c",
            "import os,sys\nos.mkdir(sys.argv[1])\nfor n in range(\(objects)): open(f'{sys.argv[1]}/{n}', 'w').close()",
            world.folder("store/dub1/alice"),
        ])
        #expect(planted.status == 0, "\(planted.errors)")
    }

    private func beginScan() throws -> (Process, Pipe) {
        let (scan, output) = (Process(), Pipe())
        scan.executableURL = URL(fileURLWithPath: "\(products)/bailiwick")
        scan.arguments = Array(arguments(of: []).dropFirst())
        scan.standardOutput = output
        try scan.run()
        return (scan, output)
    }

    /// More than a scan adopts while a test looks.
    private static let many = 40_000

    /// A daemon whose store adopts so many objects.
    private func startAdopting(_ count: Int) throws -> Daemon {
        try world.edit("dub1-gw1") {
            $0 = $0.replacingOccurrences(
                of: "driver = \"directory\"", with: "driver = \"directory\"\nuntagged = \"adopt\"")
        }
        try plant(count)
        return try world.start("dub1-gw1")
    }

    /// However many are asked for and given up, one runs at a time, for as long as somebody waits for it.
    @Test func aScanRunsAloneAndEndsWithWhoAskedForIt() throws {
        let daemon = try startAdopting(Self.many)
        let (scan, _) = try beginScan()
        while entries() < 50, scan.isRunning { usleep(10_000) }
        let second = try throughDaemon()
        #expect(second.status == 69 && second.text.contains("a scan of mail-dub1 is under way since "), "\(second)")
        kill(scan.processIdentifier, SIGKILL)
        scan.waitUntilExit()
        let deadline = Date().addingTimeInterval(20)
        var (before, after) = (0, entries())
        while before != after {
            before = after
            usleep(2_500_000)
            after = entries()
            guard Date() < deadline else { throw TestFailure("it goes on: \(after) entries") }
        }
        #expect(after < Self.many)
        let (third, _) = try beginScan()
        while entries() < after + 50, third.isRunning { usleep(10_000) }
        #expect(third.isRunning)
        #expect(daemon.stop() == 0)
        third.waitUntilExit()
    }

    /// A scan may take hours; a stop does not wait for it, and who asked hears that it saw only a part.
    @Test func aStopCutsAScanShort() throws {
        let daemon = try startAdopting(Self.many)
        let (scan, output) = try beginScan()
        while entries() < 50, scan.isRunning { usleep(10_000) }
        let began = Date()
        #expect(daemon.stop() == 0)
        #expect(Date().timeIntervalSince(began) < 10)
        scan.waitUntilExit()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        #expect(text.contains("adopted") && text.contains("cut short"), "\(text)")
        #expect(!text.contains("\(Self.many) objects") && scan.terminationStatus == 69)
    }

    /// What root made in the log's folder would close the log of a daemon that is another user.
    @Test(.enabled(if: geteuid() == 0)) func aScanByRootLeavesNothingOfRoots() throws {
        try world.edit("dub1-gw1") {
            $0 = $0.replacingOccurrences(
                of: "driver = \"directory\"", with: "driver = \"directory\"\nuntagged = \"adopt\"")
        }
        try world.folder.write("store/dub1/alice/stray", "hello")
        let user: UInt32 = 65_534
        #expect(try run(["chown", "-R", "\(user):\(user)", world.folder.path]).status == 0)
        // Keys of systemd's credentials are root's alone.
        #expect(try run(["chown", "-R", "0:0", world.folder("keys")]).status == 0)
        for arguments in [["--renew"], []] {
            let scan = try run(
                ["\(products)/bailiwick", "tags", "scan", "mail-dub1", "--config", world.folder("dub1-gw1.toml")]
                    + arguments)
            #expect(scan.status == 0 && scan.text.contains("1 objects"), "\(scan)")
        }
        let others = try run(["find", world.folder("log"), world.folder("store"), "!", "-uid", "\(user)"])
        #expect(others.status == 0 && others.text.isEmpty, "\(others.text)")
        #expect(FileManager.default.fileExists(atPath: world.folder("log/dub1/checkpoint")))
    }

    @Test func aBucketThatIsNoneIsToldWithThoseThatAre() throws {
        let result = try run([
            "\(products)/bailiwick", "tags", "scan", "mail-other", "--config", world.folder("dub1-gw1.toml"),
        ])
        #expect(result.status != 0 && result.errors.contains("mail-dub1"))
        try world.start("dub1-gw1")
        var arguments = arguments(of: [])
        arguments[3] = "mail-other"
        let asked = try run(arguments)
        #expect(asked.status == 1 && asked.text == "mail-other is no store; there is: mail-dub1\n", "\(asked)")
    }
}
