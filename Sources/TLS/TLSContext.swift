internal import COpenSSL
internal import NIOCore
internal import OpenSSL

/// One `SSL_CTX`, for one event loop: loads on one context contend (openssl#20286). All contexts of one snapshot share their ticket
/// keys, so that a session resumes on any loop, and on none of another snapshot.
@safe package final class TLSContext: @unchecked Sendable {
    let pointer: OpaquePointer
    package let configuration: TLSConfiguration
    /// Memory for the next records of any session of this context: there is one context for each loop, and a loop sends one thing
    /// at a time, so that ten thousand idle sessions hold no buffer. Confined to the loop.
    var spare: [UInt8] = []
    /// Where what a socket brought is decrypted to, by one session at a time.
    let plaintext: UnsafeMutableRawBufferPointer
    /// The own certificate's end of validity; nil for a client without one.
    package let notAfterSeconds: Int64?
    /// When each of the authorities and revocation lists runs out.
    private let trustEndSeconds: [Int64]

    /// - Parameter nowSeconds: unix seconds against which the own certificate is held.
    package init(_ configuration: TLSConfiguration, nowSeconds: Int64) throws(TLSConfigurationError) {
        ERR_clear_error()
        let method = unsafe configuration.role == .server ? TLS_server_method() : TLS_client_method()
        guard let context = unsafe SSL_CTX_new(method) else { throw .openSSL("SSL_CTX_new") }
        let notAfter: Int64?
        let trustEnds: [Int64]
        // Nothing of self is set before all has gone well: an init that throws with every property set runs deinit.
        do throws(TLSConfigurationError) {
            notAfter = try unsafe Self.loadIdentity(configuration, into: context, nowSeconds: nowSeconds)
            trustEnds = try unsafe Self.loadTrust(configuration, into: context)
            try unsafe Self.setOptions(configuration, on: context)
        } catch {
            unsafe SSL_CTX_free(context)
            throw error
        }
        unsafe pointer = context
        unsafe plaintext = .allocate(byteCount: TLSLimits.recordBytesMax, alignment: 64)
        self.configuration = configuration
        notAfterSeconds = notAfter
        trustEndSeconds = trustEnds
        if configuration.role == .server {
            unsafe SSL_CTX_set_session_ticket_cb(
                pointer, generateTicket, decryptTicket, Unmanaged.passUnretained(self).toOpaque())
        }
    }

    deinit {
        unsafe SSL_CTX_free(pointer)
        unsafe plaintext.deallocate()
    }

    // MARK: - What it is made of

    private static func loadIdentity(
        _ configuration: TLSConfiguration, into context: OpaquePointer, nowSeconds: Int64
    ) throws(TLSConfigurationError) -> Int64? {
        if configuration.certificateChain.isEmpty, configuration.role == .client { return nil }
        let chain = PEM.certificates(configuration.certificateChain)
        guard let leaf = chain.first else { throw .certificateUnreadable }
        guard let before = unsafe Certificate.seconds(X509_get0_notBefore(leaf.pointer)),
            let after = unsafe Certificate.seconds(X509_get0_notAfter(leaf.pointer))
        else { throw .certificateUnreadable }
        guard nowSeconds >= before else { throw .certificateNotYetValid(notBeforeSeconds: before) }
        guard nowSeconds < after else { throw .certificateExpired(notAfterSeconds: after) }
        guard unsafe SSL_CTX_use_certificate(context, leaf.pointer) == 1 else { throw .certificateUnreadable }
        for intermediate in chain.dropFirst() {
            guard unsafe bailiwick_ctx_add_chain(context, intermediate.pointer) == 1 else {
                throw .certificateUnreadable
            }
        }
        guard let key = unsafe PEM.privateKey(configuration.privateKey) else { throw .privateKeyUnreadable }
        defer { unsafe EVP_PKEY_free(key) }
        guard unsafe X509_check_private_key(leaf.pointer, key) == 1, unsafe SSL_CTX_use_PrivateKey(context, key) == 1
        else {
            ERR_clear_error()
            throw .keyDoesNotMatch
        }
        return after
    }

    private static func loadTrust(
        _ configuration: TLSConfiguration, into context: OpaquePointer
    ) throws(TLSConfigurationError) -> [Int64] {
        guard configuration.role == .client || configuration.peerCertificates != .none else { return [] }
        guard let store = unsafe SSL_CTX_get_cert_store(context) else { throw .openSSL("SSL_CTX_get_cert_store") }
        let authorities = PEM.certificates(configuration.authorities)
        guard !authorities.isEmpty else { throw .authoritiesUnreadable }
        var ends: [Int64?] = []
        for authority in authorities {
            unsafe ends.append(Certificate.seconds(X509_get0_notAfter(authority.pointer)))
            guard unsafe X509_STORE_add_cert(store, authority.pointer) == 1 else { throw .authoritiesUnreadable }
            if configuration.role == .server { unsafe SSL_CTX_add_client_CA(context, authority.pointer) }
        }
        for (index, bytes) in configuration.revocationLists.enumerated() {
            let lists = PEM.revocationLists(bytes)
            guard !lists.isEmpty, lists.allSatisfy({ unsafe X509_STORE_add_crl(store, $0.pointer) == 1 }) else {
                throw .revocationListUnreadable(index: index)
            }
            ends.append(contentsOf: lists.map(\.endSeconds))
        }
        if !configuration.revocationLists.isEmpty {
            unsafe X509_STORE_set_flags(store, UInt(X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL))
        }
        return ends.compactMap { $0 }
    }

    private static func setOptions(
        _ configuration: TLSConfiguration, on context: OpaquePointer
    ) throws(TLSConfigurationError) {
        let version = configuration.minimumVersion == .tls13 ? TLS1_3_VERSION : TLS1_2_VERSION
        guard unsafe bailiwick_ctx_set_min_version(context, version) == 1 else { throw .openSSL("min_proto_version") }
        unsafe SSL_CTX_set_options(
            context, SSL_OP_NO_RENEGOTIATION_VALUE | SSL_OP_NO_COMPRESSION_VALUE | SSL_OP_CIPHER_SERVER_PREFERENCE_VALUE
        )
        _ = unsafe bailiwick_ctx_set_mode(
            context, Int(SSL_MODE_NO_AUTO_CHAIN_VALUE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER_VALUE))
        // Never resume half a record read: one read of the socket may hold many records.
        _ = unsafe bailiwick_ctx_set_read_ahead(context, 1)
        guard
            unsafe SSL_CTX_set_ciphersuites(
                context, "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256") == 1,
            unsafe SSL_CTX_set_cipher_list(
                context, "ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL:!PSK") == 1
        else { throw .openSSL("ciphers") }
        let mode =
            switch (configuration.role, configuration.peerCertificates) {
            case (.client, _): SSL_VERIFY_PEER
            case (.server, .required): SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT
            case (.server, .optional): SSL_VERIFY_PEER
            case (.server, .none): SSL_VERIFY_NONE
            }
        unsafe SSL_CTX_set_verify(context, mode, nil)
        guard configuration.role == .server else { return }
        _ = unsafe bailiwick_ctx_set_cache_mode(context, Int(SSL_SESS_CACHE_OFF))
        unsafe SSL_CTX_set_num_tickets(context, 1)
        unsafe SSL_CTX_set_max_early_data(context, 0)
        let binding = Array(SHA256Digest(hashing: configuration.authorities + configuration.ticketKeys).bytes)
        guard unsafe SSL_CTX_set_session_id_context(context, binding, UInt32(binding.count)) == 1 else {
            throw .openSSL("session_id_context")
        }
        if !configuration.ticketKeys.isEmpty {
            precondition(configuration.ticketKeys.count == 80)
            guard unsafe bailiwick_ctx_set_ticket_keys(context, configuration.ticketKeys, 80) == 1 else {
                throw .openSSL("ticket keys")
            }
        }
    }

    // MARK: - Holding a certificate against these settings

    /// Does this certificate still descend from the authorities, unexpired and unrevoked, at this moment? nil when it does.
    /// - Parameter seconds: unix seconds of the moment; the machine's clock when not given.
    package func problem(with peer: PeerCertificate, atSeconds seconds: Int64? = nil) -> TLSError? {
        ERR_clear_error()
        defer { ERR_clear_error() }
        guard let store = unsafe SSL_CTX_get_cert_store(pointer), let leaf = unsafe Certificate.parse(der: peer.leaf),
            let context = unsafe X509_STORE_CTX_new()
        else { return .untrustedCertificate(reason: "out of memory") }
        defer {
            unsafe X509_STORE_CTX_free(context)
            unsafe X509_free(leaf)
        }
        let chain = unsafe bailiwick_stack_new()
        defer { unsafe bailiwick_stack_free(chain) }
        for der in peer.intermediates {
            guard let intermediate = unsafe Certificate.parse(der: der) else { continue }
            if unsafe bailiwick_stack_push(chain, intermediate) <= 0 { unsafe X509_free(intermediate) }
        }
        guard unsafe X509_STORE_CTX_init(context, store, leaf, chain) == 1 else {
            return .untrustedCertificate(reason: "X509_STORE_CTX_init")
        }
        unsafe X509_STORE_CTX_set_default(context, configuration.role == .server ? "ssl_client" : "ssl_server")
        if let seconds { unsafe X509_STORE_CTX_set_time(context, 0, time_t(seconds)) }
        if unsafe X509_verify_cert(context) == 1 { return nil }
        return Self.error(verifying: unsafe Int(X509_STORE_CTX_get_error(context)))
    }

    /// Until when, in unix seconds, time alone changes nothing of what is wrong with this certificate, its own validity aside:
    /// the next end of a revocation list, of an authority or of an intermediate of its chain.
    package func problemHolds(with peer: PeerCertificate, afterSeconds seconds: Int64) -> Int64 {
        (trustEndSeconds + peer.intermediateEndSeconds).filter { $0 > seconds }.min() ?? .max
    }

    /// What a verification's result says.
    static func error(verifying code: Int) -> TLSError {
        switch Int32(truncatingIfNeeded: code) {
        case X509_V_ERR_CERT_HAS_EXPIRED, X509_V_ERR_CERT_NOT_YET_VALID: return .certificateExpired
        case X509_V_ERR_CERT_REVOKED: return .certificateRevoked
        case X509_V_ERR_CRL_HAS_EXPIRED, X509_V_ERR_CRL_NOT_YET_VALID, X509_V_ERR_UNABLE_TO_GET_CRL:
            return .revocationListExpired
        default:
            guard let text = unsafe X509_verify_cert_error_string(code) else {
                return .untrustedCertificate(reason: "\(code)")
            }
            return .untrustedCertificate(reason: unsafe String(cString: text))
        }
    }
}

// MARK: - Tickets

/// A ticket carries the intermediates that came with the certificate, so that a resumed session can be verified again whole.
private let generateTicket: SSL_CTX_generate_session_ticket_fn = { ssl, _ in
    guard let ssl = unsafe ssl, let session = unsafe SSL_get_session(ssl) else { return 0 }
    var data: [UInt8] = []
    for der in unsafe PeerChain.intermediates(ssl) {
        data.append(UInt8(truncatingIfNeeded: der.count >> 16))
        data.append(UInt8(truncatingIfNeeded: der.count >> 8))
        data.append(UInt8(truncatingIfNeeded: der.count))
        data.append(contentsOf: der)
    }
    // A ticket must fit a ClientHello. Without the intermediates of a longer chain its certificate verifies only where nobody needs them, and
    // the handshake is a full one. To return 0 here ends the first handshake.
    guard data.count <= 8192 else { return 1 }
    return unsafe SSL_SESSION_set1_ticket_appdata(session, data, data.count) == 1 ? 1 : 0
}

/// A session resumes only when its certificate is good under the settings of this moment; else the handshake is a full one.
private let decryptTicket: SSL_CTX_decrypt_session_ticket_fn = { ssl, session, _, _, status, argument in
    guard let session = unsafe session, let argument = unsafe argument else { return Int32(SSL_TICKET_RETURN_IGNORE) }
    guard status == SSL_TICKET_SUCCESS || status == SSL_TICKET_SUCCESS_RENEW else {
        return Int32(status == SSL_TICKET_EMPTY ? SSL_TICKET_RETURN_IGNORE_RENEW : SSL_TICKET_RETURN_IGNORE_RENEW)
    }
    let context = unsafe Unmanaged<TLSContext>.fromOpaque(argument).takeUnretainedValue()
    guard let leaf = unsafe SSL_SESSION_get0_peer(session) else {
        return context.configuration.peerCertificates == .required
            ? Int32(SSL_TICKET_RETURN_IGNORE_RENEW) : Int32(SSL_TICKET_RETURN_USE)
    }
    guard let peer = unsafe PeerCertificate(leaf, intermediates: PeerChain.intermediates(ofSession: session)),
        context.problem(with: peer) == nil
    else { return Int32(SSL_TICKET_RETURN_IGNORE_RENEW) }
    return Int32(status == SSL_TICKET_SUCCESS_RENEW ? SSL_TICKET_RETURN_USE_RENEW : SSL_TICKET_RETURN_USE)
}

/// The certificates that came with the other side's own.
enum PeerChain {
    static func intermediates(_ ssl: OpaquePointer) -> [[UInt8]] {
        if unsafe SSL_session_reused(ssl) == 1, let session = unsafe SSL_get_session(ssl) {
            return unsafe intermediates(ofSession: session)
        }
        let chain = unsafe SSL_get_peer_cert_chain(ssl)
        // A server's view leaves the leaf out of the chain, a client's has it first.
        let first = unsafe SSL_is_server(ssl) == 1 ? 0 : 1
        let count = unsafe Int(bailiwick_stack_count(chain))
        guard count > first else { return [] }
        return (first..<count).compactMap { index in
            unsafe bailiwick_stack_value(chain, Int32(index)).flatMap { unsafe Certificate.der($0) }
        }
    }

    static func intermediates(ofSession session: OpaquePointer) -> [[UInt8]] {
        var data: UnsafeMutableRawPointer?
        var count = 0
        guard unsafe SSL_SESSION_get0_ticket_appdata(session, &data, &count) == 1, let start = unsafe data else {
            return []
        }
        var bytes = unsafe [UInt8](UnsafeRawBufferPointer(start: start, count: count))[...]
        var chain: [[UInt8]] = []
        while bytes.count >= 3 {
            let length = bytes.prefix(3).reduce(0) { $0 << 8 | Int($1) }
            bytes = bytes.dropFirst(3)
            guard length <= bytes.count else { return chain }
            chain.append(Array(bytes.prefix(length)))
            bytes = bytes.dropFirst(length)
        }
        return chain
    }
}
