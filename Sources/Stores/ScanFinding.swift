package import Residency

/// One thing that a scan found wrong.
package struct ScanFinding: Hashable, Sendable {
    package enum Problem: Hashable, Sendable {
        case untagged
        case tagInvalid(TagProblem)
        /// The tag is sound and names another datacenter.
        case misplaced(Place)
        case contentDamaged
        /// A file whose path no key has, a symbolic link or the like.
        case notAnObject
        /// A side file of no object.
        case orphanedSideFile
        case unreadable(code: Int32)
    }

    /// The key, or for what is no object the path below the store's root.
    package let name: [UInt8]
    package let problem: Problem
}

extension ScanFinding: CustomStringConvertible {
    /// As an operator reads it.
    package var description: String { "\(Self.printable(String(decoding: name, as: UTF8.self))): \(problem)" }

    /// Who may write chooses the name: one that would steer a terminal, or pass for lines of the list, is quoted.
    private static func printable(_ name: String) -> String {
        func steers(_ scalar: Unicode.Scalar) -> Bool {
            scalar.value < 0x20 || (0x7F..<0xA0).contains(scalar.value) || scalar.properties.isBidiControl
        }
        guard name.unicodeScalars.contains(where: steers) else { return name }
        return "\""
            + name.unicodeScalars.map { scalar in
                steers(scalar) ? "\\u{\(String(scalar.value, radix: 16))}" : String(scalar)
            }.joined() + "\""
    }
}

extension ScanFinding.Problem: CustomStringConvertible {
    package var description: String {
        switch self {
        case .untagged: "no tag"
        case .tagInvalid(let what): "tag invalid: \(what)"
        case .misplaced(let place): "misplaced: belongs to \(place.datacenter), \(place.jurisdiction)"
        case .contentDamaged: "the content is not what was sealed"
        case .notAnObject: "not an object"
        case .orphanedSideFile: "a side file of no object"
        case .unreadable(let code): "cannot be read: \(systemMessage(code))"
        }
    }
}

extension ScanSummary: CustomStringConvertible {
    /// As an operator reads it.
    package var description: String {
        "\(objects) objects, \(bytes) bytes, \(adopted) adopted, \(renewed > 0 ? "\(renewed) renewed, " : "")\(misplaced) misplaced, \(problems) wrong"
    }
}
