internal import DecisionLog
internal import NIOCore
internal import NIOPosix
internal import OpenSSL
internal import Residency
internal import Settings
internal import Synchronization
internal import TLS

/// The witnesses of one log: each checkpoint is shown to all of them, and what they sign is published with it (DESIGN section 7).
///
/// A cosignature is held against the witness's key. A refusal bears no signature, and may close the log (`contradicts`): over plain
/// HTTP whoever is on the way can forge one, so that the settings warn of such a witness.
final class Witnesses: Sendable {
    /// How long a quorum counts.
    private static let freshMicroseconds: Int64 = 15_000_000
    /// How often they are asked while the log does not grow.
    private static let idleSeconds: Int64 = 5

    private struct Standing {
        let name: String
        /// The tree size that it is known to have cosigned last.
        var knownSize: UInt64 = 0
        var cosignedAt: Int64?
        var problem: String?
        var failures: UInt64 = 0
    }

    private struct State {
        var standings: [Standing]
        /// Since when there has been no quorum; nil while there is one, or none is asked for.
        var lastQuorumAt: Int64?
        var isLacking = false
        var isAsking = false
        var asksAgain = false
        /// Called when the round under way is over.
        var afterRound: [@Sendable () -> Void] = []
        var isStopped = false
        /// One has seen what is not here: the log is closed, and no answer opens it.
        var isContradicted = false
    }

    /// How one witness is, for `/ready` and metrics.
    struct Report {
        let name: String
        let cosignedSize: UInt64
        /// Cosigned within the time that counts.
        let isFresh: Bool
        let problem: String?
        let failures: UInt64
    }

    let quorum: Int
    let isRequired: Bool
    private let clients: [WitnessClient]
    private let directory: String
    private let pool: NIOThreadPool
    private let group: any EventLoopGroup
    private let gateway: GatewayName
    private let report: @Sendable (String) -> Void
    private let state: Mutex<State>

    /// - Throws: `GatewayError.key` for a URL or key that is none.
    init(
        _ settings: Settings, group: any EventLoopGroup, pool: NIOThreadPool,
        report: @escaping @Sendable (String) -> Void
    ) throws(GatewayError) {
        clients = try Self.clients(settings)
        quorum = settings.log.witnessQuorum
        isRequired = settings.log.witnessRequired
        directory = settings.log.directory
        gateway = settings.gateway.name
        self.group = group
        self.pool = pool
        self.report = report
        state = Mutex(State(standings: clients.map { Standing(name: $0.verifier.name) }))
    }

    /// Who are to be asked.
    static func clients(_ settings: Settings) throws(GatewayError) -> [WitnessClient] {
        var clients: [WitnessClient] = []
        for (index, witness) in settings.log.witnesses.enumerated() {
            let place = "log.witnesses[\(index)]"
            guard let url = WitnessURL(witness.url) else {
                throw .key("\(place).url: \"\(witness.url)\" is no URL such as https://witness.example.net/w1")
            }
            let verifier: NoteVerifier
            do throws(NoteError) { verifier = try NoteVerifier(witness.key, type: .cosignature) } catch {
                throw .key(
                    "\(place).key: no vkey of a witness (<name>+<hash>+<key>, type 0x04); `bailiwick keys new --kind witness` prints one"
                )
            }
            var tls: TLSContext?
            if url.isTLS {
                do throws(TLSConfigurationError) {
                    tls = try TLSContext(
                        TLSConfiguration(
                            role: .client, certificateChain: [], privateKey: [],
                            authorities: settings.log.witnessAuthorities, serverName: url.host),
                        nowSeconds: wallClockSeconds())
                } catch { throw .key("\(place).url: the machine's certificate authorities: \(error)") }
            }
            clients.append(WitnessClient(url: url, verifier: verifier, tls: tls))
        }
        return clients
    }

    var isEmpty: Bool { clients.isEmpty }

    // MARK: - Asking

    /// The first round, before anything is served; waits for it. A witness that knows more than this log closes it.
    func begin(_ log: DecisionLog) {
        guard !isEmpty else { return }
        let done = group.next().makePromise(of: Void.self)
        ask(log) { done.succeed(()) }
        try? done.futureResult.wait()
        judge(log)
        group.next().scheduleRepeatedTask(initialDelay: .seconds(1), delay: .seconds(1)) { [self] _ in
            judge(log)
            let isDue = state.withLock { state in
                !state.isStopped && !state.isContradicted && !state.isAsking
                    && state.standings.contains {
                        monotonicMicroseconds() - ($0.cosignedAt ?? .min / 2) > Self.idleSeconds * 1_000_000
                    }
            }
            if isDue { ask(log) }
        }
    }

    /// A checkpoint was published: shows it to all, unless that is under way, and then once more after it.
    /// - Parameter done: called when all that are asked now have answered, or will not.
    func ask(_ log: DecisionLog, _ done: @escaping @Sendable () -> Void = {}) {
        let begins = state.withLock { state -> Bool? in
            guard !state.isStopped, !state.isContradicted else { return nil }
            state.afterRound.append(done)
            if state.isAsking {
                state.asksAgain = true
                return false
            }
            state.isAsking = true
            return true
        }
        guard let begins else { return done() }
        guard begins else { return }
        let note = log.checkpoint
        askAll(note) { [self] size, lines, contradiction in
            if let contradiction {
                log.close(becauseOfWitness: contradiction)
            } else {
                // Not written again for a later time alone; what one signed before stays while others sign later.
                let before = cosigned(note)
                let all = before.merging(lines) { $1 }
                log.settle(all.count > before.count ? Self.inOrder(all) : [], size: size)
            }
            judge(log)
            let (again, waiting) = state.withLock { state in
                state.isAsking = false
                state.isContradicted = contradiction != nil
                defer { (state.asksAgain, state.afterRound) = (false, []) }
                return (state.asksAgain && contradiction == nil, state.afterRound)
            }
            for done in waiting { done() }
            if again { ask(log) }
        }
    }

    /// The last round, of a log that is closed; waits for it.
    func finish(_ note: [UInt8]) -> [String] {
        let isBusy = state.withLock { state in
            state.isStopped = true
            return state.isAsking
        }
        if isBusy {
            // A round under way ends within the client's own bound.
            for _ in 0..<400 where state.withLock({ $0.isAsking }) { sleepMilliseconds(10) }
        }
        let lines = group.next().makePromise(of: [Int: String].self)
        askAll(note) { _, cosignatures, _ in lines.succeed(cosignatures) }
        let all = cosigned(note).merging((try? lines.futureResult.wait()) ?? [:]) { $1 }
        return Self.inOrder(all)
    }

    /// - Parameter done: takes the checkpoint's size, the lines of those who cosigned it, by their places, and what contradicts it.
    private func askAll(_ bytes: [UInt8], _ done: @escaping @Sendable (UInt64, [Int: String], String?) -> Void) {
        guard let note = try? SignedNote(bytes), let checkpoint = try? Checkpoint(text: note.text), !isEmpty else {
            return done(0, [:], nil)
        }
        let loop = group.next()
        let each = clients.indices.map { ask($0, bytes, note, checkpoint, attempts: 3) }
        EventLoopFuture.whenAllComplete(each, on: loop).whenSuccess { [self] results in
            var lines: [Int: String] = [:]
            var contradiction: String?
            for (index, result) in results.enumerated() {
                let outcome: WitnessClient.Outcome
                switch result {
                case .success(let known): outcome = known
                case .failure(let error): outcome = .unavailable(WitnessError.words(error))
                }
                take(outcome, of: index, size: checkpoint.size)
                switch outcome {
                case .cosigned(let line): lines[index] = line
                case .contradicts(let what): contradiction = contradiction ?? what
                case .unavailable: break
                }
            }
            done(checkpoint.size, lines, contradiction)
        }
    }

    /// Shows one witness the checkpoint, from what it has seen; from what it says that it has seen where that is something else.
    private func ask(
        _ index: Int, _ bytes: [UInt8], _ note: SignedNote, _ checkpoint: Checkpoint, attempts: Int
    ) -> EventLoopFuture<WitnessClient.Outcome> {
        let client = clients[index]
        let loop = group.next()
        let known = min(state.withLock { $0.standings[index].knownSize }, checkpoint.size)
        let body = loop.makePromise(of: [UInt8].self)
        let directory = directory
        pool.submit { _ in
            body.completeWith(
                Result {
                    var proof: [SHA256Digest] = []
                    if known > 0, known < checkpoint.size {
                        let reader = try LogReader(folder: directory, verifier: nil)
                        guard reader.checkpoint == checkpoint else { throw WitnessError("the log has gone on") }
                        proof = try reader.consistencyProof(from: known)
                    }
                    return AddCheckpoint(oldSize: known, proof: proof, note: bytes).body
                })
        }
        return body.futureResult.flatMap { [group] body in client.post(body, on: group).hop(to: loop) }
            .flatMap { [self] answer -> EventLoopFuture<WitnessClient.Outcome> in
                let text = String(decoding: answer.body.prefix(200), as: UTF8.self)
                switch answer.status {
                case 200: return loop.makeSucceededFuture(Self.verified(answer.body, note, client))
                case 409:
                    guard let size = UInt64(text.prefix { $0 != "\n" }) else {
                        // The specification asks for a size only where the old one is not the witness's. Where it is, and the
                        // checkpoint has that size too, the witness has seen another root there.
                        guard known > 0, known == checkpoint.size else { break }
                        return loop.makeSucceededFuture(.contradicts(Self.fork(client, checkpoint)))
                    }
                    if size > checkpoint.size {
                        return loop.makeSucceededFuture(
                            .contradicts(
                                "the witness \(client.verifier.name) has seen \(size) entries of this log, \(checkpoint.size) are here: the folder is an old copy. Put back the newest one"
                            ))
                    }
                    if size == known, size == checkpoint.size {
                        return loop.makeSucceededFuture(.contradicts(Self.fork(client, checkpoint)))
                    }
                    guard attempts > 1, size != known else { break }
                    state.withLock { $0.standings[index].knownSize = size }
                    return ask(index, bytes, note, checkpoint, attempts: attempts - 1)
                case 422: return loop.makeSucceededFuture(.contradicts(Self.fork(client, checkpoint)))
                default: break
                }
                return loop.makeSucceededFuture(.unavailable("answered \(answer.status): \(text)"))
            }
    }

    /// The lines by which witnesses have cosigned a note already, by their places.
    private func cosigned(_ bytes: [UInt8]) -> [Int: String] {
        guard let note = try? SignedNote(bytes) else { return [:] }
        var lines: [Int: String] = [:]
        for (index, client) in clients.enumerated() {
            // Behind the text and the empty line.
            guard case .cosigned(let line) = Self.verified(Array(bytes.dropFirst(note.text.count + 1)), note, client)
            else { continue }
            lines[index] = line
        }
        return lines
    }

    private static func inOrder(_ lines: [Int: String]) -> [String] {
        lines.sorted { $0.key < $1.key }.map(\.value)
    }

    private static func fork(_ client: WitnessClient, _ checkpoint: Checkpoint) -> String {
        "the witness \(client.verifier.name) has cosigned another history of this log than the \(checkpoint.size) entries that are here: keep both, and find out who wrote the other"
    }

    /// The witness's own line among those of an answer or a note, where it holds.
    private static func verified(
        _ lines: [UInt8], _ note: SignedNote, _ client: WitnessClient
    ) -> WitnessClient.Outcome {
        for line in lines.split(separator: 0x0A) {
            guard let alone = try? SignedNote(note.text + [0x0A] + line + [0x0A]),
                (try? alone.verify(by: client.verifier)) != nil
            else { continue }
            return .cosigned(String(decoding: line, as: UTF8.self))
        }
        return .unavailable("its answer holds no cosignature by the key of the settings")
    }

    // MARK: - Standing

    private func take(_ outcome: WitnessClient.Outcome, of index: Int, size: UInt64) {
        let now = monotonicMicroseconds()
        let (name, news) = state.withLock { state -> (String, String?) in
            let before = state.standings[index].problem
            switch outcome {
            case .cosigned:
                state.standings[index].knownSize = size
                state.standings[index].cosignedAt = now
                state.standings[index].problem = nil
            case .contradicts(let why), .unavailable(let why):
                state.standings[index].problem = why
                state.standings[index].failures += 1
            }
            let after = state.standings[index].problem
            return (state.standings[index].name, before == after ? nil : after ?? "cosigns again")
        }
        if let news { report("witness \(name): \(news)") }
    }

    /// Is there a quorum? Tells of each change: an event, and, where witnesses are required, the end or the return of service.
    private func judge(_ log: DecisionLog) {
        guard quorum > 0 else { return }
        let fresh = reports.count(where: \.isFresh)
        let isLacking = fresh < quorum
        let changed = state.withLock { state in
            defer { state.isLacking = isLacking }
            return state.isLacking != isLacking
        }
        if isRequired {
            log.suspend(isLacking ? "\(fresh) of \(clients.count) witnesses cosign, \(quorum) must" : nil)
        }
        guard changed else { return }
        log.record(
            EventEntry(
                gateway: gateway, name: isLacking ? "witness-quorum-lost" : "witness-quorum-regained",
                members: [("cosigning", .number(Int64(fresh))), ("quorum", .number(Int64(quorum)))]))
    }

    var reports: [Report] {
        let now = monotonicMicroseconds()
        return state.withLock { state in
            state.standings.map {
                Report(
                    name: $0.name, cosignedSize: $0.knownSize,
                    isFresh: $0.cosignedAt.map { now - $0 < Self.freshMicroseconds } ?? false, problem: $0.problem,
                    failures: $0.failures)
            }
        }
    }

    private func monotonicMicroseconds() -> Int64 { Int64(NIODeadline.now().uptimeNanoseconds / 1000) }
}
