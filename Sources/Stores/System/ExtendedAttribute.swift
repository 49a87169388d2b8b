internal import CLinux
internal import Glibc

/// The one extended attribute that we use.
enum ExtendedAttribute {
    private static let name = RelativePath("user.bailiwick")

    /// Most values fit, and so much comes from the stack.
    private static let usualBytes = 1024

    /// fgetxattr(2); nil when the file has none, empty, as none of ours is, when it is longer than `bytesMax`.
    static func value(of file: borrowing FileDescriptor, bytesMax: Int) throws(SystemError) -> [UInt8]? {
        for room in [min(usualBytes, bytesMax), bytesMax] {
            do throws(SystemError) { return try read(file, bytesMax: room) } catch {
                guard error.code == ERANGE else { throw error }
            }
        }
        return []
    }

    private static func read(_ file: borrowing FileDescriptor, bytesMax: Int) throws(SystemError) -> [UInt8]? {
        let number = file.number
        let read: ([UInt8], Int) = unsafe withUnsafeTemporaryAllocation(byteCount: bytesMax, alignment: 8) { buffer in
            let count = unsafe name.withCString { name in
                unsafe clinux_attribute(number, name, buffer.baseAddress, buffer.count)
            }
            return count < 0 ? ([], count) : (unsafe Array(UnsafeRawBufferPointer(rebasing: buffer[..<count])), count)
        }
        if read.1 >= 0 { return read.0 }
        guard read.1 == -Int(ENODATA) else { throw SystemError("fgetxattr", Int32(-read.1)) }
        return nil
    }

    enum Setting { case creating, replacing, either }

    /// fsetxattr(2), atomic; EEXIST or ENODATA when `setting` does not hold.
    static func set(_ value: [UInt8], of file: borrowing FileDescriptor, _ setting: Setting) throws(SystemError) {
        let number = file.number
        let flags: Int32
        switch setting {
        case .creating: flags = Int32(XATTR_CREATE)
        case .replacing: flags = Int32(XATTR_REPLACE)
        case .either: flags = 0
        }
        let result = unsafe name.withCString { name in
            unsafe clinux_set_attribute(number, name, value, value.count, flags)
        }
        guard result == 0 else { throw SystemError("fsetxattr", Int32(-result)) }
    }
}
