/// How the readers stand to one owner, from least to most.
enum Relation: Int, Comparable {
    /// Every reader is in the owner's own jurisdiction.
    case home
    /// Some reader is in another jurisdiction, but in one area with the owner.
    case area
    /// Some reader crosses the owner's border.
    case foreign

    static func < (left: Relation, right: Relation) -> Bool { left.rawValue < right.rawValue }

    init(of reader: Jurisdiction, to owner: Jurisdiction, areas: [Area]) {
        if reader == owner {
            self = .home
        } else {
            let isNear = areas.contains { $0.jurisdictions.contains(reader) && $0.jurisdictions.contains(owner) }
            self = isNear ? .area : .foreign
        }
    }
}

/// One part that a reader of DESIGN 3.1 plays.
enum ReaderRole: CaseIterable {
    case gateway, office, location, destination
}

extension Question {
    /// How the reader in that role stands to `owner`; nil when nobody plays it here.
    func relation(of role: ReaderRole, to owner: Jurisdiction) -> Relation? {
        switch role {
        case .gateway: relation(of: gateway.jurisdiction, to: owner)
        case .office: relation(of: office.jurisdiction, to: owner)
        case .location:
            switch location {
            case .datacenter(let place): relation(of: place.jurisdiction, to: owner)
            case .nowhere: .foreign
            case .notConsidered: nil
            }
        case .destination:
            if let destination { relation(of: destination.jurisdiction, to: owner) } else { nil }
        }
    }

    private func relation(of reader: Jurisdiction, to owner: Jurisdiction) -> Relation {
        Relation(of: reader, to: owner, areas: areas)
    }

    /// `US (office), no known network (location)`: those who cross, for a person to read.
    func crossing(_ owner: Jurisdiction) -> String {
        let roles = ReaderRole.allCases.filter { relation(of: $0, to: owner) == .foreign }
        return roles.map { "\(jurisdiction(of: $0)) (\($0))" }.joined(separator: ", ")
    }

    /// All readers, for a person to read.
    var readers: String {
        let roles = ReaderRole.allCases.filter { relation(of: $0, to: store.place.jurisdiction) != nil }
        return roles.map { "\(jurisdiction(of: $0)) (\($0))" }.joined(separator: ", ")
    }

    private func jurisdiction(of role: ReaderRole) -> String {
        switch role {
        case .gateway: gateway.jurisdiction.code
        case .office: office.jurisdiction.code
        case .location:
            switch location {
            case .datacenter(let place): place.jurisdiction.code
            case .nowhere: "no known network"
            case .notConsidered: "not considered"
            }
        case .destination: destination?.jurisdiction.code ?? "none"
        }
    }
}

/// The owners of what is read (DESIGN 3.2): the store's jurisdiction and, once it is known, that of the object's tag.
struct Owners {
    let store: Place
    let tag: Place?

    /// Without repetition, in the order of the codes.
    static func inOrder(store: Jurisdiction, tag: Jurisdiction?) -> (Jurisdiction, Jurisdiction?) {
        guard let tag, tag != store else { return (store, nil) }
        return store < tag ? (store, tag) : (tag, store)
    }

    /// Are all datacenters in which `owner` has to do with the object among `names`? An object that lies in one
    /// datacenter and is tagged for another of the same jurisdiction needs both.
    func areNamed(in names: [String], for owner: Jurisdiction) -> Bool {
        func isNamed(_ place: Place) -> Bool {
            place.jurisdiction != owner || names.contains { isSameBytes($0, place.datacenter.text) }
        }
        return isNamed(store) && (tag.map(isNamed) ?? true)
    }
}

/// Equality of UTF-8 bytes. `==` on strings is canonical equivalence: by it a KELVIN SIGN is a K, in a token too.
func isSameBytes(_ left: String, _ right: String) -> Bool {
    let (left, right) = (left.utf8.span, right.utf8.span)
    guard left.count == right.count else { return false }
    for index in left.indices where left[index] != right[index] { return false }
    return true
}

extension Rule {
    /// Is what lies there told over its border, when it is told to somebody of this office who calls from this network? For operators, whose
    /// calls are no reads of an object: where the gateway stands does not count, since the store is theirs to keep through it.
    package static func isToldAbroad(_ place: Place, office: Place, location: Location, areas: [Area]) -> Bool {
        func isForeign(_ reader: Jurisdiction) -> Bool {
            Relation(of: reader, to: place.jurisdiction, areas: areas) == .foreign
        }
        switch location {
        case .datacenter(let network): return isForeign(office.jurisdiction) || isForeign(network.jurisdiction)
        case .nowhere: return true
        case .notConsidered: return isForeign(office.jurisdiction)
        }
    }

    /// The furthest relation that any reader has to `owner`.
    static func relation(of question: Question, to owner: Jurisdiction) -> Relation {
        var furthest = Relation.home
        for role in ReaderRole.allCases {
            if let relation = question.relation(of: role, to: owner) { furthest = max(furthest, relation) }
        }
        return furthest
    }
}
