internal import DecisionLog
internal import OpenSSL
internal import Residency
internal import Settings
internal import Tokens

/// The settings by which entries were decided, and the tokens that were looked at under them.
final class Bench {
    let policy: PolicySnapshot
    let name: String
    private let verifier: TokenVerifier
    private var outcomes: [SHA256Digest: TokenOutcome] = [:]

    /// Tokens whose outcome is remembered.
    private static let outcomesMax = 50_000

    init(_ policy: PolicySnapshot, name: String) {
        self.policy = policy
        self.name = name
        verifier = TokenVerifier(issuers: policy.issuers)
    }

    /// Judges a kept token by the keys of this policy.
    func review(_ sha256: SHA256Digest, _ bytes: [UInt8]) -> TokenOutcome {
        if let outcome = outcomes[sha256] { return outcome }
        let outcome = verifier.verify(bytes)
        if outcomes.count >= Self.outcomesMax { outcomes.removeAll(keepingCapacity: true) }
        outcomes[sha256] = outcome
        return outcome
    }
}

/// The tokens that an entry lists, verified again.
struct PresentedTokens {
    /// As the rule takes them, in the entry's order.
    private(set) var authorizations: [PresentedAuthorization] = []
    private(set) var doubts: Set<Doubt> = []
    /// Every mailbox pattern in them.
    private(set) var patterns: [MailboxPattern] = []

    /// - Parameter evidence: the kept token of a hash, its hash checked; nil where none is kept.
    init(
        _ entry: DecisionEntry, on bench: Bench, reveal: Reveal, evidence: (String) throws(LogFault) -> [UInt8]?
    ) throws(Contradiction) {
        for (index, one) in entry.authorizations.enumerated() {
            let bytes: [UInt8]?
            do throws(LogFault) { bytes = try evidence(one.sha256.hex) } catch {
                throw Contradiction(says: "it looked at \(error.file)", follows: "\(error)")
            }
            let place = "token \(index + 1)"
            guard one.outcome.isOfVerified else {
                try take(unverified: one, bytes, place, bench)
                continue
            }
            guard let bytes else {
                throw Contradiction(
                    says: "\(place) was \(one.outcome.rawValue), so its signature verified",
                    follows: "evidence/\(one.sha256.hex) is missing: nobody can show that it did")
            }
            try take(verified: one, bytes, place, entry, bench, reveal)
        }
    }

    private mutating func take(
        verified one: AuthorizationEntry, _ bytes: [UInt8], _ place: String, _ entry: DecisionEntry, _ bench: Bench,
        _ reveal: Reveal
    ) throws(Contradiction) {
        let says = "\(place) was \(one.outcome.rawValue)"
        let token: VerifiedToken
        switch bench.review(one.sha256, bytes) {
        case .malformed(let why):
            throw Contradiction(says: says, follows: "evidence/\(one.sha256.hex) is malformed: \(why)")
        case .untrusted(let why):
            throw Contradiction(says: says, follows: "evidence/\(one.sha256.hex) is untrusted under the policy: \(why)")
        case .verified(let verified): token = verified
        }
        try compare(one, token, place)
        try compareReference(one, token, place, entry, reveal)
        for element in token.claims.elements {
            patterns.append(contentsOf: element.mailboxes)
            for pattern in element.mailboxes { reveal.add(pattern.name) }
        }
        authorizations.append(token.authorization(at: entry.time))
    }

    /// A token that nobody vouched for: none of its claims may stand in the entry.
    private mutating func take(
        unverified one: AuthorizationEntry, _ bytes: [UInt8]?, _ place: String, _ bench: Bench
    ) throws(Contradiction) {
        var bare = AuthorizationEntry(sha256: one.sha256, outcome: one.outcome)
        bare.element = one.element
        guard bare == one else {
            throw Contradiction(
                says: "\(place) was \(one.outcome.rawValue), and has claims",
                follows: "no claim of such a token is believed")
        }
        guard let bytes else {
            doubts.insert(.tokenNotKept)
            authorizations.append(one.outcome == .malformed ? .malformed : .untrusted)
            return
        }
        // It was accepted under other settings, and kept.
        switch bench.review(one.sha256, bytes) {
        case .malformed: authorizations.append(.malformed)
        case .untrusted: authorizations.append(.untrusted)
        case .verified:
            throw Contradiction(
                says: "\(place) was \(one.outcome.rawValue)",
                follows: "evidence/\(one.sha256.hex) verifies under the policy's keys")
        }
    }

    private func compare(
        _ one: AuthorizationEntry, _ token: VerifiedToken, _ place: String
    ) throws(Contradiction) {
        let pairs: [(name: String, entry: String?, token: String)] = [
            ("iss", one.issuer, token.issuer.id), ("kid", one.keyID, token.keyID), ("jti", one.tokenID, token.tokenID),
            ("exp", one.expiresSeconds.map(String.init), "\(token.expiresSeconds)"),
            ("instrument", one.instrument, token.instrument), ("requester", one.requester, token.requester),
            ("country", one.country, token.country),
        ]
        for pair in pairs where !(pair.entry?.utf8.elementsEqual(pair.token.utf8) ?? false) {
            throw Contradiction(
                says: "\(pair.name) of \(place) is \(pair.entry.map(quoted) ?? "null")",
                follows: "the token says \(quoted(pair.token))")
        }
    }

    private mutating func compareReference(
        _ one: AuthorizationEntry, _ token: VerifiedToken, _ place: String, _ entry: DecisionEntry, _ reveal: Reveal
    ) throws(Contradiction) {
        guard let reference = one.reference, let store = entry.store else {
            throw Contradiction(says: "reference of \(place) is null", follows: "the token has one")
        }
        let isOfToken = reveal.isPseudonym(
            reference, of: Array(token.reference.utf8), "reference", bucket: store.text)
        switch isOfToken {
        case true?: break
        case nil: doubts.insert(.referenceHidden)
        case false?:
            throw Contradiction(
                says: "reference of \(place) is \(reference)",
                follows: "that is not the pseudonym of the token's reference\(reveal.doubt(reference))")
        }
    }
}

extension JudgedAuthorization.Outcome {
    /// Is it the outcome of a token whose signature verified?
    var isOfVerified: Bool {
        switch self {
        case .malformed, .untrusted: false
        case .granted, .wrongAudience, .wrongBearer, .notYetValid, .expired, .revoked, .outOfScope: true
        }
    }
}

extension MailboxPattern {
    /// The mailbox, or the beginning that a prefix names.
    var name: [UInt8] {
        switch self {
        case .exact(let name): name
        case .prefix(let beginning): beginning
        }
    }
}
