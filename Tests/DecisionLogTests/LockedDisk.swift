import Foundation

@testable import DecisionLog

/// A simulated disk for several threads: one call after the other.
final class LockedDisk: LogDisk, @unchecked Sendable {
    private let disk: SimulatedDisk
    private let lock = NSRecursiveLock()

    init(_ disk: SimulatedDisk) { self.disk = disk }

    private func alone<Value>(_ body: () throws(Errno) -> Value) throws(Errno) -> Value {
        lock.lock()
        defer { lock.unlock() }
        return try body()
    }

    func open(_ path: String, _ way: OpenWay) throws(Errno) -> Int32 {
        try alone { () throws(Errno) in try disk.open(path, way) }
    }
    func close(_ descriptor: Int32) {
        lock.lock()
        defer { lock.unlock() }
        disk.close(descriptor)
    }
    func pread(_ descriptor: Int32, into bytes: inout [UInt8], from start: Int, at offset: Int) throws(Errno) -> Int {
        lock.lock()
        defer { lock.unlock() }
        return try disk.pread(descriptor, into: &bytes, from: start, at: offset)
    }
    func pwrite(_ descriptor: Int32, _ bytes: Span<UInt8>, at offset: Int) throws(Errno) -> Int {
        lock.lock()
        defer { lock.unlock() }
        return try disk.pwrite(descriptor, bytes, at: offset)
    }
    func fsync(_ descriptor: Int32) throws(Errno) { try alone { () throws(Errno) in try disk.fsync(descriptor) } }
    func syncsWithItsFileSystem(_ descriptor: Int32) -> Bool { disk.syncsWithItsFileSystem(descriptor) }

    func syncFileSystem(_ descriptor: Int32) throws(Errno) {
        try alone { () throws(Errno) in try disk.syncFileSystem(descriptor) }
    }
    func startReading(_ descriptor: Int32) {}
    func startWriting(_ descriptor: Int32) {}

    func dropCache(_ descriptor: Int32) {
        lock.lock()
        defer { lock.unlock() }
        disk.dropCache(descriptor)
    }
    func allocate(_ descriptor: Int32, byteCount: Int) throws(Errno) {
        try alone { () throws(Errno) in try disk.allocate(descriptor, byteCount: byteCount) }
    }
    func rename(_ from: String, _ to: String) throws(Errno) {
        try alone { () throws(Errno) in try disk.rename(from, to) }
    }
    func unlink(_ path: String) throws(Errno) { try alone { () throws(Errno) in try disk.unlink(path) } }
    func mkdir(_ path: String, mode: UInt32) throws(Errno) {
        try alone { () throws(Errno) in try disk.mkdir(path, mode: mode) }
    }
    func rmdir(_ path: String) throws(Errno) { try alone { () throws(Errno) in try disk.rmdir(path) } }
    func names(_ folder: String) throws(Errno) -> [String] {
        try alone { () throws(Errno) in try disk.names(folder) }
    }
    func status(_ path: String) throws(Errno) -> FileStatus {
        try alone { () throws(Errno) in try disk.status(path) }
    }
    func status(_ descriptor: Int32) throws(Errno) -> FileStatus {
        try alone { () throws(Errno) in try disk.status(descriptor) }
    }
    func lock(_ descriptor: Int32) throws(Errno) -> Bool {
        try alone { () throws(Errno) in try disk.lock(descriptor) }
    }
}
