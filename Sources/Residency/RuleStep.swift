/// One step of the rule, for a person to read.
package struct RuleStep: Hashable, Sendable {
    /// The place in DESIGN.md: `3`, `3.1` to `3.10`, or `5`.
    package let section: String
    package let sentence: String
}

extension RuleStep: CustomStringConvertible {
    package var description: String { "\(section) \(sentence)" }
}

/// Collects steps where somebody wants them; costs one comparison a step where nobody does.
struct Trace {
    private let isOn: Bool
    private(set) var steps: [RuleStep] = []

    init(isOn: Bool) { self.isOn = isOn }

    @inline(__always)
    mutating func note(_ section: String, _ sentence: @autoclosure () -> String) {
        guard isOn else { return }
        steps.append(RuleStep(section: section, sentence: sentence()))
    }
}

extension Grant {
    /// Why the grant fails before its scope is looked at.
    func sentence(for failure: JudgedAuthorization.Outcome, _ question: Question) -> String {
        switch failure {
        case .wrongAudience: "is for \(audience), not for \(question.gatewayName) or \(question.gateway.datacenter)"
        case .wrongBearer where subject != question.principal:
            "is for the principal \(subject?.text ?? "(none)"), not for \(question.principal)"
        case .wrongBearer: "is bound to another certificate"
        case .notYetValid:
            "begins at \(Self.text(max(notBeforeSeconds, issuedAtSeconds))), and it is \(question.time.rfc3339)"
        case .expired: "expired at \(Self.text(expiresSeconds)), and it is \(question.time.rfc3339)"
        case .revoked: "is revoked"
        case .malformed, .untrusted, .outOfScope, .granted: failure.rawValue
        }
    }

    /// Why no element is looked at.
    func sentence(for failure: ScopeFailure, _ owner: Jurisdiction) -> String {
        switch failure {
        case .lifetime: "it lives longer than the \(lifetimeSecondsMax) s allowed to its issuer and instrument"
        case .issuer: "its issuer may not speak for \(owner)"
        case .instrument: "its instrument opens \(instrumentOpens)"
        case .jurisdiction, .datacenter, .mailbox, .data, .received: failure.rawValue
        }
    }

    private static func text(_ unixSeconds: Int64) -> String { Timestamp(seconds: unixSeconds).rfc3339 }
}

extension GrantElement {
    /// Why the element does not cover the read.
    func sentence(for failure: ScopeFailure, _ owner: Jurisdiction) -> String {
        switch failure {
        case .jurisdiction: "it is for \(jurisdiction), not for \(owner)"
        case .datacenter: "it is for the datacenters \(datacenters ?? []) alone"
        case .mailbox: "it names no pattern that covers the mailbox"
        case .data: "it opens \(data)"
        case .received:
            "the object was not received from \(received?.lowerBound.rfc3339 ?? "") to \(received?.upperBound.rfc3339 ?? "")"
        case .lifetime, .issuer, .instrument: failure.rawValue
        }
    }
}

extension DataClasses: CustomStringConvertible {
    package var description: String {
        var names: [String] = []
        if contains(.traffic) { names.append("traffic") }
        if contains(.content) { names.append("content") }
        if contains(.relocate) { names.append("relocate") }
        return names.isEmpty ? "nothing" : names.joined(separator: " and ")
    }
}

extension Place: CustomStringConvertible {
    package var description: String { "\(datacenter) (\(jurisdiction))" }
}
