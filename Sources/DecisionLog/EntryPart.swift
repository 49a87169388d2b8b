internal import JSON
internal import OpenSSL
package import Residency

/// A run of an entry's fields, as the line has it, that many entries have in common: made once, it costs each of them a copy. In the order
/// of DESIGN section 7; absent values are `null`.
package struct EntryPart: Sendable {
    let bytes: [UInt8]

    private init(_ write: (inout [UInt8]) -> Void) {
        var bytes: [UInt8] = []
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

    // MARK: - The fields

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
        name(principal, &line)
        line.append(literal: #","office":"#)
        name(office, &line)
        line.append(literal: #","location":"#)
        name(location, &line)
        plain(#","address":"#, address, &line)
        field(#","certificate":"#, certificate, &line)
    }

    static func appendNames(
        store: BucketName?, mailbox: String?, object: String?, prefix: String?, to line: inout [UInt8]
    ) {
        line.append(literal: #","store":"#)
        name(store, &line)
        plain(#","mailbox":"#, mailbox, &line)
        plain(#","object":"#, object, &line)
        plain(#","prefix":"#, prefix, &line)
    }

    static func appendFound(
        size: Int64?, etag: String?, datacenter: DatacenterName?, jurisdiction: Jurisdiction?, receivedSeconds: Int64?,
        to line: inout [UInt8]
    ) {
        field(#","size":"#, size, &line)
        field(#","etag":"#, etag, &line)
        line.append(literal: #","datacenter":"#)
        name(datacenter, &line)
        line.append(literal: #","jurisdiction":"#)
        code(jurisdiction, &line)
        field(#","received":"#, receivedSeconds, &line)
    }
}

/// Fields that are a decision's own, between the parts.
enum OwnFields {
    static func appendBegin(_ time: Timestamp, to line: inout [UInt8]) {
        line.append(literal: #"{"kind":"decision","v":1,"time":""#)
        time.appendRFC3339(to: &line)
    }

    static func append(_ reason: Reason, _ operation: Operation, _ data: EntryData, to line: inout [UInt8]) {
        line.append(
            literal: reason.allows ? #"","decision":"allow","reason":""# : #"","decision":"refuse","reason":""#)
        line.append(utf8: reason.rawValue)
        line.append(literal: #"","operation":""#)
        line.append(utf8: operation.rawValue)
        line.append(literal: #"","data":""#)
        line.append(utf8: data.rawValue)
    }

    static func append(crossed: [Jurisdiction], isMisplaced: Bool, to line: inout [UInt8]) {
        line.append(literal: #","crossed":["#)
        for (index, owner) in crossed.enumerated() {
            if index > 0 { line.append(UInt8(ascii: ",")) }
            code(owner, &line)
        }
        line.append(
            literal: isMisplaced
                ? #"],"misplaced":true,"authorizations":["# : #"],"misplaced":false,"authorizations":["#)
    }

    static func appendEnd(policy: String, to line: inout [UInt8]) {
        line.append(literal: #"],"policy":""#)
        line.append(utf8: policy)
        line.append(literal: #""}"#)
    }
}

/// A decision as the gateway hands it over: the same line as a `DecisionEntry` of the same values, of parts that were made before.
package struct DecisionDraft: Sendable {
    package var time: Timestamp
    package let gateway: EntryPart
    package let request: RequestID
    package let reason: Reason
    package let operation: Operation
    package let data: EntryData
    package let caller: EntryPart
    package let names: EntryPart
    package let found: EntryPart
    package let crossed: [Jurisdiction]
    package let isMisplaced: Bool
    package let authorizations: [EntryPart]
    /// Lower-case hexadecimal SHA-256 of the settings snapshot.
    package let policy: String

    package init(
        time: Timestamp, gateway: EntryPart, request: RequestID, reason: Reason, operation: Operation, data: EntryData,
        caller: EntryPart, names: EntryPart, found: EntryPart, crossed: [Jurisdiction], isMisplaced: Bool,
        authorizations: [EntryPart], policy: String
    ) {
        self.time = time
        self.gateway = gateway
        self.request = request
        self.reason = reason
        self.operation = operation
        self.data = data
        self.caller = caller
        self.names = names
        self.found = found
        self.crossed = crossed
        self.isMisplaced = isMisplaced
        self.authorizations = authorizations
        self.policy = policy
    }
}

/// What is recorded as a decision.
package protocol DecisionLine {
    var time: Timestamp { get }
    /// Tokens were judged, by `time`: no other time will do.
    var isJudged: Bool { get }
    /// Appends the entry's line, without a line end.
    func append(to line: inout [UInt8])
}

extension DecisionDraft: DecisionLine {
    package var isJudged: Bool { !authorizations.isEmpty }

    package func append(to line: inout [UInt8]) {
        OwnFields.appendBegin(time, to: &line)
        line.append(contentsOf: gateway.bytes)
        request.append(to: &line)
        OwnFields.append(reason, operation, data, to: &line)
        line.append(contentsOf: caller.bytes)
        line.append(contentsOf: names.bytes)
        line.append(contentsOf: found.bytes)
        OwnFields.append(crossed: crossed, isMisplaced: isMisplaced, to: &line)
        for (index, authorization) in authorizations.enumerated() {
            if index > 0 { line.append(UInt8(ascii: ",")) }
            line.append(contentsOf: authorization.bytes)
        }
        OwnFields.appendEnd(policy: policy, to: &line)
    }
}

extension DecisionEntry: DecisionLine {
    package var isJudged: Bool { !authorizations.isEmpty }
}
