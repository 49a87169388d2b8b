internal import Stores
internal import Synchronization

/// What a scan found, in words: the first lines, up to a bound, and how many more there were.
final class Findings: Sendable {
    static let linesMax = 10_000

    private let found = Mutex<(lines: [String], more: Int)>(([], 0))

    func add(_ finding: ScanFinding) {
        found.withLock { found in
            if found.lines.count < Self.linesMax { found.lines.append("\(finding)\n") } else { found.more += 1 }
        }
    }

    var text: String {
        found.withLock { found in
            let rest = found.more > 0 ? "and \(found.more) more, not listed: mend these and scan again\n" : ""
            return found.lines.joined() + rest
        }
    }
}
