/// Bounds on authorizations (DESIGN section 5) and on the files that decide about them.
package enum TokenLimits {
    package static let tokenBytesMax = 8192
    /// How deep objects and arrays nest, in the header and in the payload.
    package static let nestingMax = 8
    package static let elementsMax = 32
    /// Of `kid`, `jti`, `sub`, each audience and the authority's name. With escapes, what the log keeps of four tokens stays
    /// within one entry.
    package static let identifierBytesMax = 256
    package static let instrumentBytesMax = 64
    package static let referenceBytesMax = 512
    package static let keysMax = 64
    package static let keySetBytesMax = 1 << 20
    package static let revocationsBytesMax = 16 << 20
    package static let denyListBytesMax = 16 << 20
    /// How far ahead of the clock a revocation list's `iat` may be: room for clocks that are wrong, none for milliseconds.
    package static let revocationsAheadSecondsMax: Int64 = 86_400
    /// What an `emergency` may last at most, whatever its issuer's lifetime.
    package static let emergencyHoursMax: Int64 = 48
    package static let lifetimeHoursDefault: Int64 = 168
}
