internal import OpenSSL
package import Residency

/// A decision's line of parts that were made before: the same as a `DecisionEntry` of the same values has. A function and not a value: each of a
/// dozen references in one would be counted.
package enum DecisionLine {
    /// Appends the line, without a line end.
    /// - Parameters:
    ///   - timeText: the decision's time in RFC 3339.
    ///   - end: `EntryPart.end`.
    package static func append(
        at timeText: InlineArray<27, UInt8>, gateway: EntryPart, request: RequestID, reason: Reason,
        operation: Operation, data: EntryData, caller: EntryPart, names: EntryPart, found: EntryPart,
        crossed: [Jurisdiction], isMisplaced: Bool, authorizations: [EntryPart], end: EntryPart, to line: inout [UInt8]
    ) {
        // Spans: an array that a closure has is counted.
        let (gateway, caller, names) = (gateway.bytes.span, caller.bytes.span, names.bytes.span)
        let (found, end) = (found.bytes.span, end.bytes.span)
        let (crossed, authorizations) = (crossed.span, authorizations.span)
        var bytesMax = OwnFields.bytesMax + crossed.count * OwnFields.crossedBytesMax
        bytesMax += gateway.count + caller.count + names.count + found.count + end.count
        for index in authorizations.indices { bytesMax += authorizations[index].bytes.count + 1 }
        line.append(addingCapacity: bytesMax) { line in
            OwnFields.appendBegin(timeText, to: &line)
            line.append(copying: gateway)
            request.append(to: &line)
            OwnFields.append(reason, operation, data, to: &line)
            line.append(copying: caller)
            line.append(copying: names)
            line.append(copying: found)
            OwnFields.append(crossed: crossed, isMisplaced: isMisplaced, to: &line)
            for index in authorizations.indices {
                if index > 0 { line.append(UInt8(ascii: ",")) }
                line.append(copying: authorizations[index].bytes.span)
            }
            line.append(copying: end)
        }
    }
}
