internal import TOMLKit

/// What a settings file says of how long a log is kept, read without the rest of it: whoever prunes need not be able to read the
/// daemon's keys.
package struct LogRetention: Sendable {
    /// What `retention_days` may be: up to a hundred years.
    package static let days = 1...36_525

    package let directory: String
    package let origin: String
    /// nil: nothing may be pruned.
    package let retentionDays: Int?

    package static func load(path: String) throws(SettingsError) -> LogRetention {
        let problems = Problems()
        let root = Section(try Settings.table(path), path: "", problems: problems)
        let log = root.requiredSection("log")
        let (directory, origin) = (log.requiredString("directory"), log.requiredString("origin"))
        let retention = log.optionalInteger("retention_days", in: days)
        guard problems.all.isEmpty, let directory, let origin else {
            throw SettingsError(file: path, problems: problems.all)
        }
        return LogRetention(directory: directory, origin: origin, retentionDays: retention)
    }
}
