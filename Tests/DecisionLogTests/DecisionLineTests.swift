import OpenSSL
import Residency
import Testing

@testable import DecisionLog

/// The gateway's form of a decision and the one that auditors read give the same line.
@Suite struct DecisionLineTests {
    @Test(arguments: [false, true]) func isTheLineOfTheEntryOfTheSameValues(isBare: Bool) throws {
        let request = RequestID.next()
        var entry = DecisionEntry(
            time: Timestamp(microseconds: 1_800_000_000_123_456), gateway: try #require(GatewayName("dub1-gw1")),
            request: request.text, reason: isBare ? .badRequest : .authorized,
            operation: isBare ? .other : .getObject, access: isBare ? .none : .content, address: "2001:db8::7",
            policy: String(repeating: "ab", count: 32))
        if !isBare {
            entry.principal = PrincipalName("ediscovery")
            (entry.office, entry.location) = (DatacenterName("iad1"), DatacenterName("fra1"))
            entry.certificate = [UInt8](repeating: 0xCE, count: 32)
            entry.store = BucketName("mail-dub1")
            (entry.mailbox, entry.object, entry.prefix) = ("k:mailbox", "k:object", "k:prefix")
            (entry.size, entry.etag) = (4096, "quote\"d")
            (entry.datacenter, entry.jurisdiction) = (DatacenterName("dub1"), Jurisdiction("IE"))
            entry.receivedSeconds = 1_770_000_000
            entry.crossed = [try #require(Jurisdiction("IE")), try #require(Jurisdiction("US-CA"))]
            entry.isMisplaced = true
            entry.authorizations = [.granted, .malformed].map {
                AuthorizationEntry(sha256: SHA256Digest(hashing: [1]), outcome: $0)
            }
        }
        var (fromEntry, fromParts): ([UInt8], [UInt8]) = ([], [])
        entry.append(to: &fromEntry)
        DecisionLine.append(
            at: entry.time.rfc3339Bytes, gateway: .gateway(entry.gateway), request: request, reason: entry.reason,
            operation: entry.operation, data: EntryData(entry.access, hasEntityTagCondition: false),
            caller: .caller(
                principal: entry.principal, office: entry.office, location: entry.location, address: entry.address,
                certificate: entry.certificate),
            names: .names(store: entry.store, mailbox: entry.mailbox, object: entry.object, prefix: entry.prefix),
            found: .found(
                size: entry.size, etag: entry.etag, datacenter: entry.datacenter, jurisdiction: entry.jurisdiction,
                receivedSeconds: entry.receivedSeconds),
            crossed: entry.crossed, isMisplaced: entry.isMisplaced,
            authorizations: entry.authorizations.map { .authorization($0) }, end: .end(policy: entry.policy),
            to: &fromParts)
        #expect(String(decoding: fromParts, as: UTF8.self) == String(decoding: fromEntry, as: UTF8.self))
    }

    /// Each word is written out twice: for who reads entries, and for who writes them.
    @Test func everyWordOfAnEntryIsItsRawValue() {
        for reason in Reason.allCases { #expect("\(reason.literal)" == reason.rawValue) }
        for operation in Operation.allCases { #expect("\(operation.literal)" == operation.rawValue) }
        for data in EntryData.allCases { #expect("\(data.literal)" == data.rawValue) }
        for outcome in CompletionEntry.Outcome.allCases { #expect("\(outcome.literal)" == outcome.rawValue) }
    }
}
