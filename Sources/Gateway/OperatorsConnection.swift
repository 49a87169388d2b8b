internal import DecisionLog
internal import HTTP
internal import NIOCore
internal import Residency
internal import Settings
internal import TLS

/// Who is at the other end of a connection to the operators' listener. Reading begins when that is known.
final class OperatorsConnection: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let worker: Worker
    private var caller: Caller

    init(worker: Worker, address: Address) {
        self.worker = worker
        caller = Caller(address: address)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let handshake = event as? TLSHandshakeCompleted {
            caller.present(handshake.peer)
            context.read()
        }
        context.fireUserInboundEventTriggered(event)
    }

    /// Under the settings in force, now.
    func principal() -> Principal? {
        guard case .principal(let standing) = caller.authenticate(worker.service, worker.tls, at: worker.log.now())
        else { return nil }
        return standing.principal
    }
}

extension OperatorsDesk {
    /// What serves one connection's requests.
    /// - Parameter principal: nil on the Unix socket, where nobody is named and only health is told.
    func handler(_ principal: @escaping () -> Principal?) -> WholeRequestHandler {
        WholeRequestHandler(bodyBytesMax: Limits.operatorBodyBytesMax, nowSeconds: { self.nowSeconds() }) {
            head, body, loop, done in
            self.answer(head, body: body, principal: principal(), on: loop, done)
        }
    }
}
