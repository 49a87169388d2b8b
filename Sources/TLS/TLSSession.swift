internal import CLinux
internal import COpenSSL
internal import Glibc
internal import NIOCore

/// One `SSL`, between two buffers, what came from the other side and what is to go to it, for a channel; or over a socket, from which
/// OpenSSL reads by itself, and to which `send` writes a flush's records at once.
@safe final class TLSSession {
    /// What a call of OpenSSL came to.
    enum Outcome {
        case done
        /// More bytes from the other side are needed.
        case starved
        /// close_notify came.
        case closed
        case failed(TLSError)
    }

    /// What became of records that were to be sent.
    enum Sending {
        case all
        /// The socket takes no more now.
        case some
        case failed
    }

    let context: TLSContext
    private let ssl: OpaquePointer
    /// -1 between two buffers.
    private let descriptor: Int32
    /// The socket has ended, or failed.
    private var isAtEnd = false
    /// How often the socket may still be read in this turn of the loop: what comes faster than it is taken must not keep the others waiting.
    var readsLeft = 0
    /// Records that the other side sent and OpenSSL has not taken.
    var incoming = ByteBuffer()
    /// Records that are to be sent: all of a flush in one array, of which the first `sentBytes` are gone.
    private var outgoing: [UInt8] = []
    private var sentBytes = 0
    /// The record that is being made goes to the socket as OpenSSL has it.
    private var sendsAtOnce = false

    /// - Parameter descriptor: a nonblocking socket, which stays the caller's and open as long as this lives; -1 for none.
    init?(_ context: TLSContext, descriptor: Int32 = -1) {
        guard let ssl = unsafe SSL_new(context.pointer) else { return nil }
        self.context = context
        self.descriptor = descriptor
        unsafe self.ssl = ssl
        guard let method = unsafe BufferBIO.method, let bio = unsafe BIO_new(method) else { return nil }
        unsafe BIO_set_data(bio, Unmanaged.passUnretained(self).toOpaque())
        unsafe BIO_set_init(bio, 1)
        unsafe SSL_set_bio(ssl, bio, bio)
        switch context.configuration.role {
        case .server: unsafe SSL_set_accept_state(ssl)
        case .client:
            unsafe SSL_set_connect_state(ssl)
            if let name = context.configuration.serverName {
                _ = unsafe bailiwick_ssl_set_server_name(ssl, name)
                // An address is matched against IP names, everything else against DNS names (RFC 6125).
                guard let parameters = unsafe SSL_get0_param(ssl) else { return nil }
                if unsafe X509_VERIFY_PARAM_set1_ip_asc(parameters, name) != 1 {
                    ERR_clear_error()
                    guard unsafe SSL_set1_host(ssl, name) == 1 else { return nil }
                }
            }
        }
    }

    deinit { unsafe SSL_free(ssl) }

    /// What a call below says went wrong is asked of the thread's queue of errors, which nothing older may be in. To look whether there is
    /// anything costs an eighth of clearing it.
    private func clearErrors() { if ERR_peek_error() != 0 { ERR_clear_error() } }

    func handshake() -> Outcome {
        clearErrors()
        let result = unsafe SSL_do_handshake(ssl)
        return result == 1 ? .done : outcome(result, isHandshake: true)
    }

    /// Decrypts what is there into `buffer`, up to `bytesMax`.
    func read(into buffer: inout ByteBuffer, bytesMax: Int) -> Outcome {
        var total = 0
        while total < bytesMax {
            clearErrors()
            var count = 0
            var result: Int32 = 0
            // Plaintext is shorter than its records: what is there fits. What OpenSSL holds itself is at most a record.
            let room = max(incoming.readableBytes, unsafe SSL_has_pending(ssl) == 1 ? 16 << 10 : 512)
            unsafe buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: min(room, bytesMax - total)) { space in
                result = unsafe SSL_read_ex(ssl, space.baseAddress, min(space.count, bytesMax - total), &count)
                return result == 1 ? count : 0
            }
            guard result == 1 else { return outcome(result, isHandshake: false) }
            total += count
            // The usual end: one record came, and one was read.
            if incoming.readableBytes == 0, unsafe SSL_has_pending(ssl) == 0 { return .starved }
        }
        return .done
    }

    /// Decrypts a record of what the socket brought, and hands its plaintext over.
    /// - Returns: `.done` when there may be more at once.
    @inline(__always)
    func receive(_ take: (Span<UInt8>) -> Void) -> Outcome {
        let space = unsafe context.plaintext
        var count = 0
        let result = unsafe SSL_read_ex(ssl, space.baseAddress, space.count, &count)
        guard result == 1 else { return outcome(ofRead: result) }
        take(
            unsafe UnsafeBufferPointer(start: space.baseAddress?.assumingMemoryBound(to: UInt8.self), count: count).span
        )
        return unsafe SSL_has_pending(ssl) == 0 ? .starved : .done
    }

    /// Bytes of records that the socket has not taken.
    var unsentBytes: Int { outgoing.count - sentBytes }

    /// Writes the records that are ready to the socket, as much as it takes.
    func send() -> Sending {
        let records = outgoing
        guard !records.isEmpty else { return .all }
        while sentBytes < records.count {
            let sent = sentBytes
            let count = unsafe records.withUnsafeBytes { records in
                unsafe clinux_send(descriptor, records.baseAddress.map { unsafe $0 + sent }, records.count - sent)
            }
            guard count >= 0 else {
                if count == -Int(EINTR) { continue }
                return count == -Int(EAGAIN) ? .some : .failed
            }
            sentBytes = sent + count
        }
        giveBack()
        return .all
    }

    /// The records that are ready, to be sent as one buffer; nil when there are none.
    func takeOutgoing() -> ByteBuffer? {
        let records = outgoing
        guard sentBytes < records.count else { return nil }
        let buffer = ByteBuffer(bytes: records[sentBytes...])
        giveBack()
        return buffer
    }

    /// Nothing is left to be sent. The memory is there for the next records of any session.
    private func giveBack() {
        let records = outgoing
        outgoing = []
        sentBytes = 0
        if records.capacity <= TLSLimits.spareBytesMax { context.spare = records }
    }

    /// Makes room for records that hold so many bytes of plaintext.
    private func reserve(_ plaintextBytes: Int) {
        let bytes = plaintextBytes + (plaintextBytes >> 14 + 1) * TLSLimits.recordOverheadBytesMax
        // What is added to others grows with them, by doubling.
        guard outgoing.isEmpty else { return }
        var spare = context.spare
        context.spare = []
        spare.removeAll(keepingCapacity: true)
        spare.reserveCapacity(max(bytes, 4 << 10))
        outgoing = spare
    }

    /// Encrypts all of `bytes`. To a socket, what one record holds is sent at once where nothing is before it: one copy less.
    @inline(__always)
    func write(_ bytes: Span<UInt8>) -> Outcome {
        guard !bytes.isEmpty else { return .done }
        sendsAtOnce = descriptor >= 0 && outgoing.isEmpty && bytes.count <= TLSLimits.recordBytesMax
        defer { sendsAtOnce = false }
        if !sendsAtOnce { reserve(bytes.count) }
        // The queue of errors is asked nothing of a write that succeeds, and one that fails ends the connection whatever older error it has.
        var written = 0
        let result = unsafe bytes.withUnsafeBytes { bytes in
            unsafe SSL_write_ex(ssl, bytes.baseAddress, bytes.count, &written)
        }
        return result == 1 ? .done : outcome(result, isHandshake: false)
    }

    /// Frees what OpenSSL reads and writes records in, 33 KiB, where nothing is in it; the next record makes it anew.
    func releaseBuffers() {
        // Between two records alone: OpenSSL before 3.0.14 frees them under a record whose header it has taken (CVE-2024-4741).
        guard unsafe SSL_has_pending(ssl) == 0, unsafe String(cString: SSL_rstate_string(ssl)) == "RH" else { return }
        _ = unsafe SSL_free_buffers(ssl)
    }

    /// Sends close_notify. Not called twice: a second call while data is queued kills the connection.
    func shutdown() {
        ERR_clear_error()
        _ = unsafe SSL_shutdown(ssl)
        ERR_clear_error()
    }

    var wasResumed: Bool { unsafe SSL_session_reused(ssl) == 1 }

    var isTLS13: Bool { unsafe SSL_version(ssl) == TLS1_3_VERSION }

    /// The other side's certificate, once the handshake is done.
    var peer: PeerCertificate? {
        guard let certificate = unsafe SSL_get0_peer_certificate(ssl) else { return nil }
        return unsafe PeerCertificate(certificate, intermediates: PeerChain.intermediates(ssl))
    }

    fileprivate func add(_ records: UnsafeRawBufferPointer) {
        var sent = 0
        if sendsAtOnce {
            // One only: the other side may have asked for small ones (RFC 8449), and a call for each costs more than a copy.
            sendsAtOnce = false
            // What the socket does not take waits; an error comes again when that is sent.
            sent = max(0, unsafe clinux_send(descriptor, records.baseAddress, records.count))
        }
        guard sent < records.count else { return }
        // Taken out and put back: appended to where it lies, each look at it would be checked.
        var outgoing = outgoing
        self.outgoing = []
        unsafe outgoing.append(contentsOf: UnsafeRawBufferPointer(rebasing: records[sent...]))
        self.outgoing = outgoing
    }

    /// Takes what came into `space`.
    /// - Returns: the count; 0 when no more ever comes, nil when nothing is there now.
    fileprivate func takeIncoming(into space: UnsafeMutableRawBufferPointer) -> Int? {
        guard descriptor >= 0 else {
            let available = min(incoming.readableBytes, space.count)
            guard available > 0 else { return nil }
            unsafe incoming.readWithUnsafeReadableBytes { bytes in
                unsafe space.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[..<available]))
                return available
            }
            return available
        }
        while readsLeft > 0 {
            let count = unsafe clinux_receive(descriptor, space.baseAddress, space.count)
            switch count {
            case 1...:
                readsLeft -= 1
                return count
            case -Int(EAGAIN): return nil
            case -Int(EINTR): continue
            default:
                isAtEnd = true
                return 0
            }
        }
        return nil
    }

    /// The same of a read that was made without a look at the thread's queue of errors, which costs 200 instructions: what happened is asked of
    /// the session alone, with the queue emptied, and the queue only what is told of a failure.
    private func outcome(ofRead result: Int32) -> Outcome {
        let code = ERR_peek_last_error()
        ERR_clear_error()
        switch unsafe SSL_get_error(ssl, result) {
        case SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE: return .starved
        case SSL_ERROR_ZERO_RETURN: return .closed
        case _ where isAtEnd: return .failed(.truncated)
        default: return .failed(.protocolError(reason: reason(code)))
        }
    }

    private func outcome(_ result: Int32, isHandshake: Bool) -> Outcome {
        switch unsafe SSL_get_error(ssl, result) {
        case SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE: return .starved
        case SSL_ERROR_ZERO_RETURN: return .closed
        case _ where isAtEnd:
            ERR_clear_error()
            return .failed(.truncated)
        default: return .failed(error(isHandshake: isHandshake))
        }
    }

    private func error(isHandshake: Bool) -> TLSError {
        let code = ERR_peek_error()
        defer { ERR_clear_error() }
        guard isHandshake else { return .protocolError(reason: reason(code)) }
        let verification = unsafe SSL_get_verify_result(ssl)
        switch bailiwick_error_reason(code) {
        case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE: return .noCertificate
        case SSL_R_CERTIFICATE_VERIFY_FAILED: return TLSContext.error(verifying: verification)
        case SSL_R_HTTP_REQUEST, SSL_R_WRONG_VERSION_NUMBER, SSL_R_HTTPS_PROXY_REQUEST, SSL_R_BAD_RECORD_TYPE:
            return .notTLS
        default: return .handshakeFailed(reason: reason(code))
        }
    }

    private func reason(_ code: UInt) -> String {
        guard let text = unsafe ERR_reason_error_string(code) else { return "unknown" }
        return unsafe String(cString: text)
    }
}

/// A BIO that reads and writes a session's buffers.
private enum BufferBIO {
    /// Lives as long as the process.
    nonisolated(unsafe) static let method: OpaquePointer? = {
        let kind = BIO_get_new_index() | BIO_TYPE_SOURCE_SINK
        guard let method = unsafe BIO_meth_new(kind, "bailiwick") else { return nil }
        unsafe BIO_meth_set_read(method, read)
        unsafe BIO_meth_set_write(method, write)
        unsafe BIO_meth_set_ctrl(method, control)
        return unsafe method
    }()

    private static func session(_ bio: OpaquePointer?) -> TLSSession? {
        guard let bio = unsafe bio, let data = unsafe BIO_get_data(bio) else { return nil }
        return unsafe Unmanaged<TLSSession>.fromOpaque(data).takeUnretainedValue()
    }

    private static let read: @convention(c) (OpaquePointer?, UnsafeMutablePointer<CChar>?, Int32) -> Int32 = {
        bio, into, count in
        guard let session = unsafe session(bio), let into = unsafe into, count > 0 else { return -1 }
        unsafe bailiwick_bio_clear_retry(bio)
        let space = unsafe UnsafeMutableRawBufferPointer(start: into, count: Int(count))
        guard let taken = unsafe session.takeIncoming(into: space) else {
            unsafe bailiwick_bio_set_retry_read(bio)
            return -1
        }
        return Int32(taken)
    }

    private static let write: @convention(c) (OpaquePointer?, UnsafePointer<CChar>?, Int32) -> Int32 = {
        bio, from, count in
        guard let session = unsafe session(bio), let from = unsafe from, count > 0 else { return -1 }
        unsafe bailiwick_bio_clear_retry(bio)
        unsafe session.add(UnsafeRawBufferPointer(start: from, count: Int(count)))
        return count
    }

    private static let control: @convention(c) (OpaquePointer?, Int32, Int, UnsafeMutableRawPointer?) -> Int = {
        _, command, _, _ in
        command == BIO_CTRL_FLUSH ? 1 : 0
    }
}
