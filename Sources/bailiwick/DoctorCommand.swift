internal import ArgumentParser
internal import DecisionLog
internal import Settings

/// `bailiwick doctor`: everything around a gateway that can be wrong before it is.
struct DoctorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Looks at everything that a gateway rests on, and says what to do about what is not well.",
        discussion: """
            Clock, keys, certificates and lists with the days that are left, the stores' file systems, the log's disk with the days
            that are left at the rate of the last day, ports, witnesses, and what a running daemon says of itself. To be run as the
            daemon's user or as root. Changes nothing. Exit status: 0 all is well or worth a look (warn), 1 something FAILs.

            EXAMPLE
              bailiwick doctor --config /etc/bailiwick/bailiwick.toml
            """)

    @Option(help: "The settings file.") var config = "/etc/bailiwick/bailiwick.toml"

    func run() throws {
        var findings = Diagnosis()
        do throws(SettingsError) {
            let settings = try Settings.load(path: config, lastServed: LastServed.policy)
            findings.ok("settings", "\(settings.stores.count) stores, \(settings.principals.count) principals")
            for warning in settings.warnings { findings.warn("settings", warning) }
            let doctor = Doctor(settings)
            doctor.examineMachine(&findings)
            doctor.examineTrust(&findings)
            doctor.examineStores(&findings)
            doctor.examineLog(&findings)
            doctor.examineService(&findings)
        } catch {
            for problem in error.problems {
                findings.fail("settings", problem.key.isEmpty ? problem.what : "\(problem.key): \(problem.what)")
            }
        }
        print(findings.table, terminator: "")
        if findings.hasFailed { throw ExitCode(1) }
    }
}

/// What was found, in the order in which it was looked for.
struct Diagnosis {
    private enum State: String { case ok, warn, FAIL }

    private var rows: [(state: State, name: String, words: String)] = []

    mutating func ok(_ name: String, _ words: String) { rows.append((.ok, name, words)) }
    /// It works, and somebody should look.
    mutating func warn(_ name: String, _ words: String) { rows.append((.warn, name, words)) }
    /// It does not work.
    mutating func fail(_ name: String, _ words: String) { rows.append((.FAIL, name, words)) }

    var hasFailed: Bool { rows.contains { $0.state == .FAIL } }

    /// One line each: state, name, and what was found and is to be done.
    var table: String {
        let width = rows.map(\.name.count).max() ?? 0
        return rows.map { row in
            let state = row.state.rawValue.padded(to: 4)
            return "\(state)  \(row.name.padded(to: width))  \(row.words)\n"
        }.joined()
    }
}

extension String {
    fileprivate func padded(to width: Int) -> String { self + String(repeating: " ", count: max(0, width - count)) }
}
