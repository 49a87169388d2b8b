package import DecisionLog
internal import Glibc
internal import NIOCore
internal import NIOPosix
internal import OpenSSL
internal import Residency
package import Settings
internal import Sockets
internal import Stores
internal import Synchronization
internal import TLS

/// The running gateway: listeners, loops, log and stores of one process.
package final class Gateway: Sendable {
    struct State {
        var service: Service
        var reloads = ReloadRecord()
        var listeners: [Listener] = []
        var isStopping = false
        /// What still works on the file pool is to end with the piece in hand.
        var isEnding = false
        /// Operators' calls that change or scan a store, and are not answered yet.
        var operatorsCalls = 0
    }

    private static let operatorsThread = "operators"

    /// One loop, for operators, witnesses and what comes up now and then.
    let group: MultiThreadedEventLoopGroup
    let pool: NIOThreadPool
    let scans = Scans()
    /// Runs the loops, a thread each.
    private let threads: NIOThreadPool
    private let loops: [SocketLoop]
    let shared: Shared
    /// One for each loop.
    let workers: [NIOLoopBound<Worker>]
    let operators: NIOLoopBound<OperatorsView>
    let state: Mutex<State>
    /// What the process started with: some settings stay so until a restart.
    let startedWith: Settings
    let rate = DecisionRate()
    let condition = Condition()
    /// Tells whether every thread is alive.
    package let heartbeat: Heartbeat
    private let version: String
    let witnesses: Witnesses

    /// What only the process knows.
    package struct Identity: Sendable {
        package let version: String
        /// SHA-256 of the running binary, lower-case hexadecimal; nil where it cannot be read. Waits until it is made.
        package let binary: @Sendable () -> String?

        package init(version: String, binary: @escaping @Sendable () -> String?) {
            self.version = version
            self.binary = binary
        }
    }

    // MARK: - Start

    /// Tries everything that a start needs and can be tried without one: keys, certificates, stores.
    package static func check(_ settings: Settings) throws(GatewayError) {
        let now = wallClockSeconds()
        try requireOwnLog(settings)
        _ = try tlsContext(settings, now)
        _ = try signers(settings)
        _ = try Witnesses.clients(settings)
        try requireLogFolder(settings.log.directory)
        for (position, store) in settings.stores.enumerated() {
            guard MailboxRule(store.mailbox) != nil else {
                throw .key("store[\(position)].mailbox: \"\(store.mailbox)\" is no rule such as \"{mailbox}/**\"")
            }
            do throws(DirectoryStoreError) { try DirectoryStore.probe(path: store.path) } catch {
                throw .store("store[\(position)].path: \(error)")
            }
        }
    }

    /// The log's folder, or the one that it will be made in, takes files. A file system that has none without a name may hold a log, too.
    private static func requireLogFolder(_ path: String) throws(GatewayError) {
        let parent = path.split(separator: "/").dropLast().joined(separator: "/")
        let place = DiskSpace(path: path) == nil ? (path.hasPrefix("/") ? "/" : "") + parent : path
        do throws(LogSystemError) { _ = try LogDiskProbe(folder: place.isEmpty ? "." : place) } catch {
            guard [ENOENT, ENOTDIR, EACCES, EPERM, EROFS, ENOSPC].contains(error.code) else { return }
            throw .log(.system(error))
        }
    }

    /// A log is one gateway's: its entries, and the tokens that it kept, name it.
    private static func requireOwnLog(_ settings: Settings) throws(GatewayError) {
        guard let owner = LastServed.gateway(log: settings.log.directory), owner != settings.gateway.name.text else {
            return
        }
        throw otherGateway(settings.gateway.name, than: owner)
    }

    static func otherGateway(_ name: GatewayName, than owner: String) -> GatewayError {
        .key(
            "gateway.name: \"\(name)\" instead of \"\(owner)\": a log is one gateway's; begin a new log with the new name, and restart"
        )
    }

    /// Opens log and stores, and listens.
    /// - Parameters:
    ///   - activated: listening sockets that the service manager handed over.
    ///   - follower: told of every durable entry.
    ///   - report: takes a line for the journal.
    package static func start(
        _ settings: Settings, identity: Identity, activated: [ActivatedSocket], follower: (any LogFollower)?,
        report: @escaping @Sendable (String) -> Void
    ) throws(GatewayError) -> Gateway {
        try requireOwnLog(settings)
        _ = try tlsContext(settings, wallClockSeconds())
        let plan = try ListenPlan(settings.gateway, activated: activated)
        let signers = try signers(settings)
        let pool = NIOThreadPool(numberOfThreads: Limits.fileThreads)
        // By these names operators find them in /proc/PID/task.
        pool._start(threadNamePrefix: "file-")
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let witnesses = try Witnesses(settings, group: group, pool: pool, report: report)
        let service = try Service(settings, pool: pool, reusing: nil)
        var configuration = LogConfiguration(
            directory: settings.log.directory, origin: settings.log.origin, signers: signers)
        configuration.checkpointIntervalMilliseconds = settings.log.checkpointIntervalMilliseconds
        configuration.follower = follower
        configuration.isWitnessed = !witnesses.isEmpty
        let asked = WitnessedLog(witnesses)
        configuration.published = { asked.ask() }
        configuration.reserveBytes = settings.log.reserveMebibytes << 20
        let log: DecisionLog
        do throws(LogError) {
            log = try DecisionLog.open(
                configuration, gateway: settings.gateway.name,
                start: [
                    ("version", .text(identity.version)), ("binary", identity.binary().map { .text($0) } ?? .null),
                    ("key", .text(signers[0].verifier.text)), ("policy", .text(service.policy)),
                ])
            try log.keepPolicy(service.policyDigest, settings.policy)
        } catch { throw .log(error) }
        // Before anything is served: one that has seen more of this log than is here keeps it closed.
        asked.begin(log)
        do throws(GatewayError) {
            let gateway = try Gateway(
                service: service, log: log, group: group, pool: pool, witnesses: witnesses, version: identity.version,
                report: report)
            try gateway.listen(plan)
            gateway.makeKeyTables(service)
            return gateway
        } catch {
            log.close { witnesses.finish($0) }
            throw error
        }
    }

    private init(
        service: Service, log: DecisionLog, group: MultiThreadedEventLoopGroup, pool: NIOThreadPool,
        witnesses: Witnesses, version: String, report: @escaping @Sendable (String) -> Void
    ) throws(GatewayError) {
        self.group = group
        self.pool = pool
        self.witnesses = witnesses
        self.version = version
        startedWith = service.settings
        let shared = Shared(log: log, pool: pool, report: report)
        self.shared = shared
        state = Mutex(State(service: service))
        let wanted = service.settings.gateway.eventLoops
        let loops = try Self.loops(wanted == 0 ? System.coreCount : wanted)
        self.loops = loops
        threads = Self.run(loops)
        do {
            workers = try loops.map { loop in
                try loop.submit { try Self.worker(on: loop, shared, service) }.wait()
            }
            let operatorsLoop = group.next()
            operators = try operatorsLoop.submit {
                CurrentThread.name = Self.operatorsThread
                let tls = try TLSContext(service.tls, nowSeconds: wallClockSeconds())
                return NIOLoopBound(OperatorsView(service, tls), eventLoop: operatorsLoop)
            }.wait()
        } catch {
            // The context was made once already from the same configuration.
            preconditionFailure("a TLS context that was made before cannot be made: \(error)")
        }
        let named = workers.enumerated().map { (name: "loop-\($0.offset)", loop: $0.element.eventLoop) }
        heartbeat = Heartbeat(loops: named + [(Self.operatorsThread, operators.eventLoop)], pool: pool, log: log)
        LongWork.listen { [weak self] in
            guard let self else { return true }
            heartbeat.passed()
            return !state.withLock { $0.isEnding }
        }
        scheduleAggregates()
        condition.look(service)
        scheduleLooks()
    }

    private static func loops(_ count: Int) throws(GatewayError) -> [SocketLoop] {
        do throws(SocketError) {
            var loops: [SocketLoop] = []
            for _ in 0..<count { loops.append(try SocketLoop(isOneOfSeveral: count > 1)) }
            return loops
        } catch { throw .listen("gateway.event_loops: \(error)") }
    }

    private static func run(_ loops: [SocketLoop]) -> NIOThreadPool {
        let threads = NIOThreadPool(numberOfThreads: loops.count)
        threads.start()
        for (number, loop) in loops.enumerated() {
            threads.submit { _ in
                CurrentThread.name = "loop-\(number)"
                loop.run()
            }
        }
        return threads
    }

    private static func worker(
        on loop: SocketLoop, _ shared: Shared, _ service: Service
    ) throws -> NIOLoopBound<Worker> {
        let tls = try TLSContext(service.tls, nowSeconds: wallClockSeconds())
        let box = WorkerBox()
        let port = shared.log.makePort {
            loop.execute { box.worker?.port.drain() }
        } later: {
            // After the requests that this turn of the loop has read.
            loop.execute { box.worker?.port.flush() }
        }
        let worker = Worker(loop: loop, shared: shared, service: service, tls: tls, port: port)
        box.worker = worker
        return NIOLoopBound(worker, eventLoop: loop)
    }

    /// Once a minute, what strangers and flooding principals did.
    private func scheduleAggregates() {
        let (shared, name) = (shared, state.withLock { $0.service.name })
        group.next().scheduleRepeatedTask(initialDelay: .seconds(60), delay: .seconds(60)) { _ in
            for event in shared.aggregates.takeEvents(name) { shared.log.record(event) }
        }
    }

    private func scheduleLooks() {
        let interval = TimeAmount.seconds(Condition.intervalSeconds)
        group.next().scheduleRepeatedTask(initialDelay: interval, delay: interval) { [weak self] _ in
            guard let self else { return }
            condition.look({ self.currentService }, on: pool)
        }
    }

    /// Until a newer snapshot came or the gateway stops.
    func makeKeyTables(_ service: Service) {
        service.keyTables.make(on: pool) { [self] in
            state.withLock { !$0.isStopping && $0.service === service }
        }
    }

    static func tlsContext(_ settings: Settings, _ now: Int64) throws(GatewayError) -> TLSContext {
        do throws(TLSConfigurationError) {
            return try TLSContext(
                TLSConfiguration(
                    role: .server, certificateChain: settings.tls.certificate, privateKey: settings.tls.privateKey,
                    authorities: settings.tls.clientAuthorities, revocationLists: settings.tls.revocationLists),
                nowSeconds: now)
        } catch { throw .tls(Self.words(error, settings)) }
    }

    private static func words(_ error: TLSConfigurationError, _ settings: Settings) -> String {
        func date(_ seconds: Int64) -> String { Timestamp(seconds: seconds).rfc3339 }
        switch error {
        case .certificateUnreadable:
            return "tls.certificate: \(settings.tls.certificatePath) holds no PEM certificate, or a damaged one"
        case .privateKeyUnreadable: return "tls.private_key: no unencrypted PEM (PKCS#8) private key"
        case .keyDoesNotMatch: return "tls.private_key: does not match the certificate \(settings.tls.certificatePath)"
        case .certificateExpired(let seconds):
            return "tls.certificate: \(settings.tls.certificatePath) expired at \(date(seconds)); renew it"
        case .certificateNotYetValid(let seconds):
            return
                "tls.certificate: \(settings.tls.certificatePath) is not valid before \(date(seconds)); is the clock right?"
        case .authoritiesUnreadable: return "tls.client_authorities: holds no PEM certificate, or a damaged one"
        case .revocationListUnreadable(let index):
            return "tls.revocation_lists[\(index)]: no revocation lists (PEM, or one in DER), or not these alone"
        case .openSSL(let call): return "tls: \(call) failed"
        }
    }

    private static func signers(_ settings: Settings) throws(GatewayError) -> [NoteSigner] {
        var signers: [NoteSigner] = []
        for (index, line) in settings.log.signingKeys.enumerated() {
            do throws(NoteError) { signers.append(try NoteSigner(line)) } catch {
                throw .key(
                    "log.signing_keys[\(index)]: not a key of C2SP's form; make one with `bailiwick keys new --kind log`"
                )
            }
        }
        return signers
    }

    package var settings: Settings { state.withLock { $0.service.settings } }

    // MARK: - Stop

    /// Takes no new connection, ends scans, finishes what else is in hand within the bound, and closes the log over all that was
    /// answered.
    /// - Parameter whileWaiting: called now and then until what is in hand is finished.
    package func stop(whileWaiting: () -> Void = {}) {
        let (listeners, seconds) = state.withLock { state in
            state.isStopping = true
            return (state.listeners, state.service.settings.gateway.stopTimeoutSeconds)
        }
        for listener in listeners { listener.stop() }
        for worker in workers { worker.eventLoop.execute { worker.value.stop() } }
        let deadline = NIODeadline.now() + .seconds(Int64(seconds))
        while NIODeadline.now() < deadline, !isIdle {
            whileWaiting()
            sleepMilliseconds(10)
        }
        state.withLock { $0.isEnding = true }
        for worker in workers { try? worker.eventLoop.submit { worker.value.abort() }.wait() }
        let name = state.withLock { $0.service.name }
        for event in shared.aggregates.takeEvents(name) { shared.log.record(event) }
        shared.log.close { [witnesses] in witnesses.finish($0) }
        try? group.syncShutdownGracefully()
        for loop in loops { loop.stop() }
        try? threads.syncShutdownGracefully()
        try? pool.syncShutdownGracefully()
        try? scans.thread.syncShutdownGracefully()
    }

    private var isIdle: Bool {
        state.withLock { $0.operatorsCalls == 0 }
            && workers.allSatisfy { worker in (try? worker.eventLoop.submit { worker.value.isIdle }.wait()) ?? true }
    }

    // MARK: - Seen

    /// The last checkpoint as one line, for a journal that nobody rewrites; nil where witnesses do that.
    package var checkpointLine: String? {
        guard witnesses.isEmpty else { return nil }
        return "checkpoint "
            + String(decoding: shared.log.checkpoint, as: UTF8.self).split(separator: "\n").joined(separator: " | ")
    }

    func submitToPool(_ work: @escaping @Sendable () -> Void) { pool.submit { _ in work() } }

    var log: DecisionLog { shared.log }
    var witnessReports: (all: [Witnesses.Report], quorum: Int) { (witnesses.reports, witnesses.quorum) }
    var currentVersion: String { version }
    var currentService: Service { state.withLock { $0.service } }
    var isStopping: Bool { state.withLock { $0.isStopping } }

    /// An operators' call that a stop waits for, until it is answered by what this gives.
    func waitingFor<Answer>(_ done: @escaping @Sendable (Answer) -> Void) -> @Sendable (Answer) -> Void {
        state.withLock { $0.operatorsCalls += 1 }
        return { [self] answer in
            done(answer)
            state.withLock { $0.operatorsCalls -= 1 }
        }
    }

    /// All loops' counters together.
    func counters(on loop: any EventLoop, _ done: @escaping @Sendable (Counters) -> Void) {
        let stores = currentService.buckets.count
        let each = workers.map { worker in worker.eventLoop.submit { worker.value.snapshot() } }
        EventLoopFuture.whenAllSucceed(each, on: loop).whenSuccess { all in
            var sum = Counters(stores: stores)
            for counters in all { sum.add(counters) }
            done(sum)
        }
    }
}

/// Breaks the circle between a worker and its port. Touched on one loop only.
private final class WorkerBox: @unchecked Sendable {
    var worker: Worker?
}

/// The log that witnesses are asked about: it is opened after them, and tells of its first checkpoints before its opener has it.
private final class WitnessedLog: Sendable {
    let witnesses: Witnesses
    private let log = Mutex<DecisionLog?>(nil)

    init(_ witnesses: Witnesses) { self.witnesses = witnesses }

    func begin(_ log: DecisionLog) {
        self.log.withLock { $0 = log }
        witnesses.begin(log)
    }

    func ask() { if let log = log.withLock({ $0 }) { witnesses.ask(log) } }
}
