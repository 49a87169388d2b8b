import Foundation
import TestSupport
import Testing

/// HTTP/1.1 as bytes, by Python's own TLS: keep-alive, pipelining, bodies of every framing, everything that strict framing refuses,
/// and a bound on what slow readers cost.
@Suite struct WireTests {
    @Test func theWireIsStrictAndBounded() throws {
        let world = try World()
        let daemon = try world.start("dub1-gw1")
        try world.start("iad1-gw1")
        let there = try world.curl(
            "iad1-mailserver", from: "127.0.20.5", "/mail-iad1/alice/INBOX/us", at: world.virginia,
            body: Data("us".utf8))
        #expect(there.status == 200, "\(there.text)")
        let result = try run([
            "python3", "\(repository)/Tests/Conformance/wire.py", world.folder.path, "\(world.dublin)", "\(daemon.pid)",
        ])
        #expect(result.status == 0, "\(result.errors)\n\(daemon.output)")
        #expect(daemon.stop() == 0)
        // What the stalled readers left unread is on record as broken off.
        let query = try world.bailiwick("log", "query", world.folder("log/dub1"), "--kind", "completion", "--json")
        #expect(query.text.contains("\"broken-off\""), "\(query.text.suffix(500))")
        // What was refused since too many were met at once follows from the rule like all else.
        let audit = try world.bailiwick(
            "log", "audit", world.folder("log/dub1"), "--key",
            world.folder.read("keys/log-dub1.vkey").trimmingCharacters(in: .whitespacesAndNewlines))
        #expect(audit.status == 0, "\(audit.text)\n\(audit.errors)")
    }
}
