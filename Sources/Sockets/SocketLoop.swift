internal import CLinux
package import Dispatch
internal import Glibc
package import NIOCore
internal import Synchronization

/// Told when its socket is ready. Called on the loop.
package protocol SocketHandler: AnyObject {
    func socketIsReady(_ events: SocketEvents)
}

/// What a socket is waited for, and what came (epoll(7)). No `OptionSet`: its literals are arrays where the type is another module's, which
/// cost a read 2,000 instructions.
package struct SocketEvents: Hashable, Sendable {
    package let rawValue: UInt32

    package static let none = SocketEvents(rawValue: 0)
    package static let readable = SocketEvents(rawValue: 0x1)
    package static let writable = SocketEvents(rawValue: 0x4)
    /// Always waited for: an error, or both directions have ended.
    package static let failed = SocketEvents(rawValue: 0x8 | 0x10)

    package static func | (one: SocketEvents, other: SocketEvents) -> SocketEvents {
        SocketEvents(rawValue: one.rawValue | other.rawValue)
    }

    /// Is one of these among them?
    package func hasAny(of others: SocketEvents) -> Bool { rawValue & others.rawValue != 0 }
}

/// One thread that waits for sockets and calls whoever handles them: `epoll_wait`, the handlers of what is ready, the tasks that were
/// handed over meanwhile, the timers that are due, and again. What a socket's handler reads and writes it reads and writes itself: between
/// the event and the call there is no pipeline (docs/PERFORMANCE.md says what one cost).
///
/// It is an `EventLoop` of NIO's, so that futures, promises and everything else that wants a loop to call back on can have this one.
package final class SocketLoop: EventLoop, @unchecked Sendable {
    /// Where a socket stands in the loop's table. Used up by `remove`.
    package struct Registration {
        fileprivate let descriptor: Int32
        fileprivate let slot: UInt32
        fileprivate let generation: UInt32
    }

    private struct Slot {
        var handler: (any SocketHandler)?
        /// Tells its tenants apart: an event that was fetched for an earlier one is nobody's.
        var generation: UInt32 = 0
    }

    private struct Timer: Sendable {
        let id: UInt64
        let deadline: NIODeadline
        let fire: @Sendable () -> Void
        let cancel: @Sendable () -> Void
    }

    private struct Inbox {
        var tasks: [() -> Void] = []
        /// The bell was rung and the loop has not looked since.
        var isRung = false
        var isClosed = false
    }

    /// Events that one call fetches.
    private static let eventsMax = 256
    private static let bellToken = UInt64.max
    /// Events of a turn that looks for more once it has handled them.
    private static let busyTurnCount = 16

    private let poller: Int32
    private let bell: Int32
    private let isOneOfSeveral: Bool
    /// `pthread_self()` of the thread that runs it; 0 before.
    private let thread = Atomic<UInt>(0)
    private let inbox = Mutex(Inbox())
    private let timersMade = Atomic<UInt64>(0)

    // The loop's own.
    private var slots: [Slot] = []
    private var freeSlots: [UInt32] = []
    /// The earliest first.
    private var timers: [Timer] = []
    private var tasks: [() -> Void] = []
    private var isStopping = false
    /// Called in each turn when the handlers of all that was ready have been, before the tasks.
    package var afterReading: () -> Void = {}
    /// When the turn in hand began: what a deadline or the age of a request may be reckoned from, without a look at the clock.
    package var turn: NIODeadline { turnBegan }
    private var turnBegan = NIODeadline.now()

    /// - Parameter isOneOfSeveral: others run beside it. It lets other threads run before it looks for the next turn's events: of a thread that
    ///   shares a processor with whom it serves, turns become larger, and what a turn costs does not depend on its size.
    /// - Throws: where the kernel has no descriptor left.
    package init(isOneOfSeveral: Bool = false) throws(SocketError) {
        self.isOneOfSeveral = isOneOfSeveral
        poller = clinux_epoll_make()
        bell = clinux_bell_make()
        guard poller >= 0 else { throw SocketError(-poller, "epoll_create1") }
        guard bell >= 0 else { throw SocketError(-bell, "eventfd") }
        // Edge-triggered: a ring is an event, and what it counts is never read.
        let result = control(EPOLL_CTL_ADD, bell, SocketEvents.readable.rawValue | 1 << 31, Self.bellToken)
        guard result == 0 else { throw SocketError(-result, "epoll_ctl") }
    }

    deinit {
        if bell >= 0 { Glibc.close(bell) }
        if poller >= 0 { Glibc.close(poller) }
    }

    // MARK: - Sockets

    /// Waits for what `interest` names, level-triggered, on the loop's thread only, as the two below. The descriptor stays the caller's.
    package func add(
        _ descriptor: Int32, _ handler: any SocketHandler, interest: SocketEvents
    ) throws(SocketError) -> Registration {
        let slot: UInt32
        if let free = freeSlots.popLast() {
            slot = free
        } else {
            slot = UInt32(slots.count)
            slots.append(Slot())
        }
        let generation = slots[Int(slot)].generation
        let registration = Registration(descriptor: descriptor, slot: slot, generation: generation)
        let result = control(EPOLL_CTL_ADD, registration, interest)
        guard result == 0 else {
            freeSlots.append(slot)
            throw SocketError(-result, "epoll_ctl")
        }
        slots[Int(slot)].handler = handler
        return registration
    }

    package func change(_ registration: Registration, interest: SocketEvents) {
        _ = control(EPOLL_CTL_MOD, registration, interest)
    }

    /// The handler is called no more. Before the descriptor is closed.
    package func remove(_ registration: Registration) {
        _ = control(EPOLL_CTL_DEL, registration, .none)
        slots[Int(registration.slot)].handler = nil
        slots[Int(registration.slot)].generation &+= 1
        freeSlots.append(registration.slot)
    }

    private func control(_ call: Int32, _ registration: Registration, _ interest: SocketEvents) -> Int32 {
        control(
            call, registration.descriptor, interest.rawValue,
            UInt64(registration.generation) << 32 | UInt64(registration.slot))
    }

    /// 0 or -errno.
    private func control(_ call: Int32, _ descriptor: Int32, _ events: UInt32, _ token: UInt64) -> Int32 {
        clinux_epoll_control(poller, call, descriptor, events, token)
    }

    // MARK: - Running

    /// Runs until `stop`, on the calling thread.
    package func run() {
        thread.store(Self.current, ordering: .releasing)
        let events = UnsafeMutableBufferPointer<epoll_event>.allocate(capacity: Self.eventsMax)
        defer { unsafe events.deallocate() }
        while !isStopping {
            let count = unsafe wait(events, milliseconds: waitMilliseconds())
            turnBegan = .now()
            unsafe tell(events, count)
            // What came while these were read, which takes long where they are many, waits for no turn of its own.
            if count >= Self.busyTurnCount { unsafe tell(events, wait(events, milliseconds: 0)) }
            afterReading()
            runTasks()
            runTimers()
            if isOneOfSeveral { sched_yield() }
        }
        close()
    }

    /// Ends `run`, once what was handed over before has run.
    package func stop() { execute { self.isStopping = true } }

    /// - Returns: how many events came.
    @unsafe private func wait(_ events: UnsafeMutableBufferPointer<epoll_event>, milliseconds: Int32) -> Int {
        max(0, Int(unsafe epoll_wait(poller, events.baseAddress, Int32(events.count), milliseconds)))
    }

    @unsafe private func tell(_ events: UnsafeMutableBufferPointer<epoll_event>, _ count: Int) {
        for index in 0..<count {
            let (token, ready) = unsafe (events[index].data.u64, events[index].events)
            if token != Self.bellToken { tell(token, SocketEvents(rawValue: ready)) }
        }
    }

    private func tell(_ token: UInt64, _ events: SocketEvents) {
        let slot = Int(token & 0xFFFF_FFFF)
        guard slots[slot].generation == UInt32(token >> 32), let handler = slots[slot].handler else { return }
        handler.socketIsReady(events)
    }

    private func runTasks() {
        inbox.withLock { inbox in
            swap(&tasks, &inbox.tasks)
            inbox.isRung = false
        }
        for task in tasks { task() }
        tasks.removeAll(keepingCapacity: true)
    }

    private func runTimers() {
        guard !timers.isEmpty else { return }
        let now = NIODeadline.now()
        while let first = timers.first, first.deadline <= now { timers.removeFirst().fire() }
    }

    /// How long there is nothing to do but wait; -1 for ever.
    private func waitMilliseconds() -> Int32 {
        if inbox.withLock({ !$0.tasks.isEmpty }) { return 0 }
        guard let first = timers.first else { return -1 }
        let nanoseconds = (first.deadline - .now()).nanoseconds
        // Not before it is due.
        return Int32(clamping: max(0, (nanoseconds + 999_999) / 1_000_000))
    }

    /// Nothing runs here any more: what waits is told so.
    private func close() {
        inbox.withLock { $0.isClosed = true }
        runTasks()
        for timer in timers { timer.cancel() }
        timers = []
        slots = []
    }

    private static var current: UInt { UInt(pthread_self()) }

    // MARK: - EventLoop

    package var inEventLoop: Bool { thread.load(ordering: .acquiring) == Self.current }

    /// What comes after the end is dropped.
    @preconcurrency
    package func execute(_ task: @escaping @Sendable () -> Void) {
        let isHere = inEventLoop
        let rings = inbox.withLock { inbox in
            guard !inbox.isClosed else { return false }
            inbox.tasks.append(task)
            // The loop looks before it waits.
            guard !isHere, !inbox.isRung else { return false }
            inbox.isRung = true
            return true
        }
        if rings { clinux_bell_ring(bell) }
    }

    @preconcurrency
    @discardableResult
    package func scheduleTask<T>(
        deadline: NIODeadline, _ task: @escaping @Sendable () throws -> T
    ) -> Scheduled<T> {
        let promise = makePromise(of: T.self)
        let id = timersMade.add(1, ordering: .relaxed).newValue
        let timer = Timer(id: id, deadline: deadline) {
            do { promise.assumeIsolated().succeed(try task()) } catch { promise.fail(error) }
        } cancel: {
            promise.fail(EventLoopError.cancelled)
        }
        onLoop { [self] in
            let place = timers.firstIndex { $0.deadline > timer.deadline } ?? timers.endIndex
            timers.insert(timer, at: place)
        }
        return Scheduled(promise: promise) { [self] in
            onLoop { self.timers.removeAll { $0.id == id } }
        }
    }

    @preconcurrency
    @discardableResult
    package func scheduleTask<T>(in delay: TimeAmount, _ task: @escaping @Sendable () throws -> T) -> Scheduled<T> {
        scheduleTask(deadline: .now() + delay, task)
    }

    private func onLoop(_ body: @escaping @Sendable () -> Void) { if inEventLoop { body() } else { execute(body) } }

    package func shutdownGracefully(queue: DispatchQueue, _ callback: @escaping @Sendable ((any Error)?) -> Void) {
        stop()
        queue.async { callback(nil) }
    }
}
