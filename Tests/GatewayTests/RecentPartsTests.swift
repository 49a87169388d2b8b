import DecisionLog
import Residency
import S3
import Testing

@testable import Gateway

@Suite struct RecentPartsTests {
    private static func part(_ number: Int) -> EntryPart {
        .names(store: BucketName("mail-\(number)"), mailbox: nil, object: nil, prefix: nil)
    }

    private static func line(_ part: EntryPart) -> String {
        var line: [UInt8] = []
        DecisionLine.append(
            at: Timestamp(seconds: 0).rfc3339Bytes, gateway: .gateway(GatewayName("gw")!), request: .next(),
            reason: .domestic, operation: .getObject, data: .none, caller: .nothing, names: part, found: .nothing,
            crossed: [], isMisplaced: false, authorizations: [], end: .end(policy: ""), to: &line)
        return String(decoding: line, as: UTF8.self)
    }

    private struct Number: RecentKey {
        let number: Int
        var slotHash: UInt64 { UInt64(number) }
    }

    /// One slot: every key meets the one before it there.
    @Test(arguments: [1, 8]) func nobodyGetsThePartOfAnotherKey(slots: Int) {
        var recent = RecentParts<Number, EntryPart>(count: slots)
        for number in [1, 2, 1, 3, 3, 2] + Array(0..<100) {
            let key = Number(number: number)
            if let part = recent.part(for: key) {
                #expect(Self.line(part).contains(#""store":"mail-\#(number)""#))
            }
            recent.keep(Self.part(number), for: key)
        }
    }

    @Test func aPartIsKeptUntilAnotherComesTwice() {
        var recent = RecentParts<Number, EntryPart>(count: 4)
        let seven = Number(number: 7)
        #expect(recent.part(for: seven).map(Self.line) == nil)
        recent.keep(Self.part(7), for: seven)
        recent.keep(Self.part(8), for: Number(number: 8))
        #expect(recent.part(for: seven).map(Self.line)?.contains(#""store":"mail-7""#) == true)
        for number in [11, 19, 11, 27] { recent.keep(Self.part(number), for: Number(number: number)) }
        #expect(recent.part(for: seven) != nil)
        recent.keep(Self.part(27), for: Number(number: 27))
        #expect(recent.part(for: seven).map(Self.line) == nil)
        #expect(recent.part(for: Number(number: 27)).map(Self.line)?.contains(#""store":"mail-27""#) == true)
    }

    /// What makes a slot: all bytes of a key, and the same for the same bytes wherever they lie.
    @Test func keysOfDifferentBytesHaveDifferentHashes() throws {
        var hashes: Set<UInt64> = []
        for length in 1...40 {
            for place in 0..<length {
                var bytes = [UInt8](repeating: 0x61, count: length)
                bytes[place] = 0x62
                let key = try #require(ObjectKey(utf8: bytes))
                #expect(key.slotHash == ObjectKey(utf8: Array(bytes))?.slotHash)
                hashes.insert(key.slotHash)
            }
        }
        #expect(hashes.count == 40 * 41 / 2)
    }
}
