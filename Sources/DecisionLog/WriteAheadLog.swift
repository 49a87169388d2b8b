internal import Glibc
internal import OpenSSL

/// The write-ahead segments: files of one size below `wal/`, zero-filled in advance, written with O_DIRECT and O_DSYNC where the file
/// system has them. Owned by the writer's thread, but for `retire`, which the integrator calls.
final class WriteAheadLog: @unchecked Sendable {
    static let folder = "wal"
    private static let spare = "wal/spare"

    private let files: LogFolder
    private let segmentBytes: Int
    private let buffer = AlignedBuffer(capacity: 1 << 20)
    private var descriptor: Int32 = -1
    private var name = ""
    private var offset = 0
    private let epoch: UInt64
    private var sequence: UInt64
    private var checksum: SHA256Digest
    private(set) var isDirect = false
    private let monitor = Monitor()
    /// Closed segments and the index after their last entry, oldest first. Under `monitor`.
    private var closed: [(name: String, end: UInt64)]
    private var end: UInt64

    /// Goes on where recovery ended.
    init(_ files: LogFolder, segmentBytes: Int, recovered: WriteAheadRecovery) throws(LogError) {
        self.files = files
        self.segmentBytes = segmentBytes
        epoch = recovered.epoch + 1
        sequence = recovered.nextSequence
        checksum = recovered.checksum
        closed = recovered.closed
        end = recovered.end
        if let current = recovered.current {
            name = current.name
            offset = current.offset
            descriptor = try open(current.name)
        } else {
            try rotate()
        }
    }

    deinit { if descriptor >= 0 { Glibc.close(descriptor) } }

    /// Writes one group; it is durable on return.
    func write(entries: [UInt8], firstIndex: UInt64, count: Int) throws(LogError) {
        let needed = WriteAheadGroup.paddedByteCount(entries: entries.count)
        if offset + needed > segmentBytes { try rotate() }
        let group = WriteAheadGroup(
            epoch: epoch, sequence: sequence, firstIndex: firstIndex, count: UInt32(count), previous: checksum,
            entries: entries)
        let (bytes, sum) = group.encode()
        let padded = buffer.fill(bytes)
        guard buffer.write(descriptor, count: padded, at: offset) else { throw .system(files.error("pwrite", name)) }
        offset += padded
        sequence += 1
        checksum = sum
        end = firstIndex + UInt64(count)
    }

    /// Is the file that is written to still the one that its name names?
    func isInPlace() -> Bool {
        guard let named = files.identity(name) else { return false }
        return files.identity(of: descriptor) == named
    }

    /// Segments that a published checkpoint covers whole are used again or removed.
    func retire(coveredSize: UInt64) {
        let covered = monitor.withLock { () -> [String] in
            var names: [String] = []
            while let first = closed.first, first.end <= coveredSize {
                names.append(first.name)
                closed.removeFirst()
            }
            return names
        }
        for name in covered {
            if files.exists(Self.spare) { files.remove(name) } else { try? files.rename(name, to: Self.spare) }
        }
    }

    private func rotate() throws(LogError) {
        if descriptor >= 0 {
            let full = (name, end)
            monitor.withLock { closed.append(full) }
            Glibc.close(descriptor)
            descriptor = -1
        }
        let digits = String(sequence)
        name = "\(Self.folder)/" + String(repeating: "0", count: 20 - digits.count) + digits
        do throws(LogSystemError) {
            if files.exists(Self.spare) {
                try files.rename(Self.spare, to: name)
            } else {
                try files.publish(name, [UInt8](repeating: 0, count: segmentBytes), mode: 0o600)
            }
        } catch {
            throw .system(error)
        }
        offset = 0
        descriptor = try open(name)
    }

    private func open(_ name: String) throws(LogError) -> Int32 {
        let path = files.full(name)
        var descriptor = unsafe Glibc.open(path, O_WRONLY | O_DSYNC | directIO | O_CLOEXEC)
        isDirect = descriptor >= 0
        if descriptor < 0, errno == EINVAL { descriptor = unsafe Glibc.open(path, O_WRONLY | O_DSYNC | O_CLOEXEC) }
        guard descriptor >= 0 else { throw .system(files.error("open", name)) }
        return descriptor
    }
}

/// What the write-ahead log holds at start.
struct WriteAheadRecovery {
    var epoch: UInt64 = 0
    var nextSequence: UInt64 = 0
    var checksum = SHA256Digest.zero
    /// Segments before the current one.
    var closed: [(name: String, end: UInt64)] = []
    var current: (name: String, offset: Int)?
    /// The index after the last entry.
    var end: UInt64 = 0
    /// Groups that no published checkpoint covers whole, in order.
    var groups: [(firstIndex: UInt64, entries: [UInt8])] = []
    /// The highest group was torn and is dropped.
    var droppedTornGroup = false

    /// Reads every segment. Only the highest group may be torn, and only when no published checkpoint covers it.
    static func read(_ files: LogFolder, coveredSize: UInt64, exists: Bool) throws(LogError) -> WriteAheadRecovery {
        var found = WriteAheadRecovery()
        found.end = coveredSize
        let names = files.names(WriteAheadLog.folder).filter { $0.count == 20 && $0.allSatisfy(\.isNumber) }
        guard !names.isEmpty else {
            guard !exists else { throw .damaged("wal/ holds no segment, though a checkpoint was published") }
            return found
        }
        var isFirst = true
        for (position, name) in names.enumerated() {
            let path = "\(WriteAheadLog.folder)/\(name)"
            let segment: [UInt8]
            do throws(LogSystemError) { segment = try files.read(path) ?? [] } catch { throw .system(error) }
            guard let start = UInt64(name) else { continue }
            if !isFirst || found.current != nil {
                guard start == found.nextSequence else {
                    throw .damaged("\(path) begins with group \(start), expected group \(found.nextSequence)")
                }
            }
            if isFirst { found.nextSequence = start }
            let offset = try found.scan(
                segment, path: path, coveredSize: coveredSize, isFirst: &isFirst, isLast: position == names.count - 1)
            if let before = found.current { found.closed.append((before.name, found.end)) }
            found.current = (path, offset)
        }
        guard found.end >= coveredSize else {
            throw .damaged("wal/ ends at entry \(found.end), the published checkpoint covers \(coveredSize)")
        }
        return found
    }

    /// Reads one segment's groups; gives the offset after the last.
    private mutating func scan(
        _ segment: [UInt8], path: String, coveredSize: UInt64, isFirst: inout Bool, isLast: Bool
    ) throws(LogError) -> Int {
        var offset = 0
        while offset < segment.count {
            switch WriteAheadGroup.read(segment, at: offset) {
            case .whole(let group, let sum) where group.sequence == nextSequence:
                if !isFirst {
                    guard group.previous == checksum else {
                        throw .damaged("\(path) at offset \(offset): the chain of groups is broken")
                    }
                    guard group.firstIndex == end else {
                        throw .damaged("\(path) at offset \(offset): entry \(group.firstIndex), expected \(end)")
                    }
                }
                guard let count = EntryFraming.split(group.entries)?.count, count == Int(group.count) else {
                    throw .damaged("\(path) at offset \(offset): the group's entries do not add up")
                }
                isFirst = false
                epoch = max(epoch, group.epoch)
                nextSequence += 1
                checksum = sum
                end = group.firstIndex + UInt64(group.count)
                if end > coveredSize { groups.append((group.firstIndex, group.entries)) }
                offset += WriteAheadGroup.paddedByteCount(entries: group.entries.count)
            case .broken(let sequence, let firstIndex) where sequence == nextSequence:
                // The write that the crash interrupted: only the last of all, and nothing that was published.
                guard isLast, !Self.hasLater(segment, after: offset, than: sequence), firstIndex >= coveredSize else {
                    throw .damaged("\(path) at offset \(offset): group \(sequence) is damaged")
                }
                droppedTornGroup = true
                return offset
            case .whole(let group, _) where group.sequence > nextSequence:
                throw .damaged("\(path) at offset \(offset): group \(group.sequence), expected \(nextSequence)")
            case .whole, .broken, .nothing:
                // What an earlier use of the segment left, or zeros: the end, unless something newer lies behind it.
                guard !Self.hasLater(segment, after: offset, than: nextSequence) else {
                    throw .damaged(
                        "\(path) at offset \(offset): group \(nextSequence) is missing and a later one is there")
                }
                return offset
            }
        }
        return offset
    }

    /// Does a whole group of a higher sequence begin behind `offset`?
    private static func hasLater(_ segment: [UInt8], after offset: Int, than sequence: UInt64) -> Bool {
        var at = offset + AlignedBuffer.alignment
        while at < segment.count {
            if case .whole(let group, _) = WriteAheadGroup.read(segment, at: at), group.sequence > sequence {
                return true
            }
            at += AlignedBuffer.alignment
        }
        return false
    }
}
