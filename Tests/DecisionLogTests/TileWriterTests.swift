import Glibc
import TestSupport
import Testing

@testable import DecisionLog

@Suite struct TileWriterTests {
    private let disk = SimulatedDisk(SimulatedFiles(), seed: 1)

    private func files() throws -> LogFolder {
        let files = LogFolder(path: "/log", disk: LockedDisk(disk))
        try files.makeFolder("")
        try files.makeFolder("tile")
        return files
    }

    private static func tile(_ index: UInt64, width: Int = 256) -> TilePath {
        TilePath(.entries, index: index, width: width)
    }

    @Test(arguments: [false, true], [false, true])
    func whatWasWrittenIsDurableAfterASync(onThread: Bool, isSyncedAtOnce: Bool) throws {
        disk.isSyncedAtOnce = isSyncedAtOnce
        let writer = TileWriter(try files())
        if onThread { writer.start() }
        // Fewer than are synced one by one, and more than are kept open.
        for count in [3, 40] as [UInt64] {
            for index in 0..<count {
                try writer.write(Self.tile(1000 * count + index), [UInt8(index), 1, 2])
            }
            try writer.sync()
        }
        if onThread { writer.stop() }
        var random = Seeded(7)
        var files = disk.files
        files.losePower(&random, sectorBytes: 512)
        for count in [3, 40] as [UInt64] {
            for index in 0..<count {
                #expect(files.read("/log/" + Self.tile(1000 * count + index).path) == [UInt8(index), 1, 2])
            }
        }
    }

    @Test func whatACrashLeftUnderATilesNameIsPutAway() throws {
        let files = try files()
        let before = TileWriter(files)
        try before.write(Self.tile(0), [9, 9, 9, 9, 9])
        let writer = TileWriter(files)
        try writer.write(Self.tile(0), [1, 2])
        try writer.sync()
        #expect(try files.readFromDisk(Self.tile(0).path) == [1, 2])
    }

    @Test(arguments: [SimulatedDisk.Call.create, .pwrite, .pread, .syncfs])
    func whatFailsOnTheThreadIsThrownBeforeAnythingRestsOnIt(_ call: SimulatedDisk.Call) throws {
        let writer = TileWriter(try files())
        writer.start()
        defer { writer.stop() }
        // The first tile makes the folders.
        try writer.write(Self.tile(0), [1])
        try writer.sync()
        disk.fault = { _, made in made == call ? .error(EIO) : nil }
        #expect(throws: LogSystemError.self) {
            for index in 1...20 as ClosedRange<UInt64> { try writer.write(Self.tile(index), [1]) }
            try writer.sync()
        }
    }

    @Test func aFullDiskIsAskedForRoomOnce() throws {
        let files = try files()
        let writer = TileWriter(files)
        var asked = 0
        writer.makeRoom = {
            asked += 1
            self.disk.capacityBytes = nil
            return true
        }
        try writer.write(Self.tile(0), [1])
        disk.capacityBytes = disk.usedBytes + 10
        try writer.write(Self.tile(1), [UInt8](repeating: 5, count: 100))
        try writer.sync()
        #expect(asked == 1)
        #expect(try files.readFromDisk(Self.tile(1).path) == [UInt8](repeating: 5, count: 100))
    }

    @Test func aTileThatNoCheckpointCoversIsNotServed() throws {
        let sandbox = try Sandbox("uncovered")
        let log = try LogTests.open(sandbox)
        log.close()
        let size = log.status.checkpointSize
        let partial = try #require(TreeShape(size: size).partialTile(.entries))
        #expect(log.tile(partial) != nil)
        // As a crash may leave them: half of a wider one, and of the full one.
        for tile in [TilePath(.entries, index: 0, width: partial.width + 1), Self.tile(0)] {
            try LogFolder(path: sandbox("log")).publish(tile.path, [1])
            #expect(log.tile(tile) == nil)
        }
    }

    @Test func aTreeCoversWhatItHasAllOf() {
        let shape = TreeShape(size: 70_000)
        #expect(shape.covers(Self.tile(272)))
        #expect(!shape.covers(Self.tile(273)))
        #expect(shape.covers(Self.tile(273, width: 112)))
        #expect(!shape.covers(Self.tile(273, width: 113)))
        #expect(shape.covers(TilePath(.hashes(level: 1), index: 1, width: 17)))
        #expect(!shape.covers(TilePath(.hashes(level: 1), index: 1, width: 18)))
        #expect(!shape.covers(TilePath(.hashes(level: 9), index: 0, width: 1)))
        #expect(!shape.covers(Self.tile(.max)))
    }
}
