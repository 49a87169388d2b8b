import Foundation
import TestSupport
import Testing

@testable import DecisionLog

/// One log through the sizes at which tiles fill, verified at each: by our own reader, by Go's golang.org/x/mod/sumdb, and by PyPI's
/// aics-tlog.
@Suite struct SizeTests {
    static let sizes: [UInt64] = [0, 1, 255, 256, 257, 65_535, 65_536, 65_537, 70_000]

    /// Small entries, so that 70,000 of them are quick.
    private static func line(_ index: UInt64) -> [UInt8] {
        Array(#"{"kind":"event","v":1,"time":"2026-07-01T00:00:00.000000Z","gateway":"g","event":"e\#(index)"}"#.utf8)
    }

    @Test func everySizeVerifies() throws { try atEverySize { _, _ in } }

    @Test(.enabled(if: OtherCheckers.goProgram != nil, "golang-go and golang-golang-x-mod-dev are needed"))
    func everySizeVerifiesByGo() throws {
        try atEverySize { try OtherCheckers.go($0, LogTests.signer.verifier.text, size: $1) }
    }

    @Test(.enabled(if: OtherCheckers.aicsProgram != nil, "a Python 3.12, and PyPI, are needed"))
    func everySizeVerifiesByAICS() throws {
        try atEverySize { try OtherCheckers.aics($0, LogTests.signer.verifier.text, size: $1) }
    }

    private func atEverySize(_ check: (_ log: String, _ size: UInt64) throws -> Void) throws {
        let folder = try Sandbox("sizes")
        let files = LogFolder(path: folder("log"))
        try files.makeFolder("")
        try files.makeFolder("tile")
        var tree = try Tree(files, origin: LogTests.origin, signers: [LogTests.signer])
        var since: Checkpoint?
        for size in Self.sizes {
            var framed: [UInt8] = []
            for index in tree.size..<size { EntryFraming.append(Self.line(index), to: &framed) }
            try tree.append(framed)
            try tree.publish()
            #expect(tree.size == size)
            let reader = try LogReader(folder: folder("log"), verifier: LogTests.signer.verifier)
            var verifier = LogVerifier(reader)
            #expect(try verifier.verify(since: since).entries == size)
            since = reader.checkpoint
            try check(folder("log"), size)
            // What was published opens again, at the same root.
            let again = try Tree(files, origin: LogTests.origin, signers: [LogTests.signer])
            #expect(again.size == size)
            #expect(again.note == tree.note)
        }
    }

    @Test(.enabled(if: OtherCheckers.goProgram != nil, "golang-go and golang-golang-x-mod-dev are needed"))
    func goFindsAChangedEntry() throws {
        let folder = try Sandbox("changed")
        let log = try LogTests.open(folder)
        log.close()
        try OtherCheckers.go(folder("log"), LogTests.signer.verifier.text, size: 2)
        let bundle = URL(fileURLWithPath: folder("log/tile/entries/000.p/2"))
        var bytes = try Data(contentsOf: bundle)
        bytes[40] ^= 1
        try bytes.write(to: bundle)
        #expect(throws: TestFailure.self) {
            try OtherCheckers.go(folder("log"), LogTests.signer.verifier.text, size: 2)
        }
    }
}

/// Checkers that share no line with ours.
enum OtherCheckers {
    /// Tests/Conformance/tlog/main.go, built once; nil where there is no Go with golang.org/x/mod.
    static let goProgram: (path: String, folder: Sandbox)? = {
        guard has("go"), let folder = try? Sandbox("go") else { return nil }
        let built = try? run(
            ["go", "build", "-o", folder("tlog"), "\(repository)/Tests/Conformance/tlog/main.go"],
            environment: ["GO111MODULE": "off", "GOPATH": "/usr/share/gocode", "GOCACHE": folder("cache")])
        guard built?.status == 0 else {
            print("Go's checker is skipped: \(built?.errors ?? "no go")")
            return nil
        }
        return (folder("tlog"), folder)
    }()

    static func go(_ log: String, _ key: String, size: UInt64) throws {
        guard let program = goProgram else { throw TestFailure("no Go") }
        let result = try run([program.path, log, key])
        guard result.status == 0, result.text.hasPrefix("good: \(size) entries") else {
            throw TestFailure("Go's checker at \(size): \(result.text)\(result.errors)")
        }
    }

    /// aics-tlog from PyPI, in a virtual environment that stays in .build; nil where there is no Python 3.12 or no registry.
    static let aicsProgram: String? = {
        // pyenv keeps versions that the PATH does not name.
        let script = """
            [ -x "$0/bin/aics-tlog" ] && exit 0
            for python in python3.14 python3.13 python3.12 "$HOME"/.pyenv/versions/3.1[2-9].*/bin/python3; do
              "$python" -c 'import sys; sys.exit(sys.version_info < (3, 12))' 2>/dev/null || continue
              "$python" -m venv "$0" && exec "$0/bin/pip" install --quiet --disable-pip-version-check aics-tlog==0.2.1
            done
            echo "no Python 3.12" >&2
            exit 1
            """
        let folder = repository + "/.build/aics-tlog"
        let made = try? run(["sh", "-c", script, folder])
        guard made?.status == 0 else {
            print("aics-tlog is skipped: \(made?.errors ?? "")")
            return nil
        }
        return folder + "/bin/aics-tlog"
    }()

    /// The checkpoint, and the last, the first and a middle entry's inclusion, from the tiles.
    static func aics(_ log: String, _ key: String, size: UInt64) throws {
        guard let program = aicsProgram else { throw TestFailure("no aics-tlog") }
        var commands = [["verify-checkpoint"]]
        for index in Set([0, size / 2, size &- 1]) where index < size {
            commands.append(["verify-inclusion", "--index", "\(index)"])
        }
        for command in commands {
            let result = try run([program] + command + ["--tiles", log, "--log-key", key])
            guard result.status == 0 else {
                throw TestFailure("aics-tlog \(command) at \(size): \(result.text)\(result.errors)")
            }
        }
    }
}
