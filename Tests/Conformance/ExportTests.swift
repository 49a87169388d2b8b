import Foundation
import JSON
import OpenSSL
import Residency
import TestSupport
import Testing

@testable import DecisionLog

/// `bailiwick log export`: what other programs are given.
@Suite struct ExportTests {
    /// Every operation with every reason, every outcome of a completion, every event that the daemon writes, and members left out.
    private static func everything() throws -> BuiltLog {
        let log = try BuiltLog()
        var lines: [[UInt8]] = []
        var time = BuiltLog.start
        func add(_ append: (inout [UInt8], Timestamp) -> Void) {
            var line: [UInt8] = []
            append(&line, time)
            lines.append(line)
            time = Timestamp(microseconds: time.microseconds + 1_234_567)
        }
        let gateway = GatewayName("dub1-gw1")!
        var opened: [UInt64] = []
        for operation in Operation.allCases {
            for (position, reason) in Reason.allCases.enumerated() {
                add { line, time in
                    var entry = DecisionEntry(
                        time: time, gateway: gateway, request: "req-\(lines.count)", reason: reason,
                        operation: operation, access: .none, address: position % 2 == 0 ? "127.0.10.5" : "2001:db8::7",
                        policy: String(repeating: "ab", count: 32))
                    if position % 5 > 0 { entry.principal = PrincipalName("ediscovery") }
                    if position % 3 > 0 { entry.office = DatacenterName("iad1") }
                    if position % 4 > 0 { entry.certificate = [UInt8](repeating: 7, count: 32) }
                    if position % 6 > 0 { entry.store = BucketName("mail-dub1") }
                    if position % 2 > 0 {
                        entry.object = BuiltLog.pseudonyms.pseudonym("object", bucket: "mail-dub1", [1])
                        entry.mailbox = BuiltLog.pseudonyms.pseudonym("mailbox", bucket: "mail-dub1", [2])
                    } else {
                        entry.prefix = BuiltLog.pseudonyms.pseudonym("prefix", bucket: "mail-dub1", [3])
                    }
                    entry.etag = "=cmd|\"x\",\n"
                    entry.crossed = [Jurisdiction("IE")!, Jurisdiction("US-CA")!]
                    entry.isMisplaced = position % 7 == 0
                    entry.authorizations = JudgedAuthorization.Outcome.allCases.prefix(position % 4).map {
                        var one = AuthorizationEntry(sha256: SHA256Digest(hashing: [UInt8(position)]), outcome: $0)
                        if $0 == .granted { one.instrument = "warrant" }
                        return one
                    }
                    entry.append(to: &line)
                    if reason.allows { opened.append(UInt64(lines.count)) }
                }
            }
        }
        add { line, time in
            let outcomes = CompletionEntry.Outcome.allCases
            CompletionEntry(
                gateway: gateway,
                items: opened.enumerated().map {
                    .init(
                        index: $1, status: $0 % 2 == 0 ? 200 : 503, bytes: UInt64($0) << 20,
                        outcome: outcomes[$0 % outcomes.count], excluded: $0 % 3 == 0 ? $0 : nil)
                }
            ).append(to: &line, time: time)
        }
        for (name, members) in events {
            add { EventEntry(gateway: gateway, name: name, members: members).append(to: &$0, time: $1) }
        }
        try log.append(lines)
        return log
    }

    /// The events of docs/FORMATS.md; `theTableOfEventsIsWhole` holds that none is missing.
    private static let events: [(String, [(name: StaticString, value: EventEntry.Value)])] = [
        ("start", [("version", .text("0.1.0")), ("binary", .text("ab")), ("open", .number(2))]),
        ("open-decisions", [("indexes", .numbers([1, 2]))]), ("torn-group", []), ("stop", []),
        ("log-full", [("why", .text("no space"))]), ("reload", [("policy", .text("ab"))]),
        ("reload-failed", [("why", .text("line 3"))]),
        ("adoption", [("store", .text("mail-dub1")), ("object", .text("k:abc"))]),
        (
            "reseal",
            [
                ("store", .text("mail-dub1")), ("object", .text("k:abc")), ("principal", .text("operator")),
                ("reason", .text("-1")), ("before", .null), ("problem", .text("missing")),
                ("datacenter", .text("dub1")),
                ("jurisdiction", .text("IE")), ("received", .number(1_800_000_000)),
            ]
        ),
        ("renewal", [("store", .text("mail-dub1")), ("principal", .text("operator"))]),
        ("scan", [("store", .text("mail-dub1")), ("principal", .text("operator")), ("address", .text("127.0.0.1"))]),
        (
            "operator-refused",
            [("store", .text("mail-dub1")), ("principal", .text("operator")), ("why", .text("border"))]
        ),
        (
            "seal-failure",
            [("store", .text("mail-dub1")), ("object", .text("k:abc")), ("request", .text("req"))]
        ),
        ("clock-step", [("microseconds", .number(-7_000_000))]),
        ("witness-quorum-lost", [("cosigning", .number(1)), ("quorum", .number(2))]),
        ("witness-quorum-regained", [("cosigning", .number(2)), ("quorum", .number(2))]),
        (
            "aggregated-refusals",
            [("reason", .text("unauthenticated")), ("source", .text("127.0.9.0/24")), ("count", .number(40))]
        ),
        ("pruned", [("minimum_index", .number(256))]),
    ]

    @Test func theTableOfEventsIsWhole() throws {
        let formats = try String(contentsOfFile: "\(repository)/docs/FORMATS.md", encoding: .utf8)
        let table = try #require(formats.range(of: "| event | members | when |"))
        let rows = formats[table.upperBound...].split(separator: "\n").dropFirst().prefix { $0.hasPrefix("|") }
        let named = rows.flatMap { row in
            row.split(separator: "|")[0].split(separator: "`").filter { !$0.contains(" ") && !$0.contains(",") }
                .map(String.init)
        }
        #expect(Set(named) == Set(Self.events.map(\.0)))
    }

    // MARK: - OCSF

    @Test(.enabled(if: ocsfPython != nil, "Tests/requirements.txt is not installed: run Tests/run"))
    func everyKindIsValidOCSF() throws {
        let log = try Self.everything()
        let result = try log.tool("export", log.path, "--format", "ocsf")
        #expect(result.status == 0, "\(result.errors)")
        let verdict = try validate(result.output)
        #expect(verdict.status == 0, "\(verdict.errors.prefix(3000))")
        let items = Reason.allCases.count(where: \.allows) * Operation.allCases.count
        let count = Operation.allCases.count * Reason.allCases.count + items + Self.events.count
        #expect(verdict.text == "\(count) events valid under OCSF 1.5.0\n")
        // The validator says no: each of these is one member of a valid event, changed.
        let line = try #require(result.text.split(separator: "\n").first)
        for (from, to) in [
            (#""class_uid":6003"#, #""class_uid":6004"#), (#""severity_id":"#, #""severity_id":7"#),
            (#""actor":"#, #""actress":"#), (#""ip":""#, #""ip":"nowhere "#), (#""action_id":"#, #""action_id":"a"#),
            (#""time":"#, #""time":"now","was":"#), (#"["security_control"]"#, "[]"),
        ] {
            let bad = line.replacingOccurrences(of: from, with: to)
            #expect(bad != line)
            #expect(try validate(Data(bad.utf8)).status == 1, "\(to)")
        }
    }

    private func validate(_ events: Data) throws -> CommandResult {
        try run([ocsfPython ?? "", "\(repository)/Tests/Conformance/validate_ocsf.py", "1.5.0"], input: events)
    }

    @Test func aCompletionNamesTheDecisionThatItCloses() throws {
        let log = try Self.everything()
        let events = try objects(log.tool("export", log.path, "--format", "ocsf").text)
        var decisions: [String: [String: Any]] = [:]
        var closed = 0
        for event in events {
            let metadata = try #require(event["metadata"] as? [String: Any])
            let (uid, correlation) = (metadata["uid"] as? String ?? "", metadata["correlation_uid"] as? String)
            if uid == correlation {
                decisions[uid] = event
            } else if let correlation {
                closed += 1
                #expect(decisions[correlation]?["status_id"] as? Int == 1, "\(correlation)")
            }
        }
        #expect(closed == Reason.allCases.count(where: \.allows) * Operation.allCases.count)
        let first = try #require(decisions["logs.example.org/dub1-gw1/0"])
        #expect(first["time"] as? Int == Int(BuiltLog.start.microseconds / 1000))
    }

    private func objects(_ text: String) throws -> [[String: Any]] {
        try text.split(separator: "\n").map {
            try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
        }
    }

    // MARK: - CSV and JSON lines

    /// Read back by Python's csv module: as many columns in every row, and every value of every entry.
    @Test func pythonReadsTheCSVBack() throws {
        let log = try Self.everything()
        let result = try log.tool("export", log.path, "--format", "csv")
        #expect(result.status == 0, "\(result.errors)")
        let script = """
            import csv, io, json, sys
            rows = list(csv.DictReader(io.TextIOWrapper(sys.stdin.buffer, "utf-8", newline=""), strict=True))
            assert all(None not in r and None not in r.values() for r in rows), "ragged"
            print(json.dumps(rows))
            """
        let read = try run(["python3", "-c", script], input: result.output)
        #expect(read.status == 0, "\(read.errors)")
        let rows = try #require(try JSONSerialization.jsonObject(with: read.output) as? [[String: String]])
        var expected = 0
        for (index, line) in log.entries.enumerated() {
            let entry = try #require(try JSONSerialization.jsonObject(with: Data(line)) as? [String: Any])
            let own = rows.filter { $0["index"] == "\(index)" }
            let items = (entry["completed"] as? [Any])?.count ?? 1
            expected += items
            #expect(own.count == items)
            guard entry["kind"] as? String == "decision", let row = own.first else { continue }
            for name in ["time", "reason", "operation", "principal", "address", "object", "prefix", "policy"] {
                #expect(row[name] == entry[name] as? String ?? "", "\(name) of \(index)")
            }
            #expect(row["etag"] == "'=cmd|\"x\",\n")
            #expect(row["crossed"] == "IE US-CA")
        }
        #expect(rows.count == expected)
    }

    @Test func JSONLinesAreThoseOfTheQueryAndFiltersAreShared() throws {
        let log = try BuiltLog()
        try log.grow(to: 2000)
        let filters = ["--decision", "refuse", "--from", "2026-11-01T00:05:00Z", "--principal", "ediscovery"]
        let query = try run(["\(products)/bailiwick", "log", "query", log.path, "--json"] + filters)
        let export = try run(["\(products)/bailiwick", "log", "export", log.path, "--format", "jsonl"] + filters)
        #expect(export.status == 0, "\(export.errors)")
        #expect(export.output == query.output)
        #expect(export.text.split(separator: "\n").count > 100)
    }

    @Test func aFileIsWholeOrHasNotItsName() throws {
        let (dublin, virginia) = (try BuiltLog(), try BuiltLog(origin: "logs.example.org/iad1-gw1"))
        try dublin.grow(to: 700)
        try virginia.grow(to: 300)
        let whole = try dublin.tool("export", dublin.path, virginia.path, "--format", "jsonl", "--output", "all.jsonl")
        #expect(whole.status == 0, "\(whole.errors)")
        #expect(dublin.folder.read("all.jsonl").split(separator: "\n").count == 1000)
        #expect(dublin.folder.read("all.jsonl.partial").isEmpty)
        // What is there is not written over; what cannot be read to its end leaves no whole file.
        let again = try dublin.tool("export", dublin.path, "--format", "csv", "--output", "all.jsonl")
        #expect(again.status != 0 && again.errors.contains("exists"), "\(again.errors)")
        try FileManager.default.removeItem(atPath: dublin.path + "/tile/entries/001")
        let broken = try dublin.tool("export", dublin.path, "--format", "csv", "--output", "broken.csv")
        #expect(broken.status != 0 && broken.errors.contains("tile/entries/001"), "\(broken.errors)")
        #expect(!FileManager.default.fileExists(atPath: dublin.folder("broken.csv")))
    }
}

/// The Python that Tests/run prepared, when it has what validates OCSF.
let ocsfPython: String? = {
    guard let python = ProcessInfo.processInfo.environment["BAILIWICK_TEST_PYTHON"] else { return nil }
    return (try? run([python, "-c", "import ocsf, ocsf_json_schema, jsonschema"]).status) == 0 ? python : nil
}()
