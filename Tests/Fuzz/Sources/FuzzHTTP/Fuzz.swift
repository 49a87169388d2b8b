@testable import HTTP

/// What comes of a connection's bytes does not depend on how they were cut.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let input = Array(UnsafeBufferPointer(start: start, count: count))
    let whole = decode(input)
    precondition(whole == decode(input.indices.map { input[$0...$0] }), "byte by byte")
    // Where to cut is taken from the input, that a crash comes again.
    let at = input.reduce(0) { $0 &* 31 &+ Int($1) } & Int.max
    if !input.isEmpty {
        let at = at % input.count
        precondition(whole == decode([input[..<at], input[at...]]), "cut at \(at)")
    }
    // Small limits are met by small inputs.
    var limits = Limits()
    limits.requestLineBytesMax = 24
    limits.headBytesMax = 96
    limits.fieldCountMax = 3
    limits.trailerBytesMax = 24
    let bounded = decode(input, limits: limits)
    precondition(bounded == decode(input.indices.map { input[$0...$0] }, limits: limits), "byte by byte, bounded")
    precondition(zip(bounded.complete, whole.complete).allSatisfy(==), "a limit changed a request")
    return 0
}
