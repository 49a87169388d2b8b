import Testing

@testable import Gateway

@Suite struct ConnectionMachineTests {
    /// What happens to a machine, in order.
    enum Event { case head, wanted, piece, stored, bodyEnd, bodyBroken, answer, answered, answeredLast, closed }

    /// Applies events and gives what is wanted next.
    func after(_ events: [Event]) -> (want: ConnectionMachine.Want, machine: ConnectionMachine) {
        var machine = ConnectionMachine()
        for event in events {
            switch event {
            case .head: machine.headArrived()
            case .wanted: machine.bodyIsWanted()
            case .piece: machine.pieceHandedOver()
            case .stored: machine.pieceStored()
            case .bodyEnd: machine.bodyEnded()
            case .bodyBroken: machine.bodyBroke()
            case .answer: _ = machine.answerBegins()
            case .answered: _ = machine.answerEnded(keepAlive: true)
            case .answeredLast: _ = machine.answerEnded(keepAlive: false)
            case .closed: machine.close()
            }
        }
        return (machine.want, machine)
    }

    @Test(
        arguments: [
            ([], ConnectionMachine.Want.head),
            // While a request is decided on, nothing behind it is decoded.
            ([.head], .nothing), ([.head, .bodyEnd], .nothing),
            // The body is taken a piece at a time: back-pressure.
            ([.head, .wanted], .body), ([.head, .wanted, .piece], .nothing),
            ([.head, .wanted, .piece, .stored], .body),
            ([.head, .wanted, .piece, .stored, .bodyEnd], .nothing),
            // After the answer comes the next request.
            ([.head, .bodyEnd, .answer, .answered], .head),
            ([.head, .wanted, .piece, .stored, .bodyEnd, .answer, .answered], .head),
            // An answer before the body's end: the rest is thrown away, then the next request.
            ([.head, .answer], .discard), ([.head, .answer, .answered], .discard),
            ([.head, .answer, .answered, .bodyEnd], .head), ([.head, .answer, .bodyEnd, .answered], .head),
            ([.head, .wanted, .piece, .answer, .stored, .answered], .discard),
            // A broken body: one answer, nothing more.
            ([.head, .wanted, .bodyBroken, .answer], .nothing),
            ([.head, .wanted, .piece, .bodyBroken, .stored], .nothing),
            ([.head, .wanted, .bodyBroken, .answer, .answeredLast], .nothing),
            ([.head, .bodyEnd, .answer, .answeredLast], .nothing), ([.closed], .nothing), ([.head, .closed], .nothing),
        ] as [([Event], ConnectionMachine.Want)])
    func theNextThingToDecodeFollows(events: [Event], want: ConnectionMachine.Want) {
        #expect(after(events).want == want)
    }

    @Test func whatFollowsAnAnswerDependsOnTheBodyAndOnKeepAlive() {
        var whole = after([.head, .bodyEnd, .answer]).machine
        let next = whole.answerEnded(keepAlive: true)
        #expect(next == .nextRequest)
        var last = after([.head, .bodyEnd, .answer]).machine
        let end = last.answerEnded(keepAlive: false)
        #expect(end == .close)
        #expect(last.isClosed)
        var early = after([.head, .answer]).machine
        let drain = early.answerEnded(keepAlive: false)
        #expect(drain == .drain)
    }

    @Test func anAnswerBeforeTheBodysEndIsEarly() {
        var early = after([.head]).machine
        let isEarly = early.answerBegins()
        #expect(isEarly)
        var whole = after([.head, .bodyEnd]).machine
        let isLate = !whole.answerBegins()
        #expect(isLate)
    }
}
