internal import JSON
internal import OpenSSL
internal import Residency
internal import Tokens

/// Writes a snapshot as canonical JSON: fixed order, no white space, everything that a decision depends on, and no secret. Seal and
/// pseudonym keys are named by their ids.
enum PolicyWriter {
    static func write(
        gateway: GatewaySettings, tls: TLSSettings, datacenters: [DatacenterSettings], areas: [Area],
        stores: [StoreSettings],
        issuers: [LoadedIssuer], principals: [PrincipalSettings]
    ) -> [UInt8] {
        let value = object([
            ("v", .integer(1)),
            (
                "gateway",
                object([
                    ("name", string(gateway.name.text)), ("datacenter", string(gateway.place.datacenter.text)),
                    ("location", string(gateway.considersLocation ? "network" : "off")),
                ])
            ),
            ("client_authorities", text(tls.clientAuthorities)),
            ("revocation_lists", .array(tls.revocationLists.map(text))),
            ("client_certificates", string(tls.requiresClientCertificate ? "required" : "optional")),
            (
                "datacenters",
                .array(
                    datacenters.map { datacenter in
                        object([
                            ("name", string(datacenter.place.datacenter.text)),
                            ("jurisdiction", string(datacenter.place.jurisdiction.code)),
                            ("networks", strings(datacenter.networks.map(\.description))),
                            ("seal_keys", strings(datacenter.sealKeys.map(\.id))),
                            ("pseudonym_keys", strings(datacenter.pseudonymKeys.map(\.id))),
                        ])
                    })
            ),
            (
                "areas",
                .array(
                    areas.map { area in
                        object([
                            ("name", string(area.name)),
                            ("jurisdictions", strings(area.jurisdictions.sorted().map(\.code))),
                        ])
                    })
            ),
            ("stores", .array(stores.map(store))),
            ("issuers", .array(issuers.map(issuer))),
            ("principals", .array(principals.map(principal))),
        ])
        var bytes: [UInt8] = []
        value.append(to: &bytes)
        return bytes
    }

    private static func store(_ store: StoreSettings) -> JSONValue {
        object([
            ("bucket", string(store.bucket.text)), ("datacenter", string(store.policy.place.datacenter.text)),
            ("driver", string(store.driver.rawValue)), ("mailbox", string(store.mailbox)),
            ("untagged", string(store.policy.untagged.rawValue)),
            ("foreign_writes", string(store.policy.foreignWrites.rawValue)),
            ("verify_content", .bool(store.verifiesContent)),
        ])
    }

    private static func issuer(_ loaded: LoadedIssuer) -> JSONValue {
        object([
            ("id", string(loaded.issuer.id)),
            ("jurisdictions", strings(loaded.issuer.jurisdictions.sorted().map(\.code))),
            ("keys", text(loaded.keySet)), ("revocations", loaded.revocations.map(text) ?? .null),
            ("deny_list", loaded.denyList.map(text) ?? .null),
            ("lifetime_max_hours", .integer(loaded.issuer.lifetimeHoursMax)),
            ("prefixes", .bool(loaded.issuer.allowsPrefixes)),
            // The defaults are written out: what they are is this version's business, and an auditor may run another.
            (
                "instruments",
                object(loaded.issuer.instruments.all.map { ($0.name.text, strings(names(of: $0.data))) })
            ),
        ])
    }

    private static func principal(_ principal: PrincipalSettings) -> JSONValue {
        let certificate: JSONValue
        switch principal.certificate {
        case .uri(let uri): certificate = object([("uri", string(uri))])
        case .sha256(let bytes): certificate = object([("sha256", string(Hex.encode(bytes)))])
        case .commonName(let name): certificate = object([("common_name", string(name))])
        }
        return object([
            ("name", string(principal.name.text)), ("datacenter", string(principal.office.datacenter.text)),
            ("certificate", certificate),
            ("roles", strings(principal.roles.map(\.rawValue).sorted())),
            ("stores", strings(principal.stores.map(\.text).sorted())),
            ("requests_per_second_max", .integer(Int64(principal.requestsPerSecondMax))),
        ])
    }

    private static func names(of data: DataClasses) -> [String] {
        [("traffic", DataClasses.traffic), ("content", .content), ("relocate", .relocate)].filter {
            data.contains($0.1)
        }.map(\.0)
    }

    private static func object(_ members: [(String, JSONValue)]) -> JSONValue {
        .object(JSONObject(members: members.map { (name: JSONString($0.0), value: $0.1) }))
    }

    private static func string(_ text: String) -> JSONValue { .string(JSONString(text)) }
    private static func strings(_ texts: [String]) -> JSONValue { .array(texts.map(string)) }

    /// A file's bytes: as text where they are that, else as base64 of it.
    private static func text(_ bytes: [UInt8]) -> JSONValue {
        String(validating: bytes, as: UTF8.self) == nil
            ? string("base64:" + Base64.standard.encode(bytes)) : .string(JSONString(utf8: bytes))
    }
}
