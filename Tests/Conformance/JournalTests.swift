import Foundation
import TestSupport
import Testing

/// What a real systemd-journald gets of each decision.
@Suite struct JournalTests {
    static let canRun: Bool = {
        let journald = "/lib/systemd/systemd-journald"
        guard getuid() == 0, FileManager.default.isExecutableFile(atPath: journald), has("journalctl") else {
            return false
        }
        return (try? run(["unshare", "-m", "true"]).status) == 0
    }()

    @Test(.enabled(if: canRun, "needs root, mount namespaces and systemd-journald"))
    func everyEntryIsInTheJournalAndNoAnswerWaitsForIt() throws {
        let world = try World()
        let result = try run([
            "unshare", "-m", "\(repository)/Tests/Conformance/journal.sh", world.folder.path, "\(world.dublin)",
            "\(products)/bailiwickd",
        ])
        #expect(result.status == 0, "\(result.errors)\(world.folder.read("daemon.out"))")
        var entries: [[String: String]] = []
        var missed: Int?
        for line in result.text.split(separator: "\n") {
            if line.hasPrefix("missed ") {
                missed = Int(line.dropFirst(7))
            } else if let entry = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any] {
                entries.append(entry.compactMapValues { $0 as? String })
            }
        }
        #expect((missed ?? 0) > 0)
        let exported = entries.filter { $0["BAILIWICK_INDEX"] != nil }
        #expect(exported.compactMap { $0["BAILIWICK_INDEX"].flatMap { Int($0) } } == Array(0..<exported.count))
        let allowed = try #require(exported.first { $0["BAILIWICK_OPERATION"] == "PutObject" })
        #expect(allowed["BAILIWICK_DECISION"] == "allow" && allowed["BAILIWICK_REASON"] == "domestic")
        #expect(allowed["BAILIWICK_PRINCIPAL"] == "mailserver-dub1" && allowed["PRIORITY"] == "6")
        #expect(allowed["BAILIWICK_STORE"] == "mail-dub1")
        let refused = try #require(exported.first { $0["BAILIWICK_DECISION"] == "refuse" })
        #expect(refused["BAILIWICK_REASON"] == "authorization-required" && refused["BAILIWICK_CROSSED"] == "IE")
        #expect(refused["MESSAGE"] == "refused, authorization-required: GetObject at mail-dub1 by ediscovery")
        let reads = exported.filter { $0["BAILIWICK_OPERATION"] == "GetObject" && $0["BAILIWICK_DECISION"] == "allow" }
        #expect(reads.count == 5 && reads.allSatisfy { $0["BAILIWICK_JURISDICTION"] == "IE" })
        #expect(exported.contains { $0["BAILIWICK_EVENT"] == "start" })
        #expect(Set(exported.compactMap { $0["MESSAGE_ID"] }).count == 3)
        // What the answers to the calls were, the five reads of a stopped journal among them, each within its two seconds.
        let answers = result.errors.split(separator: "\n").prefix(7).map { $0.prefix(3) }
        #expect(answers == ["200", "403", "200", "200", "200", "200", "200"], "\(result.errors)")
    }
}
