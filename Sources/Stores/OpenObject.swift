package import NIOCore

/// An object whose content may be read: what a permit was redeemed for.
package final class OpenObject: Sendable {
    package let facts: ObjectFacts
    private let file: ObjectFile
    private let jobs: FileJobs

    init(_ file: ObjectFile, facts: ObjectFacts, jobs: FileJobs) {
        self.file = file
        self.facts = facts
        self.jobs = jobs
    }

    /// Reads a range of the content from its first byte to its last, cut to the object's size.
    package func body(_ range: Range<Int64>) -> BodyReader {
        BodyReader(file, range: range.clamped(to: 0..<facts.size), jobs: jobs)
    }

    /// Reads the whole content.
    package func body() -> BodyReader { body(0..<facts.size) }
}

/// Reads content in order, a piece at a time.
package struct BodyReader: Sendable {
    private let file: ObjectFile
    private let jobs: FileJobs
    private var position: Int64
    private let end: Int64

    init(_ file: ObjectFile, range: Range<Int64>, jobs: FileJobs) {
        self.file = file
        self.jobs = jobs
        position = range.lowerBound
        end = range.upperBound
    }

    /// Bytes that are still to be read.
    package var remainingBytes: Int64 { end - position }

    /// Appends up to `bytesMax` bytes to `bytes` if the kernel has them in memory, and tells how many; nil when it would have to
    /// wait for the disk. 0 only at the end. Throws `contentDamaged` when the file is shorter than its tag says.
    package mutating func readCached(bytesMax: Int, into bytes: inout [UInt8]) throws(StoreError) -> Int? {
        let count = Int(min(Int64(bytesMax), remainingBytes))
        guard count > 0 else { return 0 }
        let read: Int?
        do throws(SystemError) {
            read = try file.descriptor.readCached(at: position, count: count, into: &bytes)
        } catch { throw StoreError(error) }
        guard let read else { return nil }
        guard read > 0 else { throw .contentDamaged }
        position += Int64(read)
        return read
    }

    /// Reads up to `bytesMax` bytes on the file pool; `skip` then tells that they were.
    package func read(
        bytesMax: Int, on loop: any EventLoop, _ done: @escaping (Result<ByteBuffer, StoreError>) -> Void
    ) {
        let count = Int(min(Int64(bytesMax), remainingBytes))
        let (file, position) = (file, position)
        jobs.run(on: loop) { () throws(StoreError) -> ByteBuffer in
            var buffer = ByteBuffer()
            do throws(SystemError) {
                buffer.reserveCapacity(count)
                guard try file.descriptor.read(at: position, count: count, into: &buffer) == count else {
                    throw SystemError("preadv2", 0)
                }
            } catch {
                // Zero: the end of the file came before the size that the tag says.
                throw error.code == 0 ? .contentDamaged : StoreError(error)
            }
            return buffer
        } _: {
            done($0)
        }
    }

    /// Goes on after what was read.
    package mutating func skip(_ count: Int) { position = min(end, position + Int64(count)) }
}
