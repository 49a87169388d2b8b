import Foundation
import TestSupport
import Testing

/// Witnesses: ours against a client that was written from the specification, and gateways that have their checkpoints cosigned.
@Suite struct WitnessTests {
    // MARK: - The witness

    @Test(.enabled(if: python != nil, "needs Python with cryptography"))
    func theWitnessAnswersAsSpecified() throws {
        let folder = try Sandbox("witness")
        let witness = try Witness(folder, "w1", logs: [try pythonLog(folder)])
        defer { witness.stop() }
        let result = try run([
            try #require(python), "\(repository)/Tests/Conformance/witness.py", witness.url, witness.vkey,
            folder("python-key"),
        ])
        #expect(result.status == 0 && result.text.contains("all as specified"), "\(result.errors)\(result.text)")
    }

    /// Killed at random instants it signs nothing that it does not remember: sizes only grow, and no size has two roots.
    @Test(.enabled(if: python != nil, "needs Python with cryptography"))
    func aWitnessThatIsKilledForgetsNothing() throws {
        let folder = try Sandbox("witness")
        let logs = [try pythonLog(folder)]
        var witness = try Witness(folder, "w1", logs: logs)
        let client = Process()
        client.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        client.arguments = [
            try #require(python), "\(repository)/Tests/Conformance/witness.py", witness.url, witness.vkey,
            folder("python-key"),
            folder("record"),
        ]
        let errors = Pipe()
        client.standardError = errors
        try client.run()
        // It asks for ever, whether or not somebody answers.
        defer { if client.isRunning { client.terminate() } }
        for _ in 0..<30 {
            usleep(UInt32.random(in: 0..<60_000))
            witness.kill()
            witness = try Witness(folder, "w1", logs: logs, port: witness.port)
        }
        usleep(200_000)
        #expect(client.isRunning)
        client.terminate()
        client.waitUntilExit()
        witness.stop()
        let sizes = folder.read("record").split(separator: "\n").compactMap { Int($0.prefix { $0 != " " }) }
        #expect(sizes.count > 30 && sizes == sizes.sorted() && Set(sizes).count == sizes.count)
        #expect(witness.output.contains("cosigned up to"))
        // What it remembers is no less than what it signed.
        let last = try Witness(folder, "w1", logs: logs)
        defer { last.stop() }
        let remembered = last.output.range(of: "(?<=cosigned up to )[0-9]+", options: .regularExpression)
            .flatMap { Int(last.output[$0]) }
        #expect(try #require(remembered) >= sizes.last ?? .max)
    }

    @Test func aWitnessHasABoundOfConnections() throws {
        let folder = try Sandbox("witness")
        let log = try run([
            "\(products)/bailiwick", "keys", "new", "--kind", "log", "--name", "logs.example.org/dub1-gw1", "--private",
            folder("log.key"),
        ])
        let witness = try Witness(folder, "w1", logs: [log.text.trimmingCharacters(in: .whitespacesAndNewlines)])
        defer { witness.stop() }
        let result = try run([
            "python3", "-c",
            """
            import select, socket, sys, time
            def connect(): return socket.create_connection(("127.0.0.1", int(sys.argv[1])))
            held = [connect() for _ in range(512)]
            more = [connect() for _ in range(8)]
            for one in more:
                one.settimeout(20)
                assert one.recv(1) == b"", "held"
            assert not select.select(held, [], [], 0.2)[0], "closed"
            for one in held: one.close()
            request = b"POST /add-checkpoint HTTP/1.1\\r\\nHost: w\\r\\nContent-Length: 0\\r\\n\\r\\n"
            until = time.monotonic() + 20
            while True:
                with connect() as one:
                    one.sendall(request)
                    one.settimeout(20)
                    try: answer = one.recv(100)
                    except ConnectionResetError: answer = b""
                if answer.startswith(b"HTTP/1.1 400"): break
                assert time.monotonic() < until, answer
                time.sleep(0.05)
            """, "\(witness.port)",
        ])
        #expect(result.status == 0, "\(result.errors)")
    }

    @Test func aWitnessTellsWhatIsWrongWithWhatItWasGiven() throws {
        let folder = try Sandbox("witness")
        let key = try #require(try newKey(folder, "w1"))
        let other = try run([
            "\(products)/bailiwick", "keys", "new", "--kind", "log", "--name", "log.example", "--private",
            folder("log"),
        ]).text.trimmingCharacters(in: .whitespacesAndNewlines)
        func start(_ arguments: String...) throws -> CommandResult {
            try run(["\(products)/bailiwick", "witness", "--state", folder("w1.state")] + arguments)
        }
        let wrongKey = try start("--key", folder("log"), "--log", other)
        #expect(wrongKey.status != 0 && wrongKey.errors.contains("--kind witness"))
        let wrongLog = try start("--key", folder("w1.key"), "--log", key)
        #expect(wrongLog.status != 0 && wrongLog.errors.contains("vkey"))
        let witness = try Witness(folder, "w1", logs: [other])
        let taken = try start("--key", folder("w1.key"), "--log", other, "--listen", "127.0.0.1:0")
        #expect(taken.status != 0 && taken.errors.contains("another witness holds it"))
        witness.stop()
        // What it remembers must be what it wrote: to begin anew would be to forget.
        let world = try World()
        let vkey = vkey(world)
        let real = try Witness(world.folder, "w1", logs: [vkey])
        try world.witnessed(by: [real], quorum: 1)
        let daemon = try world.start("dub1-gw1")
        #expect(daemon.stop() == 0)
        real.stop()
        let states = try FileManager.default.contentsOfDirectory(atPath: world.folder("w1.state"))
        let state = try #require(states.first { $0.count == 64 })
        try world.folder.write("w1.state/\(state)", "nothing\n")
        let damaged = try run([
            "\(products)/bailiwick", "witness", "--state", world.folder("w1.state"), "--key", world.folder("w1.key"),
            "--log", vkey, "--listen", "127.0.0.1:0",
        ])
        #expect(damaged.status != 0 && damaged.errors.contains("is no checkpoint of"), "\(damaged.errors)")
    }

    // MARK: - The daemon

    @Test func checkpointsAreCosignedAndVerifiedByQuorum() throws {
        let world = try World()
        let witnesses = try ["w1", "w2"].map { try Witness(world.folder, $0, logs: [vkey(world)]) }
        defer { for witness in witnesses { witness.stop() } }
        try world.witnessed(by: witnesses, quorum: 2)
        let daemon = try world.start("dub1-gw1")
        for number in 0..<300 where number % 100 == 0 { try put(world, number) }
        let ready = try world.curl("dub1-operator", from: "127.0.10.5", "/ready", at: world.dublin + 1)
        #expect(ready.text.contains("witnesses: ok") && !ready.text.contains("warning"), "\(ready.text)")
        let metrics = try world.curl("dub1-operator", from: "127.0.10.5", "/metrics", at: world.dublin + 1).text
        #expect(
            metrics.contains("\nbailiwick_witnesses_cosigning 2\n")
                && metrics.contains("\nbailiwick_witness_quorum 2\n"))
        #expect(metrics.contains("bailiwick_witness_cosigned_size{witness=\"witness.example/w1\"}"))
        // While it runs, the checkpoint soon has both.
        try wait { try verify(world, witnesses, quorum: 2).status == 0 }
        #expect(daemon.stop() == 0)
        let good = try verify(world, witnesses, quorum: 2)
        #expect(good.status == 0, "\(good.errors)")
        #expect(good.text.components(separatedBy: "cosigned by witness.example/").count == 3)
        // The checkpoint that a stop leaves covers the stop.
        #expect(try world.bailiwick("log", "query", world.folder("log/dub1"), "--kind", "event").text.contains("stop"))
        let stranger = try newKey(world.folder, "w3")
        let missing = try world.bailiwick(
            "log", "verify", world.folder("log/dub1"), "--key", vkey(world), "--witness", witnesses[0].vkey,
            "--witness",
            stranger ?? "")
        #expect(missing.status == 1 && missing.errors.contains("not signed by witness.example/w3"), "\(missing.errors)")
        let one = try world.bailiwick(
            "log", "verify", world.folder("log/dub1"), "--key", vkey(world), "--witness", witnesses[0].vkey,
            "--witness",
            stranger ?? "", "--quorum", "1")
        #expect(one.status == 0)
        // Somebody else's implementation reads the log's own signature beside the witnesses'.
        let go = try run(
            [
                "go", "run", "\(repository)/Tests/Conformance/tlog/main.go", world.folder("log/dub1"), vkey(world),
            ], environment: ["GO111MODULE": "off", "GOPATH": "/usr/share/gocode"])
        #expect(go.status == 0, "\(go.errors)")
    }

    /// A log that does not grow is cosigned by one witness, and later by another one while the first is away: it bears both.
    @Test func whatOneWitnessSignedStaysWhereAnotherSignsLater() throws {
        let world = try World()
        let first = try Witness(world.folder, "w1", logs: [vkey(world)])
        var second = try Witness(world.folder, "w2", logs: [vkey(world)])
        second.stop()
        try world.witnessed(by: [first, second], quorum: 0)
        let daemon = try world.start("dub1-gw1")
        // The checkpoint over the start, after which nothing more comes; not the first one, over no entry.
        try wait { try checkpointSize(world) > 0 && verify(world, [first], quorum: 1).status == 0 }
        first.stop()
        second = try Witness(world.folder, "w2", logs: [vkey(world)], port: second.port)
        defer { second.stop() }
        try wait { try verify(world, [first, second], quorum: 2).status == 0 }
        daemon.kill()
    }

    @Test func anOldCopyOfTheLogStaysClosed() throws {
        let world = try World()
        let witness = try Witness(world.folder, "w1", logs: [vkey(world)])
        defer { witness.stop() }
        try world.witnessed(by: [witness], quorum: 0)
        #expect(try world.start("dub1-gw1").stop() == 0)
        let log = world.folder("log/dub1")
        #expect(try run(["cp", "-a", log, log + ".old"]).status == 0)
        let later = try world.start("dub1-gw1")
        try put(world, 1)
        #expect(later.stop() == 0)
        #expect(try run(["sh", "-c", "mv '\(log)' '\(log).new' && cp -a '\(log).old' '\(log)'"]).status == 0)
        let before = world.folder.read("log/dub1/checkpoint")
        try staysClosed(world, says: "the folder is an old copy")
        #expect(world.folder.read("log/dub1/checkpoint").hasPrefix(before.prefix { $0 != "\u{2014}" }))
        // A folder that is empty is an old copy too.
        #expect(try run(["rm", "-rf", log]).status == 0)
        try staysClosed(world, says: "the folder is an old copy")
        // The newest one put back, it goes on.
        #expect(try run(["sh", "-c", "rm -rf '\(log)' && mv '\(log).new' '\(log)'"]).status == 0)
        let daemon = try world.start("dub1-gw1")
        try put(world, 2)
        #expect(daemon.stop() == 0)
        #expect(try verify(world, [witness], quorum: 1).status == 0)
    }

    @Test func twoHistoriesUnderOneKeyAreCaught() throws {
        let world = try World()
        let witness = try Witness(world.folder, "w1", logs: [vkey(world)])
        defer { witness.stop() }
        #expect(try world.start("dub1-gw1").stop() == 0)
        let log = world.folder("log/dub1")
        #expect(try run(["cp", "-a", log, log + ".fork"]).status == 0)
        try world.witnessed(by: [witness], quorum: 0)
        let seen = try world.start("dub1-gw1")
        try put(world, 1)
        #expect(seen.stop() == 0)
        // The other history goes on out of the witness's sight, until it is the longer one.
        #expect(try run(["sh", "-c", "rm -rf '\(log)' && mv '\(log).fork' '\(log)'"]).status == 0)
        try world.edit("dub1-gw1") { $0 = $0.replacingOccurrences(of: "witnesses = ", with: "#witnesses = ") }
        let unseen = try world.start("dub1-gw1")
        for number in 0..<20 { try put(world, number) }
        #expect(unseen.stop() == 0)
        try world.edit("dub1-gw1") { $0 = $0.replacingOccurrences(of: "#witnesses = ", with: "witnesses = ") }
        try staysClosed(world, says: "another history")
    }

    /// A witness of another make that has another root at the very size that it is shown: the specification asks for no size in its answer.
    @Test func aRefusalWithoutASizeIsAForkWhereTheSizeIsTheWitnesss() throws {
        let world = try World()
        #expect(try world.start("dub1-gw1").stop() == 0)
        let witness = Process()
        witness.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        witness.arguments = ["python3", "\(repository)/Tests/Conformance/forked_witness.py"]
        let output = Pipe()
        witness.standardOutput = output
        try witness.run()
        AtExit.shared.add { if witness.isRunning { Foundation.kill(witness.processIdentifier, SIGKILL) } }
        defer { witness.terminate() }
        let port = String(decoding: output.fileHandleForReading.availableData, as: UTF8.self)
            .trimmingCharacters(in: .whitespacesAndNewlines)
        let vkey = try #require(try newKey(world.folder, "w1"))
        try world.edit("dub1-gw1") { $0 += "witnesses = [{ url = \"http://127.0.0.1:\(port)\", key = \"\(vkey)\" }]\n" }
        try staysClosed(world, says: "another history")
    }

    @Test func aQuorumThatIsMissingIsToldAndWhereRequiredStopsService() throws {
        let world = try World()
        var witness = try Witness(world.folder, "w1", logs: [vkey(world)])
        try world.witnessed(by: [witness], quorum: 1, isRequired: true)
        let daemon = try world.start("dub1-gw1")
        try put(world, 1)
        witness.stop()
        try wait(seconds: 40) { try get(world).reason == "log-unavailable" }
        let ready = try world.curl("dub1-operator", from: "127.0.10.5", "/ready", at: world.dublin + 1)
        #expect(ready.status == 503)
        #expect(
            ready.text.contains("witnesses: NOT OK: 0 of 1 cosign, the quorum is 1; witness.example/w1: "),
            "\(ready.text)")
        let metrics = try world.curl("dub1-operator", from: "127.0.10.5", "/metrics", at: world.dublin + 1).text
        #expect(metrics.contains("\nbailiwick_witnesses_cosigning 0\n") && metrics.contains("\nbailiwick_log_open 1\n"))
        witness = try Witness(world.folder, "w1", logs: [vkey(world)], port: witness.port)
        defer { witness.stop() }
        try wait { try get(world).status == 200 }
        #expect(daemon.stop() == 0)
        let events = try world.bailiwick("log", "query", world.folder("log/dub1"), "--kind", "event", "--json").text
        #expect(
            events.contains("\"witness-quorum-lost\"") && events.contains("\"witness-quorum-regained\""), "\(events)")
        #expect(try verify(world, [witness], quorum: 1).status == 0)
    }

    @Test func aMissingQuorumThatIsNotRequiredIsToldAndServiceGoesOn() throws {
        let world = try World()
        let witness = try Witness(world.folder, "w1", logs: [vkey(world)])
        witness.stop()
        try world.witnessed(by: [witness], quorum: 1)
        let daemon = try Daemon(settings: world.folder("dub1-gw1.toml"), socket: world.folder("run/dub1-gw1.sock"))
        defer { daemon.kill() }
        try daemon.waitForOutput("listens on")
        try put(world, 1)
        let ready = try world.curl("dub1-operator", from: "127.0.10.5", "/ready", at: world.dublin + 1)
        #expect(ready.status == 503 && ready.text.contains("witnesses: NOT OK"))
        #expect(daemon.output.contains("witness witness.example/w1: "))
        // Without anybody to wait for checkpoints come all the same.
        try wait { try verify(world, [], quorum: nil).text.contains("good: 5") || checkpointSize(world) > 3 }
        #expect(daemon.stop() == 0)
        #expect(try verify(world, [], quorum: nil).status == 0)
    }

    @Test func settingsOfWitnessesAreHeldToTheirForm() throws {
        let world = try World()
        let vkey = try #require(try newKey(world.folder, "w1"))
        for (line, says) in [
            ("witnesses = [{ url = \"ftp://x\", key = \"\(vkey)\" }]", "log.witnesses[0].url"),
            ("witnesses = [{ url = \"http://x\", key = \"\(vkey.dropLast(4))AAA=\" }]", "log.witnesses[0].key"),
            ("witnesses = [{ url = \"http://x\" }]", "log.witnesses[0].key"),
            ("witnesses = [{ url = \"http://x\", key = \"\(vkey)\" }]\nwitness_quorum = 2", "log.witness_quorum"),
            ("witness_required = true", "log.witness_required"),
            (
                "witnesses = [{ url = \"http://x\", key = \"\(vkey)\" }, { url = \"http://y\", key = \"\(vkey)\" }]",
                "one key"
            ),
        ] {
            try world.folder.write("check.toml", world.folder.read("dub1-gw1.toml") + line + "\n")
            let result = try run(["\(products)/bailiwickd", "--check", "--config", world.folder("check.toml")])
            #expect(result.status == 1 && result.errors.contains(says), "\(line): \(result.errors)")
        }
    }

    // MARK: - Tools

    private func vkey(_ world: World) -> String {
        world.folder.read("keys/log-dub1.vkey").trimmingCharacters(in: .whitespacesAndNewlines)
    }

    private func checkpointSize(_ world: World) -> Int {
        let lines = world.folder.read("log/dub1/checkpoint").split(separator: "\n")
        return lines.count > 1 ? Int(lines[1]) ?? 0 : 0
    }

    private func put(_ world: World, _ number: Int) throws {
        let answer = try world.curl(
            "dub1-mailserver", from: "127.0.10.5", "/mail-dub1/alice/\(number)", body: Data("message".utf8))
        guard answer.status == 200 else { throw TestFailure("PUT: \(answer.status) \(answer.text)") }
    }

    private func get(_ world: World) throws -> World.Answer {
        try world.curl("dub1-mailserver", from: "127.0.10.5", "/mail-dub1/alice/1")
    }

    private func verify(_ world: World, _ witnesses: [Witness], quorum: Int?) throws -> CommandResult {
        var arguments = [
            "\(products)/bailiwick", "log", "verify", world.folder("log/dub1"), "--key", vkey(world),
        ]
        for witness in witnesses { arguments += ["--witness", witness.vkey] }
        if let quorum { arguments += ["--quorum", "\(quorum)"] }
        return try run(arguments)
    }

    private func wait(seconds: Double = 20, until isSo: () throws -> Bool) throws {
        let deadline = Date().addingTimeInterval(seconds)
        while try !isSo() {
            guard Date() < deadline else { throw TestFailure("it did not come to be in \(seconds) s") }
            usleep(50_000)
        }
    }

    /// Starts the daemon, and holds it to serving nothing and saying why.
    private func staysClosed(_ world: World, says: String) throws {
        let daemon = try Daemon(settings: world.folder("dub1-gw1.toml"), socket: world.folder("run/dub1-gw1.sock"))
        defer { daemon.kill() }
        try daemon.waitForOutput("listens on")
        for _ in 0..<3 {
            #expect(try get(world).reason == "log-unavailable")
            usleep(500_000)
        }
        let ready = try world.curl("dub1-operator", from: "127.0.10.5", "/ready", at: world.dublin + 1)
        #expect(ready.status == 503 && ready.text.contains(says), "\(ready.text)")
        #expect(daemon.process.isRunning)
        // Once as why the log closed, and once as what is wrong with the witness: nobody is asked any more.
        #expect(daemon.output.components(separatedBy: says).count == 3, "\(daemon.output)")
    }

    private func newKey(_ folder: Sandbox, _ name: String) throws -> String? {
        let result = try run([
            "\(products)/bailiwick", "keys", "new", "--kind", "witness", "--name", "witness.example/\(name)",
            "--private",
            folder("\(name).key"),
        ])
        return result.status == 0 ? result.text.trimmingCharacters(in: .whitespacesAndNewlines) : nil
    }

    /// The key of a log that is Python's: its vkey.
    private func pythonLog(_ folder: Sandbox) throws -> String {
        let result = try run([
            "\(python ?? "python3")", "-c",
            """
            import base64, hashlib, sys
            from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
            from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
            key = Ed25519PrivateKey.generate()
            open(sys.argv[1], "w").write(key.private_bytes_raw().hex())
            public = bytes([1]) + key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
            name = "logs.example.org/python"
            print(f"{name}+{hashlib.sha256(name.encode() + bytes([10]) + public).hexdigest()[:8]}+{base64.b64encode(public).decode()}")
            """, folder("python-key"),
        ])
        guard result.status == 0 else { throw TestFailure(result.errors) }
        return result.text.trimmingCharacters(in: .whitespacesAndNewlines)
    }
}

/// A running `bailiwick witness`, with its key and its memory in a folder.
final class Witness: @unchecked Sendable {
    let vkey: String
    let port: Int
    private let process = Process()
    private let outputPath: String

    var url: String { "http://127.0.0.1:\(port)" }
    var output: String { (try? String(contentsOfFile: outputPath, encoding: .utf8)) ?? "" }

    init(_ folder: Sandbox, _ name: String, logs: [String], port: Int = 0) throws {
        let key = folder("\(name).key")
        if !FileManager.default.fileExists(atPath: key) {
            _ = try run([
                "\(products)/bailiwick", "keys", "new", "--kind", "witness", "--name", "witness.example/\(name)",
                "--private", key,
            ])
        }
        vkey = try run(["\(products)/bailiwick", "log", "key", key]).text.trimmingCharacters(
            in: .whitespacesAndNewlines)
        outputPath = folder("\(name).out-\(UUID().uuidString.prefix(8))")
        _ = FileManager.default.createFile(atPath: outputPath, contents: nil)
        process.executableURL = URL(fileURLWithPath: "\(products)/bailiwick")
        process.arguments =
            ["witness", "--key", key, "--state", folder("\(name).state"), "--listen", "127.0.0.1:\(port)"]
            + logs.flatMap { ["--log", $0] }
        process.standardError = try FileHandle(forWritingTo: URL(fileURLWithPath: outputPath))
        try process.run()
        let process = process
        AtExit.shared.add { if process.isRunning { Foundation.kill(process.processIdentifier, SIGKILL) } }
        let pattern = "(?<=listens on 127.0.0.1:)[0-9]+"
        var found: Int?
        for _ in 0..<1000 where found == nil {
            let text = (try? String(contentsOfFile: outputPath, encoding: .utf8)) ?? ""
            found = text.range(of: pattern, options: .regularExpression).flatMap { Int(text[$0]) }
            guard process.isRunning else { throw TestFailure("bailiwick witness ended: \(text)") }
            if found == nil { usleep(10_000) }
        }
        guard let found else { throw TestFailure("bailiwick witness does not listen") }
        self.port = found
    }

    func stop() {
        if process.isRunning { process.terminate() }
        process.waitUntilExit()
    }

    func kill() {
        if process.isRunning { Foundation.kill(process.processIdentifier, SIGKILL) }
        process.waitUntilExit()
    }
}

extension World {
    /// Has Dublin's log witnessed.
    func witnessed(by witnesses: [Witness], quorum: Int, isRequired: Bool = false) throws {
        let list = witnesses.map { "{ url = \"\($0.url)\", key = \"\($0.vkey)\" }" }.joined(separator: ", ")
        try edit("dub1-gw1") {
            $0 += "witnesses = [\(list)]\nwitness_quorum = \(quorum)\nwitness_required = \(isRequired)\n"
        }
    }
}
