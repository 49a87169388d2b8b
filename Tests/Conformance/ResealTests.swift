import Foundation
import TestSupport
import Testing

/// `bailiwick tags reseal`, through the running daemon.
@Suite final class ResealTests {
    let world: World

    init() throws {
        world = try World()
        try world.start("dub1-gw1")
    }

    private func reseal(_ key: String, reason: String = "test", by who: String = "dub1-operator") throws
        -> CommandResult
    {
        try run([
            "\(products)/bailiwick", "tags", "reseal", "mail-dub1", key, "--reason", reason, "--operators",
            "https://127.0.0.1:\(world.dublin + 1)", "--certificate", world.folder("pki/\(who).crt"), "--key",
            world.folder("pki/\(who).key"), "--authorities", world.folder("pki/servers-ca.crt"),
        ])
    }

    /// The last event of that name, once the daemon has stopped and all is in the log.
    private func event(_ name: String) throws -> [String: Any] {
        _ = world.daemon("dub1-gw1")?.stop()
        let events = try world.bailiwick("log", "query", world.folder("log/dub1"), "--kind", "event", "--json").text
        let line = try #require(events.split(separator: "\n").last { $0.contains("\"event\":\"\(name)\"") })
        return try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
    }

    private func putTag(_ path: String, replacing old: String, with new: String) throws {
        let script =
            "import os,re,sys; v=os.getxattr(sys.argv[1],'user.bailiwick'); w=re.sub(sys.argv[2].encode(),sys.argv[3].encode(),v,count=1); "
            + "assert v!=w; os.setxattr(sys.argv[1],'user.bailiwick',w)"
        let result = try run(["python3", "-c", script, world.folder(path), old, new])
        #expect(result.status == 0, "\(result.errors)")
    }

    /// An edit is not sealed as true, and the log says what was edited.
    @Test func theEventTellsWhatWasAndWhatIs() throws {
        _ = try world.curl("dub1-mailserver", from: "127.0.10.5", "/mail-dub1/alice/1", body: Data("mail".utf8))
        try putTag("store/dub1/alice/1", replacing: "(;IE;[0-9]+);[0-9]+;", with: "\\1;1577836800;")
        #expect(try world.curl("dub1-mailserver", from: "127.0.10.5", "/mail-dub1/alice/1").reason == "tag-invalid")
        let resealed = try reseal("alice/1", reason: "edited")
        #expect(resealed.status == 0 && resealed.text.hasPrefix("resealed: dub1, IE, received 20"), "\(resealed)")
        #expect(try world.curl("dub1-mailserver", from: "127.0.10.5", "/mail-dub1/alice/1").text == "mail")
        let told = try event("reseal")
        #expect((told["before"] as? String)?.contains(";IE;") == true && "\(told)".contains(";1577836800;"))
        #expect(told["problem"] as? String == "seal" && told["reason"] as? String == "edited")
        #expect(told["datacenter"] as? String == "dub1" && told["jurisdiction"] as? String == "IE")
        #expect(try #require(told["received"] as? Int) > 1_577_836_800)
    }

    /// A sound tag of another jurisdiction is not an operator's to take.
    @Test func aMisplacedObjectStaysItsOwners() throws {
        try world.start("iad1-gw1")
        _ = try world.curl(
            "iad1-mailserver", from: "127.0.20.5", "/mail-iad1/alice/us", at: world.virginia, body: Data("mail".utf8))
        _ = try world.curl("dub1-mailserver", from: "127.0.10.5", "/mail-dub1/alice/1", body: Data("x".utf8))
        let copied = try run([
            "cp", "--preserve=xattr", world.folder("store/iad1/alice/us"), world.folder("store/dub1/alice/us"),
        ])
        #expect(copied.status == 0, "\(copied.errors)")
        let refused = try reseal("alice/us", reason: "convenience")
        #expect(refused.status == 1 && refused.text.contains("of iad1, US"), "\(refused)")
        let answer = try world.curl("dub1-mailserver", from: "127.0.10.5", "/mail-dub1/alice/us")
        #expect(answer.reason == "authorization-required" && answer.text.contains("<Jurisdiction>US<"))
        // From nowhere both owners must agree: Ireland has, and what is missing is to be asked of the other.
        let token = try world.irishToken()
        let half = try world.curl(
            "iad1-ediscovery", from: "127.0.30.5", "/mail-dub1/alice/us", "-H", "x-bailiwick-authorization: \(token)")
        #expect(half.reason == "authorization-out-of-scope" && half.text.contains("<Jurisdiction>US<"), "\(half.text)")
    }

    private func post(_ path: String, _ body: String, by who: String, from address: String) throws -> World.Answer {
        try world.curl(who, from: address, path, at: world.dublin + 1, "--data-binary", body)
    }

    /// Keys are told over no border, and what is told is on record before.
    @Test func anOperatorAbroadIsToldNothing() throws {
        try world.edit("dub1-gw1") {
            $0 += """

                [[principal]]
                name = "american"
                datacenter = "iad1"
                certificate = { uri = "spiffe://example.org/iad1/operator" }
                roles = ["operator"]

                """
        }
        _ = world.daemon("dub1-gw1")?.stop()
        try world.start("dub1-gw1")
        try world.folder.write("store/dub1/alice/untagged", "x")
        let (scan, reseal) = (
            "{\"store\":\"mail-dub1\"}", "{\"store\":\"mail-dub1\",\"key\":\"alice/untagged\",\"reason\":\"r\"}"
        )
        for (who, address) in [
            ("iad1-operator", "127.0.10.5"), ("iad1-operator", "127.0.0.1"), ("dub1-operator", "127.0.20.66"),
        ] {
            for (path, body) in [("/tags/scan", scan), ("/tags/reseal", reseal)] {
                let answer = try post(path, body, by: who, from: address)
                #expect(answer.status == 403 && !answer.text.contains("alice"), "\(who) \(address) \(answer.text)")
            }
        }
        // At home, and on the gateway's own machine.
        for address in ["127.0.10.5", "127.0.0.1"] {
            #expect(
                try post("/tags/scan", scan, by: "dub1-operator", from: address).text.contains("alice/untagged: no tag")
            )
        }
        #expect(
            try post(
                "/tags/reseal", reseal.replacingOccurrences(of: "untagged", with: "none"), by: "dub1-operator",
                from: "127.0.10.5"
            ).status == 404)

        let refused = try event("operator-refused")
        #expect(refused["why"] as? String == "absent" && refused["operation"] as? String == "ResealTag")
        let scanned = try event("scan")
        #expect(scanned["principal"] as? String == "operator" && scanned["address"] as? String == "127.0.0.1")
        #expect(scanned["office"] as? String == "dub1" && scanned["location"] as? String == "dub1")
        let events = try world.bailiwick("log", "query", world.folder("log/dub1"), "--kind", "event", "--json").text
        #expect(events.components(separatedBy: "\"why\":\"border\"").count == 7)
        #expect(events.components(separatedBy: "\"event\":\"scan\"").count == 3)
    }
}
