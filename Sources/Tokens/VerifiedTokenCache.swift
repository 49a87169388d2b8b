internal import Glibc
package import OpenSSL
package import Residency

/// A presented token and what its bytes are. Handed on by reference from one phase of a request to the next.
package final class ReviewedToken: Sendable {
    /// Over the token's text.
    package let sha256: SHA256Digest
    package let outcome: TokenOutcome

    init(sha256: SHA256Digest, outcome: TokenOutcome) {
        self.sha256 = sha256
        self.outcome = outcome
    }

    /// Looks at a token now, and remembers nothing.
    package convenience init(reviewing token: [UInt8], by verifier: TokenVerifier) {
        let sha256 = SHA256Digest(hashing: token)
        self.init(sha256: sha256, outcome: verifier.verify(token, sha256: sha256))
    }

    /// As the rule takes it, with revocation as it stands at that time.
    package func authorization(at time: Timestamp) -> PresentedAuthorization {
        switch outcome {
        case .malformed: .malformed
        case .untrusted: .untrusted
        case .verified(let token): token.authorization(at: time)
        }
    }

    /// The verified token; nil when it is none.
    package var token: VerifiedToken? { if case .verified(let token) = outcome { token } else { nil } }
}

/// Tokens that were judged already, under their full SHA-256: a signature costs 26 µs, a look here less than one.
///
/// Belongs to one settings snapshot and dies with it, and to one event loop, so that it needs no lock. An outcome depends on the
/// bytes and the snapshot alone, so refusals may be kept as well; they have room of their own, lest a flood of bad tokens push
/// out the good ones. A token that verified is on trial first, in one of few slots: it is kept when it is shown again there, or again
/// after that. One that is shown once is let go while the processor still has it in its caches.
package final class VerifiedTokenCache {
    package private(set) var hits: UInt64 = 0
    package private(set) var misses: UInt64 = 0
    private var verified: Places
    private var refused: Places
    /// Verified once, by the digest: each has one slot, which the next one takes from it.
    private var onTrial: [ReviewedToken?]
    private var doorkeeper: Doorkeeper
    private let headers = KnownHeaders()
    /// The last ones that were shown again, by their bytes, which a hash says less quickly.
    private var recent: [Recent?]

    private struct Recent {
        let token: [UInt8]
        let reviewed: ReviewedToken
    }

    private static let recentCount = 256

    /// Verified tokens kept for each refusal kept.
    private static let refusedDivisor = 8
    /// And for each token on trial.
    private static let onTrialDivisor = 64

    /// - Parameter entriesMax: Verified tokens kept at most, a power of two; an eighth as many refusals are kept beside them, and a sixty-fourth
    ///   as many tokens are on trial.
    package init(entriesMax: Int) {
        verified = Places(placesMax: entriesMax)
        refused = Places(placesMax: max(2, entriesMax / Self.refusedDivisor))
        onTrial = Array(repeating: nil, count: max(1, entriesMax / Self.onTrialDivisor))
        doorkeeper = Doorkeeper(count: 2 * entriesMax)
        recent = Array(repeating: nil, count: Self.recentCount)
    }

    /// The outcome of a token, from memory or by verifying it now. The verifier is the same at every call.
    package func review(_ token: [UInt8], by verifier: TokenVerifier) -> ReviewedToken {
        let place = Self.place(of: token)
        if let last = recent[place], Self.areEqual(last.token, token) {
            hits += 1
            return last.reviewed
        }
        let sha256 = SHA256Digest(hashing: token)
        if let reviewed = find(sha256) {
            hits += 1
            if reviewed.token != nil {
                // Nobody looked for it in the table while it was here: it was used all the same.
                if let last = recent[place] { verified.keep(last.reviewed) }
                recent[place] = Recent(token: token, reviewed: reviewed)
            }
            return reviewed
        }
        misses += 1
        let reviewed = ReviewedToken(sha256: sha256, outcome: verifier.verify(token, sha256: sha256, known: headers))
        keep(reviewed)
        return reviewed
    }

    /// By the last bytes, which are the signature's. Only what verified is kept there: whoever wants two tokens to meet in one place must
    /// have them signed, and then each costs the other a hash.
    private static func place(of token: [UInt8]) -> Int {
        var mixed: UInt64 = 0
        for byte in token.suffix(8) { mixed = (mixed ^ UInt64(byte)) &* 0x9E37_79B9_7F4A_7C15 }
        return Int(mixed >> 56) & (recentCount - 1)
    }

    private static func areEqual(_ one: [UInt8], _ other: [UInt8]) -> Bool {
        one.count == other.count && (unsafe memcmp(one, other, one.count)) == 0
    }

    private func find(_ sha256: SHA256Digest) -> ReviewedToken? {
        if let reviewed = verified.find(sha256) ?? refused.find(sha256) { return reviewed }
        let slot = trialSlot(of: sha256)
        guard let reviewed = onTrial[slot], reviewed.sha256 == sha256 else { return nil }
        onTrial[slot] = nil
        verified.keep(reviewed)
        return reviewed
    }

    private func keep(_ reviewed: ReviewedToken) {
        switch reviewed.outcome {
        case .malformed, .untrusted: refused.keep(reviewed)
        case .verified:
            if doorkeeper.isKnown(reviewed.sha256.slotHash) { return verified.keep(reviewed) }
            onTrial[trialSlot(of: reviewed.sha256)] = reviewed
        }
    }

    private func trialSlot(of sha256: SHA256Digest) -> Int {
        Int(truncatingIfNeeded: sha256.slotHash) & (onTrial.count - 1)
    }

    /// How many outcomes are kept now.
    package var count: Int { verified.count + refused.count + onTrial.count { $0 != nil } }
}

/// As many outcomes as it has places for. One that comes when all are taken takes the place of the next in turn that was not used
/// since its last turn (second chance): one leaves for one that comes, so that no request waits for thousands to be freed.
private struct Places {
    private let placesMax: Int
    private var places: [(reviewed: ReviewedToken, isUsed: Bool)] = []
    private var numbers: [SHA256Digest: Int] = [:]
    private var next = 0

    init(placesMax: Int) { self.placesMax = max(1, placesMax) }

    var count: Int { places.count }

    mutating func find(_ key: SHA256Digest) -> ReviewedToken? {
        guard let number = numbers[key] else { return nil }
        places[number].isUsed = true
        return places[number].reviewed
    }

    mutating func keep(_ reviewed: ReviewedToken) {
        if let number = numbers[reviewed.sha256] {
            places[number].isUsed = true
            return
        }
        guard places.count >= placesMax else {
            numbers[reviewed.sha256] = places.count
            return places.append((reviewed, false))
        }
        while places[next].isUsed {
            places[next].isUsed = false
            next = (next + 1) % placesMax
        }
        numbers.removeValue(forKey: places[next].reviewed.sha256)
        numbers[reviewed.sha256] = next
        places[next] = (reviewed, false)
        next = (next + 1) % placesMax
    }
}
