import Foundation
import JSON
import OpenSSL
import Residency
import Synchronization

@testable import DecisionLog

/// Entries and logs as a gateway makes them.
enum Made {
    enum Kind: String, CaseIterable { case domestic, authorised }

    static let gateway = GatewayName("dub1-gw1")!
    static let origin = "logs.example.org/dub1-gw1"
    static let policy = SHA256Digest(hashing: []).hex
    static let release = Release(
        bucket: BucketName("mail-dub1")!, operation: .getObject, target: Array("alice/1".utf8), identity: .none)

    static let signer: NoteSigner = {
        let seed = [UInt8](repeating: 7, count: 32)
        let verifier = NoteVerifier(name: origin, key: try! Ed25519PrivateKey(seed: seed).publicKey, type: .ed25519)
        return try! NoteSigner(
            "PRIVATE+KEY+\(origin)+\(Hex.encode(verifier.keyID))+\(Base64.standard.encode([0x01] + seed))")
    }()

    static func configuration(_ directory: String) -> LogConfiguration {
        LogConfiguration(directory: directory, origin: origin, signers: [signer])
    }

    /// About 700 bytes domestic, 950 authorised.
    static func entry(_ kind: Kind, _ number: Int, at time: Timestamp, isAllowed: Bool = true) -> DecisionEntry {
        let pseudonym = "dub1-2026:" + String(repeating: "x", count: 43)
        var entry = DecisionEntry(
            time: time, gateway: gateway, request: String(format: "%016X", number),
            reason: isAllowed ? kind == .domestic ? .domestic : .authorized : .authorizationRequired,
            operation: .getObject, access: .content, address: "10.20.0.7", policy: policy)
        entry.principal = PrincipalName(kind == .domestic ? "mailserver-dub1" : "ediscovery")
        entry.office = DatacenterName(kind == .domestic ? "dub1" : "iad1")
        entry.location = entry.office
        entry.certificate = [UInt8](repeating: 9, count: 32)
        entry.store = BucketName("mail-dub1")
        entry.mailbox = pseudonym
        entry.object = pseudonym
        entry.size = 4096
        entry.etag = String(repeating: "a", count: 32)
        entry.datacenter = DatacenterName("dub1")
        entry.jurisdiction = Jurisdiction("IE")
        entry.receivedSeconds = 1_700_000_000
        guard kind == .authorised else { return entry }
        entry.crossed = [Jurisdiction("IE")!]
        var token = AuthorizationEntry(sha256: SHA256Digest(hashing: []), outcome: .granted)
        token.issuer = "https://authorizations.example.ie"
        token.keyID = "ie-2026"
        token.tokenID = "0123456789abcdef"
        token.element = 0
        token.expiresSeconds = 1_900_000_000
        token.instrument = "warrant"
        token.reference = pseudonym
        token.requester = "law-enforcement"
        token.country = "IE"
        entry.authorizations = [token]
        return entry
    }

    /// The same as a gateway hands it over, which makes the parts that requests have in common once.
    struct Draft {
        let entry: DecisionEntry
        let request: RequestID
        let gateway: EntryPart
        let caller: EntryPart
        let names: EntryPart
        let found: EntryPart
        let authorizations: [EntryPart]
        let end: EntryPart

        func append(to line: inout [UInt8], timeText: InlineArray<27, UInt8>) {
            DecisionLine.append(
                at: timeText, gateway: gateway, request: request, reason: entry.reason, operation: entry.operation,
                data: EntryData(entry.access, hasEntityTagCondition: false), caller: caller, names: names,
                found: found, crossed: entry.crossed, isMisplaced: entry.isMisplaced, authorizations: authorizations,
                end: end, to: &line)
        }
    }

    static func draft(_ kind: Kind, _ number: Int) -> Draft {
        let entry = entry(kind, number, at: Timestamp(seconds: 0))
        return Draft(
            entry: entry, request: .next(), gateway: .gateway(gateway),
            caller: .caller(
                principal: entry.principal, office: entry.office, location: entry.location, address: entry.address,
                certificate: entry.certificate),
            names: .names(store: entry.store, mailbox: entry.mailbox, object: entry.object, prefix: entry.prefix),
            found: .found(
                size: entry.size, etag: entry.etag, datacenter: entry.datacenter, jurisdiction: entry.jurisdiction,
                receivedSeconds: entry.receivedSeconds),
            authorizations: entry.authorizations.map { .authorization($0) }, end: .end(policy: policy))
    }

    /// Refusals, which nothing has to complete, each after its length.
    static func framed(_ range: Range<Int>) -> [UInt8] {
        var bytes: [UInt8] = []
        for number in range {
            var line: [UInt8] = []
            let time = Timestamp(microseconds: 1_800_000_000_000_000 + Int64(number))
            entry(number % 4 == 0 ? .authorised : .domestic, number, at: time, isAllowed: false).append(to: &line)
            EntryFraming.append(line, to: &bytes)
        }
        return bytes
    }
}

/// One event loop's worth of requests that wait: as many as asked for, each followed by the next when it is durable.
final class Requests: DecisionWaiter {
    private let log: DecisionLog
    /// Made before: what a gateway spends on making one is not the log's. Its line is written anew each time.
    private let made: [Made.Draft]
    private let woken = Flag()
    private var port: LogPort?
    private var next = 0
    /// Nanoseconds of each.
    private(set) var times: [UInt64] = []

    init(_ log: DecisionLog, _ kind: Made.Kind) {
        self.log = log
        made = (0..<4096).map { Made.draft(kind, $0) }
        let woken = woken
        port = log.makePort {
            woken.raise()
        } later: {
        }
    }

    /// Keeps `waiting` decisions waiting until `count` were answered.
    func run(waiting: Int, count: Int) {
        var begun = 0
        for _ in 0..<waiting { begin(&begun) }
        port?.flush()
        while times.count < count {
            woken.waitAndLower()
            let before = times.count
            port?.drain()
            let answered = times.count - before
            for _ in 0..<answered where begun < count { begin(&begun) }
            port?.flush()
        }
    }

    private func begin(_ begun: inout Int) {
        let now = DispatchTime.now().uptimeNanoseconds
        let draft = made[next % made.count]
        let time = log.now()
        next += 1
        begun += 1
        queue.append(now)
        guard let port else { fatalError("the log has no port") }
        var line = port.takeLine()
        draft.append(to: &line, timeText: port.timeText(time))
        let result = port.record(
            line, at: time, isJudged: !draft.authorizations.isEmpty, release: Made.release, evidence: [], waiter: self)
        guard result == .queued else { fatalError("the log does not take a decision") }
    }

    /// When each waiting decision began: they become durable in order.
    private var queue: [UInt64] = []
    private var answered = 0

    func decisionIsDurable(_ decision: consuming DurableDecision) {
        guard case .allowed(_) = consume decision else { fatalError("a decision was lost") }
        times.append(DispatchTime.now().uptimeNanoseconds - queue[answered])
        answered += 1
    }
}

/// Raised by the log's thread. Under the load that is measured an event loop does not sleep, and so nobody does here.
final class Flag: Sendable {
    private let isUp = Atomic(false)

    func raise() { isUp.store(true, ordering: .releasing) }

    func waitAndLower() {
        while !isUp.exchange(false, ordering: .acquiringAndReleasing) { sched_yield() }
    }
}
