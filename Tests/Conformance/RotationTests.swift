import Foundation
import TestSupport
import Testing

/// Every key is rotated by the very steps of docs/OPERATING.md, against the real daemon.
@Suite final class RotationTests {
    let site: Site

    init() throws { site = try Site() }

    /// A certificate made as the page makes its own.
    private func leaf(_ name: String, _ authority: String, _ usage: String, _ alternatives: String) throws {
        let page = try #require(Site.blocks["pki.leaves"]).text
        let function = page.components(separatedBy: "\n").prefix { $0 != "}" }.joined(separator: "\n") + "\n}\n"
        try site.sh(function + "leaf \(name) \(authority) \(usage) \(alternatives)")
    }

    /// What an answer left in the log is published within a second.
    private func eventually(_ holds: () throws -> Bool) throws {
        let deadline = Date().addingTimeInterval(20)
        while try !holds() {
            guard Date() < deadline else { throw TestFailure("it never came to hold") }
            usleep(50_000)
        }
    }

    private func served(_ line: String) throws {
        let numbers = line.split(separator: " ").compactMap { Int($0) }
        #expect(numbers.count == 3 && numbers[0] > 0 && numbers[1] == 0 && numbers[2] == 0, "\(line)")
    }

    @Test func gatewayCertificate() throws {
        try leaf("gateway-new", "servers", "serverAuth", "DNS:localhost")
        func serial(_ command: String) throws -> String {
            try site.sh("\(command) | openssl x509 -noout -serial").text
        }
        // Without a certificate of its own it is shown ours, and turned away.
        let shown = "(openssl s_client -connect localhost:8443 < /dev/null 2> /dev/null || true)"
        #expect(try serial(shown) == serial("cat /root/ca/gateway.crt"))
        let steady = try site.steady()
        try site.follow("gateway-certificate")
        #expect(try serial(shown) == serial("cat /root/ca/gateway-new.crt"))
        try served(try steady.ask())
        // Half of a pair is refused, and the whole one stays.
        try site.sh("cp /root/ca/gateway.crt /etc/bailiwick/tls/gateway.crt")
        let half = try site.sh("systemctl reload bailiwick", succeeds: false)
        #expect(half.status == 1 && half.errors.contains("does not match"), "\(half.errors)")
        #expect(try serial(shown) == serial("cat /root/ca/gateway-new.crt"))
    }

    @Test func clientAuthority() throws {
        try site.sh(
            """
            cd /root/ca
            openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -days 9 -subj '/CN=Clients 2027' \
              -addext keyUsage=critical,keyCertSign,cRLSign -keyout clients-2027-ca.key -out clients-2027-ca.crt
            sed 's/clients-ca/clients-2027-ca/; s/clients.index/clients-2027.index/' clients.cnf > clients-2027.cnf
            : > clients-2027.index
            openssl ca -config clients-2027.cnf -gencrl -out clients-2027.crl
            """)
        try leaf("mailserver-2027", "clients-2027", "clientAuth", "URI:spiffe://example.org/dub1/mailserver")
        #expect(try site.get("mailserver-2027") == nil)
        let old = try site.steady("mailserver")
        try site.follow("client-authority", "both", "both-settings", "both-reload")
        try served(try old.ask())
        #expect(try site.get("mailserver") == "200")
        #expect(try site.get("mailserver-2027") == "200")
        let new = try site.steady("mailserver-2027")
        let late = try site.steady("mailserver")
        try site.follow("client-authority", "new", "new-settings", "new-reload")
        try served(try new.ask())
        #expect(try site.get("mailserver-2027") == "200")
        // Old certificates get in no more, and on the connections that they had they are nobody.
        #expect(try site.get("mailserver") == nil)
        let numbers = try late.ask().split(separator: " ").compactMap { Int($0) }
        #expect(numbers.count == 3 && numbers[1] > 0, "\(numbers)")
    }

    @Test func revocationList() throws {
        #expect(try site.get("ediscovery", from: "127.0.20.5") == "403 authorization-required")
        let steady = try site.steady()
        try site.follow("revocation-list")
        try served(try steady.ask())
        #expect(try site.get("ediscovery", from: "127.0.20.5") == nil)
    }

    @Test func issuerKeys() throws {
        let old = try site.token("ie-2026")
        try site.follow("issuer-key.ministry")
        let new = try site.token("ie-2027")
        func outcomes() throws -> [String?] {
            try [old, new].map { try site.get("ediscovery", from: "127.0.20.5", token: $0) }
        }
        #expect(try outcomes() == ["200", "403 authorization-untrusted"])
        // The issuer's list too, which its old key signed.
        try site.sh(
            """
            cp /root/ie.revocations /etc/bailiwick/issuers/ie.revocations
            sed -i 's#^deny_list = .*#revocations = "/etc/bailiwick/issuers/ie.revocations"#' /etc/bailiwick/bailiwick.toml
            """)
        let steady = try site.steady()
        try site.follow("issuer-key.both")
        #expect(try outcomes() == ["200", "200"])
        try site.sh("jq '.keys |= map(select(.kid == \"ie-2027\"))' /root/ie-both.jwks > /root/ie-2027.jwks")
        let early = try site.follow("issuer-key.new", succeeds: false)
        #expect(early.status == 1 && early.errors.contains("not in the issuer's key set"), "\(early.errors)")
        #expect(try outcomes() == ["200", "200"])
        try site.sh(
            """
            bailiwick token revocations --issuer https://authorizations.example.ie --key /root/issuer-ie-2027.pem --kid ie-2027 --hours 72 \
              > /etc/bailiwick/issuers/ie.revocations
            """)
        try site.follow("issuer-key.new")
        #expect(try outcomes() == ["403 authorization-untrusted", "200"])
        try served(try steady.ask())
    }

    @Test func sealKeys() throws {
        func key(_ file: String) throws -> String {
            try site.sh(
                "getfattr --only-values -n user.bailiwick /srv/mail/dub1/alice/INBOX/\(file) | cut -d';' -f2 | head -1"
            )
            .text.trimmingCharacters(in: .whitespacesAndNewlines)
        }
        try site.follow("seal-key", "both", "both-settings", "both-restart")
        try site.put("alice/INBOX/2.eml", "two")
        #expect(try key("1.eml") == "dub1-2026" && key("2.eml") == "dub1-2027")
        #expect(try site.get("mailserver") == "200")
        let renewed = try site.follow("seal-key.renew")
        #expect(renewed.text.contains("2 objects") && renewed.text.contains("1 renewed"), "\(renewed.text)")
        #expect(try key("1.eml") == "dub1-2027")
        try site.follow("seal-key", "new-settings", "new-restart")
        #expect(try site.get("mailserver") == "200")
        #expect(try site.get("mailserver", "/mail-dub1/alice/INBOX/2.eml") == "200")
        #expect(
            try site.sh("bailiwick log query /var/lib/bailiwick/log --kind event --json").text.contains("\"renewal\""))
        try site.sh("bailiwick log audit /var/lib/bailiwick/log --key \"$(cat /etc/bailiwick/log-2026.vkey)\"")
    }

    @Test func pseudonymKeys() throws {
        let token = try site.token()
        #expect(try site.get("ediscovery", from: "127.0.20.5", token: token) == "200")
        try site.follow("pseudonym-key", "new", "settings", "restart")
        #expect(try site.get("ediscovery", from: "127.0.20.5", token: token) == "200")
        try eventually {
            let log = try site.sh("bailiwick log query /var/lib/bailiwick/log --json").text
            return log.contains("\"mailbox\":\"dub1-2026:") && log.contains("\"mailbox\":\"dub1-2027:")
        }
        // Both keys given, nothing is left that a key would tell; with one, something is, and is no fault.
        let both = try site.follow("pseudonym-key.audit")
        #expect(!both.text.contains("its key was not given"), "\(both.text)")
        try site.follow("pseudonym-key.erase")
        #expect(!FileManager.default.fileExists(atPath: site.folder("root/pseudonym-dub1-2026")))
        let one = try site.sh(
            """
            bailiwick log audit /var/lib/bailiwick/log --key "$(cat /etc/bailiwick/log-2026.vkey)" \
              --reveal-key /etc/bailiwick/keys/pseudonym-dub1-2027
            """)
        #expect(one.text.contains("its key was not given"), "\(one.text)")
    }

    @Test func logSigningKeys() throws {
        func verify(_ year: Int) throws -> Int32 {
            try site.sh(
                "bailiwick log verify /var/lib/bailiwick/log --key \"$(cat /etc/bailiwick/log-\(year).vkey)\"",
                succeeds: false
            ).status
        }
        try site.follow("log-key", "both", "both-settings", "both-restart")
        try eventually { try verify(2026) == 0 && verify(2027) == 0 }
        #expect(try site.get("mailserver") == "200")
        try site.follow("log-key", "new-settings", "new-restart")
        #expect(try site.get("mailserver") == "200")
        try eventually { try verify(2027) == 0 && verify(2026) != 0 }
        // Without the time with both, the log is nobody's.
        try site.sh(
            """
            bailiwick keys new --kind log --name logs.example.org/dub1-gw1 --private /etc/bailiwick/keys/log-2028
            sed -i 's/log-2027/log-2028/g' /etc/systemd/system/bailiwick.service.d/keys.conf /etc/bailiwick/bailiwick.toml
            """)
        let skipped = try site.sh("systemctl restart bailiwick", succeeds: false)
        #expect(skipped.status == 2 && skipped.errors.contains("not signed by any of the configured"), "\(skipped)")
    }
}
