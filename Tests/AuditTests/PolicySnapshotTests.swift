import JSON
import Residency
import Testing
import Tokens

@testable import Settings

/// A snapshot read back says what was written.
@Suite struct PolicySnapshotTests {
    @Test(arguments: ["network", "off"]) func everySettingIsReadBack(location: String) throws {
        let bureau = try Bureau(location: location)
        let live = bureau.settings
        let read = try PolicySnapshot(parsing: live.policy)
        #expect(read.gateway == live.gateway.name)
        #expect(read.place == live.place)
        #expect(read.considersLocation == live.gateway.considersLocation)
        #expect(read.clientAuthorities == live.tls.clientAuthorities)
        #expect(read.revocationLists == live.tls.revocationLists)
        #expect(read.revocationLists == [[0xFF, 0x00, 0x80]])
        #expect(read.requiresClientCertificate == live.tls.requiresClientCertificate)
        #expect(read.datacenters.map(\.place) == live.datacenters.map(\.place))
        #expect(read.datacenters.map(\.networks) == live.datacenters.map(\.networks))
        #expect(read.datacenters.map(\.sealKeys) == live.datacenters.map { $0.sealKeys.map(\.id) })
        #expect(read.datacenters.map(\.pseudonymKeys) == live.datacenters.map { $0.pseudonymKeys.map(\.id) })
        #expect(read.areas == live.areas)
        #expect(read.stores.map(\.bucket) == live.stores.map(\.bucket))
        #expect(read.stores.map(\.policy) == live.stores.map(\.policy))
        #expect(read.stores.map(\.driver) == live.stores.map(\.driver))
        #expect(read.stores.map(\.mailbox) == live.stores.map(\.mailbox))
        #expect(read.stores.map(\.verifiesContent) == live.stores.map(\.verifiesContent))
        #expect(read.principals.map(\.name) == live.principals.map(\.name))
        #expect(read.principals.map(\.office) == live.principals.map(\.office))
        #expect(read.principals.map(\.certificate) == live.principals.map(\.certificate))
        #expect(read.principals.map(\.roles) == live.principals.map(\.roles))
        #expect(read.principals.map(\.stores) == live.principals.map(\.stores))
        #expect(read.principals.map(\.requestsPerSecondMax) == live.principals.map(\.requestsPerSecondMax))
        for text in ["10.10.0.1", "10.20.255.255", "10.40.0.0", "2001:db8:1::5", "::ffff:10.30.0.9", "0.0.0.0"] {
            let address = try #require(Address(text))
            #expect(read.networks.value(of: address) == live.networks.value(of: address))
        }
        #expect(read.issuerList.map(\.id) == ["https://ie.example", "https://us.example"])
        for issuer in read.issuerList { try compare(issuer, try #require(live.issuers[JSONString(issuer.id)])) }
    }

    private func compare(_ read: Issuer, _ live: Issuer) throws {
        #expect(read.jurisdictions == live.jurisdictions)
        #expect(read.keys.keyIDs == live.keys.keyIDs)
        #expect(read.lifetimeHoursMax == live.lifetimeHoursMax)
        #expect(read.allowsPrefixes == live.allowsPrefixes)
        #expect(read.denied == live.denied)
        #expect(read.instruments.all.map(\.name) == live.instruments.all.map(\.name))
        #expect(read.instruments.all.map(\.data) == live.instruments.all.map(\.data))
        #expect(read.revocations?.issuedAtSeconds == live.revocations?.issuedAtSeconds)
        #expect(read.revocations?.expiresSeconds == live.revocations?.expiresSeconds)
        #expect(read.revocations?.count == live.revocations?.count)
        for id in ["denied", "revoked", "other"] {
            for seconds in [Bureau.now, Bureau.now + 99_999, Bureau.now + 100_000] {
                let time = Timestamp(seconds: seconds)
                #expect(read.isRevoked(JSONString(id), at: time) == live.isRevoked(JSONString(id), at: time))
            }
        }
    }

    /// Every member left out, changed in type, or doubled is refused, and so is every other way to write the same.
    @Test func anythingElseIsRefused() throws {
        let text = String(decoding: Bureau.shared.settings.policy, as: UTF8.self)
        func refuses(_ changed: String) -> Bool {
            (try? PolicySnapshot(parsing: Array(changed.utf8))) == nil
        }
        #expect(!refuses(text))
        let changes = [
            ("{\"v\":1,", "{\"v\":2,"), ("{\"v\":1,", "{"), ("{\"v\":1,", "{\"w\":0,\"v\":1,"),
            ("{\"v\":1", "{ \"v\":1"),
            ("\"location\":\"network\"", "\"location\":\"on\""), ("\"prefixes\":true", "\"prefixes\":1"),
            ("\"prefixes\":true,", ""), ("\"driver\":\"directory\"", "\"driver\":\"tape\""),
            ("\"untagged\":\"refuse\"", "\"untagged\":\"ignore\""), ("\"roles\":[\"reader\"]", "\"roles\":[\"root\"]"),
            ("\"datacenter\":\"iad1\"", "\"datacenter\":\"nowhere\""), ("\"10.20.0.0/16\"", "\"10.10.0.0/17\""),
            ("\"10.20.0.0/16\"", "\"10.20.0.1/16\""), ("\"name\":\"support\"", "\"name\":\"operator\""),
            ("\"bucket\":\"mail-any\"", "\"bucket\":\"mail-refuse\""), ("\"traffic\"", "\"everything\""),
            ("\"lifetime_max_hours\":24", "\"lifetime_max_hours\":24.0"),
            ("\"lifetime_max_hours\":24", "\"lifetime_max_hours\":-1"),
            ("us.example", "ie.example"), ("\"jurisdiction\":\"US\"", "\"jurisdiction\":\"us\""),
            ("mail-any", "mail\\u002dany"),
        ]
        for (old, new) in changes {
            #expect(text.contains(old), "\(old)")
            #expect(refuses(text.replacing(old, with: new, maxReplacements: 1)), "\(old) → \(new)")
        }
        for cut in stride(from: 0, to: text.utf8.count, by: 97) { #expect(refuses(String(text.utf8.prefix(cut))!)) }
    }
}
