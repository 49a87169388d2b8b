package import Residency

/// What a caller is told of a refusal: one place for all of them.
package struct Refusal: Hashable, Sendable {
    package let code: S3ErrorCode
    package let message: String

    /// - Parameters:
    ///   - isUnknownBucket: the bucket is not the caller's, configured or not: it does not exist for it.
    ///   - detail: what the request's own error said, for `bad-request` and `unsupported`.
    package init(
        _ reason: Reason, jurisdiction: Jurisdiction?, datacenter: DatacenterName?, isUnknownBucket: Bool = false,
        error: S3Error? = nil
    ) {
        switch reason {
        case .badRequest: code = error?.code ?? .invalidRequest
        case .unsupported: code = error?.code ?? .notImplemented
        case .notEntitled: code = isUnknownBucket ? .noSuchBucket : .accessDenied
        case .overloaded: code = .slowDown
        case .logUnavailable: code = .serviceUnavailable
        case .domestic, .freeFlow, .authorized, .delivery, .administrative: code = .internalError
        case .unauthenticated, .authorizationRequired, .authorizationMalformed, .authorizationUntrusted,
            .authorizationWrongAudience, .authorizationWrongBearer, .authorizationNotYetValid, .authorizationExpired,
            .authorizationRevoked, .authorizationOutOfScope, .foreignWrite, .foreignOverwrite, .foreignDelete,
            .untagged,
            .tagInvalid:
            code = .accessDenied
        }
        let place = jurisdiction.map { "\($0)" } ?? "the object's jurisdiction"
        let center = datacenter.map { "datacenter \($0)" } ?? "its datacenter"
        message =
            error?.message
            ?? Self.words(reason, place: place, center: center, isUnknownBucket: isUnknownBucket)
    }

    private static func words(_ reason: Reason, place: String, center: String, isUnknownBucket: Bool) -> String {
        switch reason {
        case .authorizationRequired:
            "This read crosses the border of \(place) (\(center)). Ask the legal desk of \(place) for an authorization and present it in "
                + "x-bailiwick-authorization or as the S3 session token."
        case .authorizationMalformed:
            "The authorization is not of the form of one. Present the token exactly as it was issued."
        case .authorizationUntrusted:
            "The authorization is of no issuer, key or signature that this gateway trusts. Ask the operator of \(center) which issuers of \(place) are configured."
        case .authorizationWrongAudience:
            "The authorization is for other gateways. Ask its issuer to name this gateway or \(center)."
        case .authorizationWrongBearer: "The authorization was issued to another principal or certificate."
        case .authorizationNotYetValid: "The authorization is not valid yet."
        case .authorizationExpired: "The authorization has expired. Ask its issuer for a new one."
        case .authorizationRevoked: "The authorization was revoked. Ask its issuer."
        case .authorizationOutOfScope:
            "The authorization does not grant this read. Ask the legal desk of \(place) what it opens, or see `bailiwick token inspect`."
        case .unauthenticated: "The certificate names no principal of this gateway. Ask its operator."
        case .notEntitled:
            isUnknownBucket
                ? S3ErrorCode.noSuchBucket.message
                : "The principal has no role for this operation. Ask the operator of \(center)."
        case .foreignWrite: "This store takes no writes from outside \(place)."
        case .foreignOverwrite: "From outside \(place) objects can be created, not replaced."
        case .foreignDelete: "From outside \(place) nothing can be deleted here."
        case .untagged: "The object has no residency tag. Ask the operator of \(center) to have it resealed."
        case .tagInvalid:
            "The object's residency tag does not verify. Ask the operator of \(center) to find out why and to have it resealed."
        case .overloaded: "Too many requests. Retry later."
        case .logUnavailable: "Decisions cannot be recorded, so nothing is served. Ask the operator of \(center)."
        case .badRequest: S3ErrorCode.invalidRequest.message
        case .unsupported: S3ErrorCode.notImplemented.message
        case .domestic, .freeFlow, .authorized, .delivery, .administrative: S3ErrorCode.internalError.message
        }
    }
}
