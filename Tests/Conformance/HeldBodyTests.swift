import Foundation
import TestSupport
import Testing

/// PUTs whose bodies come long after their decisions: what became of the world meanwhile counts.
@Suite final class HeldBodyTests {
    struct Answer {
        let status: Int
        let code: String
        let reason: String
        let headers: [String: String]
    }

    let world: World
    let client: Client

    init() throws {
        world = try World()
        client = try Client([
            "python3", "\(repository)/Tests/Conformance/held.py", world.folder.path, "\(world.dublin)",
        ])
    }

    private func ask(_ request: [String: Any]) throws -> Answer {
        let line = String(decoding: try JSONSerialization.data(withJSONObject: request), as: UTF8.self)
        let answer = try client.ask(line)
        let said = try #require(try JSONSerialization.jsonObject(with: Data(answer.utf8)) as? [String: Any])
        return Answer(
            status: said["status"] as? Int ?? 0, code: said["code"] as? String ?? "",
            reason: said["reason"] as? String ?? "", headers: said["headers"] as? [String: String] ?? [:])
    }

    /// Sends the head of a PUT of that many bytes; gives the interim answer, or what came in its place.
    private func begin(
        _ name: String, _ who: String, from address: String, _ path: String, bytes: Int, headers: [String: String] = [:]
    ) throws -> Answer {
        try ask([
            "begin": name, "who": who, "from": address, "path": path, "length": bytes, "headers": headers,
        ])
    }

    private func end(_ name: String, _ body: String) throws -> Answer { try ask(["end": name, "body": body]) }

    /// The tag of an object in Dublin's store.
    private func tag(_ path: String) throws -> [String] {
        let script =
            "import os,sys; sys.stdout.buffer.write(os.getxattr(sys.argv[1],'user.bailiwick').split(b'\\n')[0])"
        return try run(["python3", "-c", script, world.folder("store/dub1/\(path)")]).text.components(separatedBy: ";")
    }

    /// What was begun in one year and ended in the next was received in the next.
    @Test func itIsReceivedWhenItIsSealed() throws {
        try world.start("dub1-gw1")
        #expect(
            try begin("a", "dub1-support", from: "127.0.10.9", "/mail-dub1/alice/1", bytes: 4).status == 403,
            "it may not write")
        #expect(
            try begin("a", "dub1-mailserver", from: "127.0.10.5", "/mail-dub1/alice/1", bytes: 4).status == 100)
        usleep(1_200_000)
        let ended = Int(Date().timeIntervalSince1970)
        #expect(try end("a", "mail").status == 200)
        let tag = try tag("alice/1")
        #expect(try #require(Int(tag[4])) >= ended && tag[4] == tag[5], "\(tag)")
    }

    /// Every decision follows from the rule, once the daemon has stopped.
    private func audit() throws {
        #expect(world.daemon("dub1-gw1")?.stop() == 0)
        let key = world.folder.read("keys/log-dub1.vkey").trimmingCharacters(in: .whitespacesAndNewlines)
        let audit = try world.bailiwick("log", "audit", world.folder("log/dub1"), "--key", key)
        #expect(audit.status == 0, "\(audit.text)\(audit.errors)")
    }

    /// Lets Virginia's eDiscovery write to Dublin's store.
    private func startWithForeignWriter(foreignWrites: String = "create") throws {
        try world.edit("dub1-gw1") {
            $0 = $0.replacingOccurrences(
                of: "certificate = { uri = \"spiffe://example.org/iad1/ediscovery\" }\nroles = [\"reader\"]",
                with:
                    "certificate = { uri = \"spiffe://example.org/iad1/ediscovery\" }\nroles = [\"reader\", \"writer\"]"
            ).replacingOccurrences(
                of: "driver = \"directory\"", with: "driver = \"directory\"\nforeign_writes = \"\(foreignWrites)\"")
        }
        try world.start("dub1-gw1")
    }

    private func beginAbroad(_ name: String, _ key: String, headers: [String: String] = [:]) throws -> Answer {
        try begin(name, "iad1-ediscovery", from: "127.0.20.5", "/mail-dub1/\(key)", bytes: 4, headers: headers)
    }

    private func putAtHome(_ key: String, _ text: String) throws -> World.Answer {
        try world.curl("dub1-mailserver", from: "127.0.10.5", "/mail-dub1/\(key)", body: Data(text.utf8))
    }

    /// Without an object `If-Match` does not hold, abroad as at home, and nothing is stored.
    @Test(arguments: ["\"d41d8cd98f00b204e9800998ecf8427e\"", "*"])
    func aConditionOnWhatIsNotThereCreatesNothing(_ tag: String) throws {
        try startWithForeignWriter()
        let token = try world.irishToken()
        let answer = try beginAbroad(
            "a", "alice/new", headers: ["If-Match": tag, "x-bailiwick-authorization": token])
        #expect(answer.status == 404 && answer.code == "NoSuchKey", "\(answer)")
        #expect(try world.curl("dub1-mailserver", from: "127.0.10.5", "/mail-dub1/alice/new").status == 404)
    }

    /// Whether the condition held is a fact that the grant opened, and no longer than it lasts.
    @Test func aConditionOutlivesNoAuthorization() throws {
        try startWithForeignWriter(foreignWrites: "any")
        let home = try putAtHome("alice/1", "mail")
        let expiry = Date().addingTimeInterval(4)
        let token = try world.irishToken("--expires", ISO8601DateFormatter().string(from: expiry))
        let tag = try #require(home.headers["etag"])
        for (name, guess) in [("right", tag), ("wrong", "\"d41d8cd98f00b204e9800998ecf8427e\""), ("waits", tag)] {
            let begun = try beginAbroad(
                name, "alice/1", headers: ["If-Match": guess, "x-bailiwick-authorization": token])
            #expect(begun.status == 100, "\(begun)")
        }
        // The daemon ends them by itself within seconds.
        #expect(try ask(["wait": "waits"]).status == 0)
        #expect(Date() >= expiry.addingTimeInterval(-1))
        #expect(try end("right", "guess").status == 0)
        #expect(try end("wrong", "guess").status == 0)
        let kept = try world.curl("dub1-mailserver", from: "127.0.10.5", "/mail-dub1/alice/1")
        #expect(kept.text == "mail")
        try audit()
    }

    /// It tells of what was decided on, not of what came since.
    @Test func aConditionTellsOfNothingElse() throws {
        try startWithForeignWriter(foreignWrites: "any")
        _ = try putAtHome("alice/1", "one")
        let token = try world.irishToken()
        #expect(
            try beginAbroad("a", "alice/1", headers: ["If-Match": "*", "x-bailiwick-authorization": token]).status
                == 100)
        #expect(
            try beginAbroad("b", "alice/1", headers: ["If-Match": "*", "x-bailiwick-authorization": token]).status
                == 100)
        #expect(try end("a", "four").status == 200)
        let conflict = try end("b", "four")
        #expect(conflict.status == 409 && conflict.code == "ConditionalRequestConflict", "\(conflict)")
        try audit()
    }

    /// Held bodies are no way around the bound of ten: who learns of ten keys in a minute learns of no other one.
    @Test func heldBodiesTellOfNoMoreKeys() throws {
        try startWithForeignWriter()
        func minute() -> Int { Int(Date().timeIntervalSince1970) / 60 }
        let keys = (0..<14).map { "alice/\($0)" }
        for key in keys + ["alice/free"] { #expect(try beginAbroad(key, key).status == 100) }
        for key in keys { #expect(try putAtHome(key, "home").status == 200) }
        let begun = minute()
        let answers = try keys.map { try end($0, "mail") }
        let free = try end("alice/free", "mail")
        let told = answers.filter { $0.reason == "foreign-overwrite" }
        #expect(told.count + answers.filter { $0.status == 503 && $0.reason == "overloaded" }.count == 14)
        if begun == minute() {
            #expect(told.count == 10)
            #expect(free.reason == "overloaded", "\(free)")
            #expect(try world.curl("dub1-mailserver", from: "127.0.10.5", "/mail-dub1/alice/free").status == 404)
        }
        try audit()
    }
}
