package import JSON
package import Residency
package import Tokens

/// The settings snapshot that an entry's `policy` names, read back from its canonical bytes: all that a decision depended on,
/// for whoever decides it again (DESIGN section 7).
///
/// `PolicyWriter` writes it; `init(parsing:)` is in `PolicySnapshot+Reading.swift`.
package struct PolicySnapshot: Sendable {
    package struct Datacenter: Hashable, Sendable {
        package let place: Place
        package let networks: [Network]
        /// Ids; the first seals, all verify.
        package let sealKeys: [String]
        /// Ids; the first makes pseudonyms.
        package let pseudonymKeys: [String]
    }

    package struct Store: Hashable, Sendable {
        package let bucket: BucketName
        package let policy: StorePolicy
        package let driver: StoreSettings.Driver
        /// The store's mailbox rule, as it stands in the settings.
        package let mailbox: String
        package let verifiesContent: Bool
    }

    package let gateway: GatewayName
    package let place: Place
    /// `location = "network"`; otherwise the network is not looked at.
    package let considersLocation: Bool
    package let clientAuthorities: [UInt8]
    package let revocationLists: [[UInt8]]
    package let requiresClientCertificate: Bool
    package let datacenters: [Datacenter]
    package let areas: [Area]
    package let stores: [Store]
    /// The longest that is read.
    static let bytesMax = 256 << 20

    /// In the snapshot's order.
    package let issuerList: [Issuer]
    package let issuers: IssuerRegistry
    package let principals: [PrincipalSettings]
    /// Which datacenter an address lies in.
    package let networks: NetworkTable<Place>

    /// The network that an address is in, as the rule takes it.
    package func location(of address: Address) -> Location {
        guard considersLocation else { return .notConsidered }
        return networks.value(of: address).map { .datacenter($0) } ?? .nowhere
    }

    package func principal(_ name: PrincipalName) -> PrincipalSettings? { principals.first { $0.name == name } }

    package func store(_ bucket: BucketName) -> Store? { stores.first { $0.bucket == bucket } }

    package func datacenter(_ name: DatacenterName) -> Datacenter? {
        datacenters.first { $0.place.datacenter == name }
    }
}

/// Why bytes are no settings snapshot.
package enum PolicyError: Error, Hashable, Sendable, CustomStringConvertible {
    case json(JSONError)
    /// Read and written again, it is not the same bytes: two readers could see two things in it.
    case notCanonical
    /// What is expected, and where: `stores[0].driver`.
    case member(String, expected: String)

    package var description: String {
        switch self {
        case .json(let error): "is not strict JSON: \(error)"
        case .notCanonical: "is not in canonical form"
        case .member(let path, let expected): "\(path.isEmpty ? "the whole" : path): expected \(expected)"
        }
    }
}
