internal import DecisionLog
internal import Residency
internal import Settings

/// Who calls the operators' listener, and from where.
struct OperatorsCaller: Sendable {
    let principal: Principal
    private let address: Address
    private let location: Location
    private let areas: [Area]

    init(_ principal: Principal, at address: Address, in service: Service) {
        self.principal = principal
        self.address = address
        areas = service.areas
        let network = service.location(of: address)
        // Whoever is on the gateway's own machine is where the gateway is.
        if case .nowhere = network, address.isLoopback {
            location = .datacenter(service.place)
        } else {
            location = network
        }
    }

    /// Would what lies in the store be told over its border? There is no authorization for operators.
    func isAbroad(of store: ServedStore) -> Bool {
        Rule.isToldAbroad(
            store.policy.policy.place, office: principal.settings.office, location: location, areas: areas)
    }

    /// What an event tells of it.
    var members: [(name: StaticString, value: EventEntry.Value)] {
        var network = EventEntry.Value.null
        if case .datacenter(let place) = location { network = .text(place.datacenter.text) }
        return [
            ("principal", .text(principal.settings.name.text)),
            ("office", .text(principal.settings.office.datacenter.text)),
            ("location", network), ("address", .text(address.description)),
        ]
    }
}

extension Address {
    /// This machine itself (RFC 1122, section 3.2.1.3; RFC 4291, section 2.5.3).
    fileprivate var isLoopback: Bool { isIPv4 ? bits >> 24 == 127 : bits == 1 }
}
