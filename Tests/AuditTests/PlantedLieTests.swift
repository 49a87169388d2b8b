import DecisionLog
import Foundation
import JSON
import OpenSSL
import Residency
import Settings
import TestSupport
import Testing
import Tokens

@testable import Audit

/// Wrong decisions in logs that are whole and correctly signed: `log verify` finds nothing, the audit names each.
@Suite struct PlantedLieTests {
    static let bureau = Bureau.shared
    /// Where the lie stands, in the second bundle.
    static let place: UInt64 = 300

    struct Lie: CustomTestStringConvertible, Sendable {
        let name: String
        /// What really was asked and decided.
        var request = PlantedLieTests.granted
        /// Found by whoever holds the pseudonym keys only.
        var needsKeys = false
        /// Part of what the audit says.
        let follows: String
        let change: @Sendable (inout DecisionEntry) -> Void

        var testDescription: String { name }
    }

    static let granted: Bureau.Request = {
        var request = Bureau.Request()
        request.tokens = [try! bureau.token("warrant")]
        return request
    }()

    static func request(_ change: (inout Bureau.Request) -> Void) -> Bureau.Request {
        var request = granted
        change(&request)
        return request
    }

    /// The token of a request as it would be had it granted.
    static func grants(_ entry: inout DecisionEntry) {
        entry.reason = .authorized
        entry.authorizations[0].outcome = .granted
        entry.authorizations[0].element = 0
    }

    static let home = request {
        $0.principal = "mailserver"
        $0.address = "10.10.0.9"
        $0.tokens = []
    }
    static let write = request {
        $0.principal = "mailserver"
        $0.operation = .putObject
        $0.access = .write(conditional: false)
        $0.object = .absent
        $0.tokens = []
    }

    static let lies: [Lie] = [
        Lie(name: "a foreign read as domestic", follows: "refuse, authorization-required") {
            ($0.reason, $0.crossed, $0.authorizations) = (.domestic, [], [])
        },
        Lie(
            name: "a read from nowhere as one from the office", request: request { $0.address = "10.99.0.1" },
            follows: "in no datacenter"
        ) {
            ($0.reason, $0.crossed, $0.authorizations) = (.domestic, [], [])
            $0.location = DatacenterName("dub1")
        },
        Lie(name: "a foreigner with an Irish office", follows: "the policy says iad1") {
            $0.office = DatacenterName("dub1")
        },
        Lie(name: "another gateway", follows: "the policy is that of dub1-gw1") {
            $0.gateway = GatewayName("iad1-gw1")!
        },
        Lie(name: "a principal that there is not", follows: "no such principal") {
            $0.principal = PrincipalName("nobody")
        },
        Lie(name: "no principal", follows: "strangers") { $0.principal = nil },
        Lie(name: "another certificate", request: home, follows: "the policy says that mailserver") {
            $0.certificate = [UInt8](repeating: 8, count: 32)
        },
        Lie(name: "a store that there is not", follows: "no such store") { $0.store = BucketName("mail-other") },
        Lie(name: "a foreign read that crosses nothing", follows: "crosses IE") { $0.crossed = [] },
        Lie(name: "a read without its token", follows: "authorization-required") { $0.authorizations = [] },
        Lie(
            name: "a token of another mailbox", request: request { $0.target = "bob/INBOX/1" }, needsKeys: true,
            follows: "out-of-scope", change: grants),
        Lie(
            name: "a mailbox that is not the object's", request: request { $0.target = "bob/INBOX/1" }, needsKeys: true,
            follows: "which is of another"
        ) {
            grants(&$0)
            $0.mailbox = bureau.pseudonym("mailbox", Array("alice".utf8), "mail-create")
        },
        Lie(name: "no mailbox", follows: "entry 300 says: ") { $0.mailbox = nil },
        Lie(
            name: "an expired token",
            request: request { $0.tokens = [try! bureau.token("old") { $0.expiresSeconds = Bureau.now + 10 }] },
            follows: "token 1 expired", change: grants),
        Lie(
            name: "a token not yet valid",
            request: request { $0.tokens = [try! bureau.token("early") { $0.notBeforeSeconds = Bureau.now + 1000 }] },
            follows: "token 1 not-yet-valid", change: grants),
        Lie(
            name: "a token on the deny list", request: request { $0.tokens = [try! bureau.token("denied")] },
            follows: "token 1 revoked", change: grants),
        Lie(
            name: "a token on the issuer's list",
            request: request {
                $0.bucket = "mail-iad1"
                $0.target = "mail/alice/1"
                $0.address = "10.10.0.1"
                $0.object = .absent
                $0.tokens = [try! bureau.token("revoked", by: "us")]
            }, follows: "token 1 revoked", change: grants),
        Lie(
            name: "somebody else's token",
            request: request { $0.tokens = [try! bureau.token("theirs") { $0.subject = .init("support") }] },
            follows: "token 1 wrong-bearer", change: grants),
        Lie(
            name: "a token for another gateway",
            request: request { $0.tokens = [try! bureau.token("there") { $0.audience = [.init("iad1")] }] },
            follows: "token 1 wrong-audience", change: grants),
        Lie(
            name: "a token bound to another certificate",
            request: request {
                $0.tokens = [try! bureau.token("bound") { $0.certificate = [UInt8](repeating: 9, count: 32) }]
            }, follows: "token 1 wrong-bearer", change: grants),
        Lie(
            name: "a subpoena",
            request: request {
                $0.tokens = [try! bureau.token("subpoena") { $0.legalBasis.instrument = .init("subpoena") }]
            }, follows: "token 1 out-of-scope", change: grants),
        Lie(
            name: "content under a token for traffic",
            request: request { $0.tokens = [try! bureau.token("traffic") { $0.elements[0].data = .traffic }] },
            follows: "token 1 out-of-scope", change: grants),
        Lie(
            name: "an entity tag guessed under a token for traffic",
            request: request {
                $0.operation = .headObject
                $0.access = .traffic
                $0.hasEntityTagCondition = true
                $0.tokens = [try! bureau.token("traffic") { $0.elements[0].data = .traffic }]
            }, follows: "token 1 out-of-scope", change: grants),
        Lie(
            name: "an object out of the token's range",
            request: request {
                $0.tokens = [
                    try! bureau.token("range") {
                        $0.elements[0].received = Timestamp(seconds: 0)..<Timestamp(seconds: 9)
                    }
                ]
            }, follows: "token 1 out-of-scope", change: grants),
        Lie(
            name: "an absent object under a token with a range",
            request: request {
                $0.object = .absent
                $0.tokens = [
                    try! bureau.token("range") {
                        $0.elements[0].received = Timestamp(seconds: 0)..<Timestamp(seconds: 9)
                    }
                ]
            }, follows: "token 1 out-of-scope", change: grants),
        Lie(
            name: "a token that no issuer vouches for",
            request: request { $0.tokens = [try! bureau.token("x") { $0.issuer = .init("https://nobody.example") }] },
            follows: "is missing", change: grants),
        Lie(name: "a good token as untrusted", follows: "verifies under the policy's keys") {
            $0.reason = .authorizationUntrusted
            $0.authorizations[0] = AuthorizationEntry(sha256: $0.authorizations[0].sha256, outcome: .untrusted)
        },
        Lie(name: "another jti", follows: "the token says \"warrant\"") { $0.authorizations[0].tokenID = "other" },
        Lie(name: "another issuer", follows: "the token says") { $0.authorizations[0].issuer = "https://us.example" },
        Lie(name: "another kid", follows: "the token says \"ie\"") { $0.authorizations[0].keyID = "us" },
        Lie(name: "another exp", follows: "the token says") { $0.authorizations[0].expiresSeconds? += 1 },
        Lie(name: "another instrument", follows: "the token says \"warrant\"") {
            $0.authorizations[0].instrument = "consent"
        },
        Lie(name: "another requester", follows: "the token says \"civil\"") {
            $0.authorizations[0].requester = "provider"
        },
        Lie(name: "another country", follows: "the token says \"IE\"") { $0.authorizations[0].country = "US" },
        Lie(name: "no jti", follows: "the token says") { $0.authorizations[0].tokenID = nil },
        Lie(name: "another reference", needsKeys: true, follows: "not the pseudonym of the token's reference") {
            $0.authorizations[0].reference = bureau.pseudonym("reference", Array("2026/other".utf8), "mail-create")
        },
        Lie(name: "another element", follows: "token 1 granted by element 0") { $0.authorizations[0].element = 1 },
        Lie(
            name: "a misplaced object as in place",
            request: request {
                $0.object = .tagged(ResidencyFacts(place: Bureau.iad1, receivedSeconds: Bureau.now))
            }, follows: "misplaced"
        ) { $0.isMisplaced = false },
        Lie(name: "a tag of a datacenter that there is not", follows: "no seal key of dub9") {
            $0.datacenter = DatacenterName("dub9")
        },
        Lie(name: "a look before a refusal", request: request { $0.tokens = [] }, follows: "without a look") {
            ($0.size, $0.etag, $0.datacenter, $0.jurisdiction) = (1, "x", DatacenterName("dub1"), Jurisdiction("IE"))
            $0.receivedSeconds = 5
        },
        Lie(
            name: "an untagged object served",
            request: request {
                $0.principal = "mailserver"
                $0.address = "10.10.0.9"
                $0.object = .untagged
            }, follows: "refuse, untagged"
        ) { $0.reason = .domestic },
        Lie(
            name: "a foreign write where none may be",
            request: request {
                $0 = write
                $0.bucket = "mail-refuse"
            }, follows: "refuse, foreign-write"
        ) { $0.reason = .delivery },
        Lie(
            name: "a foreign overwrite",
            request: request {
                $0 = write
                $0.object = .tagged(ResidencyFacts(place: Bureau.dub1, receivedSeconds: 5))
            }, follows: "refuse, foreign-overwrite"
        ) { $0.reason = .delivery },
        Lie(name: "a foreign overwrite of nothing", request: write, follows: "allow, delivery") {
            $0.reason = .foreignOverwrite
        },
        Lie(name: "a delivery as suspended", request: write, follows: "allow, delivery") {
            $0.reason = .overloaded
            $0.crossed = [Jurisdiction("IE")!]
        },
        Lie(
            name: "a foreign delete",
            request: request {
                $0 = write
                $0.operation = .deleteObject
                $0.access = .delete
            }, follows: "refuse, foreign-delete"
        ) { $0.reason = .delivery },
        Lie(name: "a conditional delivery without a token", request: write, follows: "refuse, authorization-required") {
            $0.access = .write(conditional: true)
            $0.hasEntityTagCondition = true
        },
        Lie(
            name: "a write by a reader",
            request: request {
                $0.operation = .putObject; $0.access = .write(conditional: false)
            }, follows: "refuse, not-entitled"
        ) {
            $0.reason = .delivery; $0.crossed = [Jurisdiction("IE")!]
        },
        Lie(name: "a read allowed without a store", request: home, follows: "about no store") {
            ($0.store, $0.reason) = (nil, .administrative)
        },
        Lie(name: "a pseudonym under another store's key", follows: "no pseudonym under the key dub1-1") {
            $0.mailbox = bureau.pseudonym("mailbox", Array("alice".utf8), "mail-iad1")
        },
        Lie(name: "a name in the clear", follows: "no pseudonym under the key") { $0.mailbox = "dub1-1:alice" },
        Lie(name: "an allowed read as refused", follows: "allow, authorized") { $0.reason = .authorizationOutOfScope },
        Lie(name: "what the log could not take", follows: "was available") { $0.reason = .logUnavailable },
    ]

    @Test(arguments: lies) func isFound(_ lie: Lie) throws {
        let truth = try Log(Self.bureau, at: Self.place, lie.request)
        try truth.write()
        #expect(try truth.audit(keys: true).doubts.keys.allSatisfy { $0 == .tokenNotKept || $0 == .tagMissingOrBroken })
        let forged = try Log(Self.bureau, at: Self.place, lie.request, lie.change)
        try forged.write()
        for hasKeys in lie.needsKeys ? [true] : [false, true] {
            let fault = #expect(throws: AuditFault.self) { try forged.audit(keys: hasKeys) }
            #expect(fault?.index == Self.place)
            #expect(fault.map { "\($0)".contains(lie.follows) } ?? false, "\(fault.map { "\($0)" } ?? "nothing")")
        }
        // Whoever has no key is told what could not be decided again.
        if lie.needsKeys { #expect(try forged.audit(keys: false).inPart > 0) }
    }

    // MARK: - Beside the tree

    @Test func aChangedPolicyIsFound() throws {
        let log = try Log(Self.bureau, at: Self.place, Self.granted)
        try log.write()
        let file = log.forger.folder("policy/\(Self.bureau.policy)")
        let text = try String(contentsOfFile: file, encoding: .utf8)
        try text.replacing("\"IE\"", with: "\"US\"").write(toFile: file, atomically: true, encoding: .utf8)
        let fault = #expect(throws: LogFault.self) { try log.audit(keys: false) }
        #expect(fault?.index == 1)
        #expect(fault?.what.contains("was changed") ?? false)
        try FileManager.default.removeItem(atPath: file)
        #expect(throws: LogFault.self) { try log.audit(keys: false) }
    }

    /// A policy that was replaced, by a reload that revoked a token say, opens nothing any more but what was in hand. It may come back.
    @Test(
        arguments: [
            ([600, 660], nil, 0), ([660, 661, 900], nil, 2), ([661, 2000], 1000, 1),
        ] as [([Int64], Int64?, UInt64)])
    func whatIsAllowedUnderReplacedSettingsIsCounted(decisions: [Int64], back: Int64?, late: UInt64) throws {
        let log = try Log(Self.bureau, at: Self.place, Self.granted)
        func reload(_ policy: String, after seconds: Int64) {
            var line: [UInt8] = []
            EventEntry(
                gateway: Self.bureau.settings.gateway.name, name: "reload", members: [("policy", .text(policy))]
            ).append(to: &line, time: Timestamp(seconds: Bureau.now + seconds))
            log.lines.append(line)
        }
        reload(String(repeating: "b", count: 64), after: 600)
        for seconds in decisions {
            if let back, seconds > back { reload(Self.bureau.policy, after: back) }
            for var request in [Self.home, Self.granted] {
                // Without its token it is refused.
                request.tokens = []
                request.seconds = Bureau.now + seconds
                log.append(Self.bureau.entry(request))
            }
        }
        try log.write()
        #expect(try log.audit(keys: true).policies.map(\.late) == [late])
    }

    /// A snapshot under its own right hash, whose keys are not those that signed the token.
    @Test func anotherIssuersKeysAreFound() throws {
        let other = try Bureau()
        let log = try Log(Self.bureau, at: Self.place, Self.granted) { $0.policy = other.policy }
        try log.write(policies: [other.settings.policy])
        let fault = #expect(throws: AuditFault.self) { try log.audit(keys: false) }
        #expect(fault?.index == Self.place)
    }

    @Test func aPolicyThatIsNoneIsFound() throws {
        let bytes = Array("{}".utf8)
        let log = try Log(Self.bureau, at: Self.place, Self.granted) { $0.policy = SHA256Digest(hashing: bytes).hex }
        try log.write(policies: [bytes])
        let fault = #expect(throws: LogFault.self) { try log.audit(keys: false) }
        #expect(fault?.index == Self.place)
    }

    @Test func missingAndChangedEvidenceIsFound() throws {
        let log = try Log(Self.bureau, at: Self.place, Self.granted)
        try log.write()
        let file = log.forger.folder("evidence/\(SHA256Digest(hashing: Self.granted.tokens[0]).hex)")
        try Data(Self.granted.tokens[0] + [0x0A]).write(to: URL(fileURLWithPath: file))
        var fault = #expect(throws: AuditFault.self) { try log.audit(keys: false) }
        #expect(fault?.index == Self.place)
        #expect(fault.map { "\($0)".contains("was changed") } ?? false)
        try FileManager.default.removeItem(atPath: file)
        fault = #expect(throws: AuditFault.self) { try log.audit(keys: false) }
        #expect(fault?.index == Self.place)
        #expect(fault.map { "\($0)".contains("is missing") } ?? false)
    }

    /// Fields out of order, a field more, another spelling: not what the log writes.
    @Test(arguments: [
        ("\"office\":\"iad1\",\"location\":\"iad1\"", "\"location\":\"iad1\",\"office\":\"iad1\""),
        ("\"v\":1", "\"v\": 1"),
        ("\"v\":1", "\"v\":2"), (",\"misplaced\":false", ""), ("\"size\":12", "\"size\":12.0"),
        ("\"size\":12", "\"size\":\"12\""),
        ("\"decision\":\"allow\"", "\"decision\":\"refuse\""), ("\"data\":\"content\"", "\"data\":\"none\""),
        ("mail-create", "mail\\u002dcreate"),
    ])
    func anEntryInAnotherFormIsFound(old: String, new: String) throws {
        let log = try Log(Self.bureau, at: Self.place, Self.granted)
        let line = String(decoding: log.lines[Int(Self.place)], as: UTF8.self)
        #expect(line.contains(old), "\(line)")
        log.lines[Int(Self.place)] = Array(line.replacing(old, with: new).utf8)
        try log.write()
        let fault = #expect(throws: LogFault.self) { try log.audit(keys: false) }
        #expect(fault?.index == Self.place)
    }

    /// `verify` reads a completion by the position of its members; to the audit it must be JSON.
    @Test func aCompletionThatNobodyCanReadIsFound() throws {
        let log = try Log(Self.bureau, at: Self.place, Self.granted)
        var write = Self.write
        write.seconds = Bureau.now + 720
        let entry = Self.bureau.entry(write)
        let item = CompletionEntry.Item(index: log.append(entry), status: 200, bytes: 0, outcome: .whole)
        log.append(CompletionEntry(gateway: entry.gateway, items: [item]), seconds: write.seconds)
        let line = String(decoding: try #require(log.lines.last), as: UTF8.self)
        log.lines[log.lines.count - 1] = Array(
            line.replacing("\"status\":200", with: "\"status\":200,\"status\":200").utf8)
        try log.write()
        let fault = #expect(throws: LogFault.self) { try log.audit(keys: true) }
        #expect(fault?.index == UInt64(log.lines.count - 1))
    }

    /// Ten overwrites refused in a minute, then the suspension; without the tenth it does not follow.
    @Test(arguments: [9, 10]) func aSuspensionNeedsTenOverwrites(count: Int) throws {
        let log = try Log(Self.bureau, at: Self.place, Self.granted)
        var write = Self.write
        write.object = .tagged(ResidencyFacts(place: Bureau.dub1, receivedSeconds: 5))
        write.seconds = Bureau.now + 720
        for _ in 0..<count { log.append(Self.bureau.entry(write)) }
        log.append(Self.suspended(write))
        try log.write()
        if count == 10 {
            #expect(try log.audit(keys: true).inPart == 0)
        } else {
            let fault = #expect(throws: AuditFault.self) { try log.audit(keys: true) }
            #expect(fault?.index == UInt64(log.lines.count - 1))
        }
    }

    /// The entry of a suspended write may bear a time some seconds after its decision, and so the next minute's; and so may
    /// those of the overwrites before it.
    @Test(arguments: [(10, 0, 4, true), (6, 4, 4, true), (9, 0, 4, false), (6, 3, 4, false), (10, 0, 5, false)])
    func aSuspensionMayCrossAMinutesEnd(before: Int, after: Int, second: Int64, follows: Bool) throws {
        let log = try Log(Self.bureau, at: Self.place, Self.granted)
        var write = Self.write
        write.object = .tagged(ResidencyFacts(place: Bureau.dub1, receivedSeconds: 5))
        let end = Bureau.now + 780
        #expect(end % 60 == 0)
        for (count, seconds) in [(before, end - 1), (after, end)] {
            write.seconds = seconds
            for _ in 0..<count { log.append(Self.bureau.entry(write)) }
        }
        write.seconds = end + second
        log.append(Self.suspended(write))
        try log.write()
        if follows {
            #expect(try log.audit(keys: true).doubts[.suspension] == 1)
        } else {
            let fault = #expect(throws: AuditFault.self) { try log.audit(keys: true) }
            #expect(fault?.index == UInt64(log.lines.count - 1))
        }
    }

    private static func suspended(_ write: Bureau.Request) -> DecisionEntry {
        var entry = bureau.entry(write)
        (entry.reason, entry.size, entry.etag) = (.overloaded, nil, nil)
        (entry.datacenter, entry.jurisdiction, entry.receivedSeconds) = (nil, nil, nil)
        return entry
    }

    /// The second decision of a delivery that another one came before follows only if the first was withdrawn.
    @Test(arguments: [CompletionEntry.Outcome.withdrawn, .whole, nil]) func aLostRaceNeedsAWithdrawal(
        outcome: CompletionEntry.Outcome?
    ) throws {
        for completesFirst in [false, true] {
            let log = try Log(Self.bureau, at: Self.place, Self.granted)
            var write = Self.write
            write.seconds = Bureau.now + 720
            write.id = "RACE"
            let first = log.append(Self.bureau.entry(write))
            var lost = Self.bureau.entry(write)
            lost.reason = .foreignOverwrite
            if !completesFirst { log.append(lost) }
            if let outcome {
                let item = CompletionEntry.Item(index: first, status: 403, bytes: 0, outcome: outcome)
                log.append(CompletionEntry(gateway: lost.gateway, items: [item]), seconds: write.seconds)
            }
            if completesFirst { log.append(lost) }
            try log.write()
            if outcome == .whole {
                #expect(throws: AuditFault.self) { try log.audit(keys: true) }
            } else {
                #expect(try log.audit(keys: true).inPart == 0)
            }
        }
    }
}

/// A log of ordinary decisions with one of particular interest among them.
final class Log {
    let forger: Forger
    var lines: [[UInt8]] = []
    private let bureau: Bureau
    private let tokens: [[UInt8]]

    init(
        _ bureau: Bureau, at place: UInt64, _ request: Bureau.Request,
        _ change: (inout DecisionEntry) -> Void = { _ in }
    ) throws {
        forger = try Forger()
        self.bureau = bureau
        tokens = request.tokens
        var start: [UInt8] = []
        EventEntry(gateway: bureau.settings.gateway.name, name: "start", members: [("policy", .text(bureau.policy))])
            .append(
                to: &start, time: Timestamp(seconds: Bureau.now))
        lines.append(start)
        for index in 1...place + 5 {
            var ordinary = Bureau.Request()
            (ordinary.principal, ordinary.address) = ("mailserver", "10.10.0.9")
            ordinary.seconds = Bureau.now + Int64(index)
            var asked = index == place ? request : ordinary
            asked.seconds = ordinary.seconds
            var entry = bureau.entry(asked)
            if index == place { change(&entry) }
            lines.append(entry.line)
        }
    }

    /// Adds an entry, and gives its index.
    @discardableResult
    func append(_ entry: DecisionEntry) -> UInt64 {
        lines.append(entry.line)
        return UInt64(lines.count - 1)
    }

    func append(_ completion: CompletionEntry, seconds: Int64) {
        var line: [UInt8] = []
        completion.append(to: &line, time: Timestamp(seconds: seconds))
        lines.append(line)
    }

    func write(policies: [[UInt8]] = []) throws {
        let verifier = TokenVerifier(issuers: bureau.settings.issuers)
        let evidence = tokens.filter { token in
            if case .verified = verifier.verify(token) { true } else { false }
        }
        try forger.write(lines, policies: [bureau.settings.policy] + policies, evidence: evidence)
    }

    /// Verifies as `log verify` does, then audits.
    @discardableResult
    func audit(keys: Bool) throws -> AuditReport {
        let reader = try LogReader(folder: forger.folder.path, verifier: forger.signer.verifier)
        var verification = LogVerifier(reader)
        _ = try verification.verify()
        let names = ["alice/INBOX/1", "bob/INBOX/1", "mail/alice/1"].map { Array($0.utf8) }
        var audit = LogAudit(reader, reveal: try Reveal(keys: keys ? bureau.keys : [], names: keys ? names : []))
        return try audit.run()
    }
}
