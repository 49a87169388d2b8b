/// A name of one kind: 1 to 128 bytes of `[A-Za-z0-9._@+-]`, so that comparing two of them as Swift strings
/// is comparing bytes (no Unicode equivalence can make two names one).
package struct Name<Kind>: Hashable, Comparable, Sendable {
    package let text: String

    /// Parses a name; nil when it is empty, longer than 128 bytes or holds another byte.
    package init?(_ text: String) {
        guard (1...128).contains(text.utf8.count), text.utf8.allSatisfy(Self.isAllowed) else { return nil }
        self.text = text
    }

    fileprivate init(unchecked text: String) { self.text = text }

    package static func < (left: Name, right: Name) -> Bool {
        left.text.utf8.lexicographicallyPrecedes(right.text.utf8)
    }

    private static func isAllowed(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "@"),
            UInt8(ascii: "+"), UInt8(ascii: "-"):
            true
        default: false
        }
    }
}

extension Name: CustomStringConvertible {
    package var description: String { text }
}

/// What a `DatacenterName` names.
package enum DatacenterKind {}
/// What a `PrincipalName` names.
package enum PrincipalKind {}
/// What a `GatewayName` names.
package enum GatewayKind {}
/// What a `BucketName` names.
package enum BucketKind {}

package typealias DatacenterName = Name<DatacenterKind>
package typealias PrincipalName = Name<PrincipalKind>
package typealias GatewayName = Name<GatewayKind>
package typealias BucketName = Name<BucketKind>

extension BucketName {
    /// S3's rule for bucket names: 3 to 63 of `[a-z0-9.-]`, beginning and ending with a letter or digit.
    package init?(bucket name: Span<UInt8>) {
        func isAlphanumeric(_ byte: UInt8) -> Bool { byte &- 0x61 < 26 || byte &- 0x30 < 10 }
        guard (3...63).contains(name.count), isAlphanumeric(name[0]), isAlphanumeric(name[name.count - 1]) else {
            return nil
        }
        for index in name.indices {
            let byte = name[index]
            guard isAlphanumeric(byte) || byte == UInt8(ascii: ".") || byte == UInt8(ascii: "-") else { return nil }
        }
        // All of them bytes that a name may have.
        guard let text = try? UTF8Span(validating: name) else { return nil }
        self.init(unchecked: String(copying: text))
    }
}

/// Whose object it is: the bytes that a store's mailbox rule takes from a key. Compared as bytes.
package struct Mailbox: Hashable, Sendable {
    package let utf8: [UInt8]

    package init(utf8: [UInt8]) { self.utf8 = utf8 }
}

/// A datacenter and the one jurisdiction it lies in.
package struct Place: Hashable, Sendable {
    package let datacenter: DatacenterName
    package let jurisdiction: Jurisdiction

    package init(datacenter: DatacenterName, jurisdiction: Jurisdiction) {
        self.datacenter = datacenter
        self.jurisdiction = jurisdiction
    }

    package static func == (left: Place, right: Place) -> Bool {
        left.jurisdiction == right.jurisdiction && left.datacenter.text == right.datacenter.text
    }
}
