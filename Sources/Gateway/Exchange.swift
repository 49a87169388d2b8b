internal import DecisionLog
internal import HTTP
internal import NIOCore
internal import Residency
internal import S3
internal import Sockets
internal import Stores
internal import Tokens

/// One request and its answer. Owned by its connection, confined to the connection's event loop.
///
/// The phases are in `Exchange+Phases.swift`; what each operation does once it is permitted, in `Exchange+Perform.swift`; the bytes of
/// answers, in `Exchange+Answer.swift` and `Exchange+Errors.swift`.
final class Exchange {
    enum Work {
        case none
        /// The socket has not taken what was sent of an object, and this is left of it.
        case sending(BodyReader)
        /// A piece is being read from the disk.
        case reading
        case storing(ObjectWriter)
    }

    /// Lives on as long as somebody waits for this request, even where its socket is closed.
    let connection: Connection
    let worker: Worker
    /// The settings that this request is judged by, from its first byte to its last.
    let service: Service
    /// nil where what arrived is none.
    let head: RequestHead?
    /// Why it is none.
    let framing: FramingError?
    let id = RequestID.next()
    let startedMicroseconds: Int64
    /// When the phase in hand began: locate, record, perform.
    var phaseMicroseconds: Int64 = 0
    var isLocating = false

    var standing: Standing?
    var request: S3Request?
    var store: ServedStore?
    /// Where one object is asked for in a store that the caller addresses.
    var names: ObjectNames?
    var presented: [ReviewedToken] = []
    var located: Located?
    var decision: Decision?
    /// Why the request is none of ours, where it is not.
    var error: S3Error?
    /// The decision's index once it is durable.
    var index: UInt64?
    var work = Work.none
    var body: PutBody?
    var status = 0
    var bytesSent: UInt64 = 0
    var excluded: Int?
    /// The answer was begun: another one cannot be.
    var hasAnswered = false
    /// The connection ended while the decision was on its way to disk.
    var isAbandoned = false
    /// Nobody waits for anything of this exchange any more.
    var isOver = false
    var keepsAlive = false

    /// Parses what arrived: `request` is nil when it is none of ours, and `error` says why.
    init(connection: Connection, worker: Worker, head: consuming RequestHead, fields: RequestFields?) {
        service = worker.service
        startedMicroseconds = Int64(worker.loop.turn.uptimeNanoseconds / 1000)
        // Before it is kept: what is kept would be copied for it, as what is asked for later than it is kept is counted once more.
        do throws(S3Error) {
            request = try head.s3Request(fields, likely: connection.lastBucket)
        } catch { self.error = error }
        self.head = consume head
        framing = nil
        self.connection = connection
        self.worker = worker
    }

    /// For bytes that are no request.
    init(connection: Connection, worker: Worker, framing: FramingError) {
        self.connection = connection
        self.worker = worker
        service = worker.service
        startedMicroseconds = Int64(worker.loop.turn.uptimeNanoseconds / 1000)
        let code = framing.status == 501 ? S3ErrorCode.notImplemented : .invalidRequest
        error = S3Error(code, "The request is malformed: \(framing).")
        head = nil
        self.framing = framing
    }

    var principal: Principal? { standing?.principal }
    var isHead: Bool { head?.method == .head }
}

extension Exchange {
    /// The client is gone. What was permitted and not sent whole is broken off; a decision on its way to disk ends there.
    func connectionEnded() {
        if index == nil, decision != nil {
            isAbandoned = true
        } else {
            complete(.brokenOff)
        }
    }

    /// The socket takes more.
    func socketIsWritable() { continueSending() }
}
