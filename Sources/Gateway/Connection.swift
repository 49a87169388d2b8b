internal import DecisionLog
internal import HTTP
internal import NIOCore
internal import Residency
internal import Settings
internal import TLS

/// One client's connection: bytes in, requests one after the other, answers out. It performs what `ConnectionMachine` says and decides
/// nothing about mail.
///
/// The channel's autoRead is off: the socket is read only when something wants bytes, so that a slow disk or a slow reader bounds what
/// is held in memory.
final class Connection: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let worker: Worker
    private var decoder = RequestDecoder()
    private var machine = ConnectionMachine()
    private var caller: Caller
    private var exchange: Exchange?
    private var context: ChannelHandlerContext?
    private var isReading = false
    private var isPumping = false
    private var hasInputClosed = false
    private var closesAfterDrain = false
    private var drainedBytes = 0
    /// Closes an idle, silent or draining connection when it passes.
    private var deadline: NIODeadline

    init(worker: Worker, address: Address) {
        self.worker = worker
        caller = Caller(address: address)
        deadline = .now() + .seconds(Limits.idleSecondsMax)
    }

    // MARK: - What the channel says

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        worker.add(self)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        worker.remove(self)
        self.context = nil
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case let handshake as TLSHandshakeCompleted:
            caller.present(handshake.peer)
            worker.counters.handshakes += 1
            if handshake.resumed { worker.counters.resumptions += 1 }
            deadline = .now() + .seconds(Limits.headSecondsMax)
            wantBytes()
        case let failure as TLSHandshakeFailed:
            worker.counters.handshakeFailures[failure.error.cause, default: 0] += 1
        case ChannelEvent.inputClosed:
            hasInputClosed = true
            if machine.isWaiting { close() }
        default: context.fireUserInboundEventTriggered(event)
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !machine.isClosed else { return }
        var bytes = unwrapInboundIn(data)
        if machine.isWaiting, decoder.bufferedByteCount == 0 { deadline = .now() + .seconds(Limits.headSecondsMax) }
        decoder.append(&bytes)
        pump()
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        isReading = false
        switch machine.want {
        case .head, .body, .discard: wantBytes()
        case .nothing:
            // A socket that is not read for the while of one request costs two calls to epoll. What comes meanwhile is little.
            if decoder.bufferedByteCount < Limits.bufferedBytesMax, !machine.isClosed { wantBytes() }
        }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { exchange?.channelIsWritable() }
    }

    func channelInactive(context: ChannelHandlerContext) {
        end()
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // What failed was counted where it happened; a broken transport has no way back.
        abort()
    }

    // MARK: - What an exchange asks

    var address: Address { caller.address }
    var isWritable: Bool { context?.channel.isWritable ?? false }

    func authenticate(at time: Timestamp) -> Caller.Identity {
        caller.authenticate(worker.service, worker.tls, at: time)
    }

    func makeBuffer(capacity: Int) -> ByteBuffer {
        context?.channel.allocator.buffer(capacity: capacity) ?? ByteBuffer()
    }

    /// The decision is on its way to disk.
    func waitForLog() {}

    /// The decision lets the body in.
    func receiveBody(sendingContinue: Bool) {
        if sendingContinue {
            write(ByteBuffer(bytes: ResponseEncoder.continueBytes))
            flush()
        }
        machine.bodyIsWanted()
        if machine.isBodyWhole { exchange?.receivedAll() } else { pump() }
    }

    /// Storage took the last piece; the next one may come.
    func pieceWasStored() {
        machine.pieceStored()
        pump()
    }

    func write(_ bytes: ByteBuffer) { context?.write(wrapOutboundOut(bytes), promise: nil) }

    func flush() { context?.flush() }

    /// The answer's head is about to be made: may the connection live on after it? Not when a body was refused that the client has
    /// not sent yet, nor when the service stops.
    func beginAnswer(wantsKeepAlive: Bool, expectsContinue: Bool) -> Bool {
        let isEarly = machine.answerBegins()
        return wantsKeepAlive && !worker.isStopping && !hasInputClosed && !(isEarly && expectsContinue)
    }

    /// The last bytes of an answer.
    func finishAnswer(_ last: ByteBuffer, of exchange: Exchange) {
        guard let context else { return exchange.complete(.brokenOff) }
        let promise = context.eventLoop.makePromise(of: Void.self)
        let bound = NIOLoopBound(exchange, eventLoop: context.eventLoop)
        promise.futureResult.assumeIsolated().whenComplete { result in
            switch result {
            case .success: bound.value.complete(.whole)
            case .failure: bound.value.complete(.brokenOff)
            }
        }
        let keepsAlive = exchange.keepsAlive
        context.writeAndFlush(wrapOutboundOut(last), promise: promise)
        self.exchange = nil
        switch machine.answerEnded(keepAlive: keepsAlive) {
        case .nextRequest:
            deadline = .now() + .seconds(worker.isStopping ? Limits.lastRequestSecondsMax : Limits.idleSecondsMax)
            pump()
        case .drain:
            drainedBytes = 0
            closesAfterDrain = !keepsAlive
            deadline = .now() + .seconds(Limits.drainSecondsMax)
            pump()
        case .close: close()
        }
    }

    /// Ends the connection without close_notify: what was being sent must not pass for whole.
    func abort() {
        guard let context else { return }
        end()
        context.triggerUserOutboundEvent(TLSAbort(), promise: nil)
    }

    // MARK: - What the worker asks

    /// The service stops: a busy connection closes after its answer, an idle one soon. Not now: a request may be on its way, and is
    /// answered with the word that no other one will be.
    func finish() {
        if machine.isWaiting, decoder.bufferedByteCount == 0 {
            deadline = min(deadline, .now() + .seconds(Limits.lastRequestSecondsMax))
        }
    }

    func checkDeadlines(now: NIODeadline) {
        if let exchange {
            exchange.checkAuthorizations()
        } else if now >= deadline {
            close()
        }
    }

    // MARK: - Decoding

    /// Takes from the decoder as much as the machine wants.
    private func pump() {
        guard !isPumping else { return }
        isPumping = true
        defer { isPumping = false }
        do throws(FramingError) {
            while !machine.isClosed {
                switch machine.want {
                case .nothing: return
                case .head:
                    guard let event = try decoder.next() else { return wantBytes() }
                    if case .head(let head) = event { try begin(head) }
                case .body:
                    guard let event = try decoder.next() else { return wantBytes() }
                    hand(over: event)
                case .discard:
                    guard let event = try decoder.next() else { return wantBytes() }
                    discard(event)
                }
            }
        } catch { refuse(error) }
    }

    private func begin(_ head: RequestHead) throws(FramingError) {
        machine.headArrived()
        if case .none = head.body, case .end = try decoder.next() { machine.bodyEnded() }
        start(.head(head))
    }

    private func start(_ arrival: Exchange.Arrival) {
        let exchange = Exchange(connection: self, worker: worker, arrival: arrival)
        self.exchange = exchange
        exchange.begin()
    }

    private func hand(over event: RequestDecoder.Event) {
        switch event {
        case .head: preconditionFailure("a head inside a body")
        case .body(let piece):
            machine.pieceHandedOver()
            exchange?.receive(piece)
        case .end:
            machine.bodyEnded()
            exchange?.receivedAll()
        }
    }

    private func discard(_ event: RequestDecoder.Event) {
        switch event {
        case .head: preconditionFailure("a head inside a body")
        case .body(let piece):
            drainedBytes += piece.readableBytes
            if drainedBytes > Limits.drainedBytesMax { close() }
        case .end:
            machine.bodyEnded()
            guard machine.isWaiting else { return }
            deadline = .now() + .seconds(Limits.idleSecondsMax)
            if closesAfterDrain || worker.isStopping { close() }
        }
    }

    /// Framing that cannot be trusted: nothing after it is read, and the connection closes after an answer.
    private func refuse(_ error: FramingError) {
        if let exchange {
            // The body of the request in hand is broken: what is being sent already ends here.
            guard exchange.awaitsBody else { return abort() }
            machine.bodyBroke()
            hasInputClosed = true
            return exchange.bodyBroke()
        }
        guard machine.isWaiting || machine.isDeciding else { return abort() }
        if machine.isWaiting { machine.headArrived() }
        machine.bodyEnded()
        start(.framing(error))
    }

    private func wantBytes() {
        guard !isReading, let context, !hasInputClosed else { return }
        isReading = true
        context.read()
    }

    private func close() {
        end()
        context?.close(mode: .all, promise: nil)
    }

    private func end() {
        machine.close()
        let exchange = exchange
        self.exchange = nil
        exchange?.connectionEnded()
    }
}
