internal import Residency
internal import Stores
internal import Synchronization

/// What a scan found, in words, up to a bound.
final class Findings: Sendable {
    private static let linesMax = 10_000

    private let lines = Mutex<[String]>([])

    func add(_ finding: ScanFinding) {
        let name = String(decoding: finding.name, as: UTF8.self)
        let problem: String
        switch finding.problem {
        case .untagged: problem = "no tag"
        case .tagInvalid(let what): problem = "tag invalid: \(what)"
        case .misplaced(let place): problem = "misplaced: belongs to \(place.datacenter), \(place.jurisdiction)"
        case .contentDamaged: problem = "the content is not what was sealed"
        case .notAnObject: problem = "not an object"
        case .orphanedSideFile: problem = "a side file of no object"
        case .unreadable(let code): problem = "cannot be read (errno \(code))"
        }
        lines.withLock { lines in
            if lines.count < Self.linesMax { lines.append("\(name): \(problem)\n") }
        }
    }

    var text: String { lines.withLock { $0.joined() } }
}
