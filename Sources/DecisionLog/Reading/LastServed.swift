/// Under which settings a log was last written.
package enum LastServed {
    /// Bundles looked back over: each start names its settings.
    private static let bundlesMax: UInt64 = 256
    /// No string in an entry holds it: its quotes would be escaped.
    private static let marker = Array(#""policy":""#.utf8)
    private static let digestCount = 64

    /// The digest of the snapshot that the last entry names which names one that is kept; nil where nothing here tells. What is not
    /// published yet counts too. Files have times, but a copy changes them, and so does a clock that was wrong.
    package static func policy(log folder: String) -> String? {
        let files = LogFolder(path: folder)
        let reader = try? LogReader(files, verifier: nil)
        let size = reader?.checkpoint.size ?? 0
        if let waiting = try? WriteAheadRecovery.read(files, coveredSize: size, exists: reader != nil) {
            for group in waiting.groups.reversed() {
                if let found = last(in: group.entries, EntryFraming.split(group.entries) ?? [], files) { return found }
            }
        }
        guard let reader, size > 0 else { return nil }
        for back in 0..<min(reader.bundleCount, bundlesMax) {
            guard let bundle = try? reader.bundle(reader.bundleCount - 1 - back) else { return nil }
            if let found = last(in: bundle.bytes, bundle.entries, files) { return found }
        }
        return nil
    }

    private static func last(in bytes: [UInt8], _ entries: [Range<Int>], _ files: LogFolder) -> String? {
        for range in entries.reversed() {
            guard let found = bytes[range].firstRange(of: marker) else { continue }
            let digest = bytes[found.upperBound..<range.upperBound].prefix(digestCount)
            guard digest.count == digestCount, digest.allSatisfy(isHexadecimal) else { continue }
            let text = String(decoding: digest, as: UTF8.self)
            // A start is on record before its snapshot is kept.
            if (try? files.exists("policy/\(text)")) == true { return text }
        }
        return nil
    }

    private static func isHexadecimal(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte)
    }
}
