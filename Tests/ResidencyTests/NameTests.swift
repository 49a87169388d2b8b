import Residency
import Testing

@Suite struct NameTests {
    @Test("ISO 3166 codes are jurisdictions", arguments: ["IE", "US", "US-CA", "GB-ENG", "FR-75", "AT-9", "NO"])
    func jurisdictions(code: String) throws {
        let jurisdiction = try #require(Jurisdiction(code))
        #expect(jurisdiction.code == code)
        #expect(jurisdiction.utf8 == Array(code.utf8))
    }

    @Test(
        "anything else is none",
        arguments: [
            "", "I", "ie", "Ie", "IRL", "IE-", "IE-ABCD", "IE_A", "1E", "IE-a", "-IE", "IE ", " IE", "ІE", "IE-É",
            "I\u{0}", "IE-\u{0}",
        ])
    func notJurisdictions(code: String) {
        #expect(Jurisdiction(code) == nil)
    }

    @Test("jurisdictions are ordered as their bytes are")
    func order() {
        let codes = ["US-CA", "IE", "US", "DE-BY", "US-C", "DE", "US-0", "GB-ENG", "GB"]
        let sorted = codes.compactMap { Jurisdiction($0) }.sorted().map(\.code)
        #expect(sorted == ["DE", "DE-BY", "GB", "GB-ENG", "IE", "US", "US-0", "US-C", "US-CA"])
    }

    @Test("a country and its subdivision are different jurisdictions")
    func subdivision() {
        let california = Place(datacenter: DatacenterName("sfo1")!, jurisdiction: Jurisdiction("US-CA")!)
        let question = World.question {
            $0.gateway = World.iad1
            $0.office = World.iad1
            $0.location = .datacenter(World.iad1)
            $0.store = World.store(california)
        }
        #expect(World.answer(question) == "authorization-required")
    }

    @Test(
        "names are 1 to 128 of their bytes",
        arguments: ["a", "dub1-gw1", "alice@example.org", "a.b_c+d", String(repeating: "x", count: 128)])
    func names(text: String) {
        #expect(PrincipalName(text)?.text == text)
    }

    @Test(
        "other names are none",
        arguments: [
            "", " ", "a b", "a/b", "é", "\u{212A}", "a\u{0}", "a\n", "a:b", "*", String(repeating: "x", count: 129),
        ])
    func notNames(text: String) {
        #expect(PrincipalName(text) == nil)
    }

    @Test("names are ordered as their bytes are")
    func nameOrder() {
        let names = ["b", "a", "B", "a1", "a-", "_"].compactMap { DatacenterName($0) }.sorted().map(\.text)
        #expect(names == ["B", "_", "a", "a-", "a1", "b"])
    }

    @Test("just the five reasons of the design allow")
    func reasons() {
        let allowing = Reason.allCases.filter(\.allows).map(\.rawValue)
        #expect(allowing == ["domestic", "free-flow", "authorized", "delivery", "administrative"])
        #expect(Reason.allCases.count == 25)
    }

    @Test("content includes traffic, and nothing includes relocate but itself")
    func classes() {
        #expect(DataClasses.content.covers(.traffic))
        #expect(DataClasses.content.covers([.traffic, .content]))
        #expect(!DataClasses.traffic.covers(.content))
        #expect(!DataClasses([.traffic, .content]).covers(.relocate))
        #expect(!DataClasses.relocate.covers(.traffic))
    }
}
