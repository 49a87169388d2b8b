internal import OpenSSL

/// The write-ahead segments: files of one size below `wal/`, zero-filled in advance, written with O_DIRECT and O_DSYNC where the file
/// system has them. Owned by the writer's thread, but for `isInPlace`, `isDirect` and `retire`, which the integrator calls.
final class WriteAheadLog: @unchecked Sendable {
    static let folder = "wal"
    /// Segments to be used again. To fill a new one with zeros takes a disk some milliseconds, in which nothing is decided: there are as
    /// many as a busy gateway closes between two checkpoints.
    private static let spares = ["wal/spare"] + (2...8).map { "wal/spare-\($0)" }
    /// Bytes at a segment's end that only the last words use: on a full disk there is no room for another segment.
    static let lastWordsBytes = 2 * AlignedBuffer.alignment

    private struct Segment {
        let name: String
        let descriptor: Int32
        let identity: FileIdentity
        let isDirect: Bool
    }

    private struct Shared {
        var current: Segment
        /// Closed segments and the index after their last entry, oldest first.
        var closed: [(name: String, end: UInt64)]
    }

    private let files: LogFolder
    private let segmentBytes: Int
    private let buffer = AlignedBuffer(capacity: 1 << 20)
    private let monitor = Monitor()
    /// Changed by the writer only, under `monitor`.
    private var shared: Shared
    private var offset: Int
    private let epoch: UInt64
    private var sequence: UInt64
    private var checksum: GroupChecksum
    private var end: UInt64
    /// A segment that could not be begun. Its name may be there, if not for good.
    private var leftover: String?

    /// Goes on where recovery ended.
    init(_ files: LogFolder, segmentBytes: Int, recovered: WriteAheadRecovery) throws(LogError) {
        self.files = files
        self.segmentBytes = segmentBytes
        epoch = recovered.epoch + 1
        sequence = recovered.nextSequence
        checksum = recovered.checksum
        end = recovered.end
        offset = recovered.current?.offset ?? 0
        do throws(LogSystemError) {
            let name: String
            if let current = recovered.current {
                name = current.name
            } else {
                name = try Self.makeSegment(recovered.nextSequence, files, segmentBytes)
            }
            shared = Shared(current: try Self.open(name, files), closed: recovered.closed)
        } catch {
            throw .system(error)
        }
    }

    deinit { files.disk.close(shared.current.descriptor) }

    /// Writes one group; it is durable on return, in the file that bears the segment's name.
    /// - Parameter isLastWords: may use the room that is kept for them.
    func write(entries: [UInt8], firstIndex: UInt64, count: Int, isLastWords: Bool = false) throws(LogError) {
        let buffer = self.buffer
        let needed = WriteAheadGroup.paddedByteCount(entries: entries.count)
        do throws(LogSystemError) {
            try removeLeftover()
            if offset + needed > segmentBytes - (isLastWords ? 0 : Self.lastWordsBytes), offset > 0 { try rotate() }
            let group = WriteAheadGroup(
                epoch: epoch, sequence: sequence, firstIndex: firstIndex, count: UInt32(count), previous: checksum,
                entries: entries)
            let (padded, sum) = group.fill(buffer)
            try files.write(shared.current.descriptor, buffer.first(padded), at: offset, name: shared.current.name)
            offset += padded
            sequence += 1
            checksum = sum
            end = firstIndex + UInt64(count)
        } catch {
            throw .system(error)
        }
        // A write to a file that nobody finds again is no decision that is kept.
        try requireInPlace()
    }

    /// Holds the file that is written to against the one that its name names.
    func requireInPlace() throws(LogError) {
        let current = monitor.withLock { shared.current }
        do throws(LogSystemError) {
            if try files.identity(current.name) == current.identity { return }
            // The writer may have gone on to another segment, and the integrator put this one away.
            if monitor.withLock({ shared.current.name }) != current.name { return }
        } catch {
            throw .system(error)
        }
        throw .replaced(current.name)
    }

    var isDirect: Bool { monitor.withLock { shared.current.isDirect } }

    /// Segments that a published checkpoint covers whole are used again or removed, the oldest first: never leaves a gap.
    func retire(coveredSize: UInt64) throws(LogError) {
        do throws(LogSystemError) {
            while let first = nextClosed(), first.end <= coveredSize {
                if let spare = try Self.spare(isThere: false, files) {
                    try files.rename(first.name, to: spare)
                } else {
                    try files.removeDurably(first.name)
                }
                monitor.withLock { _ = shared.closed.removeFirst() }
            }
        } catch {
            throw .system(error)
        }
    }

    /// The first name of a spare segment that is taken, or that is free. Names are given by the integrator and taken away by the writer.
    private static func spare(isThere: Bool, _ files: LogFolder) throws(LogSystemError) -> String? {
        for name in spares where try files.exists(name) == isThere { return name }
        return nil
    }

    private func nextClosed() -> (name: String, end: UInt64)? { monitor.withLock { shared.closed.first } }

    private func rotate() throws(LogSystemError) {
        let next: Segment
        do throws(LogSystemError) {
            next = try Self.open(try Self.makeSegment(sequence, files, segmentBytes), files)
        } catch {
            leftover = Self.name(sequence)
            throw error
        }
        let before = shared.current
        monitor.withLock {
            shared.closed.append((before.name, end))
            shared.current = next
        }
        files.disk.close(before.descriptor)
        offset = 0
    }

    /// On a full disk the last words go into the segment before the one that could not be begun: were the other's name there at the next
    /// start, or after a power cut, both would hold the same group. Where it cannot be removed for good nothing is written any more; done
    /// only now, when the reserve has been given back, since that takes room too.
    private func removeLeftover() throws(LogSystemError) {
        guard let name = leftover else { return }
        if try files.exists(name) { try files.removeDurably(name) } else { try files.syncFolder(Self.folder) }
        leftover = nil
    }

    /// The segment that begins with a group.
    private static func name(_ sequence: UInt64) -> String {
        let digits = String(sequence)
        return "\(folder)/" + String(repeating: "0", count: 20 - digits.count) + digits
    }

    /// Makes the segment that begins with a group, from the spare one where there is one.
    private static func makeSegment(_ sequence: UInt64, _ files: LogFolder, _ byteCount: Int) throws(LogSystemError)
        -> String
    {
        let name = name(sequence)
        if let spare = try spare(isThere: true, files) {
            try files.rename(spare, to: name)
        } else {
            try files.publish(name, [UInt8](repeating: 0, count: byteCount), mode: 0o600)
        }
        return name
    }

    private static func open(_ name: String, _ files: LogFolder) throws(LogSystemError) -> Segment {
        var isDirect = true
        let descriptor: Int32
        do throws(LogSystemError) { descriptor = try files.open(name, .durable(isDirect: true)) } catch {
            guard error.isUnsupported else { throw error }
            isDirect = false
            descriptor = try files.open(name, .durable(isDirect: false))
        }
        let identity: FileIdentity
        do throws(LogSystemError) { identity = try files.identity(of: descriptor, name: name) } catch {
            files.disk.close(descriptor)
            throw error
        }
        return Segment(name: name, descriptor: descriptor, identity: identity, isDirect: isDirect)
    }
}
