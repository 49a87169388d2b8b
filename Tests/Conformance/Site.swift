import Foundation
import TestSupport

/// A gateway as docs/OPERATING.md has it installed, below a folder: that page's own blocks are run, with `/etc`, `/var`, `/srv`, `/run`,
/// `/root` and `/backup` moved there and its ports replaced. `systemctl` is Tests/Conformance/systemctl.sh.
final class Site: @unchecked Sendable {
    struct Block {
        let language: String
        let text: String
    }

    /// The blocks of the page that are marked `<!-- tried: NAME -->`.
    static let blocks: [String: Block] = {
        var blocks: [String: Block] = [:]
        var name: String?
        var open: (language: String, lines: [Substring])?
        let page = (try? String(contentsOfFile: "\(repository)/docs/OPERATING.md", encoding: .utf8)) ?? ""
        for line in page.split(separator: "\n", omittingEmptySubsequences: false) {
            if let (language, lines) = open {
                if line == "```" {
                    if let name { blocks[name] = Block(language: language, text: lines.joined(separator: "\n") + "\n") }
                    (open, name) = (nil, nil)
                } else {
                    open = (language, lines + [line])
                }
            } else if line.hasPrefix("```") {
                open = (String(line.dropFirst(3)), [])
            } else if line.hasPrefix("<!-- tried: "), line.hasSuffix(" -->") {
                name = String(line.dropFirst(12).dropLast(4))
            }
        }
        return blocks
    }()

    let folder: Sandbox
    let port = World.freePortPair()

    /// Follows the page from its beginning until the first message was put, got and refused.
    init() throws {
        folder = try Sandbox("site")
        for name in [
            "etc/bailiwick/tls", "etc/bailiwick/keys", "etc/bailiwick/issuers", "var/lib/bailiwick", "srv",
            "run/bailiwick",
            "root", "backup", "bin",
        ] {
            try FileManager.default.createDirectory(atPath: folder(name), withIntermediateDirectories: true)
        }
        try FileManager.default.createSymbolicLink(
            atPath: folder("bin/systemctl"), withDestinationPath: "\(repository)/Tests/Conformance/systemctl.sh")
        // There is no such user here, and the default path is the machine's own.
        try folder.write("bin/chown", "#!/bin/sh\n", mode: 0o755)
        for (program, arguments) in [
            ("bailiwickd", "\"$@\" --config \"$SITE/etc/bailiwick/bailiwick.toml\""), ("bailiwick", "\"$@\""),
        ] {
            try folder.write("bin/\(program)", "#!/bin/sh\nexec \"$PRODUCTS/\(program)\" \(arguments)\n", mode: 0o755)
        }
        AtExit.shared.add { [folder] in Self.end(folder) }
        for name in ["pki.authorities", "pki.leaves", "pki.list", "issuer.ministry"] { try follow(name) }
        for name in ["certificates", "keys", "store", "settings", "start", "first"] { try follow("install.\(name)") }
    }

    deinit { Self.end(folder) }

    private static func end(_ folder: Sandbox) {
        if let pid = Int32(folder.read("run/test/pid").trimmingCharacters(in: .whitespacesAndNewlines)) {
            kill(pid, SIGKILL)
        }
    }

    /// Runs a block of the page; one of settings replaces the file, or the first line of each of its keys.
    @discardableResult
    func follow(_ name: String, succeeds: Bool = true) throws -> CommandResult {
        guard let block = Self.blocks[name] else { throw TestFailure("docs/OPERATING.md has no block \(name)") }
        let text = moved(block.text)
        guard block.language == "toml" else { return try shell(text, name, succeeds: succeeds) }
        try set(text, name)
        return try run(["true"])
    }

    private func set(_ text: String, _ name: String) throws {
        guard !text.hasPrefix("[gateway]") else {
            try folder.write("etc/bailiwick/bailiwick.toml", text)
            return
        }
        var lines = folder.read("etc/bailiwick/bailiwick.toml").components(separatedBy: "\n")
        for line in text.split(separator: "\n") {
            let key = line.prefix { $0 != "=" }
            guard let index = lines.firstIndex(where: { $0.hasPrefix(key + "=") }) else {
                throw TestFailure("\(name): the settings have no \(key)")
            }
            lines[index] = String(line)
        }
        try folder.write("etc/bailiwick/bailiwick.toml", lines.joined(separator: "\n"))
    }

    /// Follows several, in the order in which they are given.
    func follow(_ section: String, _ steps: String...) throws {
        for step in steps { try follow("\(section).\(step)") }
    }

    /// Runs a script of the test's own, its paths moved as the page's are.
    @discardableResult
    func sh(_ script: String, succeeds: Bool = true) throws -> CommandResult {
        try shell(moved(script), "a test's script", succeeds: succeeds)
    }

    private func shell(_ script: String, _ name: String, succeeds: Bool) throws -> CommandResult {
        let path = "\(folder("bin")):\(ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin")"
        let result = try run(
            ["bash", "-euo", "pipefail", "-c", script],
            environment: ["PATH": path, "SITE": folder.path, "PRODUCTS": products], folder: folder.path)
        guard !succeeds || result.status == 0 else {
            throw TestFailure("\(name) exited with \(result.status): \(result.errors)\(result.text)")
        }
        return result
    }

    private func moved(_ text: String) -> String {
        text.replacingOccurrences(
            of: "(?<![A-Za-z0-9._/-])/(etc|var|srv|run|root|backup)(?![A-Za-z0-9_.-])", with: "\(folder.path)/$1",
            options: .regularExpression
        ).replacingOccurrences(of: ":8443", with: ":\(port)").replacingOccurrences(of: ":8444", with: ":\(port + 1)")
    }

    // MARK: - Callers

    /// The status and the reason of one GET by the certificate of that name below /root/ca; nil where TLS refused.
    func get(
        _ who: String, from address: String = "127.0.0.1", _ path: String = "/mail-dub1/alice/INBOX/1.eml",
        token: String? = nil
    ) throws -> String? {
        let result = try sh(
            """
            curl -sS --cacert /root/ca/servers-ca.crt --cert /root/ca/\(who).crt --key /root/ca/\(who).key --interface \(address) \
            \(token.map { "-H 'x-bailiwick-authorization: \($0)'" } ?? "") -w '\\n%{http_code}' https://localhost:8443\(path)
            """, succeeds: false)
        guard result.status == 0 else { return nil }
        let status = result.text.split(separator: "\n").last.map(String.init) ?? ""
        let reason = result.text.range(of: "(?<=<Reason>)[a-z-]+", options: .regularExpression)
        return reason.map { "\(status) \(result.text[$0])" } ?? status
    }

    func put(_ key: String, _ text: String, who: String = "mailserver") throws {
        try sh(
            """
            printf %s '\(text)' | curl -sS --fail --cacert /root/ca/servers-ca.crt --cert /root/ca/\(who).crt --key /root/ca/\(who).key \
            --upload-file - https://localhost:8443/mail-dub1/\(key)
            """)
    }

    /// A token of the ministry's key of that year.
    func token(_ kid: String = "ie-2026") throws -> String {
        try sh(
            """
            bailiwick token issue --issuer https://authorizations.example.ie --key /root/issuer-\(kid).pem --kid \(kid) \
            --subject ediscovery --audience dub1-gw1 --jurisdiction IE --mailbox alice --data content --hours 24 --instrument warrant \
            --reference 2026/CCC/118 --authority-name Court --authority-country IE --requester law-enforcement
            """
        ).text.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    /// Requests without end on connections that live on; ends with how many answers there were, how many were not 200, and how many
    /// connections broke.
    func steady(_ who: String = "mailserver") throws -> Client {
        let ca = folder("root/ca")
        let client = try Client([
            "python3", "\(repository)/Tests/Conformance/rotation.py", "\(ca)/servers-ca.crt", "\(ca)/\(who).crt",
            "\(ca)/\(who).key", "\(port)", "/mail-dub1/alice/INBOX/1.eml",
        ])
        _ = try client.read()
        return client
    }
}
