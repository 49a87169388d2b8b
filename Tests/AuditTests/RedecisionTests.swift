import DecisionLog
import OpenSSL
import Residency
import Settings
import Testing
import Tokens

@testable import Audit

/// Deciding entries again, over many requests: what a gateway decided by its settings follows from entry, snapshot and tokens, and
/// nothing else does.
@Suite struct RedecisionTests {
    static let bureau = Bureau.shared
    static let cases = Result { try Cases(bureau, seed: 20_261_123, count: 6000) }

    /// A redecider that knows every name, or none.
    private func redecider(_ cases: Cases, knowsNames: Bool) throws -> Redecider {
        let policy = try PolicySnapshot(parsing: Self.bureau.settings.policy)
        let reveal = try Reveal(
            keys: knowsNames ? Self.bureau.keys : [], names: knowsNames ? Cases.names.map { Array($0.utf8) } : [])
        let evidence = cases.evidence
        return Redecider(bench: Bench(policy, name: Self.bureau.policy), reveal: reveal) { sha256 throws(LogFault) in
            evidence[sha256]
        }
    }

    @Test func whatTheLiveSettingsDecidedFollowsFromTheSnapshot() throws {
        let cases = try Self.cases.get()
        let redecider = try redecider(cases, knowsNames: true)
        var reasons: Set<Reason> = []
        var whole = 0
        var wrong: [String] = []
        for (request, entry) in cases.all {
            reasons.insert(entry.reason)
            switch redecider.redecide(entry, ForeignWrites()) {
            case .whole: whole += 1
            case .inPart(let doubts):
                let isKnown = doubts.isSubset(of: [.tokenNotKept, .tagMissingOrBroken])
                if !isKnown { wrong.append("\(doubts): \(text(entry)) \(request.target) \(request.object)") }
            case .contradicted(let contradiction):
                wrong.append("\(contradiction.says) ≠ \(contradiction.follows): \(text(entry)) \(request.target)")
            }
        }
        #expect(wrong.prefix(3) == [], "\(wrong.count)")
        #expect(whole > cases.all.count * 3 / 4)
        let never: Set<Reason> = [.badRequest, .unauthenticated, .unsupported, .overloaded, .logUnavailable]
        #expect(Set(Reason.allCases).subtracting(never).subtracting(reasons) == [])
    }

    @Test func withoutKeysNothingTrueIsContradicted() throws {
        let cases = try Self.cases.get()
        let redecider = try redecider(cases, knowsNames: false)
        var wrong: [String] = []
        for (_, entry) in cases.all {
            if case .contradicted(let contradiction) = redecider.redecide(entry, ForeignWrites()) {
                wrong.append("\(contradiction.says) ≠ \(contradiction.follows): \(text(entry))")
            }
        }
        #expect(wrong.prefix(3) == [], "\(wrong.count)")
    }

    /// Any other reason, border, outcome or element does not follow, but for what an entry does not tell.
    @Test func nothingElseFollows() throws {
        let cases = try Self.cases.get()
        let redecider = try redecider(cases, knowsNames: true)
        var believed: [String] = []
        for (request, entry) in cases.all.prefix(2500) {
            for lie in lies(entry) {
                let found = redecider.redecide(lie, ForeignWrites())
                if case .contradicted = found { continue }
                let isMissingOrBroken = Set([entry.reason, lie.reason]) == [.untagged, .tagInvalid]
                // An adopting store serves at home what has no tag, and refuses a broken one.
                let isAdopted = entry.size != nil && entry.datacenter == nil && found == .inPart([.tagMissingOrBroken])
                if isMissingOrBroken || isAdopted || isUnkept(found, lie) { continue }
                believed.append("\(found): \(text(lie)) for \(text(entry)) \(request.target)")
            }
        }
        #expect(believed.prefix(3) == [], "\(believed.count)")
    }

    private func text(_ entry: DecisionEntry) -> String { String(decoding: entry.line, as: UTF8.self) }

    /// A request that could not be understood may have been anything; nothing was released for it.
    private func isUnkept(_ found: Redecision, _ lie: DecisionEntry) -> Bool {
        found == .inPart([.requestNotKept]) && !lie.reason.allows && lie.store == nil
    }

    private func lies(_ entry: DecisionEntry) -> [DecisionEntry] {
        var lies: [DecisionEntry] = []
        func lie(_ change: (inout DecisionEntry) -> Void) {
            var lie = entry
            change(&lie)
            lies.append(lie)
        }
        for reason in Reason.allCases where reason != entry.reason { lie { $0.reason = reason } }
        lie { $0.isMisplaced.toggle() }
        lie { $0.crossed = $0.crossed.isEmpty ? [Jurisdiction("IE")!] : [] }
        lie { $0.crossed.append(Jurisdiction("FR")!) }
        // Without a token that did not count, the same may follow: of several, or where no border is crossed.
        if entry.authorizations.count == 1, !entry.crossed.isEmpty { lie { $0.authorizations = [] } }
        for index in entry.authorizations.indices {
            lie { $0.authorizations[index].element = ($0.authorizations[index].element ?? 0) + 1 }
            for outcome in JudgedAuthorization.Outcome.allCases where outcome != entry.authorizations[index].outcome {
                // Of a token that is not kept the entry alone says whether it was malformed or untrusted.
                if !outcome.isOfVerified, !entry.authorizations[index].outcome.isOfVerified { continue }
                lie { $0.authorizations[index].outcome = outcome }
            }
        }
        return lies
    }
}

/// Requests at random, always the same for a seed, and what became of them.
struct Cases: Sendable {
    static let names = [
        "alice", "alice/INBOX/1", "alice/INBOX", "bob", "bob/INBOX/1", "al", "loose", "mail/alice/1", "mail/bob/1",
        "mail/",
        "mail/al", "other/alice/1", "zoe/1",
    ]

    private(set) var all: [(request: Bureau.Request, entry: DecisionEntry)] = []
    private(set) var evidence: [String: [UInt8]] = [:]

    init(_ bureau: Bureau, seed: UInt64, count: Int) throws {
        var random = SplitMix(state: seed)
        let tokens = try Self.tokens(bureau)
        for token in tokens {
            if case .verified = TokenVerifier(issuers: bureau.settings.issuers).verify(token) {
                evidence[SHA256Digest(hashing: token).hex] = token
            }
        }
        for number in 0..<count {
            let request = Self.request(&random, tokens, number)
            all.append((request, bureau.entry(request)))
        }
    }

    private static func request(_ random: inout SplitMix, _ tokens: [[UInt8]], _ number: Int) -> Bureau.Request {
        var request = Bureau.Request()
        let kinds: [(Operation, Access)] = [
            (.getObject, .content), (.getObject, .content), (.headObject, .traffic), (.headObject, .traffic),
            (.listObjectsV2, .traffic), (.putObject, .write(conditional: false)),
            (.putObject, .write(conditional: true)),
            (.deleteObject, .delete), (.headBucket, .none),
        ]
        (request.operation, request.access) = kinds.randomElement(using: &random)!
        request.hasEntityTagCondition = Int.random(in: 0..<4, using: &random) == 0
        if case .write(let conditional) = request.access { request.hasEntityTagCondition = conditional }
        request.principal = ["ediscovery", "ediscovery", "mailserver", "support", "operator"].randomElement(
            using: &random)!
        request.address = ["10.10.0.1", "10.20.0.7", "10.30.0.1", "10.99.0.1", "2001:db8:1:0:0:0:0:5"].randomElement(
            using: &random)!
        request.bucket = Bureau.buckets.randomElement(using: &random)!
        request.target = names.randomElement(using: &random)!
        if request.operation == .listObjectsV2, Bool.random(using: &random) { request.target += "/" }
        for _ in 0..<[0, 1, 1, 1, 2, 4].randomElement(using: &random)! {
            request.tokens.append(tokens.randomElement(using: &random)!)
        }
        let received = Bureau.now + [-1000, -5_000_000].randomElement(using: &random)!
        let places = [Bureau.dub1, Bureau.dub1, Bureau.fra1, Bureau.iad1]
        request.object = [
            .absent, .untagged, .tagInvalid,
            .tagged(ResidencyFacts(place: places.randomElement(using: &random)!, receivedSeconds: received)),
            .tagged(ResidencyFacts(place: places.randomElement(using: &random)!, receivedSeconds: received)),
        ].randomElement(using: &random)!
        request.seconds = Bureau.now + [0, 0, 0, 60_000, 200_000].randomElement(using: &random)!
        request.id = "R\(number)"
        return request
    }

    /// One token of each kind that fares differently.
    private static func tokens(_ bureau: Bureau) throws -> [[UInt8]] {
        let early = Timestamp(seconds: Bureau.now - 6_000_000)..<Timestamp(seconds: Bureau.now - 4_000_000)
        let good = try bureau.token("good")
        return [
            good, good, good, try bureau.token("us", by: "us"), try bureau.token("revoked", by: "us"),
            try bureau.token("denied"), try bureau.token("support") { $0.subject = .init("support") },
            try bureau.token("mailserver") { $0.subject = .init("mailserver") },
            try bureau.token("audience") { $0.audience = [.init("iad1-gw1")] },
            try bureau.token("place") { $0.audience = [.init("other"), .init("dub1")] },
            try bureau.token("late") { $0.notBeforeSeconds = Bureau.now + 30_000 },
            try bureau.token("bound") { $0.certificate = [UInt8](repeating: 7, count: 32) },
            try bureau.token("stolen") { $0.certificate = [UInt8](repeating: 8, count: 32) },
            try bureau.token("traffic") { $0.elements[0].data = .traffic },
            try bureau.token("order") { $0.legalBasis.instrument = .init("court-order") },
            try bureau.token("subpoena") { $0.legalBasis.instrument = .init("subpoena") },
            try bureau.token("prefix") { $0.elements[0].mailboxes = [.prefix(Array("al".utf8))] },
            try bureau.token("early") { $0.elements[0].received = early },
            try bureau.token("elements") { claims in
                claims.elements = [
                    GrantElement(
                        jurisdiction: Jurisdiction("DE")!, datacenters: nil, mailboxes: [.exact(Array("alice".utf8))],
                        data: .content, received: nil),
                    GrantElement(
                        jurisdiction: Jurisdiction("IE")!, datacenters: ["dub1"],
                        mailboxes: [.exact(Array("bob".utf8)), .exact(Array("alice".utf8))],
                        data: [.content, .relocate],
                        received: nil),
                ]
            },
            try bureau.token("place") { $0.elements[0].datacenters = ["fra1"] },
            Array("a.b.c".utf8), try bureau.token("unknown") { $0.issuer = .init("https://nobody.example") },
            good.dropLast(4) + Array("AAAA".utf8),
        ]
    }
}

/// Sebastiano Vigna's splitmix64: the same numbers for the same seed, everywhere.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
