internal import CLinux
internal import Glibc
internal import NIOCore

extension FileDescriptor {
    /// Appends up to `count` bytes at `offset` to `bytes`, without waiting for the disk: nil when it would have to. 0 is the
    /// end of the file.
    func readCached(at offset: Int64, count: Int, into bytes: inout [UInt8]) throws(SystemError) -> Int? {
        let number = number
        var result = 0
        bytes.append(addingCapacity: count) { space in
            unsafe space.withUnsafeMutableBufferPointer { space, taken in
                result = unsafe clinux_read(number, space.baseAddress, count, offset, 1)
                taken = max(result, 0)
            }
        }
        if result >= 0 { return result }
        // Some file systems cannot say whether they would wait.
        if result == -Int(EAGAIN) || result == -Int(EOPNOTSUPP) || result == -Int(EINTR) { return nil }
        throw SystemError("preadv2", Int32(-result))
    }

    /// Appends up to `count` bytes at `offset` to `buffer`, waiting as long as it takes; fewer only at the end of the file.
    func read(at offset: Int64, count: Int, into buffer: inout ByteBuffer) throws(SystemError) -> Int {
        var done = 0
        while done < count {
            let result = readOnce(at: offset + Int64(done), count: count - done, into: &buffer)
            if result == 0 { break }
            if result < 0 {
                if result == -Int(EINTR) { continue }
                throw SystemError("preadv2", Int32(-result))
            }
            done += result
        }
        return done
    }

    /// Writes all of a buffer's readable bytes at `offset`.
    func write(_ buffer: ByteBuffer, at offset: Int64) throws(SystemError) {
        let number = number
        let failure: Int32 = unsafe buffer.withUnsafeReadableBytes { bytes in
            var done = 0
            while done < bytes.count {
                let rest = unsafe UnsafeRawBufferPointer(rebasing: bytes[done...])
                let result = unsafe clinux_write(number, rest.baseAddress, rest.count, offset + Int64(done))
                if result < 0 {
                    if result == -Int(EINTR) { continue }
                    return Int32(-result)
                }
                done += result
            }
            return 0
        }
        guard failure == 0 else { throw SystemError("pwrite", failure) }
    }

    /// Tells the kernel to begin writing a range to disk, so that the fsync at the end has less to do. A hint.
    func startWriting(at offset: Int64, count: Int64) { _ = clinux_start_writing(number, offset, count) }

    private func readOnce(at offset: Int64, count: Int, into buffer: inout ByteBuffer) -> Int {
        let number = number
        var result = 0
        unsafe buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: count) { bytes in
            let wanted = min(count, bytes.count)
            result = unsafe clinux_read(number, bytes.baseAddress, wanted, offset, 0)
            return max(result, 0)
        }
        return result
    }
}
