internal import JSON
internal import OpenSSL
package import Residency

/// A run of an entry's fields, as the line has it, that many entries have in common: made once, it costs each of them a copy. In the order
/// of DESIGN section 7; absent values are `null`.
package struct EntryPart: Sendable {
    let bytes: [UInt8]

    private init(_ write: (inout [UInt8]) -> Void) {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(256)
        write(&bytes)
        self.bytes = bytes
    }

    /// Who asks.
    /// - Parameters:
    ///   - address: without port.
    ///   - certificate: SHA-256, 32 bytes.
    package static func caller(
        principal: PrincipalName?, office: DatacenterName?, location: DatacenterName?, address: String,
        certificate: [UInt8]?
    ) -> EntryPart {
        EntryPart {
            appendCaller(
                principal: principal, office: office, location: location, address: address, certificate: certificate,
                to: &$0)
        }
    }

    /// What is asked for. Mailbox, object and prefix are pseudonyms.
    package static func names(store: BucketName?, mailbox: String?, object: String?, prefix: String?) -> EntryPart {
        EntryPart { appendNames(store: store, mailbox: mailbox, object: object, prefix: prefix, to: &$0) }
    }

    /// What was located.
    package static func found(
        size: Int64?, etag: String?, datacenter: DatacenterName?, jurisdiction: Jurisdiction?, receivedSeconds: Int64?
    ) -> EntryPart {
        EntryPart {
            appendFound(
                size: size, etag: etag, datacenter: datacenter, jurisdiction: jurisdiction,
                receivedSeconds: receivedSeconds, to: &$0)
        }
    }

    /// Nothing was located.
    package static let nothing = found(
        size: nil, etag: nil, datacenter: nil, jurisdiction: nil, receivedSeconds: nil)

    /// Nothing that the caller named is told.
    package static let nobody = names(store: nil, mailbox: nil, object: nil, prefix: nil)

    /// One token that was looked at.
    package static func authorization(_ entry: AuthorizationEntry) -> EntryPart { EntryPart { entry.append(to: &$0) } }

    /// Which gateway decides.
    package static func gateway(_ name: GatewayName) -> EntryPart { EntryPart { appendGateway(name, to: &$0) } }

    /// What ends every entry under one snapshot of the settings.
    /// - Parameter policy: lower-case hexadecimal SHA-256 of the snapshot.
    package static func end(policy: String) -> EntryPart { EntryPart { appendEnd(policy: policy, to: &$0) } }

    // MARK: - The fields

    static func appendEnd(policy: String, to line: inout [UInt8]) {
        line.append(literal: #"],"policy":""#)
        line.append(utf8: policy)
        line.append(literal: #""}"#)
    }

    static func appendGateway(_ gateway: GatewayName, to line: inout [UInt8]) {
        line.append(literal: #"","gateway":""#)
        line.append(utf8: gateway.text)
        line.append(literal: #"","request":""#)
    }

    static func appendCaller(
        principal: PrincipalName?, office: DatacenterName?, location: DatacenterName?, address: String,
        certificate: [UInt8]?, to line: inout [UInt8]
    ) {
        line.append(literal: #"","principal":"#)
        line.append(name: principal)
        line.append(literal: #","office":"#)
        line.append(name: office)
        line.append(literal: #","location":"#)
        line.append(name: location)
        line.append(#","address":"#, plain: address)
        line.append(#","certificate":"#, field: certificate)
    }

    static func appendNames(
        store: BucketName?, mailbox: String?, object: String?, prefix: String?, to line: inout [UInt8]
    ) {
        line.append(literal: #","store":"#)
        line.append(name: store)
        line.append(#","mailbox":"#, plain: mailbox)
        line.append(#","object":"#, plain: object)
        line.append(#","prefix":"#, plain: prefix)
    }

    static func appendFound(
        size: Int64?, etag: String?, datacenter: DatacenterName?, jurisdiction: Jurisdiction?, receivedSeconds: Int64?,
        to line: inout [UInt8]
    ) {
        line.append(#","size":"#, field: size)
        line.append(#","etag":"#, field: etag)
        line.append(literal: #","datacenter":"#)
        line.append(name: datacenter)
        line.append(literal: #","jurisdiction":"#)
        line.append(code: jurisdiction)
        line.append(#","received":"#, field: receivedSeconds)
    }
}

/// Fields that are a decision's own, between the parts.
enum OwnFields {
    /// The most bytes that all of them have, but for what is crossed.
    static let bytesMax = 512

    /// The bytes that one crossed owner may take: quotes, a comma and its code.
    static let crossedBytesMax = Jurisdiction.codeBytesMax + 3

    @inline(__always)
    static func appendBegin(_ timeText: InlineArray<27, UInt8>, to line: inout OutputSpan<UInt8>) {
        line.append(literal: #"{"kind":"decision","v":1,"time":""#)
        line.append(copying: timeText.span)
    }

    @inline(__always)
    static func append(
        _ reason: Reason, _ operation: Operation, _ data: EntryData, to line: inout OutputSpan<UInt8>
    ) {
        line.append(
            literal: reason.allows ? #"","decision":"allow","reason":""# : #"","decision":"refuse","reason":""#)
        line.append(oneOf: reason.literal)
        line.append(literal: #"","operation":""#)
        line.append(oneOf: operation.literal)
        line.append(literal: #"","data":""#)
        line.append(oneOf: data.literal)
    }

    @inline(__always)
    static func append(crossed: Span<Jurisdiction>, isMisplaced: Bool, to line: inout OutputSpan<UInt8>) {
        line.append(literal: #","crossed":["#)
        for index in crossed.indices {
            line.append(literal: index > 0 ? #",""# : #"""#)
            crossed[index].append(to: &line)
            line.append(UInt8(ascii: "\""))
        }
        line.append(
            literal: isMisplaced
                ? #"],"misplaced":true,"authorizations":["# : #"],"misplaced":false,"authorizations":["#)
    }
}
