/// Everything that the rule may look at, as values: no clock, no I/O. The same question can be rebuilt by an auditor from
/// one log entry, the settings snapshot it names and the tokens kept as evidence.
package struct Question: Sendable {
    package var operation: Operation
    package var access: Access
    /// Does the principal address this store, in a role that covers the operation?
    package var isEntitled: Bool
    package var circumstances: Circumstances
    /// Where a copy will lie.
    package var destination: Place?
    package var store: StorePolicy
    package var mailbox: MailboxScope
    package var object: ObjectState
    /// The caller puts a condition on an entity tag (`If-Match`, `If-None-Match`), which confirms a guessed message.
    package var hasEntityTagCondition: Bool
    /// Ten foreign overwrites were answered in this minute: DESIGN 3.7.
    package var areForeignWritesSuspended: Bool
    package var time: Timestamp
    package var authorizations: [PresentedAuthorization]
}

/// By way of the memberwise initialiser, which puts the members where they will lie: one that assigns them copies the whole in the end.
extension Question {
    package init(
        _ operation: Operation, access: Access, isEntitled: Bool, circumstances: Circumstances, store: StorePolicy,
        mailbox: MailboxScope, object: ObjectState, hasEntityTagCondition: Bool, areForeignWritesSuspended: Bool,
        time: Timestamp
    ) {
        self.init(
            operation: operation, access: access, isEntitled: isEntitled, circumstances: circumstances,
            destination: nil, store: store, mailbox: mailbox, object: object,
            hasEntityTagCondition: hasEntityTagCondition, areForeignWritesSuspended: areForeignWritesSuspended,
            time: time, authorizations: [])
    }

    package init(
        operation: Operation, access: Access, isEntitled: Bool, principal: PrincipalName, certificate: [UInt8]?,
        gatewayName: GatewayName, gateway: Place, office: Place, location: Location, destination: Place? = nil,
        store: StorePolicy, mailbox: MailboxScope, areas: [Area], object: ObjectState = .notLocated,
        hasEntityTagCondition: Bool = false, areForeignWritesSuspended: Bool = false, time: Timestamp,
        authorizations: [PresentedAuthorization] = []
    ) {
        self.init(
            operation: operation, access: access, isEntitled: isEntitled,
            circumstances: Circumstances(
                principal: principal, certificate: certificate, gatewayName: gatewayName, gateway: gateway,
                office: office, location: location, areas: areas),
            destination: destination, store: store, mailbox: mailbox, object: object,
            hasEntityTagCondition: hasEntityTagCondition, areForeignWritesSuspended: areForeignWritesSuspended,
            time: time, authorizations: authorizations)
    }
}

/// The circumstances, one by one: a changed one makes others, for whoever asks what would have been.
extension Question {
    package var principal: PrincipalName {
        get { circumstances.values.principal }
        set { circumstances = circumstances.with { $0.principal = newValue } }
    }
    package var certificate: [UInt8]? {
        get { circumstances.values.certificate }
        set { circumstances = circumstances.with { $0.certificate = newValue } }
    }
    package var gatewayName: GatewayName {
        get { circumstances.values.gatewayName }
        set { circumstances = circumstances.with { $0.gatewayName = newValue } }
    }
    package var gateway: Place {
        get { circumstances.values.gateway }
        set { circumstances = circumstances.with { $0.gateway = newValue } }
    }
    package var office: Place {
        get { circumstances.values.office }
        set { circumstances = circumstances.with { $0.office = newValue } }
    }
    package var location: Location {
        get { circumstances.values.location }
        set { circumstances = circumstances.with { $0.location = newValue } }
    }
    package var areas: [Area] {
        get { circumstances.values.areas }
        set { circumstances = circumstances.with { $0.areas = newValue } }
    }
}

/// What all questions of one caller have in common under one snapshot of the settings: who and where caller and gateway are.
package final class Circumstances: Sendable {
    struct Values: Sendable {
        var principal: PrincipalName
        /// SHA-256 of the caller's certificate (32 bytes), nil where it presented none.
        var certificate: [UInt8]?
        var gatewayName: GatewayName
        var gateway: Place
        /// The principal's own datacenter.
        var office: Place
        var location: Location
        var areas: [Area]
    }

    let values: Values

    private init(_ values: Values) { self.values = values }

    package convenience init(
        principal: PrincipalName, certificate: [UInt8]?, gatewayName: GatewayName, gateway: Place, office: Place,
        location: Location, areas: [Area]
    ) {
        self.init(
            Values(
                principal: principal, certificate: certificate, gatewayName: gatewayName, gateway: gateway,
                office: office, location: location, areas: areas))
    }

    /// The same with something else in it.
    func with(_ change: (inout Values) -> Void) -> Circumstances {
        var values = values
        change(&values)
        return Circumstances(values)
    }
}

/// The network that a caller calls from.
package enum Location: Hashable, Sendable {
    case datacenter(Place)
    /// An address in no configured network: foreign to every store.
    case nowhere
    /// `location = "off"`: the network is not looked at.
    case notConsidered
}

/// What of a store's settings the rule depends on.
package struct StorePolicy: Hashable, Sendable {
    package enum Untagged: String, Hashable, Sendable, CaseIterable { case refuse, adopt }
    package enum ForeignWrites: String, Hashable, Sendable, CaseIterable { case refuse, create, any }

    package let place: Place
    package let untagged: Untagged
    package let foreignWrites: ForeignWrites

    package init(place: Place, untagged: Untagged, foreignWrites: ForeignWrites) {
        self.place = place
        self.untagged = untagged
        self.foreignWrites = foreignWrites
    }
}

/// What a look at the store found under the key.
package enum ObjectState: Hashable, Sendable {
    /// Nobody looked yet.
    case notLocated
    case absent
    /// Present, with a tag whose seal verifies.
    case tagged(ResidencyFacts)
    /// Present, without a tag.
    case untagged
    /// Present, with a tag that does not parse or verify, or whose key this gateway does not hold.
    case tagInvalid
}

/// What a verified residency tag says of where an object belongs.
package struct ResidencyFacts: Hashable, Sendable {
    package let place: Place
    /// When the object was received, in unix seconds.
    package let receivedSeconds: Int64

    package init(place: Place, receivedSeconds: Int64) {
        self.place = place
        self.receivedSeconds = receivedSeconds
    }
}
