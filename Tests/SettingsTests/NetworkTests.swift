import Foundation
import Testing

@testable import Settings

@Suite struct NetworkTests {
    /// What the C library says of an address: 4 or 16 bytes.
    func parse(_ text: String) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: 16)
        if inet_pton(AF_INET, text, &bytes) == 1 { return Array(bytes.prefix(4)) }
        guard inet_pton(AF_INET6, text, &bytes) == 1 else { return nil }
        return bytes.starts(with: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF]) ? Array(bytes.suffix(4)) : bytes
    }

    /// Every address that is made of these pieces, held against inet_pton.
    @Test func addressesAreReadAsTheCLibraryReadsThem() {
        var random = SystemRandomNumberGenerator()
        let pieces = [
            "0", "1", "255", "256", "01", "ffff", "fffff", "::", ":", ":", ":", ".", ".", ".", "abcd", "127", "g", "%",
            "::ffff:", " ",
        ]
        var accepted = 0
        let fixed = [
            "127.0.0.1", "0.0.0.0", "::", "::1", "1::", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8",
            "::ffff:10.0.0.1", "::ffff:0a00:0001", "1:2:3:4:5:6:1.2.3.4", "::1.2.3.4", "1::2::3", "1:2:3:4:5:6:7",
            "1:2:3:4:5:6:7:8:9", "1.2.3", "1.2.3.4.5", "1.2.3.256", "01.2.3.4", ":1", "1:", "", "fe80::1%lo",
        ]
        let made = (0..<50_000).map { _ in
            (0..<Int.random(in: 1...15, using: &random)).map { _ in pieces.randomElement(using: &random) ?? "" }
                .joined()
        }
        for text in fixed + made {
            let expected = parse(text)
            let address = Address(text)
            #expect((address != nil) == (expected != nil), "\(text)")
            guard let address, let expected else { continue }
            accepted += 1
            #expect(parse(address.description) == expected, "\(text) became \(address)")
        }
        #expect(accepted > 10)
    }

    @Test(arguments: [
        ("10.0.0.0/8", "10.255.1.2", true), ("10.0.0.0/8", "11.0.0.0", false), ("0.0.0.0/0", "1.2.3.4", true),
        ("0.0.0.0/0", "::1", false), ("10.1.2.3/32", "10.1.2.3", true), ("2001:db8::/32", "2001:db8:ffff::1", true),
        ("2001:db8::/32", "2001:db9::", false), ("10.0.0.0/8", "::ffff:10.0.0.1", true),
    ])
    func aBlockHoldsItsAddresses(network: String, address: String, holds: Bool) throws {
        let network = try #require(Network(network))
        let table = NetworkTable([(network, true)])
        #expect((table.value(of: try #require(Address(address))) == true) == holds)
    }

    @Test(arguments: [
        "10.0.0.1/8", "10.0.0.0/33", "10.0.0.0", "10.0.0.0/", "10.0.0.0/-1", "x/8", "2001:db8::1/32", "::/129",
    ])
    func aBlockHasNoHostBits(text: String) { #expect(Network(text) == nil) }
}
