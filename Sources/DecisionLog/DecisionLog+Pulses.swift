/// Tokens that the log's threads pass between two pieces of work, so that a watchdog knows them alive. Guarded by the log's monitor.
struct Pulses {
    private(set) var asked: UInt64 = 0
    private var writer: UInt64 = 0
    private var integrator: UInt64 = 0

    mutating func ask() -> UInt64 {
        asked += 1
        return asked
    }

    mutating func writerPasses() { writer = asked }
    mutating func integratorPasses() { integrator = asked }

    func passed(_ token: UInt64) -> (writer: Bool, integrator: Bool) { (writer >= token, integrator >= token) }
}

extension DecisionLog {
    /// Asks each of the log's threads to pass a token; waits for none of them.
    package func askForPulse() -> UInt64 {
        monitor.withLock {
            writersPlace.signal()
            monitor.broadcast()
            return pulses.ask()
        }
    }

    /// Who has passed the token. A log that is closed asks nothing of its threads any more: it stays up, and closed.
    package func pulses(since token: UInt64) -> (writer: Bool, integrator: Bool) {
        monitor.withLock { closedBecause == nil ? pulses.passed(token) : (true, true) }
    }
}
