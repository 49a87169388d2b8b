import Foundation
import NIOConcurrencyHelpers
import NIOCore
import Testing

@testable import Sockets

/// A loop on a thread of its own until the end of the test.
final class RunningLoop {
    let loop: SocketLoop
    private let ended = DispatchSemaphore(value: 0)
    private var isStopped = false

    init() throws {
        loop = try SocketLoop()
        let (loop, ended) = (loop, ended)
        Thread.detachNewThread {
            loop.run()
            ended.signal()
        }
    }

    func stop() {
        guard !isStopped else { return }
        isStopped = true
        loop.stop()
        ended.wait()
    }

    deinit { stop() }
}

@Suite struct SocketLoopTests {
    @Test func tasksOfEachThreadRunInTheirOrder() throws {
        let running = try RunningLoop()
        let loop = running.loop
        let seen = NIOLockedValueBox<[[Int]]>([[], [], [], []])
        DispatchQueue.concurrentPerform(iterations: 4) { thread in
            for number in 0..<5_000 {
                loop.execute {
                    loop.preconditionInEventLoop()
                    seen.withLockedValue { $0[thread].append(number) }
                }
            }
        }
        try loop.submit {}.wait()
        #expect(seen.withLockedValue { $0 } == Array(repeating: Array(0..<5_000), count: 4))
        #expect(!loop.inEventLoop)
    }

    /// A task that hands over another one does not make the loop wait before it.
    @Test func aTaskHandedOverOnTheLoopRuns() throws {
        let running = try RunningLoop()
        let loop = running.loop
        let done = loop.makePromise(of: Int.self)
        loop.execute { loop.execute { loop.execute { done.succeed(3) } } }
        #expect(try done.futureResult.wait() == 3)
    }

    @Test func timersFireInTheirOrderAndNotBefore() throws {
        let running = try RunningLoop()
        let loop = running.loop
        let fired = NIOLockedValueBox<[Int]>([])
        let start = NIODeadline.now()
        let timers = [30, 10, 20].map { milliseconds in
            loop.scheduleTask(in: .milliseconds(Int64(milliseconds))) {
                fired.withLockedValue { $0.append(milliseconds) }
                return NIODeadline.now() - start
            }
        }
        let cancelled = loop.scheduleTask(in: .milliseconds(15)) { fired.withLockedValue { $0.append(15) } }
        cancelled.cancel()
        #expect(throws: EventLoopError.cancelled) { try cancelled.futureResult.wait() }
        for (timer, milliseconds) in zip(timers, [30, 10, 20]) {
            #expect(try timer.futureResult.wait() >= .milliseconds(Int64(milliseconds)))
        }
        #expect(fired.withLockedValue { $0 } == [10, 20, 30])
    }

    @Test func aTimersErrorIsItsFutures() throws {
        let running = try RunningLoop()
        let timer = running.loop.scheduleTask(in: .milliseconds(1)) { () throws -> Int in throw SocketError(5, "x") }
        #expect(throws: SocketError(5, "x")) { try timer.futureResult.wait() }
    }

    @Test func theEndCancelsWhatWaits() throws {
        let running = try RunningLoop()
        let timer = running.loop.scheduleTask(in: .hours(1)) {}
        let failure = NIOLockedValueBox<(any Error)?>(nil)
        timer.futureResult.whenFailure { error in failure.withLockedValue { $0 = error } }
        let last = NIOLockedValueBox(false)
        running.loop.execute { last.withLockedValue { $0 = true } }
        running.stop()
        #expect(failure.withLockedValue { $0 } as? EventLoopError == .cancelled)
        #expect(last.withLockedValue { $0 })
    }

    private final class Handler: SocketHandler {
        let act: (SocketEvents) -> Void
        init(_ act: @escaping (SocketEvents) -> Void) { self.act = act }
        func socketIsReady(_ events: SocketEvents) { act(events) }
    }

    /// A pair of connected sockets.
    private static func pair() throws -> (Int32, Int32) {
        var ends: [Int32] = [-1, -1]
        try #require(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0)
        return (ends[0], ends[1])
    }

    /// What is asked for by several sockets of a turn is done once, when all of them were read, and what comes of it is a task of that turn.
    @Test func whatFollowsReadingComesOnceBetweenHandlersAndTasks() throws {
        let running = try RunningLoop()
        let loop = running.loop
        let pairs = try (0..<2).map { _ in try Self.pair() }
        defer { for (one, other) in pairs { close(one); close(other) } }
        let told = NIOLockedValueBox<[String]>([])
        let done = loop.makePromise(of: Void.self)
        try loop.submit {
            for (end, other) in pairs {
                let handler = Handler { _ in
                    var byte: UInt8 = 0
                    _ = read(end, &byte, 1)
                    told.withLockedValue { $0.append("handler") }
                    loop.execute {
                        told.withLockedValue { $0.append("task") }
                        if told.withLockedValue({ $0.count { $0 == "task" } }) == 2 { done.succeed(()) }
                    }
                }
                _ = try loop.add(end, handler, interest: .readable)
                _ = write(other, "x", 1)
            }
            loop.afterReading = { told.withLockedValue { if $0.contains("handler") { $0.append("after") } } }
        }.wait()
        try done.futureResult.wait()
        #expect(told.withLockedValue { $0.prefix(5) } == ["handler", "handler", "after", "task", "task"])
    }

    /// What becomes ready while a busy turn reads is read in that turn; a turn of few events does not look again.
    @Test(arguments: [(8, false), (16, true)]) func aBusyTurnReadsWhatCameMeanwhile(_ count: Int, _ isBusy: Bool)
        throws
    {
        let running = try RunningLoop()
        let loop = running.loop
        let pairs = try (0...count).map { _ in try Self.pair() }
        defer { for (one, other) in pairs { close(one); close(other) } }
        let late = pairs[count]
        let told = NIOLockedValueBox<[String]>([])
        let done = loop.makePromise(of: Void.self)
        try loop.submit {
            for (number, (end, other)) in pairs.enumerated() {
                let handler = Handler { _ in
                    var byte: UInt8 = 0
                    _ = read(end, &byte, 1)
                    told.withLockedValue { $0.append(number == count ? "late" : "handler") }
                    if number == 0 { _ = write(late.1, "x", 1) }
                    if number == count { loop.execute { done.succeed(()) } }
                }
                _ = try loop.add(end, handler, interest: .readable)
                if number < count { _ = write(other, "x", 1) }
            }
            loop.afterReading = { told.withLockedValue { if $0.contains("handler") { $0.append("after") } } }
        }.wait()
        try done.futureResult.wait()
        let all = Array(repeating: "handler", count: count)
        #expect(
            told.withLockedValue { Array($0.prefix(count + 2)) } == all
                + (isBusy ? ["late", "after"] : ["after", "late"]))
    }

    /// Two sockets are ready in one turn; the handler of the first takes the second away and gives its place in the table to a third,
    /// which is not ready and must not be told of the second's event.
    @Test func anEventOfASocketThatIsGoneIsNobodys() throws {
        let running = try RunningLoop()
        let loop = running.loop
        let pairs = try (0..<3).map { _ in try Self.pair() }
        defer { for (one, other) in pairs { close(one); close(other) } }
        let told = NIOLockedValueBox<[Int]>([])
        try loop.submit {
            var registrations: [SocketLoop.Registration?] = [nil, nil]
            for number in 0..<2 {
                let handler = Handler { _ in
                    guard told.withLockedValue({ $0.isEmpty }) else { return }
                    told.withLockedValue { $0.append(number) }
                    for registration in registrations { if let registration { loop.remove(registration) } }
                    for _ in 0..<2 {
                        _ = try? loop.add(
                            dup(pairs[2].0), Handler { _ in told.withLockedValue { $0.append(2) } },
                            interest: .readable)
                    }
                }
                registrations[number] = try loop.add(pairs[number].0, handler, interest: .readable)
            }
            // Both before the loop looks again.
            for number in 0..<2 { write(pairs[number].1, "x", 1) }
        }.wait()
        Thread.sleep(forTimeInterval: 0.2)
        #expect(told.withLockedValue { $0.count } == 1)
    }

    @Test func onlyWhatIsAskedForIsTold() throws {
        let running = try RunningLoop()
        let loop = running.loop
        let (one, other) = try Self.pair()
        defer { close(one) }
        let events = NIOLockedValueBox<[SocketEvents]>([])
        let box = NIOLockedValueBox<SocketLoop.Registration?>(nil)
        try loop.submit {
            let registration = try loop.add(
                one,
                Handler { ready in
                    events.withLockedValue { $0.append(ready) }
                    if let registration = box.withLockedValue({ $0 }) { loop.change(registration, interest: .none) }
                }, interest: .none)
            box.withLockedValue { $0 = registration }
        }.wait()
        write(other, "x", 1)
        Thread.sleep(forTimeInterval: 0.1)
        #expect(events.withLockedValue { $0 } == [])
        try loop.submit { loop.change(box.withLockedValue { $0 }!, interest: .readable | .writable) }.wait()
        Thread.sleep(forTimeInterval: 0.1)
        #expect(events.withLockedValue { $0 } == [.readable | .writable])
        // The end of the other side is told to whoever waits for nothing.
        close(other)
        Thread.sleep(forTimeInterval: 0.1)
        #expect(events.withLockedValue { $0.last?.hasAny(of: .failed) } == true)
        try loop.submit { loop.remove(box.withLockedValue { $0 }!) }.wait()
    }
}
