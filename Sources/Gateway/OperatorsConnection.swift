internal import DecisionLog
internal import HTTP
internal import NIOCore
internal import Residency
internal import Settings
internal import TLS

/// The settings as the operators' loop has them. Confined to it.
final class OperatorsView {
    private(set) var service: Service
    private(set) var tls: TLSContext

    init(_ service: Service, _ tls: TLSContext) {
        self.service = service
        self.tls = tls
    }

    /// Takes a reload's snapshot.
    func adopt(_ service: Service, tls: TLSContext) {
        self.service = service
        self.tls = tls
    }
}

/// Who is at the other end of a connection to the operators' listener, which is known before the first request comes.
final class OperatorsConnection: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let view: OperatorsView
    private let log: DecisionLog
    private let caller: Caller

    init(_ view: OperatorsView, log: DecisionLog, address: Address) {
        self.view = view
        self.log = log
        caller = Caller(address: address)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let handshake = event as? TLSHandshakeCompleted { caller.present(handshake.peer) }
        context.fireUserInboundEventTriggered(event)
    }

    /// Under the settings in force, now.
    func operatorsCaller() -> OperatorsCaller? {
        guard let standing = caller.authenticate(view.service, view.tls, at: log.now())
        else { return nil }
        return OperatorsCaller(standing.principal, at: caller.address, in: view.service)
    }
}

extension OperatorsDesk {
    /// What serves one connection's requests.
    /// - Parameter caller: nil on the Unix socket, where nobody is named and only health is told.
    func handler(_ caller: @escaping () -> OperatorsCaller?) -> WholeRequestHandler {
        WholeRequestHandler(bodyBytesMax: Limits.operatorBodyBytesMax, nowSeconds: { self.nowSeconds() }) {
            head, body, asker, loop, done in
            self.answer(head, body: body, caller: caller(), asker: asker, on: loop, done)
        }
    }
}
