internal import JSON
package import OpenSSL
package import Residency

/// One decision, as the log keeps it: DESIGN section 7, in its order of fields. Text is UTF-8; absent values are `null`.
package struct DecisionEntry: Sendable {
    package var time: Timestamp
    package var gateway: GatewayName
    package var request: String
    package var reason: Reason
    package var operation: Operation
    package var access: Access
    /// The caller put a condition on an entity tag: `data` says so (`EntryData`).
    package var hasEntityTagCondition = false
    package var principal: PrincipalName?
    /// Datacenter names.
    package var office: DatacenterName?
    package var location: DatacenterName?
    /// Without port.
    package var address: String
    /// SHA-256 of the caller's certificate, 32 bytes.
    package var certificate: [UInt8]?
    package var store: BucketName?
    /// Pseudonyms, `KEYID:` and base64url.
    package var mailbox: String?
    package var object: String?
    package var prefix: String?
    /// What was located.
    package var size: Int64?
    package var etag: String?
    package var datacenter: DatacenterName?
    package var jurisdiction: Jurisdiction?
    package var receivedSeconds: Int64?
    package var crossed: [Jurisdiction] = []
    package var isMisplaced = false
    package var authorizations: [AuthorizationEntry] = []
    /// Lower-case hexadecimal SHA-256 of the settings snapshot.
    package var policy: String

    /// The longest entry that a bundle can hold.
    package static let bytesMax = 65_535

    package init(
        time: Timestamp, gateway: GatewayName, request: String, reason: Reason, operation: Operation, access: Access,
        address: String, policy: String
    ) {
        self.time = time
        self.gateway = gateway
        self.request = request
        self.reason = reason
        self.operation = operation
        self.access = access
        self.address = address
        self.policy = policy
    }

    /// The offset of `time`'s 27 bytes in every entry of this kind.
    package static let timeOffset = 33

    /// Appends the entry's line, without a line end.
    package func append(to line: inout [UInt8]) { append(to: &line, timeText: time.rfc3339Bytes) }

    package func append(to line: inout [UInt8], timeText: InlineArray<27, UInt8>) {
        line.append(addingCapacity: OwnFields.bytesMax) { OwnFields.appendBegin(timeText, to: &$0) }
        EntryPart.appendGateway(gateway, to: &line)
        line.append(utf8: request)
        let data = EntryData(access, hasEntityTagCondition: hasEntityTagCondition)
        line.append(addingCapacity: OwnFields.bytesMax) { OwnFields.append(reason, operation, data, to: &$0) }
        EntryPart.appendCaller(
            principal: principal, office: office, location: location, address: address, certificate: certificate,
            to: &line)
        EntryPart.appendNames(store: store, mailbox: mailbox, object: object, prefix: prefix, to: &line)
        EntryPart.appendFound(
            size: size, etag: etag, datacenter: datacenter, jurisdiction: jurisdiction,
            receivedSeconds: receivedSeconds, to: &line)
        line.append(addingCapacity: OwnFields.bytesMax + crossed.count * OwnFields.crossedBytesMax) {
            OwnFields.append(crossed: crossed.span, isMisplaced: isMisplaced, to: &$0)
        }
        for (index, authorization) in authorizations.enumerated() {
            if index > 0 { line.append(UInt8(ascii: ",")) }
            authorization.append(to: &line)
        }
        EntryPart.appendEnd(policy: policy, to: &line)
    }
}

/// One token that was looked at; its claims only once its signature verified.
package struct AuthorizationEntry: Hashable, Sendable {
    package var sha256: SHA256Digest
    package var outcome: JudgedAuthorization.Outcome
    package var issuer: String?
    package var keyID: String?
    package var tokenID: String?
    package var element: Int?
    package var expiresSeconds: Int64?
    package var instrument: String?
    /// A pseudonym.
    package var reference: String?
    package var requester: String?
    package var country: String?

    package init(sha256: SHA256Digest, outcome: JudgedAuthorization.Outcome) {
        self.sha256 = sha256
        self.outcome = outcome
    }

    func append(to line: inout [UInt8]) {
        line.append(contentsOf: #"{"sha256":"#.utf8)
        line.append("", field: sha256.bytes)
        line.append(#","outcome":"#, field: outcome.rawValue)
        line.append(#","iss":"#, field: issuer)
        line.append(#","kid":"#, field: keyID)
        line.append(#","jti":"#, field: tokenID)
        line.append(#","element":"#, field: element.map(Int64.init))
        line.append(#","exp":"#, field: expiresSeconds)
        line.append(#","instrument":"#, field: instrument)
        line.append(#","reference":"#, field: reference)
        line.append(#","requester":"#, field: requester)
        line.append(#","country":"#, field: country)
        line.append(UInt8(ascii: "}"))
    }
}

/// What became of permitted requests: one entry closes a batch.
package struct CompletionEntry: Sendable {
    package enum Outcome: String, Hashable, Sendable, CaseIterable {
        case whole
        case brokenOff = "broken-off"
        case withdrawn

        /// The raw value.
        var literal: StaticString {
            switch self {
            case .whole: "whole"
            case .brokenOff: "broken-off"
            case .withdrawn: "withdrawn"
            }
        }
    }

    package struct Item: Hashable, Sendable {
        package let index: UInt64
        package let status: Int
        package let bytes: UInt64
        package let outcome: Outcome
        /// Entries that a listing left out; nil for anything else.
        package let excluded: Int?

        package init(index: UInt64, status: Int, bytes: UInt64, outcome: Outcome, excluded: Int? = nil) {
            self.index = index
            self.status = status
            self.bytes = bytes
            self.outcome = outcome
            self.excluded = excluded
        }
    }

    /// Items of one entry: an item is at most 120 bytes.
    package static let itemsMax = 500

    /// Room for an item: the names of its members, four numbers and an outcome.
    private static let itemRoomBytes = 160

    package let gateway: GatewayName
    package let items: [Item]

    package init(gateway: GatewayName, items: [Item]) {
        self.gateway = gateway
        self.items = items
    }

    package func append(to line: inout [UInt8], time: Timestamp) {
        line.append(addingCapacity: 128 + gateway.text.utf8.count + items.count * Self.itemRoomBytes) { line in
            line.append(literal: #"{"kind":"completion","v":1,"time":""#)
            line.append(copying: time.rfc3339Bytes.span)
            // A name needs no escape (`Residency.Name`).
            line.append(literal: #"","gateway":""#)
            line.append(utf8: gateway.text)
            line.append(literal: #"","completed":["#)
            for index in items.indices {
                if index > 0 { line.append(UInt8(ascii: ",")) }
                Self.append(items[index], to: &line)
            }
            line.append(literal: "]}")
        }
    }

    private static func append(_ item: Item, to line: inout OutputSpan<UInt8>) {
        line.append(literal: #"{"index":"#)
        line.append(decimal: item.index)
        line.append(literal: #","status":"#)
        line.append(decimal: UInt64(item.status))
        line.append(literal: #","bytes":"#)
        line.append(decimal: item.bytes)
        line.append(literal: #","outcome":""#)
        line.append(oneOf: item.outcome.literal)
        line.append(UInt8(ascii: "\""))
        if let excluded = item.excluded {
            line.append(literal: #","excluded":"#)
            line.append(decimal: UInt64(excluded))
        }
        line.append(UInt8(ascii: "}"))
    }
}

/// Something that happened to the gateway itself.
package struct EventEntry: Sendable {
    package enum Value: Sendable {
        case text(String)
        case number(Int64)
        case numbers([UInt64])
        case null
    }

    package let gateway: GatewayName
    /// `start`, `stop`, `reload`, `adoption`, `reseal`, `scan`, `renewal`, `operator-refused`, `seal-failure`, `clock-step`, `aggregated-refusals`, …:
    /// docs/FORMATS.md has all of them.
    package let name: String
    package let members: [(name: StaticString, value: Value)]

    /// UTF-8 bytes of a member's text: what is longer ends there. JSON takes six for each at most, so that no event is too long for an
    /// entry, whoever wrote the text.
    package static let textBytesMax = 2000

    package init(gateway: GatewayName, name: String, members: [(name: StaticString, value: Value)] = []) {
        self.gateway = gateway
        self.name = name
        self.members = members
    }

    /// As much of a text as fits, in whole scalars.
    private static func bounded(_ text: String) -> String {
        let utf8 = text.utf8
        guard utf8.count > textBytesMax else { return text }
        var end = utf8.index(utf8.startIndex, offsetBy: textBytesMax)
        while utf8[end] & 0xC0 == 0x80 { utf8.formIndex(before: &end) }
        return String(decoding: utf8[..<end], as: UTF8.self)
    }

    package func append(to line: inout [UInt8], time: Timestamp) {
        line.append(contentsOf: #"{"kind":"event","v":1,"time":""#.utf8)
        time.appendRFC3339(to: &line)
        line.append(contentsOf: #"","gateway":"#.utf8)
        line.append("", field: gateway.text)
        line.append(#","event":"#, field: name)
        for member in members {
            line.append(contentsOf: ",\"\(member.name)\":".utf8)
            switch member.value {
            case .text(let text): JSONText.append(string: Self.bounded(text).utf8, to: &line)
            case .number(let number): JSONText.append(integer: number, to: &line)
            case .numbers(let numbers):
                line.append(UInt8(ascii: "["))
                for (index, number) in numbers.enumerated() {
                    if index > 0 { line.append(UInt8(ascii: ",")) }
                    JSONText.append(integer: number, to: &line)
                }
                line.append(UInt8(ascii: "]"))
            case .null: JSONText.appendNull(to: &line)
            }
        }
        line.append(UInt8(ascii: "}"))
    }
}
