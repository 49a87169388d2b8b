package import NIOCore
internal import Synchronization

/// Fired inbound once, when the other side is who it says.
package struct TLSHandshakeCompleted: Sendable {
    /// nil where no certificate was asked for or, in optional mode, none was shown.
    package let peer: PeerCertificate?
    package let resumed: Bool
}

/// Fired inbound once, when a handshake failed; the connection closes.
package struct TLSHandshakeFailed: Sendable {
    package let error: TLSError
}

/// Triggered outbound to end a connection without close_notify: what was being sent must not pass for whole.
package struct TLSAbort: Sendable {
    package init() {}
}

/// A bound on handshakes in progress, or on connections, of one listener: on all of them, and on those of each source, so that who opens
/// connections and says nothing keeps out nobody else.
package final class SourceGate: Sendable {
    private struct State {
        var count = 0
        var counts: [UInt128: Int] = [:]
    }

    private let state = Mutex(State())
    private let max: Int
    private let eachMax: Int

    /// - Parameter eachMax: of one source; as many as of all when not given.
    package init(max: Int, eachMax: Int? = nil) {
        self.max = max
        self.eachMax = eachMax ?? max
    }

    /// - Parameter source: whatever connections that belong together have in common.
    package func enter(from source: UInt128 = 0) -> Bool {
        state.withLock { state in
            guard state.count < max, state.counts[source, default: 0] < eachMax else { return false }
            state.count += 1
            state.counts[source, default: 0] += 1
            return true
        }
    }

    package func leave(from source: UInt128 = 0) {
        state.withLock { state in
            state.count -= 1
            let left = state.counts[source, default: 1] - 1
            state.counts[source] = left == 0 ? nil : left
        }
    }
}

/// TLS over libssl: plaintext on the side of the head's neighbours, records on the other. One write to the socket for each flush.
package final class TLSHandler: ChannelDuplexHandler {
    package typealias InboundIn = ByteBuffer
    package typealias InboundOut = ByteBuffer
    package typealias OutboundIn = ByteBuffer
    package typealias OutboundOut = ByteBuffer

    private enum State {
        case idle
        case handshaking(timeout: Scheduled<Void>?)
        case open
        /// close_notify was sent; the other side's is waited for.
        case closing(EventLoopPromise<Void>?, timeout: Scheduled<Void>?)
        case closed
    }

    private let tlsContext: TLSContext
    private let gate: SourceGate?
    private let source: UInt128
    private var session: TLSSession?
    private var state = State.idle
    /// Written and not yet encrypted.
    private var plaintext = ByteBuffer()
    private var promises: [EventLoopPromise<Void>] = []
    private var isFlushPending = false
    private var isReadWanted = false
    private var hasInputClosed = false
    private var isInGate = false

    /// - Parameter source: whom the gate counts it with.
    package init(_ context: TLSContext, gate: SourceGate? = nil, source: UInt128 = 0) {
        tlsContext = context
        self.gate = gate
        self.source = source
    }

    // MARK: - The channel's life

    package func handlerAdded(context: ChannelHandlerContext) {
        if context.channel.isActive { begin(context) }
    }

    package func channelActive(context: ChannelHandlerContext) {
        begin(context)
        context.fireChannelActive()
    }

    package func channelInactive(context: ChannelHandlerContext) {
        let before = state
        end(context, error: ChannelError.ioOnClosedChannel)
        switch before {
        case .handshaking: context.fireUserInboundEventTriggered(TLSHandshakeFailed(error: .truncated))
        case .open where !hasInputClosed: context.fireErrorCaught(TLSError.truncated)
        case .open, .idle, .closing, .closed: break
        }
        context.fireChannelInactive()
    }

    package func handlerRemoved(context: ChannelHandlerContext) {
        end(context, error: ChannelError.ioOnClosedChannel)
        session = nil
    }

    private func begin(_ context: ChannelHandlerContext) {
        guard case .idle = state else { return }
        guard gate?.enter(from: source) ?? true else {
            state = .closed
            context.fireUserInboundEventTriggered(
                TLSHandshakeFailed(error: .handshakeFailed(reason: "too many handshakes")))
            context.close(promise: nil)
            return
        }
        isInGate = gate != nil
        guard let session = TLSSession(tlsContext) else {
            return fail(context, .handshakeFailed(reason: "SSL_new"))
        }
        self.session = session
        let handler = NIOLoopBound(self, eventLoop: context.eventLoop)
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
        state = .handshaking(
            timeout: context.eventLoop.scheduleTask(in: .seconds(TLSLimits.handshakeSecondsMax)) {
                handler.value.fail(bound.value, .handshakeTimeout)
            })
        shakeHands(context)
        context.read()
    }

    // MARK: - Inbound

    package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard let session else { return }
        var bytes = unwrapInboundIn(data)
        if session.incoming.readableBytes == 0 {
            session.incoming = bytes
        } else {
            session.incoming.writeBuffer(&bytes)
        }
        guard session.incoming.readableBytes <= TLSLimits.incomingBytesMax else {
            return fail(context, .protocolError(reason: "too many bytes without a record"))
        }
        if case .handshaking = state { shakeHands(context) }
        decrypt(context)
    }

    package func channelReadComplete(context: ChannelHandlerContext) {
        context.fireChannelReadComplete()
        switch state {
        case .handshaking, .closing: context.read()
        case .open where isReadWanted: context.read()
        case .open, .idle, .closed: break
        }
    }

    package func read(context: ChannelHandlerContext) {
        isReadWanted = true
        context.read()
    }

    private func shakeHands(_ context: ChannelHandlerContext) {
        guard case .handshaking(let timeout) = state, let session else { return }
        let outcome = session.handshake()
        switch outcome {
        case .done:
            timeout?.cancel()
            leaveGate()
            state = .open
            send(context, promise: nil)
            completed(context, session)
        case .starved: send(context, promise: nil)
        case .closed: fail(context, .handshakeFailed(reason: "closed during the handshake"))
        case .failed(let error): fail(context, error)
        }
    }

    private func completed(_ context: ChannelHandlerContext, _ session: TLSSession) {
        let peer = session.peer
        // A full handshake verified the chain just now; a resumed one is held against the settings of this moment.
        if session.wasResumed, let peer, let problem = tlsContext.problem(with: peer) { return fail(context, problem) }
        context.fireUserInboundEventTriggered(TLSHandshakeCompleted(peer: peer, resumed: session.wasResumed))
        if isFlushPending { flush(context: context) }
    }

    private func decrypt(_ context: ChannelHandlerContext) {
        while let session {
            switch state {
            case .open, .closing: break
            case .idle, .handshaking, .closed: return
            }
            var buffer = ByteBuffer()
            let outcome = session.read(into: &buffer, bytesMax: TLSLimits.readBytesMax)
            if session.unsentBytes > 0 {
                // Answers to key updates, from a client that takes none of them.
                guard context.channel.isWritable else {
                    return fail(context, .protocolError(reason: "too many key updates"))
                }
                send(context, promise: nil)
            }
            if buffer.readableBytes > 0, case .open = state {
                isReadWanted = false
                context.fireChannelRead(wrapInboundOut(buffer))
            }
            switch outcome {
            case .done: continue
            case .starved: return
            case .closed: return peerClosed(context)
            case .failed(let error): return fail(context, error)
            }
        }
    }

    private func peerClosed(_ context: ChannelHandlerContext) {
        guard !hasInputClosed else { return }
        hasInputClosed = true
        switch state {
        case .closing: finishClosing(context)
        case .open: context.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        case .idle, .handshaking, .closed: break
        }
    }

    // MARK: - Outbound

    package func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        switch state {
        case .closing, .closed:
            promise?.fail(ChannelError.ioOnClosedChannel)
            return
        case .idle, .handshaking, .open: break
        }
        var buffer = unwrapOutboundIn(data)
        if let promise { promises.append(promise) }
        if case .open = state, buffer.readableBytes >= 16 << 10 {
            // Straight from the caller's buffer into records, after what was written before it.
            guard encryptPlaintext(context), let session else { return }
            if case .failed(let error) = session.write(buffer.readableBytesUInt8Span) { fail(context, error) }
            return
        }
        if plaintext.readableBytes == 0 {
            plaintext = buffer
        } else {
            plaintext.writeBuffer(&buffer)
        }
        switch state {
        case .open:
            if plaintext.readableBytes >= TLSLimits.writeBytesMax { _ = encryptPlaintext(context) }
        case .idle, .handshaking:
            guard plaintext.readableBytes <= TLSLimits.earlyPlaintextBytesMax else {
                return fail(context, .tooMuchEarlyData)
            }
        case .closing, .closed: break
        }
    }

    package func flush(context: ChannelHandlerContext) {
        switch state {
        case .open:
            isFlushPending = false
            guard encryptPlaintext(context) else { return }
            let promise = takePromises(context)
            send(context, promise: promise)
        case .idle, .handshaking: isFlushPending = true
        case .closing, .closed: break
        }
    }

    private func encryptPlaintext(_ context: ChannelHandlerContext) -> Bool {
        guard plaintext.readableBytes > 0 else { return true }
        let buffer = plaintext
        plaintext = ByteBuffer()
        guard let session else { return false }
        switch session.write(buffer.readableBytesUInt8Span) {
        case .done: return true
        case .starved:
            // Only a renegotiation could want bytes before it writes, and there is none.
            fail(context, .protocolError(reason: "a write that wants to read"))
            return false
        case .closed:
            fail(context, .protocolError(reason: "a write after close_notify"))
            return false
        case .failed(let error):
            fail(context, error)
            return false
        }
    }

    /// One write and one flush of all records that are ready.
    private func send(_ context: ChannelHandlerContext, promise: EventLoopPromise<Void>?) {
        guard let session, let records = session.takeOutgoing() else {
            promise?.succeed(())
            return
        }
        context.writeAndFlush(wrapOutboundOut(records), promise: promise)
    }

    private func takePromises(_ context: ChannelHandlerContext) -> EventLoopPromise<Void>? {
        guard promises.count > 1 else { return promises.popLast() }
        let all = promises
        promises = []
        let promise = context.eventLoop.makePromise(of: Void.self)
        promise.futureResult.whenComplete { result in
            for promise in all { promise.completeWith(result) }
        }
        return promise
    }

    // MARK: - The end

    package func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        switch state {
        case .open:
            flush(context: context)
            guard case .open = state, let session else { return context.close(mode: .all, promise: promise) }
            session.shutdown()
            send(context, promise: nil)
            if hasInputClosed {
                state = .closed
                return context.close(mode: .all, promise: promise)
            }
            let handler = NIOLoopBound(self, eventLoop: context.eventLoop)
            let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
            state = .closing(
                promise,
                timeout: context.eventLoop.scheduleTask(in: .seconds(TLSLimits.closeSecondsMax)) {
                    handler.value.finishClosing(bound.value)
                })
            context.read()
        case .closing(let first, let timeout):
            guard let promise else { return }
            if let first {
                first.futureResult.cascade(to: promise)
            } else {
                state = .closing(promise, timeout: timeout)
            }
        case .idle, .handshaking, .closed:
            end(context, error: ChannelError.ioOnClosedChannel)
            context.close(mode: .all, promise: promise)
        }
    }

    package func triggerUserOutboundEvent(context: ChannelHandlerContext, event: Any, promise: EventLoopPromise<Void>?)
    {
        guard event is TLSAbort else { return context.triggerUserOutboundEvent(event, promise: promise) }
        end(context, error: ChannelError.ioOnClosedChannel)
        context.close(mode: .all, promise: promise)
    }

    private func finishClosing(_ context: ChannelHandlerContext) {
        guard case .closing(let promise, let timeout) = state else { return }
        timeout?.cancel()
        state = .closed
        context.close(mode: .all, promise: promise)
    }

    /// The connection ends here; a failed handshake's alert still goes out.
    private func fail(_ context: ChannelHandlerContext, _ error: TLSError) {
        let before = state
        if case .closed = before { return }
        send(context, promise: nil)
        end(context, error: error)
        switch before {
        case .idle, .handshaking: context.fireUserInboundEventTriggered(TLSHandshakeFailed(error: error))
        case .open: context.fireErrorCaught(error)
        case .closing, .closed: break
        }
        context.close(mode: .all, promise: nil)
    }

    private func end(_ context: ChannelHandlerContext, error: any Error) {
        leaveGate()
        switch state {
        case .handshaking(let timeout): timeout?.cancel()
        case .closing(let promise, let timeout):
            timeout?.cancel()
            promise?.succeed(())
        case .idle, .open, .closed: break
        }
        state = .closed
        plaintext = ByteBuffer()
        let waiting = promises
        promises = []
        for promise in waiting { promise.fail(error) }
    }

    private func leaveGate() {
        if isInGate {
            isInGate = false
            gate?.leave(from: source)
        }
    }
}
