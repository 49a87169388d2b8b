internal import OpenSSL

/// What the write-ahead log holds at start.
struct WriteAheadRecovery {
    var epoch: UInt64 = 0
    var nextSequence: UInt64 = 0
    var checksum = GroupChecksum.zero
    /// Segments before the current one.
    var closed: [(name: String, end: UInt64)] = []
    var current: (name: String, offset: Int)?
    /// The index after the last entry.
    var end: UInt64 = 0
    /// Groups that no published checkpoint covers whole, in order.
    var groups: [(firstIndex: UInt64, entries: [UInt8])] = []
    /// The highest group was torn and is dropped.
    var droppedTornGroup = false
    /// No group was read yet: nothing to hold the next one against.
    private var isFirst = true

    /// Reads every segment. Only the highest group may be torn, and only when no published checkpoint covers it.
    static func read(_ files: LogFolder, coveredSize: UInt64, exists: Bool) throws(LogError) -> WriteAheadRecovery {
        var found = WriteAheadRecovery()
        found.end = coveredSize
        let names = try Self.segmentNames(files)
        guard !names.isEmpty else {
            guard !exists else { throw .damaged("wal/ holds no segment, though a checkpoint was published") }
            return found
        }
        for (position, (name, start)) in names.enumerated() {
            let path = "\(WriteAheadLog.folder)/\(name)"
            let segment: [UInt8]
            do throws(LogSystemError) { segment = try files.readFromDisk(path) ?? [] } catch { throw .system(error) }
            if let before = found.current {
                guard start == found.nextSequence else {
                    throw .damaged("\(path) begins with group \(start), expected group \(found.nextSequence)")
                }
                found.closed.append((before.name, found.end))
            }
            found.nextSequence = start
            let next = position + 1 < names.count ? names[position + 1].start : nil
            found.current = (path, try found.scan(segment, path: path, coveredSize: coveredSize, next: next))
        }
        // The first checkpoint is published when the first segment is there, and before its first group is written.
        guard exists || found.nextSequence == 0 else {
            throw .damaged("checkpoint is missing, though wal/ holds groups up to \(found.nextSequence - 1)")
        }
        guard found.end >= coveredSize else {
            throw .damaged("wal/ ends at entry \(found.end), the published checkpoint covers \(coveredSize)")
        }
        return found
    }

    /// The segments' names and the sequence of each one's first group, in order.
    private static func segmentNames(_ files: LogFolder) throws(LogError) -> [(name: String, start: UInt64)] {
        do throws(LogSystemError) {
            return try files.names(WriteAheadLog.folder).compactMap { name in
                guard name.count == 20, let start = UInt64(name) else { return nil }
                return (name, start)
            }
        } catch {
            throw .system(error)
        }
    }

    /// Reads one segment's groups; gives the offset after the last.
    /// - Parameter next: the first group of the segment that follows; nil for the last.
    private mutating func scan(
        _ segment: [UInt8], path: String, coveredSize: UInt64, next: UInt64?
    ) throws(LogError) -> Int {
        var offset = 0
        while offset < segment.count {
            switch WriteAheadGroup.read(segment, at: offset) {
            case .whole(let group, let sum) where group.sequence == nextSequence:
                guard max(group.sequence, group.firstIndex, group.epoch) <= UInt64(Int64.max) else {
                    throw .damaged("\(path) at offset \(offset): a number that no log reaches")
                }
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
                let isLater = Self.hasLater(segment, after: offset, than: sequence)
                // Its first entry is the one after the group before it: its own header may be half of an older one's.
                let isCovered = (isFirst ? firstIndex : end) < coveredSize
                // The write that a crash interrupted: only the last of all, and nothing that was published. Or one that an earlier
                // start dropped, when the group that took its number did not fit here: then the next segment begins with it.
                guard !isLater, next == nil ? !isCovered : next == sequence else {
                    throw .damaged("\(path) at offset \(offset): group \(sequence) is damaged")
                }
                droppedTornGroup = next == nil
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
