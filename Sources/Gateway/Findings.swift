internal import Stores
internal import Synchronization

/// What a scan found, in words, up to a bound.
final class Findings: Sendable {
    private static let linesMax = 10_000

    private let lines = Mutex<[String]>([])

    func add(_ finding: ScanFinding) {
        lines.withLock { lines in
            if lines.count < Self.linesMax { lines.append("\(finding)\n") }
        }
    }

    var text: String { lines.withLock { $0.joined() } }
}
