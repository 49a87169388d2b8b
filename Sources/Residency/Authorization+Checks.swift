/// DESIGN section 5's checks at use, as pure functions over a grant.
extension Grant {
    /// The clock skew allowed on `nbf` and `iat`; none is on `exp`.
    package static let skewSecondsMax: Int64 = 60

    /// Is this gateway, or its datacenter, among `aud`?
    package func isAddressed(to gateway: GatewayName, in datacenter: DatacenterName) -> Bool {
        audience.contains { isSameBytes($0, gateway.text) || isSameBytes($0, datacenter.text) }
    }

    /// Is the caller the token's subject, with the certificate that it is bound to, if it is bound to one?
    package func isBorne(by principal: PrincipalName, certificate presented: [UInt8]?) -> Bool {
        guard subject == principal else { return false }
        guard let certificate else { return true }
        return presented == certificate
    }

    /// Have `nbf` and `iat` come, within the skew?
    package func hasBegun(at time: Timestamp) -> Bool {
        let latest = time.adding(seconds: Self.skewSecondsMax)
        return Timestamp(seconds: notBeforeSeconds) <= latest && Timestamp(seconds: issuedAtSeconds) <= latest
    }

    /// Has `exp` come?
    package func isExpired(at time: Timestamp) -> Bool { time >= Timestamp(seconds: expiresSeconds) }

    /// Is `exp - nbf` within what the issuer may give? A negative lifetime is none.
    package var hasLifetimeAllowed: Bool {
        let (lifetime, overflows) = expiresSeconds.subtractingReportingOverflow(notBeforeSeconds)
        return !overflows && lifetime >= 0 && lifetime <= lifetimeSecondsMax
    }

    /// The first check that this grant fails whatever is read: audience, bearer, times, revocation; nil when it passes all.
    package func failure(for question: Question) -> JudgedAuthorization.Outcome? {
        guard isAddressed(to: question.gatewayName, in: question.gateway.datacenter) else { return .wrongAudience }
        guard isBorne(by: question.principal, certificate: question.certificate) else { return .wrongBearer }
        guard hasBegun(at: question.time) else { return .notYetValid }
        guard !isExpired(at: question.time) else { return .expired }
        return isRevoked ? .revoked : nil
    }

    /// Why no element of this grant can open `wanted` for `owner`; nil when one may.
    package func scopeFailure(of wanted: DataClasses, for owner: Jurisdiction) -> ScopeFailure? {
        guard hasLifetimeAllowed else { return .lifetime }
        guard jurisdictions.contains(owner) else { return .issuer }
        return instrumentOpens.covers(wanted) ? nil : .instrument
    }
}

/// The part of a grant's scope that a read exceeds.
package enum ScopeFailure: String, Hashable, Sendable, CaseIterable {
    case lifetime, issuer, instrument, jurisdiction, datacenter, mailbox, data, received
}

extension GrantElement {
    /// Why this element does not cover one owner's share of a read whole; nil when it does.
    func scopeFailure(of reading: Reading, for owner: Jurisdiction, allowsPrefixes: Bool) -> ScopeFailure? {
        guard jurisdiction == owner else { return .jurisdiction }
        if let datacenters, !reading.owners.areNamed(in: datacenters, for: owner) { return .datacenter }
        guard mailboxes.contains(where: { $0.covers(reading.mailbox, allowsPrefixes: allowsPrefixes) }) else {
            return .mailbox
        }
        guard data.covers(reading.wanted) else { return .data }
        switch (received, reading.received) {
        case (nil, _), (_, .anyTime): return nil
        case (let range?, .at(let time)): return range.contains(time) ? nil : .received
        case (_, .never): return .received
        }
    }
}

extension MailboxPattern {
    /// Does the pattern cover every mailbox of the scope? Only a prefix covers mailboxes by the beginning of their names.
    package func covers(_ scope: MailboxScope, allowsPrefixes: Bool) -> Bool {
        switch (self, scope) {
        case (_, .nobody): false
        case (.exact(let name), .mailbox(let mailbox)): name == mailbox.utf8
        case (.exact, .mailboxes): false
        case (.prefix(let prefix), .mailbox(let mailbox)): covers(mailbox.utf8, by: prefix, allowsPrefixes)
        case (.prefix(let prefix), .mailboxes(let beginning)): covers(beginning, by: prefix, allowsPrefixes)
        }
    }

    private func covers(_ name: [UInt8], by prefix: [UInt8], _ allowsPrefixes: Bool) -> Bool {
        allowsPrefixes && !prefix.isEmpty && name.starts(with: prefix)
    }
}
