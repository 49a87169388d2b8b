internal import DecisionLog
internal import HTTP
internal import NIOCore
internal import Residency
internal import S3
internal import Settings
internal import Sockets
internal import TLS

/// One client's connection: bytes in, requests one after the other, answers out. It performs what `ConnectionMachine` says and decides
/// nothing about mail.
///
/// The socket is not read while enough of the next requests is held, so that a slow disk or a slow reader bounds what is in memory.
final class Connection {
    private let worker: Worker
    private let socket: TLSSocket
    private let decoder = RequestDecoder()
    private var machine = ConnectionMachine()
    private let caller: Caller
    private var exchange: Exchange?
    /// Its answer was written whole, and the socket has not taken all of it.
    private var sending: Exchange?
    private var isPumping = false
    private var hasInputClosed = false
    /// The bucket that the last request named: the next one likely names it too, and need not make its text.
    var lastBucket: BucketName?
    private var closesAfterDrain = false
    private var drainedBytes = 0
    /// Closes an idle, silent or draining connection when it passes, and cuts one off whose client neither sends nor takes what the request
    /// in hand waits for.
    private var deadline: NIODeadline

    init(worker: Worker, socket: TLSSocket, address: Address) {
        self.worker = worker
        self.socket = socket
        caller = Caller(address: address)
        deadline = worker.loop.turn + .seconds(Limits.idleSecondsMax)
    }

    func begin() {
        worker.add(self)
        socket.begin(self)
    }

    // MARK: - What an exchange asks

    var address: Address { caller.address }
    var isWritable: Bool { socket.isWritable }

    @inline(__always)
    func authenticate(by service: Service, at time: Timestamp) -> Standing? {
        caller.authenticate(service, worker.tls, at: time)
    }

    /// The decision lets the body in.
    func receiveBody(sendingContinue: Bool) {
        if sendingContinue {
            let interim = ResponseEncoder.continueBytes
            write(interim.span)
            flush()
        }
        machine.bodyIsWanted()
        waitForClient()
        if machine.isBodyWhole { exchange?.receivedAll() } else { pump() }
    }

    /// Storage took the last piece; the next one may come.
    func pieceWasStored() {
        machine.pieceStored()
        waitForClient()
        pump()
    }

    func write(_ bytes: Span<UInt8>) { socket.write(bytes) }

    func flush() { if !socket.flush() { waitForClient() } }

    private static let stall = TimeAmount.seconds(Limits.stalledSecondsMax)

    private func waitForClient() { deadline = worker.loop.turn + Self.stall }

    /// The answer's head is about to be made: may the connection live on after it? Not when a body was refused that the client has
    /// not sent yet, nor when the service stops.
    @inline(__always)
    func beginAnswer(wantsKeepAlive: Bool, expectsContinue: Bool) -> Bool {
        let isEarly = machine.answerBegins()
        return wantsKeepAlive && !worker.isStopping && !hasInputClosed && !(isEarly && expectsContinue)
    }

    /// The last bytes of an answer.
    @inline(__always)
    func finishAnswer(_ last: Span<UInt8>, of exchange: Exchange) {
        // Nobody would say that the socket has taken it.
        guard !machine.isClosed else { return exchange.complete(.brokenOff) }
        let keepsAlive = exchange.keepsAlive
        self.exchange = nil
        socket.write(last)
        if socket.flush() {
            exchange.complete(.whole)
        } else if machine.isClosed {
            exchange.complete(.brokenOff)
        } else {
            sending = exchange
        }
        switch machine.answerEnded(keepAlive: keepsAlive) {
        case .nextRequest:
            let seconds = worker.isStopping ? Limits.lastRequestSecondsMax : Limits.idleSecondsMax
            deadline = worker.loop.turn + .seconds(seconds)
            pump()
        case .drain:
            drainedBytes = 0
            closesAfterDrain = !keepsAlive
            deadline = worker.loop.turn + .seconds(Limits.drainSecondsMax)
            pump()
        case .close: close()
        }
    }

    private func answerIsSent() {
        let sent = sending
        sending = nil
        sent?.complete(.whole)
    }

    /// Ends the connection without close_notify: what was being sent must not pass for whole.
    func abort() {
        end()
        socket.abort()
    }

    // MARK: - What the worker asks

    /// The service stops: a busy connection closes after its answer, an idle one soon. Not now: a request may be on its way, and is
    /// answered with the word that no other one will be.
    func finish() {
        if machine.isWaiting, decoder.bufferedByteCount == 0 {
            deadline = min(deadline, worker.loop.turn + .seconds(Limits.lastRequestSecondsMax))
        }
    }

    func checkDeadlines(now: NIODeadline) {
        socket.checkDeadline(now: now)
        sending?.checkAuthorizations()
        if let exchange {
            exchange.checkAuthorizations()
            if now >= deadline, machine.want == .body || socket.isStuck(since: now - Self.stall) { abort() }
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
                    // The next request waits until the last answer has left.
                    guard sending == nil else { return }
                    guard let head = try decoder.nextHead() else { return wantBytes() }
                    var fields: RequestFields?
                    head.forEachField { RequestFields.add(name: $0, value: $1, to: &fields) }
                    begin(head, fields)
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

    /// - Parameter fields: those of the head's that are S3's.
    @inline(__always)
    private func begin(_ head: consuming RequestHead, _ fields: RequestFields?) {
        machine.headArrived()
        if case .none = head.body { machine.bodyEnded() }
        begin(Exchange(connection: self, worker: worker, head: head, fields: fields))
    }

    @inline(__always)
    private func begin(_ exchange: Exchange) {
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
            deadline = worker.loop.turn + .seconds(Limits.idleSecondsMax)
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
        begin(Exchange(connection: self, worker: worker, framing: error))
    }

    /// More is wanted than is here.
    private func wantBytes() {
        guard hasInputClosed else {
            // A head has begun, this turn or before.
            if case .head = machine.want, decoder.bufferedByteCount > 0 {
                deadline = min(deadline, worker.loop.turn + .seconds(Limits.headSecondsMax))
            }
            return socket.pauseReading(false)
        }
        // It never comes.
        if exchange == nil { close() } else { abort() }
    }

    private func close() {
        end()
        socket.close()
    }

    private func end() {
        machine.close()
        let exchange = exchange
        self.exchange = nil
        exchange?.connectionEnded()
    }
}

extension Connection: TLSSocketOwner {
    func handshakeIsDone(peer: PeerCertificate?, isResumed: Bool) {
        caller.present(peer)
        worker.totals.handshakes += 1
        if isResumed { worker.totals.resumptions += 1 }
        deadline =
            worker.loop.turn + .seconds(worker.isStopping ? Limits.lastRequestSecondsMax : Limits.headSecondsMax)
    }

    func handshakeFailed(_ error: TLSError) { worker.counters.handshakeFailures[error.cause, default: 0] += 1 }

    func received(_ bytes: Span<UInt8>) {
        guard !machine.isClosed else { return }
        if case .head = machine.want, sending == nil, !isPumping {
            var fields: RequestFields?
            if let head = decoder.nextHead(
                appending: bytes, { RequestFields.add(name: $0, value: $1, to: &fields) })
            {
                isPumping = true
                begin(head, fields)
                isPumping = false
            }
        } else {
            decoder.append(bytes)
        }
        pump()
    }

    func receivedAll() {
        guard decoder.bufferedByteCount >= Limits.bufferedBytesMax, !machine.isClosed else { return }
        switch machine.want {
        case .head where sending == nil: break
        case .body, .discard: break
        // A socket that is not read for the while of one request costs two calls to epoll. What comes meanwhile is little.
        case .head, .nothing: socket.pauseReading(true)
        }
    }

    func inputIsClosed() {
        hasInputClosed = true
        pump()
    }

    func outputIsSent() {
        if let exchange {
            exchange.socketIsWritable()
        } else {
            answerIsSent()
            pump()
        }
    }

    func socketIsClosed() {
        end()
        sending?.complete(.brokenOff)
        sending = nil
        worker.remove(self)
    }
}
