package import JSON
package import Residency

/// One authority whose tokens count, as the settings describe it: what it may speak for is never the token's to say.
package final class Issuer: Sendable {
    /// Compared with `iss` as bytes.
    package let id: String
    package let jurisdictions: Set<Jurisdiction>
    package let keys: KeySet
    package let lifetimeHoursMax: Int64
    /// May its tokens name mailboxes by prefix?
    package let allowsPrefixes: Bool
    package let instruments: Instruments
    /// Its signed list, where the settings name one.
    package let revocations: RevocationList?
    /// `jti`s on the local deny list.
    package let denied: Set<JSONString>

    package init(
        id: String, jurisdictions: Set<Jurisdiction>, keys: KeySet,
        lifetimeHoursMax: Int64 = TokenLimits.lifetimeHoursDefault, allowsPrefixes: Bool = false,
        instruments: Instruments = .defaults, revocations: RevocationList? = nil, denied: Set<JSONString> = []
    ) {
        self.id = id
        self.jurisdictions = jurisdictions
        self.keys = keys
        self.lifetimeHoursMax = lifetimeHoursMax
        self.allowsPrefixes = allowsPrefixes
        self.instruments = instruments
        self.revocations = revocations
        self.denied = denied
    }

    /// Is the token withdrawn at that time: on either list, or on a list too old to tell?
    package func isRevoked(_ tokenID: JSONString, at time: Timestamp) -> Bool {
        denied.contains(tokenID) || (revocations?.isRevoked(tokenID, at: time) ?? false)
    }

    /// The longest `exp - nbf` of a token under that instrument.
    func lifetimeSecondsMax(_ instrument: JSONString) -> Int64 {
        let isEmergency = instrument.equals("emergency")
        return 3600 * (isEmergency ? min(lifetimeHoursMax, TokenLimits.emergencyHoursMax) : lifetimeHoursMax)
    }
}

/// What each legal instrument opens under one issuer; one that is not listed opens nothing.
package struct Instruments: Sendable {
    private let opened: [JSONString: DataClasses]

    package init(_ opened: KeyValuePairs<String, DataClasses>) {
        self.init(opened.map { ($0.key, $0.value) })
    }

    /// The last of two equal names counts; settings files have no two.
    package init(_ opened: [(name: String, data: DataClasses)]) {
        self.opened = Dictionary(opened.map { (JSONString($0.name), $0.data) }) { $1 }
    }

    package func opens(_ instrument: JSONString) -> DataClasses { opened[instrument] ?? [] }

    /// All that are listed, in the order of their names' bytes.
    package var all: [(name: JSONString, data: DataClasses)] {
        opened.map { (name: $0.key, data: $0.value) }.sorted {
            $0.name.utf8.lexicographicallyPrecedes($1.name.utf8)
        }
    }

    /// DESIGN section 5. A subpoena opens nothing that a mailbox store holds (18 U.S.C. 2703; Stored Communications Act).
    package static let defaults = Instruments([
        "warrant": [.traffic, .content], "mlat": [.traffic, .content],
        "european-production-order": [.traffic, .content], "executive-agreement-order": [.traffic, .content],
        "consent": [.traffic, .content], "court-order": .traffic, "subpoena": [], "emergency": .traffic,
    ])
}

/// The issuers of one settings snapshot, found by the bytes of their ids.
package struct IssuerRegistry: Sendable {
    private let issuers: [JSONString: Issuer]

    /// Nil when two issuers have one id.
    package init?(_ issuers: [Issuer]) {
        var found: [JSONString: Issuer] = [:]
        for issuer in issuers {
            guard found.updateValue(issuer, forKey: JSONString(issuer.id)) == nil else { return nil }
        }
        self.issuers = found
    }

    package static let empty = IssuerRegistry(issuers: [:])

    private init(issuers: [JSONString: Issuer]) { self.issuers = issuers }

    package subscript(_ id: JSONString) -> Issuer? { issuers[id] }

    /// All of them, in the order of their ids' bytes.
    package var all: [Issuer] {
        issuers.values.sorted { $0.id.utf8.lexicographicallyPrecedes($1.id.utf8) }
    }
}
