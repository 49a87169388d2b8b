/// The bounds of one connection's input.
package struct Limits: Sendable {
    /// Method, target and version. A presigned query may carry a token of 8 KiB.
    package var requestLineBytesMax = 16 << 10
    /// All of a head, the request line included: four tokens of 8 KiB and the rest.
    package var headBytesMax = 56 << 10
    package var fieldCountMax = 100
    package var trailerBytesMax = 4 << 10

    package init() {}
}
