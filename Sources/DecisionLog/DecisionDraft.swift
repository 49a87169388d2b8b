internal import OpenSSL
package import Residency

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
