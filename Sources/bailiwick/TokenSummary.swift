internal import JSON
internal import OpenSSL
internal import Residency
internal import Tokens

/// A token in a person's words. Text from the token is quoted, so that it cannot pass for ours.
struct TokenSummary {
    private let claims: Claims

    init(_ claims: Claims) { self.claims = claims }

    /// What it opens in one sentence, its parts below.
    var text: String { ([sentence] + lines + notes).joined(separator: "\n") }

    /// "This order opens this mailbox, for these dates, for this tool, until Friday, and nothing else."
    private var sentence: String {
        let parts = claims.elements.map { element in
            "\(Self.mailboxes(element)) (\(element.data)), \(Self.received(element.received))"
        }
        return "This \(Self.plain(claims.legalBasis.instrument)) opens \(parts.joined(separator: "; and ")), "
            + "for the tool \(Self.plain(claims.subject)), from \(Self.day(claims.notBeforeSeconds)) until \(Self.day(claims.expiresSeconds)), "
            + "and nothing else."
    }

    private var lines: [String] {
        let basis = claims.legalBasis
        var lines = [
            row(
                "order",
                "\(quoted(basis.reference.text)) of \(quoted(basis.authorityName.text)) (\(basis.authorityCountry)), for \(basis.requester.rawValue)"
            ),
            row("issuer", quoted(claims.issuer.text)), row("token", quoted(claims.tokenID.text)),
            row("at", claims.audience.map { quoted($0.text) }.joined(separator: ", ")),
            row("bearer", quoted(claims.subject.text) + binding),
            row(
                "valid",
                "\(Self.moment(claims.notBeforeSeconds)) to \(Self.moment(claims.expiresSeconds)), \(Self.duration(claims.expiresSeconds.subtractingReportingOverflow(claims.notBeforeSeconds).partialValue))"
            ),
        ]
        for (index, element) in claims.elements.enumerated() {
            let places = element.datacenters.map { $0.map { quoted($0) }.joined(separator: ", ") } ?? "any datacenter"
            lines.append(
                row(
                    claims.elements.count == 1 ? "opens" : "opens (\(index))",
                    "\(Self.mailboxes(element)) in \(element.jurisdiction), \(places): \(element.data), \(Self.received(element.received))"
                ))
        }
        if let until = basis.nondisclosureUntil { lines.append(row("secret", "until \(until.rfc3339)")) }
        return lines
    }

    private var binding: String {
        claims.certificate.map { ", with the certificate of SHA-256 \(Hex.encode($0)) alone" }
            ?? ", with any certificate of its own"
    }

    /// What gateways with default settings would still refuse.
    private var notes: [String] {
        var notes: [String] = []
        let opens = Instruments.defaults.opens(claims.legalBasis.instrument)
        let asked = claims.elements.reduce(DataClasses()) { $0.union($1.data) }
        if !opens.covers(asked) {
            notes.append(
                "Note: unless its issuer's settings say otherwise, \(quoted(claims.legalBasis.instrument.text)) opens \(opens), not all of \(asked)."
            )
        }
        let isEmergency = claims.legalBasis.instrument == JSONString("emergency")
        let hoursMax = isEmergency ? TokenLimits.emergencyHoursMax : TokenLimits.lifetimeHoursDefault
        let (lifetime, overflows) = claims.expiresSeconds.subtractingReportingOverflow(claims.notBeforeSeconds)
        if overflows || lifetime > hoursMax * 3600 {
            notes.append(
                "Note: it lives longer than the \(hoursMax) hours that \(isEmergency ? "an emergency may last" : "gateways allow by default")."
            )
        }
        let hasPrefix = claims.elements.contains {
            $0.mailboxes.contains { if case .prefix = $0 { true } else { false } }
        }
        if hasPrefix {
            notes.append("Note: a beginning with * counts only where the issuer's settings say prefixes = true.")
        }
        return notes
    }

    private func row(_ name: String, _ value: String) -> String {
        "  \(name)\(String(repeating: " ", count: max(1, 10 - name.count)))\(value)"
    }

    private static func mailboxes(_ element: GrantElement) -> String {
        let names = element.mailboxes.map { quoted($0.text.text) }
        return (names.count == 1 ? "mailbox " : "mailboxes ") + names.joined(separator: ", ")
    }

    private static func received(_ range: Range<Timestamp>?) -> String {
        guard let range else { return "whenever received" }
        return "received from \(moment(range.lowerBound.seconds)) to before \(moment(range.upperBound.seconds))"
    }

    /// A word as it is when it is one, else quoted.
    private static func plain(_ text: JSONString) -> String { PrincipalName(text.text)?.text ?? quoted(text.text) }

    private static let weekdays = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"]

    private static func day(_ seconds: Int64) -> String {
        "\(weekdays[CivilTime.weekday(unixSeconds: seconds)]) \(moment(seconds))"
    }

    /// To the second, in UTC; years that no calendar has are shown as the number that they are.
    private static func moment(_ seconds: Int64) -> String {
        guard (0..<253_402_300_800).contains(seconds) else { return "\(seconds) (unix seconds)" }
        return String(Timestamp(seconds: seconds).rfc3339.prefix(19)).replacing("T", with: " ") + " UTC"
    }

    private static func duration(_ seconds: Int64) -> String {
        seconds % 3600 == 0 ? "\(seconds / 3600) hours" : "\(seconds) seconds"
    }
}
