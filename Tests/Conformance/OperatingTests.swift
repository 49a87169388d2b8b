import Foundation
import TestSupport
import Testing

/// docs/OPERATING.md: what it has installed works, and what it marks as tried is tried by some test.
@Suite struct OperatingTests {
    @Test func installedByThePageItServesAndRefuses() throws {
        let site = try Site()
        #expect(try site.get("mailserver") == "200")
        #expect(try site.get("ediscovery", from: "127.0.20.5") == "403 authorization-required")
        let warrant = site.folder.read("root/warrant").trimmingCharacters(in: .whitespacesAndNewlines)
        #expect(try site.get("ediscovery", from: "127.0.20.5", token: warrant) == "200")
        try site.sh(
            "bailiwick token revoke --deny-list /etc/bailiwick/issuers/ie.denied '\(warrant)'; systemctl reload bailiwick"
        )
        #expect(try site.get("ediscovery", from: "127.0.20.5", token: warrant) == "403 authorization-revoked")
    }

    /// Whoever is woken finds what woke them on the page.
    @Test(.enabled(if: FileManager.default.fileExists(atPath: alerts), "no alert rules are here"))
    func everyAlertIsExplained() throws {
        let page = try String(contentsOfFile: "\(repository)/docs/OPERATING.md", encoding: .utf8)
        let rules = try String(contentsOfFile: Self.alerts, encoding: .utf8)
        let names = rules.matches(of: /- alert: (\w+)/).map { String($0.1) }
        #expect(names.count > 10)
        for name in names { #expect(page.contains("| `\(name)` | "), "\(name)") }
    }

    private static let alerts = "\(repository)/monitoring/bailiwick-alerts.yml"

    /// Each marked block is followed by name in a test: one that nobody follows is marked wrongly.
    @Test func everyBlockThatIsMarkedIsFollowedByATest() throws {
        let tests = try ["Site", "RotationTests", "BackupTests", "OperatingTests"].map {
            try String(contentsOfFile: "\(repository)/Tests/Conformance/\($0).swift", encoding: .utf8)
        }.joined()
        #expect(Site.blocks.count > 30)
        for name in Site.blocks.keys {
            let parts = name.split(separator: ".", maxSplits: 1).map(String.init)
            #expect(
                tests.contains("\"\(name)\"")
                    || (tests.contains("\"\(parts[0])") && tests.contains("\"\(parts.last ?? "")\"")),
                "\(name)")
        }
    }
}
