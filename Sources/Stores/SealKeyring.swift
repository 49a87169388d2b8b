package import OpenSSL
package import Residency

/// What a `SealKeyID` names.
package enum SealKeyKind {}
package typealias SealKeyID = Name<SealKeyKind>

/// One key that seals residency tags of a datacenter.
package struct SealKey: Sendable {
    package let id: SealKeyID
    package let key: HMACKey

    package init(id: SealKeyID, key: HMACKey) {
        self.id = id
        self.key = key
    }
}

/// The seal keys that a gateway holds, by datacenter: the first of a datacenter seals, all verify (DESIGN section 4).
package struct SealKeyring: Sendable {
    struct Entry: Sendable {
        let datacenter: [UInt8]
        let jurisdiction: [UInt8]
        let id: [UInt8]
        let place: Place
        let key: HMACKey
    }

    /// In the order of the settings. A handful: comparing bytes one after the other is quicker than making a String to hash.
    private let entries: [Entry]

    package init(_ datacenters: [(place: Place, keys: [SealKey])]) {
        entries = datacenters.flatMap { datacenter in
            datacenter.keys.map { key in
                Entry(
                    datacenter: Array(datacenter.place.datacenter.text.utf8),
                    jurisdiction: datacenter.place.jurisdiction.utf8, id: Array(key.id.text.utf8),
                    place: datacenter.place, key: key.key)
            }
        }
    }

    /// The key that seals for a datacenter.
    func sealing(_ datacenter: DatacenterName) -> Entry? { entries.first { $0.place.datacenter == datacenter } }

    /// The key that a tag names.
    func verifying(datacenter: Span<UInt8>, id: Span<UInt8>) -> Entry? {
        for entry in entries where isEqual(entry.id.span, id) && isEqual(entry.datacenter.span, datacenter) {
            return entry
        }
        return nil
    }
}

/// Do both hold the same bytes? For what is no secret.
func isEqual(_ left: borrowing Span<UInt8>, _ right: borrowing Span<UInt8>) -> Bool {
    guard left.count == right.count else { return false }
    for index in left.indices where left[index] != right[index] { return false }
    return true
}
