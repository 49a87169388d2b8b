import JSON

/// What is read is written so that it is read as the same again.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let input = Array(UnsafeBufferPointer(start: start, count: count))
    guard let value = try? JSONValue(parsing: input, depthMax: 8, bytesMax: 1 << 16) else { return 0 }
    let text = value.utf8Text
    guard let again = try? JSONValue(parsing: text, depthMax: 8, bytesMax: 1 << 20) else {
        preconditionFailure("what was written is not read")
    }
    precondition(again.utf8Text == text, "what was written is read otherwise")
    return 0
}
