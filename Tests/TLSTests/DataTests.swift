import NIOConcurrencyHelpers
import NIOCore
import NIOEmbedded
import TestSupport
import Testing

@testable import TLS

@Suite struct DataTests {
    func open(gate: SourceGate? = nil) throws -> Pair {
        let pair = try Pair(gate: gate)
        try pair.settle()
        _ = try #require(pair.server.recorder.completed.first)
        return pair
    }

    @Test(arguments: [1, 100, Int.max])
    func bytesGoBothWaysInOrder(pieceBytes: Int) throws {
        let pair = try open()
        var expected = ""
        for number in 0..<50 {
            pair.client.write("request \(number);")
            pair.server.write("answer \(number);")
            expected += "request \(number);"
        }
        pair.client.channel.flush()
        pair.server.channel.flush()
        try pair.settle(pieceBytes: pieceBytes)
        #expect(pair.server.recorder.text == expected)
        #expect(pair.client.recorder.text == expected.replacingOccurrences(of: "request", with: "answer"))
    }

    /// FACTS: one write for each flush; a head and a small body are one record on the wire.
    @Test func aFlushIsOneWrite() throws {
        let pair = try open()
        for number in 0..<200 { pair.server.write("part \(number)") }
        #expect(try pair.server.takeRecords().isEmpty)
        pair.server.channel.flush()
        let records = try pair.server.takeRecords()
        #expect(records.count == 1)
        #expect(records[0].readableBytes < 200 * 8 + 200)
    }

    @Test func aLargeFlushIsOneWriteOfManyRecords() throws {
        let pair = try open()
        let large = ByteBuffer(repeating: 0x61, count: 300_000)
        pair.server.channel.writeAndFlush(large, promise: nil)
        let records = try pair.server.takeRecords()
        #expect(records.count == 1)
        for bytes in records { pair.client.take(bytes) }
        #expect(pair.client.recorder.received == large)
    }

    @Test func aWritesPromiseIsKeptWhenItsRecordsAreWritten() throws {
        let pair = try open()
        let done = NIOLockedValueBox(0)
        for _ in 0..<3 {
            let promise = pair.server.channel.eventLoop.makePromise(of: Void.self)
            promise.futureResult.whenSuccess { done.withLockedValue { $0 += 1 } }
            pair.server.channel.write(ByteBuffer(string: "x"), promise: promise)
        }
        #expect(done.withLockedValue { $0 } == 0)
        pair.server.channel.flush()
        pair.server.channel.embeddedEventLoop.run()
        #expect(done.withLockedValue { $0 } == 3)
    }

    @Test func plaintextBeforeTheHandshakeIsKeptUpToItsBound() throws {
        let pair = try Pair()
        pair.client.write("early, in the sense of impatient")
        pair.client.channel.flush()
        try pair.settle()
        #expect(pair.server.recorder.text == "early, in the sense of impatient")
        let greedy = try Pair()
        greedy.client.channel.write(
            ByteBuffer(repeating: 0, count: TLSLimits.earlyPlaintextBytesMax + 1), promise: nil)
        #expect(greedy.client.recorder.failed == [.tooMuchEarlyData])
        #expect(!greedy.client.channel.isActive)
    }

    // MARK: - The end

    @Test func aCloseSendsCloseNotifyAndWaitsForTheOthers() throws {
        let pair = try open()
        pair.server.write("last words")
        pair.server.channel.close(promise: nil)
        #expect(pair.server.channel.isActive)
        for bytes in try pair.server.takeRecords() { pair.client.take(bytes) }
        #expect(pair.client.recorder.text == "last words")
        #expect(pair.client.recorder.hasInputClosed)
        #expect(pair.client.recorder.errors.isEmpty)
        pair.client.channel.close(promise: nil)
        #expect(!pair.client.channel.isActive)
        for bytes in try pair.client.takeRecords() { pair.server.take(bytes) }
        #expect(!pair.server.channel.isActive)
    }

    @Test func aCloseThatIsNotAnsweredEndsAtItsBound() throws {
        let pair = try open()
        let isClosed = NIOLockedValueBox(false)
        let promise = pair.server.channel.eventLoop.makePromise(of: Void.self)
        promise.futureResult.whenSuccess { isClosed.withLockedValue { $0 = true } }
        pair.server.channel.close(promise: promise)
        pair.server.channel.embeddedEventLoop.advanceTime(by: .seconds(TLSLimits.closeSecondsMax - 1))
        #expect(pair.server.channel.isActive && !isClosed.withLockedValue { $0 })
        pair.server.channel.embeddedEventLoop.advanceTime(by: .seconds(1))
        #expect(!pair.server.channel.isActive && isClosed.withLockedValue { $0 })
    }

    @Test func anEndWithoutCloseNotifyIsTold() throws {
        let pair = try open()
        pair.client.channel.pipeline.fireChannelInactive()
        #expect(pair.client.recorder.errors.first as? TLSError == .truncated)
    }

    @Test func anAbortSendsNoCloseNotify() throws {
        let pair = try open()
        _ = try pair.server.takeRecords()
        pair.server.channel.triggerUserOutboundEvent(TLSAbort(), promise: nil)
        #expect(try pair.server.takeRecords().isEmpty)
        #expect(!pair.server.channel.isActive)
    }

    @Test(arguments: [0, 3, 5, 20])
    func anAlteredRecordEndsTheConnection(at offset: Int) throws {
        let pair = try open()
        pair.client.write("to be altered")
        pair.client.channel.flush()
        var record = try #require(try pair.client.takeRecords().first)
        let byte = try #require(record.getInteger(at: record.readerIndex + offset, as: UInt8.self))
        record.setInteger(byte ^ 1, at: record.readerIndex + offset)
        pair.server.take(record)
        // A longer length is waited for; everything else is refused at once. Nothing of it is handed on.
        #expect(pair.server.recorder.text == "")
        if offset != 3 {
            #expect(pair.server.recorder.errors.count == 1)
            #expect(!pair.server.channel.isActive)
        }
    }

    @Test func recordsThatNeverEndAreBounded() throws {
        let pair = try open()
        var header = ByteBuffer(bytes: [0x17, 0x03, 0x03, 0x41, 0x00])
        header.writeRepeatingByte(0, count: 17_000)
        pair.server.take(header)
        #expect(!pair.server.channel.isActive)
        #expect(pair.server.recorder.text == "")
    }
}
