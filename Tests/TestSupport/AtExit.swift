import Foundation

/// What the end of the tests has to clear away, the last thing first: a world in a static property is never deinitialised.
package final class AtExit: @unchecked Sendable {
    package static let shared = AtExit()

    private let lock = NSLock()
    private var actions: [@Sendable () -> Void] = []

    private init() { atexit { AtExit.shared.run() } }

    package func add(_ action: @escaping @Sendable () -> Void) { lock.withLock { actions.append(action) } }

    private func run() { for action in lock.withLock({ actions }).reversed() { action() } }
}
