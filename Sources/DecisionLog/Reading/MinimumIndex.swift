/// tlog-tiles' minimum index: the file `minimum-index` in a log folder that was pruned. A decimal number and a line end; a multiple of
/// 256, because whole bundles are pruned. It is made durable before the first file is removed.
enum MinimumIndex {
    static let file = "minimum-index"

    /// 0 where nothing was pruned.
    static func read(_ files: LogFolder) throws(LogFault) -> UInt64 {
        do throws(LogSystemError) {
            if let index = try value(files) { return index }
        } catch { throw LogFault(file: file, what: "\(error)") }
        throw LogFault(file: file, what: "is no multiple of 256 and a line end")
    }

    /// 0 where nothing was pruned; nil where the file says something else than an index.
    static func value(_ files: LogFolder) throws(LogSystemError) -> UInt64? {
        guard let bytes = try files.read(file) else { return 0 }
        let text = String(decoding: bytes, as: UTF8.self)
        guard text.last == "\n", let index = UInt64(text.dropLast()), "\(index)\n" == text, index % 256 == 0 else {
            return nil
        }
        return index
    }

    static func publish(_ index: UInt64, _ files: LogFolder) throws(LogSystemError) {
        precondition(index % 256 == 0)
        try files.publish(file, Array("\(index)\n".utf8))
    }
}
