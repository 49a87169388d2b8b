internal import DecisionLog
internal import NIOCore
internal import NIOPosix
internal import Stores
internal import Synchronization

/// Passes a token through every thread that a request depends on: each event loop, that of operators and witnesses too, the log's writer and
/// integrator, each thread of the file pool. Whoever is known to wait for the disk (`DiskWaits`) has passed it, for so long as that may take. A watchdog that is fed only then is fed by work that really passed, not by a timer that outlives a stuck disk.
package final class Heartbeat: Sendable {
    /// What one beat came to.
    package enum Beat: Equatable, Sendable {
        /// Every thread has passed a token since the last time.
        case alive
        /// These have not, for so long.
        case late([String], seconds: Int)
    }

    private struct State {
        var rounds: PulseRounds
        var logToken: UInt64 = 0
        /// Tokens in the pool's queue or in its threads' hands.
        var filesUnderWay = 0
    }

    /// How long a thread of the pool holds a token back so that the other threads come for theirs.
    private static let rendezvousMicroseconds: UInt32 = 10_000
    private static let writer = "log-writer"
    private static let integrator = "log-integrator"
    /// Whom the integrator waits for.
    private static let tiles = "log-tiles"

    private let loops: [(name: String, loop: any EventLoop)]
    private let pool: NIOThreadPool
    private let log: DecisionLog
    private let state: Mutex<State>

    /// - Parameter loops: with the names of their threads.
    init(loops: [(name: String, loop: any EventLoop)], pool: NIOThreadPool, log: DecisionLog) {
        self.loops = loops
        self.pool = pool
        self.log = log
        let files = (0..<pool.numberOfThreads).map { Self.file($0) }
        state = Mutex(
            State(
                rounds: PulseRounds(loops.map(\.name) + [Self.writer, Self.integrator] + files)))
    }

    private static func file(_ number: Int) -> String { "file-\(number)" }

    /// Looks who passed, and asks again. To be called several times in a period of the watchdog; waits for nobody.
    package func beat() -> Beat {
        let now = Int64(NIODeadline.now().uptimeNanoseconds / 1000)
        let pulses = log.pulses(since: state.withLock { $0.logToken })
        let waiting = DiskWaits.all.filter { $0.seconds < DiskWaits.secondsMax }.map(\.thread)
        let step = state.withLock { state -> PulseRounds.Step in
            let round = state.rounds.round
            for name in waiting { state.rounds.passed(name == Self.tiles ? Self.integrator : name, round: round) }
            if pulses.writer { state.rounds.passed(Self.writer, round: round) }
            if pulses.integrator { state.rounds.passed(Self.integrator, round: round) }
            return state.rounds.step(at: now)
        }
        switch step {
        case .feed(let round):
            ask(round)
            return .alive
        case .wait(let round, let missing, let microseconds):
            if missing.contains(where: { $0.hasPrefix("file-") }) { askFiles(round) }
            return .late(missing, seconds: Int(microseconds / 1_000_000))
        }
    }

    /// The thread of the pool that runs this is well: for work that takes longer than a period.
    func passed() {
        let name = CurrentThread.name
        state.withLock { $0.rounds.passed(name, round: $0.rounds.round) }
    }

    private func ask(_ round: UInt64) {
        let token = log.askForPulse()
        state.withLock { $0.logToken = token }
        for (name, loop) in loops {
            loop.execute { [self] in state.withLock { $0.rounds.passed(name, round: round) } }
        }
        askFiles(round)
    }

    /// One token for each thread. Any thread takes any of them, so that each holds its own back until all have come, within a bound.
    private func askFiles(_ round: UInt64) {
        let count = state.withLock { state in
            defer { state.filesUnderWay = pool.numberOfThreads }
            return pool.numberOfThreads - state.filesUnderWay
        }
        for _ in 0..<count {
            pool.submit { [self] work in
                if case .active = work { meet(round) }
                state.withLock { $0.filesUnderWay -= 1 }
            }
        }
    }

    private func meet(_ round: UInt64) {
        let name = CurrentThread.name
        var waited: UInt32 = 0
        while waited < Self.rendezvousMicroseconds {
            let isOver = state.withLock { state in
                state.rounds.passed(name, round: round)
                return state.rounds.round != round || !state.rounds.isMissing(where: { $0.hasPrefix("file-") })
            }
            if isOver { return }
            sleepMicroseconds(200)
            waited += 200
        }
    }
}
