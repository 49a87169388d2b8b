import Residency
import Testing

/// What DESIGN section 3 says in words, each sentence once by name.
@Suite struct RuleTests {
    struct Scenario: CustomTestStringConvertible, Sendable {
        let name: String
        let answer: String
        let question: Question
        var testDescription: String { "\(name): \(answer)" }

        init(_ name: String, _ answer: String, _ change: (inout Question) -> Void) {
            self.name = name
            self.answer = answer
            question = World.question(change)
        }
    }

    static let home = World.tagged(World.dub1)

    static let readers: [Scenario] = [
        .init("an Irish tool in Ireland reads at home", "domestic") { $0.object = home },
        .init("before lookup it may look", "needs-object") { _ in },
        .init("an American tool used from an Irish address", "authorization-required") { $0.office = World.iad1 },
        .init("an Irish tool used from Virginia", "authorization-required") { $0.location = .datacenter(World.iad1) },
        .init("an American gateway before an Irish store", "authorization-required") { $0.gateway = World.iad1 },
        .init("an address in no network", "authorization-required") { $0.location = .nowhere },
        .init("an address in no network, with the location off", "domestic") {
            $0.location = .notConsidered
            $0.object = home
        },
        .init("a German tool inside the area", "free-flow") {
            $0.office = World.fra1
            $0.object = home
        },
        .init("a German tool without an area", "authorization-required") {
            $0.office = World.fra1
            $0.areas = []
        },
        .init("areas do not chain: IE and DE, DE and US, not IE and US", "authorization-required") {
            $0.office = World.iad1
            $0.areas = [World.eea, World.atlantic]
        },
        .init("a copy to Virginia", "authorization-required") {
            $0.operation = .copyObject
            $0.destination = World.iad1
        },
        .init("a copy to another Irish store", "domestic") {
            $0.operation = .copyObject
            $0.destination = World.dub2
            $0.object = home
        },
        .init("a caller without a role there", "not-entitled") { $0.isEntitled = false },
        .init("configuration tells nothing of objects", "administrative") {
            $0.operation = .getBucketLocation
            $0.access = .none
            $0.office = World.iad1
        },
    ]

    static let objects: [Scenario] = [
        .init("an American's object in an Irish store, read by an Irishman", "authorization-required") {
            $0.object = World.tagged(World.iad1)
        },
        .init("both owners must agree: Ireland alone does not do", "authorization-out-of-scope") {
            $0.location = .nowhere
            $0.object = World.tagged(World.iad1)
            $0.authorizations = [Tokens.content]
        },
        .init("both owners agree, by two tokens", "authorized") {
            $0.location = .nowhere
            $0.object = World.tagged(World.iad1)
            $0.authorizations = [Tokens.content, Tokens.american]
        },
        .init("a German's object within the area", "free-flow") { $0.object = World.tagged(World.fra1) },
        .init("a missing tag", "untagged") { $0.object = .untagged },
        .init("a missing tag, where the store adopts", "domestic") {
            $0.object = .untagged
            $0.store = World.store(World.dub1, untagged: .adopt)
        },
        .init("a missing tag, where the store adopts, from abroad with a good grant", "untagged") {
            $0.object = .untagged
            $0.location = .nowhere
            $0.authorizations = [Tokens.content]
            $0.store = World.store(World.dub1, untagged: .adopt)
        },
        .init("a broken tag refuses at home", "tag-invalid") { $0.object = .tagInvalid },
        .init("the border comes before the tag", "authorization-required") {
            $0.object = .tagInvalid
            $0.location = .nowhere
        },
        .init("an absent object at home", "domestic") { $0.object = .absent },
        .init("an absent object under a grant without range", "authorized") {
            $0.object = .absent
            $0.location = .nowhere
            $0.authorizations = [Tokens.content]
        },
        .init("an absent object under a grant limited by receipt", "authorization-out-of-scope") {
            $0.object = .absent
            $0.location = .nowhere
            $0.authorizations = [Tokens.named("received in range")]
        },
        .init("an object out of the grant's range", "authorization-out-of-scope") {
            $0.object = World.tagged(World.dub1, received: World.receivedLateSeconds)
            $0.location = .nowhere
            $0.authorizations = [Tokens.named("received in range")]
        },
        .init("from is inclusive", "authorized") {
            $0.object = World.tagged(World.dub1)
            $0.location = .nowhere
            $0.authorizations = [Tokens.named("received in range")]
        },
        .init("to is exclusive", "authorization-out-of-scope") {
            $0.object = World.tagged(World.dub1)
            $0.location = .nowhere
            $0.authorizations = [Tokens.named("received out of range")]
        },
        .init("an object that moved within Ireland needs both datacenters", "authorization-out-of-scope") {
            $0.object = World.tagged(World.dub2)
            $0.location = .nowhere
            $0.authorizations = [Tokens.named("its datacenter")]
        },
        .init("and has them", "authorized") {
            $0.object = World.tagged(World.dub2)
            $0.location = .nowhere
            $0.authorizations = [Tokens.named("two datacenters")]
        },
    ]

    static let writes: [Scenario] = [
        .init("a domestic write looks nothing up", "domestic") { $0.asWrite() },
        .init("a write from within the area", "free-flow") {
            $0.asWrite()
            $0.office = World.fra1
        },
        .init("mail delivered from abroad is looked up", "needs-object") {
            $0.asWrite()
            $0.location = .nowhere
        },
        .init("mail delivered from abroad", "delivery") {
            $0.asWrite()
            $0.location = .nowhere
            $0.object = .absent
        },
        .init("an overwrite from abroad", "foreign-overwrite") {
            $0.asWrite()
            $0.location = .nowhere
            $0.object = .tagInvalid
        },
        .init("foreign writes are suspended", "overloaded") {
            $0.asWrite()
            $0.location = .nowhere
            $0.areForeignWritesSuspended = true
        },
        .init("domestic writes are not", "domestic") {
            $0.asWrite()
            $0.areForeignWritesSuspended = true
        },
        .init("a store that refuses foreign writes", "foreign-write") {
            $0.asWrite()
            $0.location = .nowhere
            $0.store = World.store(World.dub1, foreignWrites: .refuse)
        },
        .init("a store that takes any", "delivery") {
            $0.asWrite()
            $0.location = .nowhere
            $0.store = World.store(World.dub1, foreignWrites: .any)
        },
        .init("a conditional write from abroad reads", "authorization-required") {
            $0.asWrite(conditional: true)
            $0.location = .nowhere
        },
        .init("an authorised conditional write from abroad", "delivery") {
            $0.asWrite(conditional: true)
            $0.location = .nowhere
            $0.object = .absent
            $0.authorizations = [Tokens.named("traffic")]
        },
        .init("a conditional write at home onto an American's object", "authorization-required") {
            $0.asWrite(conditional: true)
            $0.object = World.tagged(World.iad1)
        },
        .init("a conditional write at home onto a broken tag", "tag-invalid") {
            $0.asWrite(conditional: true)
            $0.object = .tagInvalid
        },
        .init("a delete at home looks nothing up", "domestic") { $0.asDelete() },
        .init("a delete from abroad is refused before lookup", "foreign-delete") {
            $0.asDelete()
            $0.location = .nowhere
        },
        .init("a delete from abroad where any is taken", "delivery") {
            $0.asDelete()
            $0.location = .nowhere
            $0.store = World.store(World.dub1, foreignWrites: .any)
        },
        .init("a delete with a condition on an ETag reads", "needs-object") {
            $0.asDelete()
            $0.hasEntityTagCondition = true
        },
    ]

    static let listings: [Scenario] = [
        .init("a listing at home", "domestic") { $0.asListing(World.beginning("")) },
        .init("a listing of one mailbox", "authorized") {
            $0.asListing(.mailbox(World.alice))
            $0.location = .nowhere
            $0.authorizations = [Tokens.named("traffic")]
        },
        .init("a prefix that ends inside a name is more than that mailbox", "authorization-out-of-scope") {
            $0.asListing(World.beginning("alice"))
            $0.location = .nowhere
            $0.authorizations = [Tokens.content]
        },
        .init("a prefix that the grant's prefix covers", "authorized") {
            $0.asListing(World.beginning("ali"))
            $0.location = .nowhere
            $0.authorizations = [Tokens.named("prefix")]
        },
        .init("a prefix shorter than the grant's", "authorization-out-of-scope") {
            $0.asListing(World.beginning("a"))
            $0.location = .nowhere
            $0.authorizations = [Tokens.named("prefix")]
        },
        .init("everything is covered by no prefix", "authorization-out-of-scope") {
            $0.asListing(World.beginning(""))
            $0.location = .nowhere
            $0.authorizations = [Tokens.named("prefix"), Tokens.named("empty prefix")]
        },
        .init("no authorization covers a key without a mailbox", "authorization-out-of-scope") {
            $0.mailbox = .nobody
            $0.location = .nowhere
            $0.authorizations = [Tokens.content, Tokens.named("prefix")]
        },
    ]

    @Test("the rule as DESIGN tells it", arguments: readers + objects + writes + listings)
    func scenario(_ scenario: Scenario) {
        #expect(World.answer(scenario.question) == scenario.answer)
    }

    @Test(
        "each failing authorization gives its own reason",
        arguments: [
            ("malformed", "malformed"), ("untrusted", "untrusted"), ("for another gateway", "wrong-audience"),
            ("for nobody", "wrong-audience"), ("another subject", "wrong-bearer"), ("no subject", "wrong-bearer"),
            ("bound to another", "wrong-bearer"), ("begins past the skew", "not-yet-valid"),
            ("issued past the skew", "not-yet-valid"), ("expires now", "expired"), ("expired and revoked", "expired"),
            ("revoked", "revoked"), ("lives too long", "out-of-scope"), ("ends before it begins", "out-of-scope"),
            ("its issuer may not speak for Ireland", "out-of-scope"), ("American", "out-of-scope"),
            ("subpoena", "out-of-scope"), ("court order", "out-of-scope"), ("another mailbox", "out-of-scope"),
            ("another datacenter", "out-of-scope"), ("no datacenter", "out-of-scope"), ("traffic", "out-of-scope"),
            ("relocate alone", "out-of-scope"), ("prefix not allowed to the issuer", "out-of-scope"),
            ("no element is whole", "out-of-scope"),
        ])
    func failing(name: String, outcome: String) throws {
        let decision = try #require(World.decision(Self.abroad([name])))
        #expect(decision.reason.rawValue == "authorization-\(outcome)")
        #expect(decision.judged.map(\.outcome.rawValue) == [outcome])
        #expect(decision.crossed == [World.ireland])
    }

    @Test(
        "each good authorization opens the read",
        arguments: [
            "content", "begins within the skew", "expires in a second", "bound", "for the datacenter",
            "lives just long enough", "one of two mailboxes", "prefix", "prefix that is the whole name",
            "its datacenter",
            "two datacenters", "Ireland and America", "warrant for content alone", "content always, traffic in range",
        ])
    func good(name: String) throws {
        var question = Self.abroad([name])
        question.object = Self.home
        let decision = try #require(World.decision(question))
        #expect(decision.reason == .authorized)
        #expect(decision.judged.map(\.outcome) == [.granted])
        #expect(decision.expiresSeconds != nil)
    }

    @Test("among several failing authorizations the one that passed most checks gives the reason")
    func furthest() throws {
        let names = [
            "malformed", "untrusted", "for another gateway", "another subject", "begins past the skew", "expires now",
            "revoked",
            "another mailbox",
        ]
        for (index, name) in names.enumerated() {
            let before = Array(names[...index])
            let decision = try #require(World.decision(Self.abroad(before.reversed())))
            #expect(decision.reason.rawValue == "authorization-\(decision.judged[0].outcome.rawValue)", "\(name)")
            #expect(decision.judged.count == index + 1)
        }
    }

    @Test("an authorization's name that only looks like ours is another name")
    func kelvin() {
        // U+212A KELVIN SIGN is canonically equivalent to K, and so equal to it as a Swift string.
        var question = Self.abroad([])
        question.gatewayName = GatewayName("K")!
        question.authorizations = [World.token { $0.audience = ["\u{212A}"] }]
        #expect(World.answer(question) == "authorization-wrong-audience")
        question.authorizations = [World.token { $0.audience = ["K"] }]
        #expect(World.answer(question) == "needs-object")
    }

    @Test("times that no clock can show neither trap nor open anything")
    func extremes() {
        for seconds in [Int64.min, Int64.min + 1, -1, Int64.max - 1, Int64.max] {
            let tokens = [
                World.token { $0.notBeforeSeconds = seconds }, World.token { $0.issuedAtSeconds = seconds },
                World.token { $0.expiresSeconds = seconds },
                World.token {
                    $0.notBeforeSeconds = seconds
                    $0.expiresSeconds = seconds
                    $0.lifetimeSecondsMax = seconds
                },
            ]
            for (index, token) in tokens.enumerated() where index != 1 {
                var question = Self.abroad([])
                question.authorizations = [token]
                #expect(World.decision(question)?.isAllowed == false)
                #expect(!Rule.explain(question).isEmpty)
            }
        }
        var question = Self.abroad(["content"])
        question.time = Timestamp(microseconds: .max)
        #expect(World.answer(question) == "authorization-expired")
        question.time = Timestamp(microseconds: .min)
        #expect(World.answer(question) == "authorization-not-yet-valid")
    }

    @Test("expiry is judged to the microsecond, the skew too")
    func microseconds() {
        func answer(at microseconds: Int64, _ change: (inout Grant) -> Void) -> String {
            var question = Self.abroad([])
            question.time = Timestamp(microseconds: World.now.microseconds + microseconds)
            question.authorizations = [World.token(change)]
            return World.answer(question)
        }
        #expect(answer(at: -1) { $0.expiresSeconds = World.nowSeconds } == "needs-object")
        #expect(answer(at: 0) { $0.expiresSeconds = World.nowSeconds } == "authorization-expired")
        #expect(answer(at: -1) { $0.notBeforeSeconds = World.nowSeconds + 60 } == "authorization-not-yet-valid")
        #expect(answer(at: 0) { $0.notBeforeSeconds = World.nowSeconds + 60 } == "needs-object")
    }

    @Test(
        "under a grant for traffic alone ETag, checksums and metadata are withheld, and a condition on an ETag is refused"
    )
    func trafficAlone() throws {
        var question = Self.abroad(["traffic"])
        question.operation = .headObject
        question.access = .traffic
        question.object = Self.home
        #expect(try #require(World.decision(question)).withholdsEntityTag)
        question.hasEntityTagCondition = true
        #expect(World.answer(question) == "authorization-out-of-scope")
        question.authorizations = [Tokens.content]
        let decision = try #require(World.decision(question))
        #expect(decision.reason == .authorized)
        #expect(!decision.withholdsEntityTag)
    }

    @Test("a copy takes the destination's tag only by a grant of the tag's owner that says relocate")
    func relocation() throws {
        func copies(to destination: Place, _ tokens: [String], object: ObjectState = Self.home) throws -> Bool {
            var question = World.question()
            question.operation = .copyObject
            question.destination = destination
            question.object = object
            question.authorizations = tokens.map(Tokens.named)
            let decision = try #require(World.decision(question))
            #expect(decision.isAllowed)
            return decision.relocates
        }
        let relocating = "content and relocate, opened by the instrument"
        #expect(try copies(to: World.iad1, [relocating]))
        #expect(try !copies(to: World.iad1, ["content"]))
        #expect(try !copies(to: World.iad1, ["content and relocate"]))
        #expect(try !copies(to: World.iad1, ["relocate in another element than content"]))
        #expect(try !copies(to: World.dub2, [relocating]))
        #expect(try !copies(to: World.fra1, [relocating]))
        // The tag's owner, Germany, is in an area with everyone: nobody asked it, so its tag stays.
        var question = World.question()
        question.areas = [World.eea, World.atlantic]
        question.operation = .copyObject
        question.destination = World.iad1
        question.object = World.tagged(World.fra1)
        question.authorizations = [Tokens.named(relocating)]
        let decision = try #require(World.decision(question))
        #expect(decision.reason == .authorized)
        #expect(!decision.relocates)
    }

    @Test("an entry tells that an object lies elsewhere than its tag says")
    func misplaced() throws {
        // Of two owners the one is named whose authorization is missing, also where the other one comes first.
        let nowhere = World.question {
            $0.location = .nowhere
            $0.object = World.tagged(World.iad1)
        }
        for (tokens, lacks) in [([], World.ireland), ([World.token()], World.america)] {
            var question = nowhere
            question.authorizations = tokens
            #expect(try #require(World.decision(question)).lacks == lacks)
        }
        #expect(try #require(World.decision(World.question { $0.object = World.tagged(World.dub2) })).isMisplaced)
        #expect(try #require(World.decision(World.question { $0.object = World.tagged(World.iad1) })).isMisplaced)
        #expect(try !#require(World.decision(World.question { $0.object = Self.home })).isMisplaced)
    }

    @Test("the earliest end among the authorizations that granted is the decision's")
    func expiry() throws {
        var question = Self.abroad(["content", "American", "expires in a second"])
        question.object = Self.home
        #expect(try #require(World.decision(question)).expiresSeconds == World.nowSeconds + 1)
        question.authorizations.removeLast()
        #expect(try #require(World.decision(question)).expiresSeconds == World.nowSeconds + 3600)
    }

    /// Alice's object at dub1, read from nowhere.
    static func abroad(_ tokens: [String]) -> Question {
        World.question {
            $0.location = .nowhere
            $0.authorizations = tokens.map(Tokens.named)
        }
    }
}

extension Question {
    mutating func asWrite(conditional: Bool = false) {
        operation = .putObject
        access = .write(conditional: conditional)
    }

    mutating func asDelete() {
        operation = .deleteObject
        access = .delete
    }

    mutating func asListing(_ scope: MailboxScope) {
        operation = .listObjectsV2
        access = .traffic
        mailbox = scope
    }
}

extension Tokens {
    static func named(_ name: String) -> PresentedAuthorization { all.first { $0.name == name }!.token }
}
