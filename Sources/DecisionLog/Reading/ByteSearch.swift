/// Looks for bytes in bytes (Horspool 1980): most positions are never looked at.
struct ByteSearch: Sendable {
    private let wanted: [UInt8]
    /// How far to go on after a window that ends in this byte.
    private let steps: [Int]

    init(_ wanted: [UInt8]) {
        self.wanted = wanted
        var steps = [Int](repeating: wanted.count, count: 256)
        for (at, byte) in wanted.dropLast().enumerated() { steps[Int(byte)] = wanted.count - 1 - at }
        self.steps = steps
    }

    func isIn(_ bytes: [UInt8]) -> Bool {
        guard !wanted.isEmpty else { return true }
        let (bytes, wanted) = (bytes.span, wanted.span)
        var start = 0
        while start + wanted.count <= bytes.count {
            var at = wanted.count - 1
            while bytes[start + at] == wanted[at] {
                if at == 0 { return true }
                at -= 1
            }
            start += steps[Int(bytes[start + wanted.count - 1])]
        }
        return false
    }
}
