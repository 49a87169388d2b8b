/// A token that a caller presented, as far as its bytes alone can be judged.
package enum PresentedAuthorization: Sendable {
    case malformed
    case untrusted
    /// The signature verifies under a pinned key of the issuer. Handed on by one reference, not by those in it.
    indirect case verified(Grant)
}

/// The claims of one verified token, together with what the settings say of its issuer.
package struct Grant: Sendable {
    package var subject: PrincipalName?
    /// Names of gateways or datacenters, as they stand in `aud`.
    package var audience: [String]
    package var notBeforeSeconds: Int64
    package var issuedAtSeconds: Int64
    package var expiresSeconds: Int64
    /// `cnf.x5t#S256`, 32 bytes, where the token is bound to one certificate (RFC 8705).
    package var certificate: [UInt8]?
    package var elements: [GrantElement]
    /// On the issuer's signed list or on the local deny list, at the time of use.
    package var isRevoked: Bool
    /// The jurisdictions that the issuer may speak for.
    package var jurisdictions: Set<Jurisdiction>
    /// What the issuer's setting lets this token's instrument open; empty for an instrument that is not listed.
    package var instrumentOpens: DataClasses
    /// The longest `exp - nbf` allowed to this issuer and instrument.
    package var lifetimeSecondsMax: Int64
    /// May the issuer's tokens name mailboxes by prefix?
    package var allowsPrefixes: Bool

    package init(
        subject: PrincipalName?, audience: [String], notBeforeSeconds: Int64, issuedAtSeconds: Int64,
        expiresSeconds: Int64, certificate: [UInt8]?, elements: [GrantElement], isRevoked: Bool,
        jurisdictions: Set<Jurisdiction>, instrumentOpens: DataClasses, lifetimeSecondsMax: Int64, allowsPrefixes: Bool
    ) {
        self.subject = subject
        self.audience = audience
        self.notBeforeSeconds = notBeforeSeconds
        self.issuedAtSeconds = issuedAtSeconds
        self.expiresSeconds = expiresSeconds
        self.certificate = certificate
        self.elements = elements
        self.isRevoked = isRevoked
        self.jurisdictions = jurisdictions
        self.instrumentOpens = instrumentOpens
        self.lifetimeSecondsMax = lifetimeSecondsMax
        self.allowsPrefixes = allowsPrefixes
    }
}

/// One element of `authorization_details`.
package struct GrantElement: Hashable, Sendable {
    package var jurisdiction: Jurisdiction
    /// nil: any datacenter of the jurisdiction.
    package var datacenters: [String]?
    package var mailboxes: [MailboxPattern]
    package var data: DataClasses
    /// From inclusive, to exclusive.
    package var received: Range<Timestamp>?

    package init(
        jurisdiction: Jurisdiction, datacenters: [String]?, mailboxes: [MailboxPattern], data: DataClasses,
        received: Range<Timestamp>?
    ) {
        self.jurisdiction = jurisdiction
        self.datacenters = datacenters
        self.mailboxes = mailboxes
        self.data = data
        self.received = received
    }
}

/// A mailbox by its exact name, or all whose names begin with some bytes.
package enum MailboxPattern: Hashable, Sendable {
    case exact([UInt8])
    case prefix([UInt8])
}

/// What a grant opens. `content` includes `traffic`: use `covers`, not `contains`.
package struct DataClasses: OptionSet, Hashable, Sendable {
    package let rawValue: UInt8

    package init(rawValue: UInt8) { self.rawValue = rawValue }

    package static let traffic = DataClasses(rawValue: 1)
    package static let content = DataClasses(rawValue: 2)
    package static let relocate = DataClasses(rawValue: 4)

    /// Does this set open `wanted`?
    package func covers(_ wanted: DataClasses) -> Bool {
        (contains(.content) ? union(.traffic) : self).isSuperset(of: wanted)
    }
}
