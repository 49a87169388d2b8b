/// Everything that is wrong with a settings file: all of it, not only the first.
package struct SettingsError: Error, Sendable, CustomStringConvertible {
    package struct Problem: Hashable, Sendable {
        /// `store[0].driver`; empty for the file as a whole.
        package let key: String
        package let what: String
    }

    package let file: String
    package let problems: [Problem]

    package var description: String {
        problems.map { $0.key.isEmpty ? "\(file): \($0.what)" : "\(file): \($0.key): \($0.what)" }.joined(
            separator: "\n")
    }
}

/// Collects what is wrong while a file is read.
final class Problems {
    private(set) var all: [SettingsError.Problem] = []

    func add(_ key: String, _ what: String) { all.append(SettingsError.Problem(key: key, what: what)) }
}
