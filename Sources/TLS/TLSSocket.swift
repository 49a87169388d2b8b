internal import Glibc
package import NIOCore
package import Sockets

/// Who has a `TLSSocket`. Called on its loop.
package protocol TLSSocketOwner: AnyObject {
    /// Once, when the other side is who it says. `peer` is nil where no certificate was asked for or, in optional mode, none was shown.
    func handshakeIsDone(peer: PeerCertificate?, isResumed: Bool)
    /// Once, in its place; the end follows.
    func handshakeFailed(_ error: TLSError)
    /// Plaintext, never empty. It is read before anything else is asked of the socket, whose memory it is.
    func received(_ bytes: Span<UInt8>)
    /// All that was there has been received.
    func receivedAll()
    /// close_notify came: nothing more is received. What is written still goes out.
    func inputIsClosed()
    /// The socket has taken what it had not taken at once.
    func outputIsSent()
    /// Once, last: the socket is closed.
    func socketIsClosed()
}

/// TLS over a socket of a `SocketLoop`, without a pipeline between them: one read of the socket for what is there, one write for each flush.
/// Confined to the loop.
package final class TLSSocket: SocketHandler {
    private enum State {
        case handshaking, open
        /// close_notify was sent; the other side's is waited for.
        case closing
        case closed
    }

    private let descriptor: Int32
    private let loop: SocketLoop
    private let gate: SourceGate?
    private let source: UInt128
    private let tlsContext: TLSContext
    private var session: TLSSession?
    private var owner: (any TLSSocketOwner)?
    private var registration: SocketLoop.Registration?
    private var state = State.handshaking
    private var interest = SocketEvents.readable
    private var hasInputClosed = false
    private var isInGate = false
    private var isPaused = false
    /// Since `checkDeadline` was called last.
    private var hasReceived = false
    private var hasBuffers = true
    /// Bytes of answers to key updates since the socket had taken all.
    private var controlBytes = 0
    /// When the socket took a part of what it had not taken at once.
    private var tookLast = NIODeadline.uptimeNanoseconds(0)
    /// When a handshake must be done, or a close.
    private var deadline: NIODeadline

    /// - Parameters:
    ///   - descriptor: a connected nonblocking socket; closed at the end.
    ///   - source: whom the gate counts it with.
    package init(
        _ descriptor: Int32, _ context: TLSContext, on loop: SocketLoop, gate: SourceGate?, source: UInt128 = 0
    ) {
        self.descriptor = descriptor
        self.loop = loop
        self.gate = gate
        self.source = source
        tlsContext = context
        deadline = .now() + .seconds(TLSLimits.handshakeSecondsMax)
    }

    /// Begins the handshake. `owner` is held until the end, which may come in this call.
    package func begin(_ owner: any TLSSocketOwner) {
        self.owner = owner
        guard gate?.enter(from: source) ?? true else { return fail(.handshakeFailed(reason: "too many handshakes")) }
        isInGate = gate != nil
        guard let session = TLSSession(tlsContext, descriptor: descriptor) else {
            return fail(.handshakeFailed(reason: "SSL_new"))
        }
        self.session = session
        do throws(SocketError) {
            registration = try loop.add(descriptor, self, interest: interest)
        } catch { fail(.handshakeFailed(reason: "\(error)")) }
    }

    // MARK: - What the loop says

    package func socketIsReady(_ events: SocketEvents) {
        if events.hasAny(of: .writable) { sendRest() }
        if events.hasAny(of: .readable | .failed) { receive() }
    }

    @inline(__always)
    private func receive() {
        hasReceived = true
        session?.readsLeft = TLSLimits.readsMax
        if case .handshaking = state { shakeHands() }
        while let session {
            switch state {
            case .open, .closing: break
            case .handshaking, .closed: return
            }
            if hasInputClosed {
                // Nothing more comes but the end itself, which is told when no event is waited for.
                return end()
            }
            let unsentBytes = session.unsentBytes
            var answerBytes: Int?
            let outcome = session.receive { bytes in
                // What is written from here on is the owner's. Before a byte of the owner's there may have been many key updates.
                answerBytes = session.unsentBytes - unsentBytes
                guard case .open = state else { return }
                owner?.received(bytes)
            }
            // A key update may want an answer of its own.
            controlBytes += answerBytes ?? session.unsentBytes - unsentBytes
            if session.unsentBytes > 0 { flush() }
            if session.unsentBytes == 0 { controlBytes = 0 }
            guard controlBytes <= TLSLimits.controlBytesMax else {
                return fail(.protocolError(reason: "too many key updates"))
            }
            switch outcome {
            case .done: continue
            case .starved:
                if case .open = state { owner?.receivedAll() }
                return
            case .closed: return inputEnded()
            case .failed(let error): return fail(error)
            }
        }
    }

    private func shakeHands() {
        guard let session else { return }
        switch session.handshake() {
        case .done:
            leaveGate()
            state = .open
            flush()
            guard case .open = state else { return }
            let peer = session.peer
            // A full handshake verified the chain just now; a resumed one is held against the settings of this moment.
            if session.wasResumed, let peer, let problem = tlsContext.problem(with: peer) { return fail(problem) }
            owner?.handshakeIsDone(peer: peer, isResumed: session.wasResumed)
        case .starved: flush()
        case .closed: fail(.handshakeFailed(reason: "closed during the handshake"))
        case .failed(let error): fail(error)
        }
    }

    private func inputEnded() {
        guard case .open = state else {
            // Whoever sends no more may still read: the last bytes of an answer are not for nobody.
            guard case .closing = state, let session, session.unsentBytes > 0 else { return end() }
            hasInputClosed = true
            return update()
        }
        hasInputClosed = true
        update()
        owner?.inputIsClosed()
    }

    /// What is waited for follows from where this stands.
    private func update() {
        guard let registration else { return }
        var wanted = isPaused || hasInputClosed ? SocketEvents.none : .readable
        if let session, session.unsentBytes > 0 { wanted = wanted | .writable }
        guard wanted != interest else { return }
        interest = wanted
        loop.change(registration, interest: wanted)
    }

    // MARK: - What the owner asks

    /// Stops reading the socket, or reads on: little that is here already is received all the same.
    package func pauseReading(_ isPaused: Bool) {
        guard isPaused != self.isPaused else { return }
        self.isPaused = isPaused
        update()
    }

    /// The socket has taken all that was flushed: it likely takes more.
    package var isWritable: Bool {
        guard case .open = state else { return false }
        return !interest.hasAny(of: .writable)
    }

    /// The socket has taken nothing since then of what is to be sent.
    package func isStuck(since: NIODeadline) -> Bool { !isWritable && tookLast <= since }

    /// Encrypts; `flush` sends.
    package func write(_ bytes: Span<UInt8>) {
        guard case .open = state, let session else { return }
        hasBuffers = true
        switch session.write(bytes) {
        case .done: break
        // Only a renegotiation could want bytes before it writes, and there is none.
        case .starved: fail(.protocolError(reason: "a write that wants to read"))
        case .closed: fail(.protocolError(reason: "a write after close_notify"))
        case .failed(let error): fail(error)
        }
    }

    /// Sends what was written, now as far as the socket takes it and the rest when it does.
    /// - Returns: true when the socket has taken all; `outputIsSent` tells it otherwise.
    @discardableResult
    package func flush() -> Bool {
        guard let session, !interest.hasAny(of: .writable) else { return false }
        switch session.send() {
        case .all: return true
        case .some: update()
        case .failed: end()
        }
        return false
    }

    private func sendRest() {
        guard let session else { return }
        switch session.send() {
        case .all:
            update()
            if case .closing = state { deadline = .now() + .seconds(TLSLimits.closeSecondsMax) }
            owner?.outputIsSent()
            // The owner may have closed just now, with more than the socket took.
            if case .closing = state, hasInputClosed, session.unsentBytes == 0 { end() }
        case .some:
            tookLast = .now()
            if case .closing = state { deadline = tookLast + .seconds(TLSLimits.lastBytesSecondsMax) }
        case .failed: end()
        }
    }

    /// Sends what was written and close_notify, and ends when the other side's came or was waited for long enough.
    package func close() {
        switch state {
        case .open: break
        case .handshaking: return end()
        case .closing, .closed: return
        }
        guard let session else { return end() }
        state = .closing
        isPaused = false
        session.shutdown()
        flush()
        let seconds = session.unsentBytes > 0 ? TLSLimits.lastBytesSecondsMax : TLSLimits.closeSecondsMax
        deadline = .now() + .seconds(seconds)
        if hasInputClosed, session.unsentBytes == 0 { return end() }
        update()
    }

    /// Ends the connection without close_notify: what was being sent must not pass for whole.
    package func abort() { end() }

    /// Ends a handshake or a close that takes too long, and lets the memory of a session go that has rested since the last call. To be called
    /// now and then.
    package func checkDeadline(now: NIODeadline) {
        if hasReceived {
            (hasReceived, hasBuffers) = (false, true)
        } else if hasBuffers, case .open = state, session?.unsentBytes == 0 {
            hasBuffers = false
            session?.releaseBuffers()
        }
        guard now >= deadline else { return }
        switch state {
        case .handshaking: fail(.handshakeTimeout)
        case .closing: end()
        case .open, .closed: break
        }
    }

    // MARK: - The end

    /// The connection ends here; a failed handshake's alert still goes out.
    private func fail(_ error: TLSError) {
        if case .handshaking = state {
            _ = session?.send()
            owner?.handshakeFailed(error)
        }
        end()
    }

    private func end() {
        if case .closed = state { return }
        state = .closed
        leaveGate()
        if let registration { loop.remove(registration) }
        registration = nil
        session = nil
        Glibc.close(descriptor)
        let owner = owner
        self.owner = nil
        owner?.socketIsClosed()
    }

    private func leaveGate() {
        if isInGate {
            isInGate = false
            gate?.leave(from: source)
        }
    }
}
