internal import CLinux

/// Whether somebody keeps the machine's clock (adjtimex(2)): tokens are judged by it.
package enum ClockState: Hashable, Sendable {
    case synchronized(errorMicroseconds: Int)
    case unsynchronized
    /// The kernel does not say, to us.
    case unknown

    package static var now: ClockState {
        var error = 0
        switch unsafe clinux_clock_is_synchronized(&error) {
        case 1: return .synchronized(errorMicroseconds: error)
        case 0: return .unsynchronized
        default: return .unknown
        }
    }
}
