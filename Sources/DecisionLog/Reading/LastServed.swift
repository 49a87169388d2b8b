/// Under which settings, and by whom, a log was last written.
package enum LastServed {
    /// Bundles looked back over: each start names its settings.
    private static let bundlesMax: UInt64 = 256
    private static let digestCount = 64

    /// The digest of the snapshot that the last entry names which names one that is kept; nil where nothing here tells. What is not
    /// published yet counts too. Files have times, but a copy changes them, and so does a clock that was wrong.
    package static func policy(log folder: String) -> String? {
        let files = LogFolder(path: folder)
        return last("policy", in: files) { digest in
            // A start is on record before its snapshot is kept.
            digest.utf8.count == digestCount && digest.utf8.allSatisfy(isHexadecimal)
                && (try? files.exists("policy/\(digest)")) == true
        }
    }

    /// The gateway that wrote the last entry; nil where nothing here tells.
    package static func gateway(log folder: String) -> String? {
        last("gateway", in: LogFolder(path: folder)) { _ in true }
    }

    /// The value of the last entry's member that is a text without escapes, as far as it is one that is sought.
    private static func last(_ name: String, in files: LogFolder, _ isSought: (String) -> Bool) -> String? {
        // No string in an entry holds it: its quotes would be escaped.
        let marker = Array("\"\(name)\":\"".utf8)
        func find(_ bytes: [UInt8], _ entries: [Range<Int>]) -> String? {
            for range in entries.reversed() {
                guard let found = bytes[range].firstRange(of: marker) else { continue }
                let value = bytes[found.upperBound..<range.upperBound].prefix { $0 != UInt8(ascii: "\"") }
                let text = String(decoding: value, as: UTF8.self)
                if isSought(text) { return text }
            }
            return nil
        }
        let reader = try? LogReader(files, verifier: nil)
        let size = reader?.checkpoint.size ?? 0
        if let waiting = try? WriteAheadRecovery.read(files, coveredSize: size, exists: reader != nil) {
            for group in waiting.groups.reversed() {
                if let found = find(group.entries, EntryFraming.split(group.entries) ?? []) { return found }
            }
        }
        guard let reader, size > 0 else { return nil }
        for back in 0..<min(reader.bundleCount, bundlesMax) {
            guard let bundle = try? reader.bundle(reader.bundleCount - 1 - back) else { return nil }
            if let found = find(bundle.bytes, bundle.entries) { return found }
        }
        return nil
    }

    private static func isHexadecimal(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte)
    }
}
