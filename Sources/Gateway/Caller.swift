internal import DecisionLog
internal import NIOCore
internal import Residency
internal import S3
internal import Settings
internal import TLS

/// Who is at the other end of a connection: an address, and what the certificate proved. Judged again whenever the settings change
/// or a time runs out, of the certificate or of what it rests on: a connection may live on, its authority may not.
final class Caller {
    let address: Address
    private var certificate: PeerCertificate?
    /// Unix seconds from the certificate's beginning to its end; empty without one.
    private var certificateSeconds: Range<Int64> = 0..<0
    /// The snapshot that `standing` was judged by: its number, so that an idle connection keeps no old snapshot and none of its stores.
    private var judgedBy: UInt64?
    /// Unix seconds at which a revocation list or a certificate above this one runs out.
    private var judgedUntilSeconds = Int64.max
    /// nil for a stranger.
    private var standing: Standing?

    init(address: Address) {
        self.address = address
    }

    /// The handshake is done.
    func present(_ certificate: PeerCertificate?) {
        self.certificate = certificate
        certificateSeconds =
            certificate.map { $0.notBeforeSeconds..<max($0.notBeforeSeconds, $0.notAfterSeconds) } ?? 0..<0
        judgedBy = nil
    }

    /// Who it is under these settings, now; nil for whom they do not name.
    @inline(__always)
    func authenticate(_ service: Service, _ tls: @autoclosure () -> TLSContext, at time: Timestamp) -> Standing? {
        let seconds = time.seconds
        if judgedBy != service.generation || seconds >= judgedUntilSeconds { judge(service, tls(), at: time) }
        return certificateSeconds.contains(seconds) ? standing : nil
    }

    private func judge(_ service: Service, _ tls: TLSContext, at time: Timestamp) {
        guard let certificate else { return }
        judgedBy = service.generation
        judgedUntilSeconds = tls.problemHolds(with: certificate, afterSeconds: time.seconds)
        standing = nil
        if tls.problem(with: certificate, atSeconds: time.seconds) != nil {
            // What is wrong may be a list or an authority whose time has not come.
            judgedUntilSeconds = min(judgedUntilSeconds, time.seconds + Limits.strangerSecondsMax)
        } else if let principal = service.principal(of: certificate) {
            standing = Standing(principal, at: address, certificate: certificate.sha256, in: service)
        }
    }
}

/// A principal as it calls: made once for a connection and a snapshot of the settings.
final class Standing {
    let principal: Principal
    /// The principal's, looked at for each request.
    let requestsPerSecondMax: Int
    let permissions: Permissions
    /// For the rule.
    let circumstances: Circumstances
    /// For the log.
    let entryPart: EntryPart
    /// The bucket of the principal's that was asked for last, and the place of its store: most connections speak of one.
    private var last: (bucket: BucketName, position: Int)?
    /// Whole objects of one store, read by one operation and without tokens, which the rule does not decide on before they are looked up. It was
    /// asked: before a look-up its answer to such a question depends on the caller, the store's settings and the operation, and on nothing
    /// else. What is released, the rule decides when the object is known, from the beginning.
    private var lookedUp: (store: Int, operation: Operation)?

    /// - Parameter certificate: SHA-256, 32 bytes.
    init(_ principal: Principal, at address: Address, certificate: [UInt8], in service: Service) {
        let settings = principal.settings
        let location = service.location(of: address)
        self.principal = principal
        requestsPerSecondMax = settings.requestsPerSecondMax
        permissions = settings.permissions
        circumstances = Circumstances(
            principal: settings.name, certificate: certificate, gatewayName: service.name, gateway: service.place,
            office: settings.office, location: location, areas: service.areas)
        let place: Place? = if case .datacenter(let place) = location { place } else { nil }
        entryPart = .caller(
            principal: settings.name, office: settings.office.datacenter, location: place?.datacenter,
            address: address.description, certificate: certificate)
    }

    /// The store of a bucket that the principal addresses.
    @inline(__always)
    func store(_ bucket: BucketName, in service: Service) -> ServedStore? {
        if let last, last.bucket.text == bucket.text, last.position < service.stores.count {
            let store = service.stores[last.position]
            if store.policy.bucket.text == bucket.text { return store }
        }
        guard principal.settings.stores.contains(bucket), let store = service.store(bucket) else { return nil }
        if let position = service.stores.firstIndex(where: { $0 === store }) { last = (bucket, position) }
        return store
    }
}

extension Standing {
    /// Would the rule say of this request that its object must be looked up? false where it must be asked.
    @inline(__always)
    func looksUp(_ request: S3Request, in store: ServedStore) -> Bool {
        guard let lookedUp, lookedUp.store == store.position, request.isPlainRead else { return false }
        return lookedUp.operation == request.operation
    }

    /// The rule has said so.
    func nowLooksUp(_ request: S3Request, in store: ServedStore) {
        if request.isPlainRead { lookedUp = (store.position, request.operation) }
    }
}

extension S3Request {
    /// Nothing but caller, store and operation counts before the object is known.
    fileprivate var isPlainRead: Bool {
        switch operation {
        case .getObject, .headObject: !hasTokens && selection == nil
        default: false
        }
    }
}

extension Address {
    /// The address of a socket's other end; nil for a Unix socket.
    init?(_ socket: SocketAddress?) {
        guard let text = socket?.ipAddress else { return nil }
        self.init(text.prefix { $0 != "%" })
    }
}
