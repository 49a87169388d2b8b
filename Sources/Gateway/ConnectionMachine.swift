/// What one HTTP/1.1 connection is doing, as a pure machine: requests are answered one after the other, in the order in which
/// they came; what is pipelined behind the one in hand waits undecoded. The handler performs what it says.
struct ConnectionMachine {
    private enum State {
        /// No request in hand: the next head may be decoded.
        case waiting
        /// A request is being decided on; its body, if any, stays where it is.
        case deciding
        /// The body is wanted: decode and hand it over.
        case receiving
        /// A piece of the body is on its way to storage; the next one waits.
        case storing
        /// The whole body arrived, and the answer is being made or sent.
        case answering
        /// The answer is being sent while the body has not been read to its end.
        case answeringEarly
        /// The answer was sent; the rest of the body is read and thrown away.
        case draining
        case closed
    }

    /// What the handler is to do with the next thing that the decoder yields.
    enum Want {
        case head, body, discard, nothing
    }

    /// What follows a finished answer.
    enum AfterAnswer {
        case nextRequest
        case drain
        case close
    }

    private var state = State.waiting

    /// What to decode next.
    var want: Want {
        switch state {
        case .waiting: .head
        case .receiving: .body
        case .draining, .answeringEarly: .discard
        case .deciding, .storing, .answering, .closed: .nothing
        }
    }

    /// No request is in hand.
    var isWaiting: Bool {
        switch state {
        case .waiting: true
        case .deciding, .receiving, .storing, .answering, .answeringEarly, .draining, .closed: false
        }
    }

    /// A request is being decided on.
    var isDeciding: Bool {
        switch state {
        case .deciding: true
        case .waiting, .receiving, .storing, .answering, .answeringEarly, .draining, .closed: false
        }
    }

    /// The body of the request in hand has arrived to its end.
    var isBodyWhole: Bool {
        switch state {
        case .answering: true
        case .waiting, .deciding, .receiving, .storing, .answeringEarly, .draining, .closed: false
        }
    }

    var isClosed: Bool {
        switch state {
        case .closed: true
        case .waiting, .deciding, .receiving, .storing, .answering, .answeringEarly, .draining: false
        }
    }

    mutating func headArrived() {
        precondition(isWaiting, "a head while a request is in hand")
        state = .deciding
    }

    /// The decision allows the body in.
    mutating func bodyIsWanted() {
        switch state {
        case .deciding: state = .receiving
        case .waiting, .receiving, .storing, .answering, .answeringEarly, .draining, .closed: break
        }
    }

    mutating func pieceHandedOver() {
        switch state {
        case .receiving: state = .storing
        case .waiting, .deciding, .storing, .answering, .answeringEarly, .draining, .closed: break
        }
    }

    mutating func pieceStored() {
        switch state {
        case .storing: state = .receiving
        case .waiting, .deciding, .receiving, .answering, .answeringEarly, .draining, .closed: break
        }
    }

    mutating func bodyEnded() {
        switch state {
        case .receiving, .deciding, .answeringEarly: state = .answering
        case .draining: state = .waiting
        case .waiting, .storing, .answering, .closed: break
        }
    }

    /// The body cannot be read on: nothing more of it is wanted, and the answer is the last one.
    mutating func bodyBroke() {
        switch state {
        case .receiving, .storing: state = .answering
        case .waiting, .deciding, .answering, .answeringEarly, .draining, .closed: break
        }
    }

    /// The answer's head is going out. True when the body has not been read to its end.
    mutating func answerBegins() -> Bool {
        switch state {
        case .deciding, .receiving, .storing:
            state = .answeringEarly
            return true
        case .waiting, .answering, .answeringEarly, .draining, .closed: return false
        }
    }

    /// The answer was handed to the channel whole.
    mutating func answerEnded(keepAlive: Bool) -> AfterAnswer {
        switch state {
        case .answering where keepAlive:
            state = .waiting
            return .nextRequest
        case .answeringEarly:
            state = .draining
            return .drain
        case .waiting, .deciding, .receiving, .storing, .answering, .draining, .closed:
            state = .closed
            return .close
        }
    }

    mutating func close() { state = .closed }
}
