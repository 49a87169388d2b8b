import Residency

/// The rule a second time, stated from the text of DESIGN sections 3 and 5 by someone who has not looked at `Rule`: as sets
/// and as statements about all and some of their members, slow and plain. It shares the vocabulary with the
/// implementation and nothing else. `Answer` is all that a decision says.
struct Answer: Equatable {
    var reason: Reason?
    var crossed: [Jurisdiction] = []
    var isMisplaced = false
    var outcomes: [String] = []
    var elements: [Int?] = []
    var withholdsEntityTag = false
    var adopts = false
    var relocates = false
    var expiresSeconds: Int64?
    var isListing = false

    static let needsObject = Answer(reason: nil)

    init(reason: Reason?) { self.reason = reason }

    init(_ verdict: Verdict) {
        guard case .decided(let decision) = verdict else { return }
        reason = decision.reason
        crossed = decision.crossed
        isMisplaced = decision.isMisplaced
        outcomes = decision.judged.map(\.outcome.rawValue)
        elements = decision.judged.map(\.element)
        withholdsEntityTag = decision.withholdsEntityTag
        adopts = decision.adopts
        relocates = decision.relocates
        expiresSeconds = decision.expiresSeconds
        isListing = decision.admission != nil
    }
}

struct StatedRule {
    let q: Question

    enum Reader: Hashable {
        case of(Jurisdiction)
        case foreignEverywhere
    }

    /// What some grants must say of a read.
    struct Demand {
        var owners: Set<Jurisdiction>
        var places: Set<Place>
        /// Which `received` ranges do; nil is a grant without one.
        var accepts: (Range<Timestamp>?) -> Bool
    }

    // MARK: Section 3.1 to 3.3

    var readers: Set<Reader> {
        var readers: Set<Reader> = [.of(q.gateway.jurisdiction), .of(q.office.jurisdiction)]
        if q.location == .nowhere { readers.insert(.foreignEverywhere) }
        if case .datacenter(let place) = q.location { readers.insert(.of(place.jurisdiction)) }
        readers.formUnion([q.destination].compactMap { $0 }.map { .of($0.jurisdiction) })
        return readers
    }

    var tag: ResidencyFacts? { if case .tagged(let facts) = q.object { facts } else { nil } }
    var isPresent: Bool { ![.notLocated, .absent].contains(q.object) }

    func crossed(_ owners: Set<Jurisdiction>) -> [Jurisdiction] {
        owners.filter { owner in
            readers.contains { reader in
                guard case .of(let country) = reader else { return true }
                return country != owner && !q.areas.contains { $0.jurisdictions.isSuperset(of: [country, owner]) }
            }
        }.sorted { $0.code < $1.code }
    }

    func withoutGrant(_ owners: Set<Jurisdiction>) -> Reason {
        readers.union(owners.map(Reader.of)).count == 1 ? .domestic : .freeFlow
    }

    // MARK: Section 3.5

    var tellsOfObjects: Bool {
        q.access == .content || q.access == .traffic || q.access == .write(conditional: true)
            || (q.access != .none && q.hasEntityTagCondition)
    }

    var mustOpen: Set<String> {
        let isContent = q.access == .content || q.hasEntityTagCondition
        return Set(["content"].filter { _ in isContent } + ["traffic"].filter { _ in q.access != .content })
    }

    func opened(_ data: DataClasses) -> Set<String> {
        var opened: Set<String> = []
        if data.contains(.traffic) { opened.insert("traffic") }
        if data.contains(.content) { opened.formUnion(["traffic", "content"]) }
        if data.contains(.relocate) { opened.insert("relocate") }
        return opened
    }

    // MARK: Section 5

    /// The elements of a token that grant one owner's share, each whole.
    func granting(_ grant: Grant, _ owner: Jurisdiction, _ demand: Demand) -> [Int] {
        let lifetime = Double(grant.expiresSeconds) - Double(grant.notBeforeSeconds)
        guard lifetime >= 0, lifetime <= Double(grant.lifetimeSecondsMax), grant.jurisdictions.contains(owner),
            opened(grant.instrumentOpens).isSuperset(of: mustOpen)
        else { return [] }
        let names = demand.places.filter { $0.jurisdiction == owner }.map { Array($0.datacenter.text.utf8) }
        return grant.elements.indices.filter { index in
            let element = grant.elements[index]
            let listed = element.datacenters.map { $0.map { Array($0.utf8) } }
            return element.jurisdiction == owner && opened(element.data).isSuperset(of: mustOpen)
                && demand.accepts(element.received)
                && (listed.map { listed in names.allSatisfy { listed.contains($0) } } ?? true)
                && element.mailboxes.contains { isCovering($0, prefixes: grant.allowsPrefixes) }
        }
    }

    func isCovering(_ pattern: MailboxPattern, prefixes: Bool) -> Bool {
        switch (q.mailbox, pattern) {
        case (.mailbox(let mailbox), .exact(let name)): mailbox.utf8.elementsEqual(name)
        case (.mailbox(let mailbox), .prefix(let p)):
            prefixes && p.count > 0 && Array(mailbox.utf8.prefix(p.count)) == p
        case (.mailboxes(let beginning), .prefix(let p)):
            prefixes && p.count > 0 && Array(beginning.prefix(p.count)) == p
        default: false
        }
    }

    /// The checks that do not look at what is read, each with what it means to fail it, in DESIGN's order.
    func firstFailure(_ presented: PresentedAuthorization) -> String? {
        let second = 1_000_000.0
        let now = Double(q.time.microseconds) / second
        switch presented {
        case .malformed: return "malformed"
        case .untrusted: return "untrusted"
        case .verified(let grant):
            let here = [q.gatewayName.text, q.gateway.datacenter.text].map { Array($0.utf8) }
            let checks: [(String, Bool)] = [
                ("wrong-audience", grant.audience.contains { here.contains(Array($0.utf8)) }),
                ("wrong-bearer", grant.subject?.text == q.principal.text),
                ("wrong-bearer", grant.certificate == nil || grant.certificate == q.certificate),
                ("not-yet-valid", Double(grant.notBeforeSeconds) - 60 <= now),
                ("not-yet-valid", Double(grant.issuedAtSeconds) - 60 <= now),
                ("expired", now < Double(grant.expiresSeconds)),
                ("revoked", !grant.isRevoked),
            ]
            return checks.first { !$0.1 }?.0
        }
    }

    static let furthest = [
        "malformed", "untrusted", "wrong-audience", "wrong-bearer", "not-yet-valid", "expired", "revoked",
        "out-of-scope",
    ]

    // MARK: Section 3.4

    struct Border {
        var answer: Answer
        /// For each owner crossed, every element that grants its share.
        var granting: [[GrantElement]] = []
        var opens: [[(DataClasses, Range<Timestamp>?)]] = []
    }

    /// For each owner, for each token, the elements that grant the owner's share.
    func grantedElements(_ owners: [Jurisdiction], _ demand: Demand) -> [[[Int]]] {
        owners.map { owner in
            q.authorizations.map { presented in
                guard case .verified(let grant) = presented, firstFailure(presented) == nil else { return [] }
                return granting(grant, owner, demand)
            }
        }
    }

    /// What is said of each token.
    func tell(_ granted: [[[Int]]], in answer: inout Answer) {
        let elements = q.authorizations.indices.map { token in granted.flatMap { $0[token] }.min() }
        answer.elements = elements
        answer.outcomes = q.authorizations.indices.map { token in
            elements[token] != nil ? "granted" : firstFailure(q.authorizations[token]) ?? "out-of-scope"
        }
    }

    func border(_ demand: Demand) -> Border {
        let crossed = crossed(demand.owners)
        if crossed.isEmpty { return Border(answer: Answer(reason: withoutGrant(demand.owners))) }
        var border = Border(answer: Answer(reason: .authorized))
        border.answer.crossed = crossed
        let granted = grantedElements(crossed, demand)
        tell(granted, in: &border.answer)
        if granted.allSatisfy({ tokens in tokens.contains { !$0.isEmpty } }) {
            border.answer.expiresSeconds = q.authorizations.indices.compactMap { token in
                guard border.answer.elements[token] != nil, case .verified(let grant) = q.authorizations[token] else {
                    return nil
                }
                return grant.expiresSeconds
            }.min()
            border.opens = granted.map { tokens in
                tokens.indices.flatMap { token in
                    guard case .verified(let grant) = q.authorizations[token] else {
                        return [] as [(DataClasses, Range<Timestamp>?)]
                    }
                    return tokens[token].map { (effective(grant, grant.elements[$0]), grant.elements[$0].received) }
                }
            }
        } else if q.authorizations.isEmpty {
            border.answer.reason = .authorizationRequired
        } else {
            let last = Self.furthest.last { name in
                border.answer.outcomes.contains(name)
                    || (name == "out-of-scope" && border.answer.outcomes.contains("granted"))
            }
            border.answer.reason = Reason(rawValue: "authorization-\(last ?? "")")
        }
        return border
    }

    func effective(_ grant: Grant, _ element: GrantElement) -> DataClasses {
        let both = opened(element.data).intersection(opened(grant.instrumentOpens))
        var data: DataClasses = []
        if both.contains("traffic") { data.insert(.traffic) }
        if both.contains("content") { data.insert(.content) }
        if both.contains("relocate") { data.insert(.relocate) }
        return data
    }

    var store: Jurisdiction { q.store.place.jurisdiction }
    var storeDemand: Demand { Demand(owners: [store], places: [q.store.place], accepts: { _ in true }) }
    var absentDemand: Demand { Demand(owners: [store], places: [q.store.place], accepts: { $0 == nil }) }
    func demand(of tag: ResidencyFacts) -> Demand {
        Demand(
            owners: [store, tag.place.jurisdiction], places: [q.store.place, tag.place],
            accepts: { $0?.contains(Timestamp(microseconds: tag.receivedSeconds * 1_000_000)) ?? true })
    }

    // MARK: The order of section 3

    var answer: Answer {
        var answer = ordered
        // Of an object in a store that does not exist for the caller, nothing is said.
        if let tag, tag.place != q.store.place, q.isEntitled { answer.isMisplaced = true }
        return answer
    }

    private var ordered: Answer {
        guard q.isEntitled else { return Answer(reason: .notEntitled) }
        guard q.access != .none else { return Answer(reason: .administrative) }
        let isDelete = q.access == .delete
        let isWrite = q.access == .write(conditional: true) || q.access == .write(conditional: false)
        let isForeign = (isWrite || isDelete) && !crossed([store]).isEmpty
        let onlyNew = isForeign && isWrite && q.store.foreignWrites == .create

        let foreignRefusal: Reason? =
            if !isForeign { nil } else if isDelete {
                q.store.foreignWrites == .any ? nil : .foreignDelete
            } else if q.areForeignWritesSuspended { .overloaded } else {
                q.store.foreignWrites == .refuse ? .foreignWrite : nil
            }
        if let foreignRefusal { return refused(foreignRefusal, crossed: [store]) }

        let isListing = ["ListObjects", "ListObjectsV2", "ListMultipartUploads", "ListParts"].contains(
            q.operation.rawValue)
        if (q.access == .traffic || q.access == .content) && isListing { return listing }

        let byStore = border(storeDemand)
        if tellsOfObjects, !byStore.answer.reason!.allows { return byStore.answer }
        if q.object == .notLocated, tellsOfObjects || onlyNew { return .needsObject }
        if onlyNew, isPresent {
            return tellsOfObjects
                ? refused(.foreignOverwrite, after: byStore) : refused(.foreignOverwrite, crossed: [store])
        }
        var answer = tellsOfObjects ? seen(byStore) : Answer(reason: withoutGrant([store]))
        if isForeign, answer.reason!.allows {
            answer.reason = .delivery
            if !tellsOfObjects { answer.crossed = [store] }
        }
        return answer
    }

    private func refused(_ reason: Reason, crossed: [Jurisdiction]) -> Answer {
        var answer = Answer(reason: reason)
        answer.crossed = crossed
        return answer
    }

    private func refused(_ reason: Reason, after border: Border) -> Answer {
        var answer = border.answer
        answer.reason = reason
        answer.expiresSeconds = nil
        return answer
    }

    private var listing: Answer {
        let border = border(storeDemand)
        var answer = border.answer
        guard answer.reason!.allows else { return answer }
        answer.isListing = true
        // At home its tokens are looked at for the entries' sake, and told of as the store's owner sees them.
        if answer.crossed.isEmpty { tell(grantedElements([store], storeDemand), in: &answer) }
        answer.withholdsEntityTag = border.opens.contains { opens in
            opens.contains { !$0.0.contains(.content) } && !opens.contains { $0.0.contains(.content) && $0.1 == nil }
        }
        return answer
    }

    /// Tag, then border by the object.
    private func seen(_ byStore: Border) -> Answer {
        let border: Border
        switch q.object {
        case .tagInvalid:
            return refused(.tagInvalid, after: byStore)
        case .untagged:
            guard q.store.untagged == .adopt, byStore.answer.crossed.isEmpty else {
                return refused(.untagged, after: byStore)
            }
            var answer = byStore.answer
            answer.adopts = true
            return answer
        case .tagged(let facts): border = self.border(demand(of: facts))
        case .absent, .notLocated: border = self.border(absentDemand)
        }
        var answer = border.answer
        guard answer.reason == .authorized else { return answer }
        answer.withholdsEntityTag =
            q.access == .traffic && !border.opens.allSatisfy { $0.contains { $0.0.contains(.content) } }
        if let tag, let destination = q.destination, destination != tag.place {
            answer.relocates =
                answer.crossed.contains(tag.place.jurisdiction)
                && border.opens.allSatisfy { $0.contains { $0.0.contains(.relocate) } }
        }
        return answer
    }

    /// Section 3.6: an entry is shown where a HeadObject of it would be allowed; where the listing shows ETags, one that tells
    /// the ETag.
    static func shows(_ listing: Question, withholds: Bool, mailbox: Mailbox?, object: ObjectState) -> Bool {
        guard object != .notLocated else { return false }
        var entry = listing
        entry.operation = .headObject
        entry.mailbox = mailbox.map { .mailbox($0) } ?? .nobody
        entry.object = object
        entry.hasEntityTagCondition = entry.hasEntityTagCondition || !withholds
        // That the listing itself may be made is decided already, on its prefix.
        let rule = StatedRule(q: entry)
        switch object {
        case .tagInvalid, .notLocated: return false
        case .untagged: return entry.store.untagged == .adopt && rule.crossed([rule.store]).isEmpty
        case .absent: return rule.border(rule.absentDemand).answer.reason!.allows
        case .tagged(let facts): return rule.border(rule.demand(of: facts)).answer.reason!.allows
        }
    }
}
