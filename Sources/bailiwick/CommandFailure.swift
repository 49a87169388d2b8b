/// Why a command that was asked for rightly could not do it: exit status 1, where 64 is a wrong command line's.
struct CommandFailure: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}
