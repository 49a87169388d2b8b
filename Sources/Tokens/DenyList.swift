package import JSON
package import Residency

/// The operator's own list of withdrawn tokens, which `bailiwick token revoke` appends to: one JSON object a line,
/// `{"iss","jti","time"?,"reason"?}`. A line that cannot be read refuses the whole file: it may have named a token.
package struct DenyList: Sendable {
    private var denied: [JSONString: Set<JSONString>] = [:]

    /// The list of a file that is not there yet.
    package init() {}

    /// - Throws: `DenyListError`, with the line counted from 1.
    package init(parsing file: [UInt8]) throws(DenyListError) {
        guard file.count <= TokenLimits.denyListBytesMax else { throw .tooLarge }
        guard let last = file.last else { return }
        guard last == UInt8(ascii: "\n") else { throw .unfinishedLine }
        for (index, line) in file.dropLast().split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
            .enumerated()
        {
            let value: JSONValue
            do throws(JSONError) { value = try JSONValue(parsing: Array(line), depthMax: 1) } catch {
                throw .line(index + 1, error)
            }
            guard let issuer = value.object?["iss"]?.utf8, !issuer.isEmpty, let token = value.object?["jti"]?.utf8,
                !token.isEmpty
            else { throw .members(line: index + 1) }
            denied[JSONString(utf8: issuer), default: []].insert(JSONString(utf8: token))
        }
    }

    /// Those whose tokens it denies.
    package var issuers: Set<JSONString> { Set(denied.keys) }

    /// The ids of that issuer's denied tokens.
    package func tokens(of issuer: String) -> Set<JSONString> { denied[JSONString(issuer)] ?? [] }

    /// The line that denies one token, with its line end.
    package static func line(issuer: String, tokenID: String, time: Timestamp, reason: String?) -> [UInt8] {
        let entry = JSONValue.object([
            "iss": .text(issuer), "jti": .text(tokenID), "time": .text(time.rfc3339),
            "reason": reason.map { .text($0) },
        ])
        return entry.utf8Text + [UInt8(ascii: "\n")]
    }
}

/// Why a deny list is not taken.
package enum DenyListError: Error, Hashable, Sendable, CustomStringConvertible {
    case tooLarge
    case unfinishedLine
    case line(Int, JSONError)
    case members(line: Int)

    package var description: String {
        switch self {
        case .tooLarge: "the deny list has more than \(TokenLimits.denyListBytesMax) bytes"
        case .unfinishedLine: "the deny list's last line has no end: an append was cut off"
        case .line(let number, let error): "line \(number) of the deny list is not strict JSON: \(error)"
        case .members(let number): "line \(number) of the deny list needs iss and jti, both non-empty strings"
        }
    }
}
