internal import DecisionLog
internal import HTTP
internal import NIOCore
internal import NIOPosix
internal import Residency
internal import Sockets
internal import Stores
internal import TLS
internal import Tokens

/// What all workers share and no reload replaces.
final class Shared: Sendable {
    let log: DecisionLog
    let pool: NIOThreadPool
    let aggregates = Aggregates()
    let rates = RequestRates()
    let overwrites = ForeignOverwrites()
    let handshakes = SourceGate(max: Limits.handshakesMax, eachMax: Limits.handshakesOfOneSourceMax)
    /// Operators get in whatever happens to the others' listener.
    let operatorsHandshakes = SourceGate(
        max: Limits.operatorsHandshakesMax, eachMax: Limits.operatorsHandshakesMax / 4)
    /// Without a bound their descriptors would be all that there are, and the log, which cannot write a checkpoint then, would close.
    let connections = SourceGate(max: Limits.connectionsMax(descriptorsMax: ProcessFacts.descriptorsMax()))
    let operatorsConnections = SourceGate(
        max: Limits.operatorsConnectionsMax, eachMax: Limits.operatorsConnectionsMax / 4)
    let startedSeconds: Int64
    let report: @Sendable (String) -> Void

    init(log: DecisionLog, pool: NIOThreadPool, report: @escaping @Sendable (String) -> Void) {
        self.log = log
        self.pool = pool
        self.report = report
        startedSeconds = log.now().seconds
    }
}

/// Everything that belongs to one event loop: its view of the settings, its TLS context, its caches, its counters, its port to the log.
/// Confined to the loop's thread, so that a request takes no lock but the log's queue.
final class Worker {
    let loop: SocketLoop
    let shared: Shared
    let port: LogPort
    private(set) var service: Service
    private(set) var tls: TLSContext
    private(set) var tokens = VerifiedTokenCache(entriesMax: Limits.tokenCacheEntriesMax)
    private(set) var names = EntryNames(count: Limits.entryNamesCount)
    private(set) var authorizations = EntryAuthorizations(count: Limits.entryAuthorizationsCount)
    var totals = Totals()
    var counters: Counters
    let commonFields = CommonFields()
    let objectFields = ObjectFields(count: Limits.objectFieldsCount)
    private(set) var isStopping = false
    private var connections: [ObjectIdentifier: Connection] = [:]
    private var isSweeping = false
    private var earlierTokenHits: UInt64 = 0
    private var earlierTokenMisses: UInt64 = 0

    init(loop: SocketLoop, shared: Shared, service: Service, tls: TLSContext, port: LogPort) {
        self.loop = loop
        self.shared = shared
        self.service = service
        self.tls = tls
        self.port = port
        counters = Counters(stores: service.buckets.count)
        loop.afterReading = { [weak self] in self?.lookUpAll() }
    }

    /// Requests whose objects are to be looked up.
    private var lookups: [Exchange] = []

    /// Looks a request's object up, with those of all requests that this turn of the loop reads.
    @inline(__always)
    func lookUp(_ exchange: Exchange) {
        // What is asked for between two turns has the next one.
        if lookups.isEmpty { loop.assumeIsolated().execute { self.lookUpAll() } }
        // Taken out and put back: appended to where it lies, each look at it would be checked.
        var lookups = lookups
        self.lookups = []
        lookups.append(exchange)
        self.lookups = lookups
    }

    /// Called when what was ready has been read.
    func lookUpAll() {
        guard !lookups.isEmpty else { return }
        var all = lookups
        lookups = []
        let round = LookupRound()
        for exchange in all { exchange.locate(in: round) }
        // Their memory, for the next turn's; what asked meanwhile stays.
        if lookups.isEmpty {
            all.removeAll(keepingCapacity: true)
            lookups = all
        }
    }

    /// Memory of the last answer, which its connection has encrypted.
    private var spareAnswer: [UInt8]?

    /// An empty array with room for a head at least. One answer is made at a time.
    @inline(__always)
    func takeAnswer() -> [UInt8] {
        var answer = spareAnswer ?? []
        spareAnswer = nil
        answer.removeAll(keepingCapacity: true)
        answer.reserveCapacity(Limits.headRoomBytes)
        return answer
    }

    @inline(__always)
    func give(back answer: consuming [UInt8]) {
        if answer.capacity > 0, answer.capacity <= Limits.spareAnswerBytesMax { spareAnswer = answer }
    }

    var log: DecisionLog { shared.log }
    var aggregates: Aggregates { shared.aggregates }
    var rates: RequestRates { shared.rates }
    var overwrites: ForeignOverwrites { shared.overwrites }
    var startedSeconds: Int64 { shared.startedSeconds }

    func report(_ text: String) { shared.report(text) }
    private var storageReports = StorageReports()

    /// Whether the journal is to be told of a store's error once more: with how many like it were passed over, else nil.
    func mayReport(_ bucket: BucketName, _ error: StoreError) -> Int? {
        storageReports.take(bucket, "\(error)", at: loop.turn)
    }

    private var toldBusy: NIODeadline?

    /// Once a minute: whoever keeps objects open could fill the journal too.
    func reportBusy(_ error: StoreError) {
        if let toldBusy, loop.turn - toldBusy < .minutes(1) { return }
        toldBusy = loop.turn
        report(
            "\(error): requests for others are answered 503; find who reads or writes so many at a time, or raise LimitNOFILE="
        )
    }

    func monotonicMicroseconds() -> Int64 { Int64(NIODeadline.now().uptimeNanoseconds / 1000) }

    func count(_ microseconds: Int64, in phase: Phase) {
        let slot = Histogram.slot(microseconds)
        totals.count(microseconds, slot: slot, in: phase)
    }

    /// Takes a reload's snapshot: every request from now on is judged by it, on old connections too.
    func adopt(_ service: Service, tls: TLSContext) {
        self.service = service
        self.tls = tls
        earlierTokenHits += tokens.hits
        earlierTokenMisses += tokens.misses
        tokens = VerifiedTokenCache(entriesMax: Limits.tokenCacheEntriesMax)
        names = EntryNames(count: Limits.entryNamesCount)
        authorizations = EntryAuthorizations(count: Limits.entryAuthorizationsCount)
        counters.grow(stores: service.buckets.count)
    }

    /// A token as the settings that a request began under see it. A reload may have come since: the cache is that of the settings in force.
    func review(_ token: [UInt8], under service: Service) -> ReviewedToken {
        service === self.service
            ? tokens.review(token, by: service.verifier) : ReviewedToken(reviewing: token, by: service.verifier)
    }

    /// The counters as they are now.
    func snapshot() -> Counters {
        var counters = counters
        counters.totals = totals
        counters.totals.tokenCacheHits = earlierTokenHits + tokens.hits
        counters.totals.tokenCacheMisses = earlierTokenMisses + tokens.misses
        return counters
    }

    /// Records an event and calls back when it is on disk, or will not be.
    func recordDurably(_ event: EventEntry, _ done: @escaping (Bool) -> Void) {
        let done = NIOLoopBound(done, eventLoop: loop)
        let (log, loop) = (log, loop)
        shared.pool.submit { _ in
            let isDurable = (try? log.recordDurably(event)) != nil
            loop.execute { done.value(isDurable) }
        }
    }

    func add(_ connection: Connection) {
        connections[ObjectIdentifier(connection)] = connection
        totals.openConnections += 1
        totals.acceptedConnections += 1
        if isStopping { connection.finish() }
        sweepLater()
    }

    func remove(_ connection: Connection) {
        guard connections.removeValue(forKey: ObjectIdentifier(connection)) != nil else { return }
        totals.openConnections -= 1
        shared.connections.leave()
    }

    /// Idle connections close soon, busy ones after the answer in hand.
    func stop() {
        isStopping = true
        for connection in Array(connections.values) { connection.finish() }
    }

    /// What did not finish in time is cut off, and recorded as broken off.
    func abort() {
        for connection in Array(connections.values) { connection.abort() }
    }

    var isIdle: Bool { connections.isEmpty }

    /// Once a second each connection is held against its deadlines: one timer for all of them, not one each.
    private func sweepLater() {
        guard !isSweeping else { return }
        isSweeping = true
        loop.assumeIsolated().scheduleTask(in: .seconds(1)) { [self] in
            isSweeping = false
            let now = NIODeadline.now()
            for connection in Array(connections.values) { connection.checkDeadlines(now: now) }
            if !connections.isEmpty { sweepLater() }
        }
    }
}
