import OpenSSL
import Testing

@Suite struct DoorkeeperTests {
    @Test(arguments: [0, 1, 2, 0xFFFF_FFFF_FFFF_FFFF] as [UInt64]) func aKeyIsKnownTheSecondTime(key: UInt64) {
        var doorkeeper = Doorkeeper(count: 4)
        let known = (0..<3).map { _ in doorkeeper.isKnown(key) }
        #expect(known == [false, true, true])
    }

    /// And one of another slot does not.
    @Test func anotherKeyTakesItsSlot() {
        var doorkeeper = Doorkeeper(count: 4)
        let known = [0x102, 0x203, 0x102, 0x302, 0x102].map { doorkeeper.isKnown($0) }
        #expect(known == [false, false, true, false, false])
    }
}
