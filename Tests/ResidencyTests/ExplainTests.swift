import Residency
import Testing

@Suite struct ExplainTests {
    private func lines(_ question: Question) -> [String] { Rule.explain(question).map(\.description) }

    @Test("an explanation names readers, owners, who crosses, and how each token fared, by section of the design")
    func refused() {
        let question = World.question {
            $0.office = World.iad1
            $0.location = .nowhere
            $0.authorizations = [
                .untrusted, Tokens.named("expires now"), Tokens.named("another mailbox"),
                Tokens.named("lives too long"),
            ]
        }
        #expect(
            lines(question) == [
                "3.1 readers: IE (gateway), US (office), no known network (location)",
                "3.2 owner: IE (store, in dub1)",
                "3.3 crosses the border of IE: US (office), no known network (location)",
                "5 token 1: no pinned key of a configured issuer verifies its signature",
                "5 token 2: expired at 2027-01-15T08:00:00.000000Z, and it is 2027-01-15T08:00:00.000000Z",
                "5 token 3, element 0: out of scope: it names no pattern that covers the mailbox",
                "5 token 4: out of scope: it lives longer than the 7199 s allowed to its issuer and instrument",
                "3.4 no authorization of IE grants the read",
                "3 refuse: authorization-out-of-scope",
            ])
    }

    @Test("a look at the object is explained as the second half")
    func located() {
        #expect(
            lines(World.question { $0.object = World.tagged(World.iad1) }) == [
                "3.1 readers: IE (gateway), IE (office), IE (location)",
                "3.2 owner: IE (store, in dub1)",
                "3.3 no border is crossed",
                "3.1 readers: IE (gateway), IE (office), IE (location)",
                "3.2 owners: IE (store, in dub1), US (tag, of iad1)",
                "3.3 crosses the border of US: IE (gateway), IE (office), IE (location)",
                "3.4 no authorization is presented",
                "3.2 misplaced: the store is in dub1 (IE), the tag says iad1 (US)",
                "3 refuse: authorization-required",
            ])
    }

    @Test("a grant is explained by its element")
    func granted() {
        let steps = lines(
            World.question {
                $0.location = .nowhere
                $0.authorizations = [Tokens.content]
            })
        #expect(steps.contains("5 token 1, element 0: grants the read for IE"))
        #expect(steps.last == "3.8 nothing that the store alone decides stands against looking the object up")
    }

    @Test(
        "each way to fail a token's check has its own sentence",
        arguments: [
            ("for another gateway", #"is for ["iad1-gw1"], not for dub1-gw1 or dub1"#),
            ("another subject", "is for the principal support, not for ediscovery"),
            ("bound to another", "is bound to another certificate"),
            ("begins past the skew", "begins at 2027-01-15T08:01:01.000000Z, and it is 2027-01-15T08:00:00.000000Z"),
            ("revoked", "is revoked"),
            ("its issuer may not speak for Ireland", "out of scope: its issuer may not speak for IE"),
            ("court order", "out of scope: its instrument opens traffic"),
            ("subpoena", "out of scope: its instrument opens nothing"),
        ])
    func sentences(name: String, sentence: String) {
        var question = RuleTests.abroad([name])
        question.object = World.tagged(World.dub1)
        #expect(lines(question).contains("5 token 1: \(sentence)"))
    }

    @Test(
        "each way to exceed an element has its own sentence",
        arguments: [
            ("American", "its issuer may not speak for IE", nil),
            ("traffic", "it opens traffic", 0),
            ("another datacenter", #"it is for the datacenters ["dub2"] alone"#, 0),
            (
                "received out of range",
                "the object was not received from 2023-11-14T22:11:40.000000Z to 2023-11-14T22:13:20.000000Z", 0
            ),
            ("no element is whole", "it is for US, not for IE", 2),
        ] as [(String, String, Int?)])
    func elements(name: String, sentence: String, element: Int?) {
        var question = RuleTests.abroad([name])
        question.object = World.tagged(World.dub1)
        let place = element.map { ", element \($0)" } ?? ""
        #expect(lines(question).contains("5 token 1\(place): out of scope: \(sentence)"))
    }
}
