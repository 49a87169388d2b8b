internal import OpenSSL
package import Residency

/// A decision as the gateway hands it over: the same line as a `DecisionEntry` of the same values, of parts that were made before.
/// Not copied: each of a dozen references would be counted.
package struct DecisionDraft: ~Copyable, Sendable {
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
package protocol DecisionLine: ~Copyable {
    var time: Timestamp { get }
    /// Tokens were judged, by `time`: no other time will do.
    var isJudged: Bool { get }
    /// Appends the entry's line, without a line end.
    /// - Parameter timeText: what `time` is in RFC 3339.
    func append(to line: inout [UInt8], timeText: InlineArray<27, UInt8>)
}

extension DecisionDraft: DecisionLine {
    package var isJudged: Bool { !authorizations.isEmpty }

    package func append(to line: inout [UInt8], timeText: InlineArray<27, UInt8>) {
        line.append(addingCapacity: bytesMax) { line in
            OwnFields.appendBegin(timeText, to: &line)
            line.append(copying: gateway.bytes.span)
            request.append(to: &line)
            OwnFields.append(reason, operation, data, to: &line)
            line.append(copying: caller.bytes.span)
            line.append(copying: names.bytes.span)
            line.append(copying: found.bytes.span)
            OwnFields.append(crossed: crossed, isMisplaced: isMisplaced, to: &line)
            for (index, authorization) in authorizations.enumerated() {
                if index > 0 { line.append(UInt8(ascii: ",")) }
                line.append(copying: authorization.bytes.span)
            }
            OwnFields.appendEnd(policy: policy, to: &line)
        }
    }

    private var bytesMax: Int {
        var count = OwnFields.bytesMax + crossed.count * OwnFields.crossedBytesMax + policy.utf8.count
        count += gateway.bytes.count + caller.bytes.count + names.bytes.count + found.bytes.count
        for authorization in authorizations { count += authorization.bytes.count + 1 }
        return count
    }
}

extension DecisionEntry: DecisionLine {
    package var isJudged: Bool { !authorizations.isEmpty }
}
