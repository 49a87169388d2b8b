import NIOCore
import NIOEmbedded
import Testing

@testable import HTTP

@Suite struct WholeRequestTests {
    /// Keeps what is written until it is told that the socket took it.
    private final class SlowSocket: ChannelOutboundHandler {
        typealias OutboundIn = ByteBuffer
        private(set) var texts: [String] = []
        private var promises: [EventLoopPromise<Void>] = []

        func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
            texts.append(String(buffer: unwrapOutboundIn(data)))
            if let promise { promises.append(promise) }
        }

        func take() { promises.removeFirst().succeed(()) }
    }

    private final class Reads: ChannelOutboundHandler {
        typealias OutboundIn = ByteBuffer
        private(set) var count = 0

        func read(context: ChannelHandlerContext) {
            count += 1
            context.read()
        }
    }

    private final class Desk {
        var waiting: [(WholeAnswer) -> Void] = []
        var asked = 0
    }

    private static let get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    private let loop = EmbeddedEventLoop()
    private let desk = Desk()

    /// - Parameter answersLater: the first so many requests.
    private func channel(answersLater: Int = 0, socket: SlowSocket? = nil) throws -> EmbeddedChannel {
        let desk = desk
        let handler = WholeRequestHandler(bodyBytesMax: 10, nowSeconds: { 0 }) { _, _, _, _, done in
            desk.asked += 1
            if desk.asked <= answersLater { desk.waiting.append(done) } else { done(.text(200, "ok")) }
        }
        let channel = EmbeddedChannel(loop: loop)
        if let socket { try channel.pipeline.syncOperations.addHandler(socket) }
        try channel.pipeline.syncOperations.addHandler(handler)
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        return channel
    }

    private func answers(_ channel: EmbeddedChannel) throws -> Int {
        var count = 0
        while let bytes = try channel.readOutbound(as: ByteBuffer.self) {
            #expect(String(buffer: bytes).hasPrefix("HTTP/1.1 200 "))
            count += 1
        }
        return count
    }

    /// As many as a client can send while one answer is made: each used to take a piece of the stack.
    @Test func howeverManyAreAnsweredOneAfterTheOther() throws {
        let channel = try channel(answersLater: 1)
        try channel.writeInbound(ByteBuffer(string: String(repeating: Self.get, count: 100_000)))
        #expect(desk.asked == 1)
        desk.waiting.removeFirst()(.text(200, "ok"))
        #expect(try answers(channel) == 100_000)
    }

    @Test func theNextIsLookedAtWhenTheSocketHasTheAnswer() throws {
        let socket = SlowSocket()
        let channel = try channel(socket: socket)
        try channel.writeInbound(ByteBuffer(string: String(repeating: Self.get, count: 3)))
        for count in 1...3 {
            #expect(desk.asked == count && socket.texts.count == count)
            socket.take()
        }
        #expect(desk.asked == 3)
    }

    /// Nothing is read while there is something to answer: what a client sends meanwhile stays in the socket.
    @Test func noMoreIsReadThanIsAnswered() throws {
        let channel = try channel(answersLater: 3)
        let reads = Reads()
        try channel.pipeline.syncOperations.addHandler(reads, position: .first)
        try channel.writeInbound(ByteBuffer(string: String(repeating: Self.get, count: 3)))
        for count in 1...3 {
            #expect(reads.count == 0 && desk.asked == count)
            desk.waiting.removeFirst()(.text(200, "ok"))
        }
        #expect(reads.count == 1)
    }

    @Test func whoSendsNothingOrTakesNothingIsLetGo() throws {
        let silent = try channel()
        try silent.writeInbound(ByteBuffer(string: "GET"))
        let deaf = try channel(socket: SlowSocket())
        try deaf.writeInbound(ByteBuffer(string: Self.get))
        loop.advanceTime(by: .seconds(119))
        #expect(silent.isActive && deaf.isActive)
        loop.advanceTime(by: .seconds(1))
        #expect(!silent.isActive && !deaf.isActive)
    }

    /// A scan of a store takes as long as it takes.
    @Test func anAnswerMayTakeLong() throws {
        let channel = try channel(answersLater: 1)
        try channel.writeInbound(ByteBuffer(string: Self.get))
        loop.advanceTime(by: .hours(1))
        desk.waiting.removeFirst()(.text(200, "ok"))
        #expect(try answers(channel) == 1)
        loop.advanceTime(by: .seconds(120))
        #expect(!channel.isActive)
    }

    @Test func whoHasGoneIsNotAnswered() throws {
        let channel = try channel(answersLater: 1)
        try channel.writeInbound(ByteBuffer(string: Self.get + Self.get))
        try channel.close().wait()
        desk.waiting.removeFirst()(.text(200, "ok"))
        #expect(desk.asked == 1)
        #expect(try answers(channel) == 0)
    }

    /// Where the next request begins is not known then.
    @Test(arguments: [
        ("GET / HTTP/1.1\r\n\r\n", 400), ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n12345678901", 413),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx", 400),
    ])
    func whatIsMalformedIsAnsweredOnce(_ request: String, _ status: Int) throws {
        let channel = try channel()
        try channel.writeInbound(ByteBuffer(string: request + Self.get))
        let answer = try #require(try channel.readOutbound(as: ByteBuffer.self))
        #expect(String(buffer: answer).hasPrefix("HTTP/1.1 \(status) "))
        #expect(try channel.readOutbound(as: ByteBuffer.self) == nil)
        #expect(!channel.isActive && desk.asked == 0)
    }
}
