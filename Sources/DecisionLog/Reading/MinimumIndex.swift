/// tlog-tiles' minimum index: the file `minimum-index` in a log folder that was pruned. A decimal number and a line end; a multiple of
/// 256, because whole bundles are pruned. It is made durable before the first file is removed.
enum MinimumIndex {
    static let file = "minimum-index"

    /// 0 where nothing was pruned.
    static func read(_ files: LogFolder) throws(LogFault) -> UInt64 {
        let bytes: [UInt8]?
        do throws(LogSystemError) { bytes = try files.read(file) } catch {
            throw LogFault(file: file, what: "\(error)")
        }
        guard let bytes else { return 0 }
        let text = String(decoding: bytes, as: UTF8.self)
        guard text.last == "\n", let index = UInt64(text.dropLast()), "\(index)\n" == text, index % 256 == 0 else {
            throw LogFault(file: file, what: "is no multiple of 256 and a line end")
        }
        return index
    }

    static func publish(_ index: UInt64, _ files: LogFolder) throws(LogSystemError) {
        precondition(index % 256 == 0)
        try files.publish(file, Array("\(index)\n".utf8))
    }
}
