import Foundation
import TestSupport
import Testing

/// Backup and restore of the log, by the very steps of docs/OPERATING.md.
@Suite final class BackupTests {
    let site: Site

    init() throws { site = try Site() }

    @Test func aCopyOfARunningLogVerifiesEachTime() throws {
        let steady = try site.steady()
        // Each one finds another state of the partial tiles, which grow and go while it copies.
        for _ in 0..<5 { try site.follow("backup.copy") }
        let numbers = try steady.ask().split(separator: " ").compactMap { Int($0) }
        #expect(numbers.count == 3 && numbers[0] > 0 && numbers[1] == 0 && numbers[2] == 0, "\(numbers)")
        let audit = try site.sh("bailiwick log audit /backup/log --key \"$(cat /etc/bailiwick/log-2026.vkey)\"")
        #expect(audit.status == 0)
    }

    @Test func theWholeFolderMovedGoesOn() throws {
        let before = try site.sh("bailiwick log query /var/lib/bailiwick/log --json").text
        try site.follow("backup.move")
        #expect(try site.get("mailserver") == "200")
        let after = try site.sh("bailiwick log query /var/lib/bailiwick/log --json").text
        #expect(after.hasPrefix(before) && after.count > before.count)
        try site.sh("bailiwick log verify /var/lib/bailiwick/log --key \"$(cat /etc/bailiwick/log-2026.vkey)\"")
    }

    @Test func afterALossANewLogBegins() throws {
        try site.follow("backup.copy")
        try site.sh("systemctl stop bailiwick; rm -rf /var/lib/bailiwick/log")
        try site.follow("backup", "lost", "lost-settings", "lost-restart")
        #expect(try site.get("mailserver") == "200")
        try site.sh(
            """
            bailiwick log verify /var/lib/bailiwick/log-b --key "$(cat /etc/bailiwick/log-b.vkey)"
            bailiwick log verify /backup/log --key "$(cat /etc/bailiwick/log-2026.vkey)"
            """)
    }
}
