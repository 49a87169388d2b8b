/// An IP address; an IPv4-mapped IPv6 address is the IPv4 address.
package struct Address: Hashable, Sendable, CustomStringConvertible {
    package let isIPv4: Bool
    /// 32 or 128 bits.
    package let bits: UInt128

    private init(isIPv4: Bool, bits: UInt128) {
        self.isIPv4 = isIPv4
        self.bits = bits
    }

    package init(ipv4: UInt32) { self.init(isIPv4: true, bits: UInt128(ipv4)) }

    package init(ipv6 bits: UInt128) {
        if bits >> 32 == 0xFFFF {
            self.init(ipv4: UInt32(truncatingIfNeeded: bits))
        } else {
            self.init(isIPv4: false, bits: bits)
        }
    }

    /// Parses an address without port and zone; nil for anything else.
    package init?(_ text: some StringProtocol) {
        if text.contains(":") {
            guard let bits = Self.ipv6(String(text)) else { return nil }
            self.init(ipv6: bits)
        } else {
            guard let bits = Self.ipv4(String(text)) else { return nil }
            self.init(ipv4: bits)
        }
    }

    private static func ipv4(_ text: String) -> UInt32? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        var bits: UInt32 = 0
        for part in parts {
            guard (1...3).contains(part.utf8.count), part.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
                part.utf8.count == 1 || part.utf8.first != 0x30, let byte = UInt8(part)
            else { return nil }
            bits = bits << 8 | UInt32(byte)
        }
        return bits
    }

    private static func ipv6(_ text: String) -> UInt128? {
        var head = text[...]
        var tail: UInt128?
        // The last 32 bits may be written as IPv4 (RFC 4291, section 2.2.3).
        if let colon = text.lastIndex(of: ":"), text[colon...].contains(".") {
            guard let bits = ipv4(String(text[text.index(after: colon)...])) else { return nil }
            tail = UInt128(bits)
            head = text[...colon]
            if head.hasSuffix("::") {} else { head = head.dropLast() }
        }
        let groupsMax = tail == nil ? 8 : 6
        let halves = head.split(separator: "::", maxSplits: 1, omittingEmptySubsequences: false).map { half in
            half.isEmpty
                ? []
                : half.split(separator: ":", omittingEmptySubsequences: false).map { groupText in
                    (1...4).contains(groupText.utf8.count) ? UInt16(groupText, radix: 16) : nil
                }
        }
        let hasGap = head.contains("::")
        guard head.components(of: "::") <= 1, !halves.contains(where: { $0.contains(where: { $0 == nil }) }) else {
            return nil
        }
        let groups = halves.map { $0.compactMap { $0 } }
        let count = groups.reduce(0) { $0 + $1.count }
        guard hasGap ? count < groupsMax : count == groupsMax else { return nil }
        var bits: UInt128 = 0
        for group in groups[0] { bits = bits << 16 | UInt128(group) }
        for _ in 0..<(groupsMax - count) { bits <<= 16 }
        if groups.count > 1 { for group in groups[1] { bits = bits << 16 | UInt128(group) } }
        return tail.map { bits << 32 | $0 } ?? bits
    }

    /// RFC 5952 is for people; the log wants one spelling: eight groups, or dotted.
    package var description: String {
        if isIPv4 {
            return (0..<4).map { "\(UInt8(truncatingIfNeeded: bits >> UInt128(24 - 8 * $0)))" }.joined(separator: ".")
        }
        return (0..<8).map { String(UInt16(truncatingIfNeeded: bits >> UInt128(112 - 16 * $0)), radix: 16) }.joined(
            separator: ":")
    }

    /// The address's /24, or /48: what strangers are counted by.
    package var neighbourhood: String {
        let kept = isIPv4 ? (bits >> 8) << 8 : (bits >> 80) << 80
        return (isIPv4 ? Address(ipv4: UInt32(truncatingIfNeeded: kept)) : Address(ipv6: kept)).description
            + (isIPv4 ? "/24" : "/48")
    }
}

extension Substring {
    fileprivate func components(of text: String) -> Int {
        var count = 0
        var rest = self
        while let range = rest.firstRange(of: text) {
            count += 1
            rest = rest[rest.index(after: range.lowerBound)...]
        }
        return count
    }
}

/// A block of addresses (CIDR).
package struct Network: Hashable, Sendable, CustomStringConvertible {
    package let first: Address
    package let prefixBits: Int

    /// Parses `10.10.0.0/16`; nil when it is no block or has bits beyond its prefix.
    package init?(_ text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, let address = Address(parts[0]), let bits = Int(parts[1]),
            parts[1].utf8.allSatisfy({ (0x30...0x39).contains($0) })
        else { return nil }
        let isMapped = address.isIPv4 && parts[0].contains(":")
        let prefix = isMapped ? bits - 96 : bits
        guard (0...(address.isIPv4 ? 32 : 128)).contains(prefix) else { return nil }
        first = address
        prefixBits = prefix
        guard address.bits & hostMask == 0 else { return nil }
    }

    private var hostMask: UInt128 {
        let width = first.isIPv4 ? 32 : 128
        let hostBits = width - prefixBits
        return hostBits == 128 ? UInt128.max : (UInt128(1) << UInt128(hostBits)) - 1
    }

    package var last: UInt128 { first.bits | hostMask }

    package func overlaps(_ other: Network) -> Bool {
        first.isIPv4 == other.first.isIPv4 && first.bits <= other.last && other.first.bits <= last
    }

    package var description: String { "\(first)/\(prefixBits)" }
}

/// Which datacenter an address lies in: networks do not overlap, so one binary search tells.
package struct NetworkTable<Value: Sendable>: Sendable {
    private let ipv4: [(first: UInt128, last: UInt128, value: Value)]
    private let ipv6: [(first: UInt128, last: UInt128, value: Value)]

    package init(_ networks: [(Network, Value)]) {
        func table(_ isIPv4: Bool) -> [(first: UInt128, last: UInt128, value: Value)] {
            networks.filter { $0.0.first.isIPv4 == isIPv4 }.map { ($0.0.first.bits, $0.0.last, $0.1) }.sorted {
                $0.first < $1.first
            }
        }
        ipv4 = table(true)
        ipv6 = table(false)
    }

    package func value(of address: Address) -> Value? {
        let table = address.isIPv4 ? ipv4 : ipv6
        var low = 0
        var high = table.count
        while low < high {
            let middle = (low + high) / 2
            if table[middle].last < address.bits { low = middle + 1 } else { high = middle }
        }
        guard low < table.count, table[low].first <= address.bits else { return nil }
        return table[low].value
    }
}
