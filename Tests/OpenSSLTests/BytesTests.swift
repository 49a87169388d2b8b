import OpenSSL
import Testing

/// Short runs are compared and copied by words, which overlap: each length is one of its own.
@Suite struct BytesTests {
    private static func bytes(_ count: Int) -> [UInt8] { (0..<count).map { UInt8($0 % 251) } }
    private static func areSame(_ one: [UInt8], _ other: [UInt8]) -> Bool { one.span.isSame(as: other.span) }
    private static func isASCIIWithoutNUL(_ bytes: [UInt8]) -> Bool { bytes.span.isASCIIWithoutNUL }

    @Test func aRunIsTheSameAsItselfAndAsNoOther() {
        for count in 0...80 {
            let run = Self.bytes(count)
            #expect(Self.areSame(run, Self.bytes(count)))
            #expect(!Self.areSame(run, run + [0]))
            for index in run.indices {
                var other = run
                other[index] ^= 0x80
                #expect(!Self.areSame(run, other), "\(count) bytes, another at \(index)")
            }
        }
    }

    @Test func aNULAndWhatIsNotASCIIAreFoundWhereverTheyStand() {
        for count in 1...40 {
            let run = [UInt8](repeating: 0x01, count: count)
            #expect(Self.isASCIIWithoutNUL(run))
            #expect(Self.isASCIIWithoutNUL([UInt8](repeating: 0x7F, count: count)))
            for index in run.indices {
                for byte: UInt8 in [0x00, 0x80, 0x81, 0xFF] {
                    var other = run
                    other[index] = byte
                    #expect(!Self.isASCIIWithoutNUL(other), "\(byte) at \(index) of \(count)")
                }
            }
        }
    }

    @Test(
        arguments: [
            "", "a", "abc", "abcd", "abcdefg", "abcdefgh", "abcdefghi", "abcdefghijklmno", "abcdefghijklmnop",
            "abcdefghijklmnopq", "abcdefghijklmnopqrstuvwxyz123456", "abcdefghijklmnopqrstuvwxyz1234567",
        ] as [StaticString])
    func oneOfSeveralLiteralsIsAppendedWhole(literal: StaticString) {
        let count = literal.utf8CodeUnitCount
        var bytes: [UInt8] = [0x21]
        bytes.append(addingCapacity: count + 1) {
            $0.append(oneOf: literal)
            $0.append(0x21)
        }
        #expect(String(decoding: bytes, as: UTF8.self) == "!\(literal)!")
    }
}

extension StaticString: @retroactive CustomTestStringConvertible {
    public var testDescription: String { description }
}
