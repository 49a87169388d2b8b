import Foundation
import JSON
import OpenSSL
import Residency
import TestSupport
import Testing

@testable import DecisionLog

/// `bailiwick log` on folders, as an auditor runs it: search, proofs, and verification by several threads.
@Suite struct LogToolsTests {
    /// A log of 70,000 entries serves all that only read.
    private static let large = Result { () throws -> BuiltLog in
        let log = try BuiltLog()
        try log.grow(to: 70_000)
        return log
    }

    // MARK: - verify

    @Test(arguments: [0, 1, 255, 256, 257, 5000]) func aGoodLogVerifies(size: Int) throws {
        let log = try BuiltLog()
        try log.grow(to: size)
        let reader = try LogReader(folder: log.path, verifier: log.signer.verifier)
        for threads in [1, 2, 5] {
            var verifier = LogVerifier(reader)
            let report = try verifier.verify(threads: threads)
            #expect(report.entries == UInt64(size))
            #expect(report.decisions + report.completions + report.events == UInt64(size))
        }
    }

    @Test func aLargeLogVerifiesAndSaysHowFast() throws {
        let log = try Self.large.get()
        let result = try log.tool("verify", log.path, "--key", log.vkey)
        #expect(result.status == 0, "\(result.errors)")
        #expect(result.text.contains("good: 70000 entries signed by logs.example.org/dub1-gw1"))
        #expect(result.text.contains("entries/s"))
    }

    /// On a terminal, which `script` makes, what takes longer than a moment shows how far it is; in a file there is no bar.
    @Test func aLongVerificationShowsItsProgressOnATerminal() throws {
        let log = try Self.large.get()
        let command = "\(products)/bailiwick log verify \(log.path) --key '\(log.vkey)' --threads 1"
        let shown = try run(["script", "-qec", command, "/dev/null"])
        #expect(shown.status == 0, "\(shown.text)")
        #expect(shown.text.contains("\r\(log.path) [#"), "\(shown.text)")
        #expect(shown.text.contains("good: 70000 entries"))
        #expect(try !log.tool("verify", log.path, "--key", log.vkey).errors.contains("["))
    }

    @Test(arguments: [1, 4]) func theFirstThingWrongIsNamed(threads: Int) throws {
        let log = try BuiltLog()
        try log.grow(to: 12_000)
        try log.flip("tile/entries/046.p/224", at: 40)
        try log.flip("tile/entries/031", at: 500)
        let result = try log.tool("verify", log.path, "--key", log.vkey, "--threads", "\(threads)")
        #expect(result.status == 1)
        #expect(result.errors.contains("tile/entries/031 at offset"), "\(result.errors)")
        try log.flip("tile/entries/031", at: 500)
        #expect(
            try log.tool("verify", log.path, "--key", log.vkey).errors.contains("entry 11776: tile/entries/046.p/224"))
        try log.flip("tile/entries/046.p/224", at: 40)
        try log.flip("tile/1/000.p/46", at: 33)
        #expect(
            try log.tool("verify", log.path, "--key", log.vkey).errors.contains(
                "tile/1/000.p/46 at offset 32: the hash is not that of the tile below"))
    }

    @Test func anEarlierCheckpointMustBeAPrefix() throws {
        let log = try BuiltLog()
        for size in [300, 512, 700] {
            try log.grow(to: size)
            try FileManager.default.copyItem(atPath: log.path + "/checkpoint", toPath: log.folder("kept-\(size)"))
        }
        try log.grow(to: 5001)
        for size in [300, 512, 700] {
            let result = try log.tool("verify", log.path, "--key", log.vkey, "--since", "kept-\(size)")
            #expect(result.status == 0, "\(result.errors)")
            #expect(result.text.contains("the first \(size) are those of the earlier checkpoint"))
        }
        let other = try BuiltLog()
        try other.append([log.entries[0], log.entries[2]])
        let forged = try Checkpoint(origin: log.origin, size: 600, root: SHA256Digest(hashing: [1])).signed(by: [
            log.signer
        ])
        try log.folder.write("forged", String(decoding: forged, as: UTF8.self))
        let result = try log.tool("verify", log.path, "--key", log.vkey, "--since", "forged")
        #expect(result.status == 1)
        #expect(result.errors.contains("history was rewritten"))
    }

    /// Of two checkpoints of one log the second would be the one that nobody looks at.
    @Test func twoEarlierCheckpointsOfALogAreRefused() throws {
        let log = try BuiltLog()
        try log.grow(to: 300)
        let since = log.path + "/checkpoint"
        #expect(try log.tool("verify", log.path, "--key", log.vkey, "--since", since).status == 0)
        let twice = try log.tool("verify", log.path, "--key", log.vkey, "--since", since, "--since", since)
        #expect(twice.status == 64 && twice.errors.contains("two checkpoints of"), "\(twice.errors)")
    }

    /// A witness that is named twice is one.
    @Test func aWitnessCountsOnce() throws {
        let log = try BuiltLog()
        try log.grow(to: 3)
        let made = try run(
            ["\(products)/bailiwick", "keys", "new", "--kind", "witness", "--name", "w1", "--private", "witness"],
            folder: log.folder.path)
        let witness = made.text.trimmingCharacters(in: .newlines)
        let twice = try log.tool(
            "verify", log.path, "--key", log.vkey, "--witness", witness, "--witness", witness, "--quorum", "2")
        #expect(twice.status == 64 && twice.errors.contains("given twice"), "\(twice.errors)")
    }

    /// Auditors of a log whose key was rotated have both keys, and a checkpoint that the old one signed.
    @Test func aRotatedLogVerifiesUnderItsKeysInAnyOrder() throws {
        let log = try BuiltLog()
        try log.grow(to: 300)
        let old = log.vkey
        let kept = log.folder("kept")
        try FileManager.default.copyItem(atPath: log.path + "/checkpoint", toPath: kept)
        try log.rotate()
        try log.grow(to: 700)
        #expect(try log.tool("verify", log.path, "--key", old).status == 1)
        for keys in [[old, log.vkey], [log.vkey, old]] {
            let result = try log.tool("verify", log.path, "--since", kept, "--key", keys[0], "--key", keys[1])
            #expect(result.status == 0, "\(result.errors)")
            #expect(result.text.contains("the first 300 are those of the earlier checkpoint"), "\(result.text)")
        }
        // A key that is nobody's vouches for nothing.
        let other = try BuiltLog()
        let unknown = try log.tool("verify", log.path, "--key", other.vkey, "--key", old)
        #expect(unknown.status == 1 && unknown.errors.contains("is not signed by"), "\(unknown.errors)")
    }

    @Test func severalLogsAreVerifiedEachUnderItsKey() throws {
        let (dublin, virginia) = (try BuiltLog(), try BuiltLog(origin: "logs.example.org/iad1-gw1"))
        try dublin.grow(to: 600)
        try virginia.grow(to: 20)
        let result = try dublin.tool(
            "verify", dublin.path, virginia.path, "--key", virginia.vkey, "--key", dublin.vkey)
        #expect(result.status == 0, "\(result.errors)")
        #expect(result.text.contains("good: 600") && result.text.contains("good: 20"))
        #expect(try dublin.tool("verify", dublin.path, virginia.path, "--key", dublin.vkey).status == 1)
    }

    @Test func timeThatGoesBackAndWrongCompletionsAreFound() throws {
        func fault(_ line: String) throws -> String {
            let log = try BuiltLog()
            try log.grow(to: 300)
            try log.append([Array(line.utf8)])
            return try log.tool("verify", log.path, "--key", log.vkey).errors
        }
        let head = #","v":1,"time":"2026-11-02T00:00:00.000000Z","gateway":"g""#
        #expect(
            try fault(#"{"kind":"event","v":1,"time":"2026-10-31T23:59:59.999999Z","gateway":"g","event":"stop"}"#)
                .contains("entry 300: tile/entries/001.p/45 at offset"))
        let item = #","status":200,"bytes":1,"outcome":"whole"}]}"#
        #expect(
            try fault(#"{"kind":"completion"\#(head),"completed":[{"index":300\#(item)"#).contains("not before it"))
        #expect(
            try fault(#"{"kind":"completion"\#(head),"completed":[{"index":10\#(item)"#).contains("no open decision"))
        #expect(try fault(#"{"kind":"novelty"\#(head)}"#).contains("is no entry"))
        #expect(
            try fault(#"{"kind":"event"\#(head),"event":"open-decisions","indexes":[298,299]}"#).isEmpty)
    }

    /// What the tree holds and nobody can read is told, and not left out.
    @Test(arguments: [
        ["query", "--json"], ["query", "--reason", "authorized"], ["export", "--format", "csv"], ["stats"],
    ])
    func anEntryThatCannotBeReadIsTold(arguments: [String]) throws {
        let log = try BuiltLog()
        try log.grow(to: 300)
        let head = #"{"kind":"decision","v":1,"time":"2026-11-02T00:00:00.000000Z","gateway":"g","request":"r""#
        // A name stands twice; its head verifies.
        try log.append([Array((head + #","decision":"allow","reason":"authorized","reason":"authorized"}"#).utf8)])
        #expect(try log.tool("verify", log.path, "--key", log.vkey).status == 0)
        let result = try run(["\(products)/bailiwick", "log", arguments[0], log.path] + arguments.dropFirst())
        #expect(result.status == 1 && result.errors.contains("entry 300: tile/entries/001: is no entry"), "\(result)")
    }

    /// Every entry's head by position is what the JSON parser reads.
    @Test func headsByPositionAreThoseOfTheParser() throws {
        let log = try BuiltLog()
        try log.grow(to: 3000)
        for line in log.entries {
            let spaced = Array("{ ".utf8) + line.dropFirst()
            let (read, parsed) = (EntryHead(line.span), EntryHead(spaced.span))
            let (fast, slow) = (try #require(read), try #require(parsed))
            #expect(fast.time.timestamp == slow.time.timestamp)
            #expect("\(fast.kind)" == "\(slow.kind)")
        }
        let empty = EntryHead(Array("{}".utf8).span)
        #expect(empty == nil)
    }

    // MARK: - query

    @Test func timesAreFoundByHalving() throws {
        let log = try Self.large.get()
        let reader = try LogReader(folder: log.path, verifier: nil)
        for index in [0, 1, 255, 256, 257, 4096, 65_535, 69_999] {
            let time = Timestamp(microseconds: BuiltLog.start.microseconds + Int64(index) * log.step)
            #expect(try reader.firstIndex(notBefore: time) == UInt64(index))
            #expect(
                try reader.firstIndex(notBefore: Timestamp(microseconds: time.microseconds - 1)) == UInt64(index))
        }
        #expect(try reader.firstIndex(notBefore: Timestamp(seconds: 0)) == 0)
        #expect(try reader.firstIndex(notBefore: Timestamp(seconds: 4_000_000_000)) == 70_000)
    }

    @Test func equalTimesAreAllFound() throws {
        let log = try BuiltLog()
        log.step = 0
        try log.grow(to: 1000)
        let reader = try LogReader(folder: log.path, verifier: nil)
        #expect(try reader.firstIndex(notBefore: BuiltLog.start) == 0)
    }

    @Test(arguments: [
        (["--from", "2026-11-01T00:10:00Z", "--to", "2026-11-01T00:10:05Z"], 5),
        (["--from", "2026-11-02"], 0), (["--to", "2026-11-01"], 0), (["--kind", "event"], 5),
        (["--decision", "refuse", "--principal", "ediscovery"], 94),
        (["--reason", "authorized", "--jurisdiction", "IE"], 98),
        (["--authorization", "token-1"], 98), (["--store", "mail-iad1"], 0), (["--jurisdiction", "DE"], 130),
    ]) func everyFilterCounts(arguments: [String], expected: Int) throws {
        let log = try BuiltLog()
        try log.grow(to: 1000)
        let result = try run(["\(products)/bailiwick", "log", "query", log.path, "--json"] + arguments)
        #expect(result.status == 0, "\(result.errors)")
        let lines = result.text.split(separator: "\n")
        // Counted again by the slow way: every entry, one filter after the other.
        let wanted = try slowly(log, arguments)
        #expect(lines.count == wanted)
        if expected == 0 || arguments.contains("--from") {
            #expect(lines.count == expected)
        } else {
            #expect(wanted > 0)
        }
        for line in lines { #expect(line.hasPrefix(#"{"log":"logs.example.org/dub1-gw1","index":"#)) }
    }

    private func slowly(_ log: BuiltLog, _ arguments: [String]) throws -> Int {
        try log.entries.filter { line in
            let entry = try #require(try JSONSerialization.jsonObject(with: Data(line)) as? [String: Any])
            return stride(from: 0, to: arguments.count, by: 2).allSatisfy { at in
                let value = arguments[at + 1]
                let time = entry["time"] as? String ?? ""
                switch arguments[at] {
                case "--from": return time >= value.replacingOccurrences(of: "Z", with: "")
                case "--to": return time < value.replacingOccurrences(of: "Z", with: "")
                case "--jurisdiction":
                    return entry["jurisdiction"] as? String == value
                        || (entry["crossed"] as? [String])?.contains(value) == true
                case "--authorization":
                    return (entry["authorizations"] as? [[String: Any]])?.contains { $0["jti"] as? String == value }
                        == true
                case let option: return entry[String(option.dropFirst(2))] as? String == value
                }
            }
        }.count
    }

    @Test func aRealNameIsFoundWithItsKey() throws {
        let log = try BuiltLog()
        try log.grow(to: 500)
        let key = Base64.standard.encode([UInt8](repeating: 7, count: 32))
        try log.folder.write("pseudonym", "dub1-2026:\(key)\n", mode: 0o600)
        let name = "bob, \"the\" builder"
        let named = try log.tool("query", log.path, "--mailbox", name, "--reveal-key", "pseudonym")
        #expect(named.status == 0, "\(named.errors)")
        #expect(named.text.contains("INDEX"))
        let hidden = BuiltLog.pseudonyms.pseudonym("mailbox", bucket: "mail-dub1", Array(name.utf8))
        #expect(try log.tool("query", log.path, "--mailbox", hidden).text == named.text)
        let object = try log.tool("query", log.path, "--object", "alice/12", "--reveal-key", "pseudonym", "--json")
        #expect(object.text.split(separator: "\n").count >= 9)
        // A name for which there can be no entry, and a key that is another, are not "nobody read it".
        let plain = try log.tool("query", log.path, "--mailbox", name)
        #expect(plain.status == 64 && plain.text.isEmpty && plain.errors.contains("--reveal-key"), "\(plain)")
        try log.folder.write(
            "other", "dub1-2026:\(Base64.standard.encode([UInt8](repeating: 8, count: 32)))\n", mode: 0o600)
        let wrong = try log.tool("query", log.path, "--mailbox", name, "--reveal-key", "other")
        #expect(wrong.status == 0 && wrong.text.isEmpty, "\(wrong)")
        #expect(
            wrong.errors.contains("no entry matches, of 500 up to 2") && wrong.errors.contains("is --reveal-key the"),
            "\(wrong)")
        #expect(try log.tool("query", log.path, "--reveal-key", "pseudonym").status != 0)
    }

    @Test func severalLogsAreShownByTime() throws {
        let (dublin, virginia) = (try BuiltLog(), try BuiltLog(origin: "logs.example.org/iad1-gw1"))
        virginia.step = 1_500_000
        try dublin.grow(to: 400)
        try virginia.grow(to: 400)
        let result = try dublin.tool("query", dublin.path, virginia.path, "--json")
        let times = try result.text.split(separator: "\n").map {
            try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])["time"] as? String
                ?? ""
        }
        #expect(times.count == 800)
        #expect(times == times.sorted())
    }

    // MARK: - Proofs

    @Test func proofsHoldForGoToo() throws {
        try #require(has("go"), "golang-go is needed")
        let program = try Sandbox("tlogproof")
        let built = try run(
            ["go", "build", "-o", program("check"), "main.go"],
            environment: ["GO111MODULE": "off", "GOPATH": "/usr/share/gocode", "GOCACHE": program("cache")],
            folder: "\(repository)/Tests/Conformance/tlogproof")
        try #require(built.status == 0, "\(built.errors)")
        for size in [1, 2, 255, 256, 257, 1000] {
            let log = try BuiltLog()
            try log.grow(to: size)
            for index in Set([0, size / 2, size - 1]) { try holds(log, index, program("check")) }
        }
        let large = try Self.large.get()
        for index in [0, 255, 65_535, 65_536, 69_999] { try holds(large, index, program("check")) }
    }

    private func holds(_ log: BuiltLog, _ index: Int, _ go: String) throws {
        let entry = log.folder("entry-\(index).json")
        let made = try log.tool("prove", log.path, "\(index)", "--entry", entry)
        #expect(made.status == 0, "\(made.errors)")
        #expect([UInt8](try Data(contentsOf: URL(fileURLWithPath: entry))) == log.entries[index])
        let proof = try log.folder.write("\(index).tlog-proof", made.text)
        let ours = try log.tool(
            "check-proof", proof, "--key", log.vkey, "--entry", "-", input: Data(log.entries[index] + [10]))
        #expect(ours.status == 0, "\(ours.errors)")
        let theirs = try run([go, proof, log.vkey, entry])
        #expect(theirs.status == 0, "\(theirs.errors)")
        #expect(theirs.text == "good: entry \(index) of \(log.entries.count)\n")
    }

    @Test func aProofOfSomethingElseDoesNotHold() throws {
        let log = try BuiltLog()
        try log.grow(to: 300)
        let made = try log.tool("prove", log.path, "17")
        let proof = try log.folder.write("17.tlog-proof", made.text)
        func check(_ entry: Int, _ vkey: String, _ text: String? = nil) throws -> CommandResult {
            if let text { try log.folder.write("17.tlog-proof", text) }
            return try log.tool("check-proof", proof, "--key", vkey, "--entry", "-", input: Data(log.entries[entry]))
        }
        #expect(try check(17, log.vkey).status == 0)
        #expect(try check(18, log.vkey).errors.contains("the hashes do not lead to the signed root"))
        let other = try BuiltLog()
        #expect(try check(17, other.vkey).errors.contains("its checkpoint is not signed by"))
        let withExtra = made.text.replacingOccurrences(of: "index 17\n", with: "extra AAAA\nindex 17\n")
        #expect(try check(17, log.vkey, withExtra).status == 0)
        for bad in [
            made.text.replacingOccurrences(of: "index 17\n", with: "index 017\n"),
            made.text.replacingOccurrences(of: "index 17\n", with: "index 18\n"),
            made.text.replacingOccurrences(of: "index 17\n", with: ""),
            made.text.replacingOccurrences(of: "@v1", with: "@v2"), String(made.text.prefix(60)), "",
        ] { #expect(try check(17, log.vkey, bad).status == 1) }
        #expect(try log.tool("prove", log.path, "300").status != 0)
    }

    // MARK: - follow

    @Test func followingSurvivesRemovedPartialTilesAndEndsCleanly() throws {
        let log = try BuiltLog()
        try log.grow(to: 100)
        let output = log.folder("followed")
        _ = FileManager.default.createFile(atPath: output, contents: nil)
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "\(products)/bailiwick")
        process.arguments = ["log", "follow", log.path, "--from-index", "90", "--json", "--every-ms", "10"]
        process.standardOutput = try FileHandle(forWritingTo: URL(fileURLWithPath: output))
        try process.run()
        // It follows for ever, whatever becomes of the test.
        defer { if process.isRunning { process.terminate() } }
        func waitForLines(_ count: Int) throws {
            let deadline = Date().addingTimeInterval(30)
            while log.folder.read("followed").split(separator: "\n").count < count {
                guard Date() < deadline else { throw TestFailure("only \(log.folder.read("followed"))") }
                usleep(5000)
            }
        }
        try waitForLines(10)
        for size in [110, 255, 256, 700, 701] {
            try log.grow(to: size)
            try waitForLines(size - 90)
        }
        process.interrupt()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
        #expect(process.terminationReason == .exit)
        let indexes = log.folder.read("followed").split(separator: "\n").compactMap { line in
            line.split(separator: ":")[2].split(separator: ",").first.flatMap { Int($0) }
        }
        #expect(indexes == Array(90..<701))
    }
}
