/// Why a decision is what it is: the closed set of DESIGN section 3, the same on the wire, in the log, in metrics and
/// in the manual.
package enum Reason: String, Hashable, Sendable, CaseIterable {
    case domestic
    case freeFlow = "free-flow"
    case authorized
    case delivery
    case administrative

    case badRequest = "bad-request"
    case unauthenticated
    case notEntitled = "not-entitled"
    case authorizationRequired = "authorization-required"
    case authorizationMalformed = "authorization-malformed"
    case authorizationUntrusted = "authorization-untrusted"
    case authorizationWrongAudience = "authorization-wrong-audience"
    case authorizationWrongBearer = "authorization-wrong-bearer"
    case authorizationNotYetValid = "authorization-not-yet-valid"
    case authorizationExpired = "authorization-expired"
    case authorizationRevoked = "authorization-revoked"
    case authorizationOutOfScope = "authorization-out-of-scope"
    case foreignWrite = "foreign-write"
    case foreignOverwrite = "foreign-overwrite"
    case foreignDelete = "foreign-delete"
    case untagged
    case tagInvalid = "tag-invalid"
    case unsupported
    case overloaded
    case logUnavailable = "log-unavailable"

    /// True for the five reasons with which something is allowed.
    package var allows: Bool {
        switch self {
        case .domestic, .freeFlow, .authorized, .delivery, .administrative: true
        case .badRequest, .unauthenticated, .notEntitled, .authorizationRequired, .authorizationMalformed,
            .authorizationUntrusted, .authorizationWrongAudience, .authorizationWrongBearer, .authorizationNotYetValid,
            .authorizationExpired, .authorizationRevoked, .authorizationOutOfScope, .foreignWrite, .foreignOverwrite,
            .foreignDelete, .untagged, .tagInvalid, .unsupported, .overloaded, .logUnavailable:
            false
        }
    }
}

extension Reason {
    /// The raw value, as it is written into entries: two stores.
    package var literal: StaticString {
        switch self {
        case .domestic: "domestic"
        case .freeFlow: "free-flow"
        case .authorized: "authorized"
        case .delivery: "delivery"
        case .administrative: "administrative"
        case .badRequest: "bad-request"
        case .unauthenticated: "unauthenticated"
        case .notEntitled: "not-entitled"
        case .authorizationRequired: "authorization-required"
        case .authorizationMalformed: "authorization-malformed"
        case .authorizationUntrusted: "authorization-untrusted"
        case .authorizationWrongAudience: "authorization-wrong-audience"
        case .authorizationWrongBearer: "authorization-wrong-bearer"
        case .authorizationNotYetValid: "authorization-not-yet-valid"
        case .authorizationExpired: "authorization-expired"
        case .authorizationRevoked: "authorization-revoked"
        case .authorizationOutOfScope: "authorization-out-of-scope"
        case .foreignWrite: "foreign-write"
        case .foreignOverwrite: "foreign-overwrite"
        case .foreignDelete: "foreign-delete"
        case .untagged: "untagged"
        case .tagInvalid: "tag-invalid"
        case .unsupported: "unsupported"
        case .overloaded: "overloaded"
        case .logUnavailable: "log-unavailable"
        }
    }
}
