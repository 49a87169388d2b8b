internal import CLinux
internal import Glibc

/// What the kernel says of this process, under the names that Prometheus' own libraries give it.
package struct ProcessFacts: Sendable {
    package let openDescriptors: Int
    package let descriptorsMax: UInt64
    package let residentBytes: UInt64
    package let cpuMicroseconds: Int64

    package static let none = ProcessFacts(
        openDescriptors: 0, descriptorsMax: 0, residentBytes: 0, cpuMicroseconds: 0)

    private init(openDescriptors: Int, descriptorsMax: UInt64, residentBytes: UInt64, cpuMicroseconds: Int64) {
        self.openDescriptors = openDescriptors
        self.descriptorsMax = descriptorsMax
        self.residentBytes = residentBytes
        self.cpuMicroseconds = cpuMicroseconds
    }

    /// As they are now. Counts every descriptor: not for an event loop.
    package init() {
        openDescriptors = Self.countDescriptors()
        descriptorsMax = Self.descriptorsMax()
        residentBytes = Self.resident()
        var usage = rusage()
        unsafe getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        func microseconds(_ time: timeval) -> Int64 { Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_usec) }
        cpuMicroseconds = microseconds(usage.ru_utime) + microseconds(usage.ru_stime)
    }

    /// How many descriptors this process may have (RLIMIT_NOFILE).
    package static func descriptorsMax() -> UInt64 {
        var limit = rlimit()
        unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        return UInt64(limit.rlim_cur)
    }

    private static func countDescriptors() -> Int {
        guard let folder = try? openRoot("/proc/self/fd") else { return 0 }
        var count = 0
        var entries = FolderEntries(bufferBytes: 16 << 10)
        try? entries.read(folder) { (_, _) throws(SystemError) in
            count += 1
            return true
        }
        // Without the one that counts.
        return max(0, count - 1)
    }

    /// The second number of /proc/self/statm is in pages.
    private static func resident() -> UInt64 {
        let number = unsafe open("/proc/self/statm", O_RDONLY | O_CLOEXEC)
        guard number >= 0 else { return 0 }
        let file = FileDescriptor(owning: number)
        var bytes = [UInt8](repeating: 0, count: 128)
        let count = unsafe read(file.number, &bytes, bytes.count)
        let words = String(decoding: bytes.prefix(max(0, count)), as: UTF8.self).split(separator: " ")
        guard words.count > 1, let pages = UInt64(words[1]) else { return 0 }
        return pages * UInt64(sysconf(Int32(_SC_PAGESIZE)))
    }
}
