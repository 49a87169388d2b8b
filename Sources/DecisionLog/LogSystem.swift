internal import CLinux
internal import Glibc
internal import Residency

/// Memory on a page's boundary, as O_DIRECT wants it.
@safe final class AlignedBuffer {
    static let alignment = 4096
    private(set) var capacity: Int
    private var memory: UnsafeMutableRawPointer

    init(capacity: Int) {
        self.capacity = capacity
        unsafe memory = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: Self.alignment)
    }

    deinit { unsafe memory.deallocate() }

    /// Takes `head` and what follows it, padded with zeros to whole pages, and gives the padded count.
    func fill(_ head: [UInt8], _ rest: [UInt8] = []) -> Int {
        let count = head.count + rest.count
        let padded = (count + Self.alignment - 1) / Self.alignment * Self.alignment
        if padded > capacity {
            unsafe memory.deallocate()
            capacity = padded * 2
            unsafe memory = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: Self.alignment)
        }
        copy(head, at: 0)
        copy(rest, at: head.count)
        unsafe memset(memory.advanced(by: count), 0, padded - count)
        return padded
    }

    /// Writes over what was filled in.
    func copy(_ bytes: [UInt8], at offset: Int) {
        precondition(offset >= 0 && offset + bytes.count <= capacity)
        unsafe bytes.withUnsafeBytes { source in
            if let start = source.baseAddress {
                unsafe memory.advanced(by: offset).copyMemory(from: start, byteCount: source.count)
            }
        }
    }

    /// The first bytes, as they were filled in.
    @_lifetime(borrow self) func first(_ count: Int) -> Span<UInt8> {
        precondition(count <= capacity)
        let span = unsafe Span<UInt8>(_unsafeStart: memory.assumingMemoryBound(to: UInt8.self), count: count)
        return unsafe _overrideLifetime(span, borrowing: self)
    }
}

/// Do both begin with the same bytes? A bundle is 200 KiB: `==` takes them one by one.
func isSame(_ left: [UInt8], _ right: [UInt8], count: Int) -> Bool {
    guard left.count >= count, right.count >= count else { return false }
    return unsafe left.withUnsafeBytes { left in
        unsafe right.withUnsafeBytes { right in
            guard let start = left.baseAddress, let other = right.baseAddress else { return true }
            return unsafe memcmp(start, other, count) == 0
        }
    }
}

/// A mutex with a condition, for the log's own threads.
@safe final class Monitor: @unchecked Sendable {
    fileprivate let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let condition: UnsafeMutablePointer<pthread_cond_t>

    init() {
        unsafe mutex = .allocate(capacity: 1)
        unsafe condition = makeCondition()
        unsafe pthread_mutex_init(mutex, nil)
    }

    deinit {
        unsafe pthread_cond_destroy(condition)
        unsafe pthread_mutex_destroy(mutex)
        unsafe condition.deallocate()
        unsafe mutex.deallocate()
    }

    func withLock<Result, Failure: Error>(_ body: () throws(Failure) -> Result) throws(Failure) -> Result {
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        return try body()
    }

    func signal() { unsafe pthread_cond_signal(condition) }
    func broadcast() { unsafe pthread_cond_broadcast(condition) }

    /// Only with the lock held.
    func wait() { unsafe pthread_cond_wait(condition, mutex) }

    /// Only with the lock held.
    func wait(milliseconds: Int) {
        var until = timespec(monotonicIn: milliseconds * 1000)
        unsafe pthread_cond_timedwait(condition, mutex, &until)
    }
}

/// A condition whose waits end by the monotonic clock.
private func makeCondition() -> UnsafeMutablePointer<pthread_cond_t> {
    let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    var attributes = pthread_condattr_t()
    unsafe pthread_condattr_init(&attributes)
    unsafe pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
    unsafe pthread_cond_init(condition, &attributes)
    return unsafe condition
}

extension timespec {
    /// So many microseconds from now, by the monotonic clock.
    fileprivate init(monotonicIn microseconds: Int) {
        self.init()
        unsafe clock_gettime(CLOCK_MONOTONIC, &self)
        tv_sec += microseconds / 1_000_000
        tv_nsec += microseconds % 1_000_000 * 1000
        if tv_nsec >= 1_000_000_000 {
            tv_sec += 1
            tv_nsec -= 1_000_000_000
        }
    }
}

/// Somebody waits under a monitor for something of its own. A signal costs a call only when it does.
@safe final class WaitingPlace: @unchecked Sendable {
    private let condition: UnsafeMutablePointer<pthread_cond_t>
    private var isWaiting = false

    init() { unsafe condition = makeCondition() }

    deinit {
        unsafe pthread_cond_destroy(condition)
        unsafe condition.deallocate()
    }

    /// Only with the monitor's lock held, and by one thread.
    func wait(_ monitor: Monitor) {
        isWaiting = true
        unsafe pthread_cond_wait(condition, monitor.mutex)
        isWaiting = false
    }

    /// The same, but not for longer than so many microseconds.
    func wait(_ monitor: Monitor, microseconds: Int64) {
        isWaiting = true
        var until = timespec(monotonicIn: Int(microseconds))
        unsafe pthread_cond_timedwait(condition, monitor.mutex, &until)
        isWaiting = false
    }

    /// Only with the monitor's lock held.
    func signal() {
        guard isWaiting else { return }
        isWaiting = false
        unsafe pthread_cond_signal(condition)
    }
}

/// One of the log's threads.
@safe final class LogThread: @unchecked Sendable {
    /// Lets other threads run first.
    static func yield() { sched_yield() }

    private var thread = pthread_t()

    /// - Parameter name: at most 15 bytes; `/proc/PID/task/TID/comm` shows it.
    init(_ name: String, _ body: @escaping @Sendable () -> Void) {
        let box = unsafe Unmanaged.passRetained(Body(name, body)).toOpaque()
        let status = unsafe pthread_create(
            &thread, nil,
            { argument in
                if let argument = unsafe argument {
                    unsafe Unmanaged<Body>.fromOpaque(argument).takeRetainedValue().run()
                }
                return nil
            }, box)
        precondition(status == 0, "pthread_create")
    }

    func join() { _ = pthread_join(thread, nil) }

    private final class Body {
        private let name: String
        private let body: @Sendable () -> Void

        init(_ name: String, _ body: @escaping @Sendable () -> Void) {
            self.name = name
            self.body = body
        }

        func run() {
            unsafe clinux_set_thread_name(name)
            body()
        }
    }
}

/// The log's time; tests pass their own.
protocol LogClock: Sendable {
    func wall() -> Timestamp
    /// Microseconds that only go forward.
    func monotonicMicroseconds() -> Int64
}

/// The machine's clocks.
struct SystemClock: LogClock {
    func wall() -> Timestamp {
        var time = timespec()
        unsafe clock_gettime(CLOCK_REALTIME, &time)
        return Timestamp(microseconds: Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000)
    }

    func monotonicMicroseconds() -> Int64 {
        var time = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000
    }
}
