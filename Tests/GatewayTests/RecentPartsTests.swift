import DecisionLog
import Residency
import Testing

@testable import Gateway

@Suite struct RecentPartsTests {
    private static func part(_ number: Int) -> EntryPart {
        .names(store: BucketName("mail-\(number)"), mailbox: nil, object: nil, prefix: nil)
    }

    private static func line(_ part: EntryPart) -> String {
        var line: [UInt8] = []
        DecisionDraft(
            time: Timestamp(seconds: 0), gateway: .gateway(GatewayName("gw")!), request: .next(), reason: .domestic,
            operation: .getObject, data: .none, caller: .nothing, names: part, found: .nothing, crossed: [],
            isMisplaced: false, authorizations: [], policy: ""
        ).append(to: &line)
        return String(decoding: line, as: UTF8.self)
    }

    /// One slot: every key meets the one before it there.
    @Test(arguments: [1, 8]) func nobodyGetsThePartOfAnotherKey(slots: Int) {
        var recent = RecentParts<Int, EntryPart>(count: slots)
        for number in [1, 2, 1, 3, 3, 2] + Array(0..<100) {
            let part = recent.part(for: number) { Self.part(number) }
            #expect(Self.line(part).contains(#""store":"mail-\#(number)""#))
        }
    }

    @Test func aPartIsMadeOnceWhileNobodyTakesItsSlot() {
        var recent = RecentParts<Int, EntryPart>(count: 4)
        var made = 0
        for _ in 0..<10 {
            _ = recent.part(for: 7) {
                made += 1
                return Self.part(7)
            }
        }
        #expect(made == 1)
    }
}
