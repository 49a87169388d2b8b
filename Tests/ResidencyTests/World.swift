import Residency

/// A small world: two datacenters in Ireland, one in Germany, one in Virginia; Ireland and Germany may be one area.
enum World {
    static let ireland = Jurisdiction("IE")!
    static let germany = Jurisdiction("DE")!
    static let america = Jurisdiction("US")!

    static let dub1 = Place(datacenter: DatacenterName("dub1")!, jurisdiction: ireland)
    static let dub2 = Place(datacenter: DatacenterName("dub2")!, jurisdiction: ireland)
    static let fra1 = Place(datacenter: DatacenterName("fra1")!, jurisdiction: germany)
    /// Dublin's datacenter as a tag names it that was sealed when it was said to lie in America.
    static let dub1Once = Place(datacenter: DatacenterName("dub1")!, jurisdiction: america)
    static let iad1 = Place(datacenter: DatacenterName("iad1")!, jurisdiction: america)

    static let eea = Area(name: "EEA", jurisdictions: [ireland, germany])
    /// DE is in both: areas do not chain.
    static let atlantic = Area(name: "Atlantic", jurisdictions: [germany, america])

    static let now = Timestamp(seconds: 1_800_000_000)
    static let nowSeconds: Int64 = 1_800_000_000
    static let receivedSeconds: Int64 = 1_700_000_000
    static let receivedLateSeconds: Int64 = 1_790_000_000
    static let certificate: [UInt8] = Array(repeating: 7, count: 32)

    static let alice = Mailbox(utf8: Array("alice".utf8))
    static let bob = Mailbox(utf8: Array("bob".utf8))

    static func tagged(_ place: Place, received: Int64 = receivedSeconds) -> ObjectState {
        .tagged(ResidencyFacts(place: place, receivedSeconds: received))
    }

    static let states: [ObjectState] = [
        .notLocated, .absent, tagged(dub1), tagged(dub1, received: receivedLateSeconds), tagged(dub2), tagged(fra1),
        tagged(iad1), tagged(dub1Once), .untagged, .tagInvalid,
    ]
    static var locatedStates: [ObjectState] { states.filter { $0 != .notLocated } }

    static let locations: [Location] = [
        .datacenter(dub1), .datacenter(fra1), .datacenter(iad1), .nowhere, .notConsidered,
    ]

    /// A GetObject of alice's by an Irish principal from Ireland at dub1-gw1 before a store of dub1, as changed.
    static func question(_ change: (inout Question) -> Void = { _ in }) -> Question {
        var question = Question(
            operation: .getObject, access: .content, isEntitled: true, principal: PrincipalName("ediscovery")!,
            certificate: certificate, gatewayName: GatewayName("dub1-gw1")!, gateway: dub1, office: dub1,
            location: .datacenter(dub1), store: store(dub1), mailbox: .mailbox(alice), areas: [eea], time: now)
        change(&question)
        return question
    }

    static func store(
        _ place: Place, untagged: StorePolicy.Untagged = .refuse, foreignWrites: StorePolicy.ForeignWrites = .create
    ) -> StorePolicy {
        StorePolicy(place: place, untagged: untagged, foreignWrites: foreignWrites)
    }

    /// An Irish authorization for all of alice's mailbox, presented rightly, as changed.
    static func grant(_ change: (inout Grant) -> Void = { _ in }) -> Grant {
        var grant = Grant(
            subject: PrincipalName("ediscovery")!, audience: ["dub1-gw1"], notBeforeSeconds: nowSeconds - 3600,
            issuedAtSeconds: nowSeconds - 3600, expiresSeconds: nowSeconds + 3600, certificate: nil,
            elements: [element()], isRevoked: false, jurisdictions: [ireland], instrumentOpens: [.traffic, .content],
            lifetimeSecondsMax: 168 * 3600, allowsPrefixes: false)
        change(&grant)
        return grant
    }

    static func token(_ change: (inout Grant) -> Void = { _ in }) -> PresentedAuthorization { .verified(grant(change)) }

    static func element(
        _ jurisdiction: Jurisdiction = ireland, datacenters: [String]? = nil,
        mailboxes: [MailboxPattern] = [.exact(alice.utf8)],
        data: DataClasses = .content, received: Range<Timestamp>? = nil
    ) -> GrantElement {
        GrantElement(
            jurisdiction: jurisdiction, datacenters: datacenters, mailboxes: mailboxes, data: data, received: received)
    }

    static func prefix(_ text: String) -> MailboxPattern { .prefix(Array(text.utf8)) }
    static func beginning(_ text: String) -> MailboxScope { .mailboxes(startingWith: Array(text.utf8)) }

    /// Holds `receivedSeconds` as its first second, not `receivedLateSeconds`.
    static let early = Timestamp(seconds: receivedSeconds)..<Timestamp(seconds: receivedSeconds + 1)
    /// Ends with `receivedSeconds` exclusive, and so does not hold it.
    static let before = Timestamp(seconds: receivedSeconds - 100)..<Timestamp(seconds: receivedSeconds)

    static func decision(_ question: Question) -> Decision? {
        if case .decided(let decision) = Rule.decide(question) { decision } else { nil }
    }

    /// The reason, or `needs-object`.
    static func answer(_ question: Question) -> String { decision(question)?.reason.rawValue ?? "needs-object" }
}
