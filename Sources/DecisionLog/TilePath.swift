/// What one file of a C2SP tlog-tiles log holds.
package enum TileKind: Hashable, Sendable {
    /// Up to 256 hashes of perfect subtrees of `256^level` leaves.
    case hashes(level: Int)
    /// Up to 256 entries, each after its length as big-endian uint16.
    case entries
}

/// The name of one tile or bundle, relative to the log's folder: `tile/<L>/<N>[.p/<W>]`, `tile/entries/<N>[.p/<W>]`
/// (C2SP tlog-tiles, "Merkle Tree" and "Log entries").
package struct TilePath: Hashable, Sendable {
    /// Hashes in a full tile, entries in a full bundle.
    package static let widthMax = 256
    /// Levels that tlog-tiles can name; a tree of 2^64 leaves needs 8.
    package static let levelMax = 63

    package let kind: TileKind
    /// Counts tiles of this kind from 0.
    package let index: UInt64
    /// 1 to 256; below 256 the tile is partial.
    package let width: Int

    package init(_ kind: TileKind, index: UInt64, width: Int = TilePath.widthMax) {
        precondition((1...Self.widthMax).contains(width))
        if case .hashes(let level) = kind { precondition((0...Self.levelMax).contains(level)) }
        self.kind = kind
        self.index = index
        self.width = width
    }

    package var isPartial: Bool { width < Self.widthMax }

    /// The same tile once it is full.
    package var full: TilePath { TilePath(kind, index: index) }

    /// Parses the whole of a path, as a client of the log would write it; nil for any other spelling.
    package init?(_ path: some StringProtocol) {
        var parts = path.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)[...]
        guard parts.popFirst()?.elementsEqual("tile".utf8) == true, let level = parts.popFirst() else { return nil }
        if level.elementsEqual("entries".utf8) {
            kind = .entries
        } else {
            guard let number = Self.decimal(level), number <= Self.levelMax else { return nil }
            kind = .hashes(level: number)
        }
        guard var last = parts.popLast() else { return nil }
        if let stem = parts.last, stem.count == 5, stem.suffix(2).elementsEqual(".p".utf8) {
            guard let number = Self.decimal(last), (1..<Self.widthMax).contains(number) else { return nil }
            width = number
            last = stem.dropLast(2)
            parts.removeLast()
        } else {
            width = Self.widthMax
        }
        guard parts.count <= 6, last.count == 3 else { return nil }
        var index: UInt64 = 0
        for part in parts {
            guard part.count == 4, part.first == UInt8(ascii: "x"), let digits = Self.digits(part.dropFirst()) else {
                return nil
            }
            index = index * 1000 + digits
        }
        guard let digits = Self.digits(last) else { return nil }
        // The shortest spelling is the only one: no leading `x000`.
        if let first = parts.first, first.elementsEqual("x000".utf8) { return nil }
        let (product, overflows) = index.multipliedReportingOverflow(by: 1000)
        guard !overflows, product <= UInt64.max - digits else { return nil }
        self.index = product + digits
    }

    /// The folders below the log's own that the file lies in, outermost first.
    package var folders: [String] {
        var folders = path.split(separator: "/").dropLast().map(String.init)
        for at in folders.indices.dropFirst() { folders[at] = folders[at - 1] + "/" + folders[at] }
        return folders
    }

    /// The path relative to the log's folder.
    package var path: String {
        var path: String
        switch kind {
        case .hashes(let level): path = "tile/\(level)/"
        case .entries: path = "tile/entries/"
        }
        var groups: [UInt64] = [index % 1000]
        var rest = index / 1000
        while rest > 0 {
            groups.append(rest % 1000)
            rest /= 1000
        }
        for at in groups.indices.reversed() {
            if at > 0 { path += "x" }
            let digits = String(groups[at])
            path += String(repeating: "0", count: 3 - digits.utf8.count) + digits
            if at > 0 { path += "/" }
        }
        return isPartial ? path + ".p/\(width)" : path
    }

    private static func decimal(_ digits: some Collection<UInt8>) -> Int? {
        guard (1...3).contains(digits.count), digits.allSatisfy({ (0x30...0x39).contains($0) }),
            digits.count == 1 || digits.first != 0x30
        else { return nil }
        return digits.reduce(0) { $0 * 10 + Int($1 - 0x30) }
    }

    private static func digits(_ text: some Collection<UInt8>) -> UInt64? {
        guard text.count == 3, text.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        return text.reduce(0) { $0 * 10 + UInt64($1 - 0x30) }
    }
}

extension TilePath: CustomStringConvertible {
    package var description: String { path }
}

/// Which tiles and bundles a tree of one size has.
package struct TreeShape: Hashable, Sendable {
    /// Leaves.
    package let size: UInt64

    package init(size: UInt64) { self.size = size }

    /// Levels of tiles; 0 for the empty tree.
    package var levels: Int {
        var levels = 0
        var rest = size
        while rest > 0 {
            levels += 1
            rest >>= 8
        }
        return levels
    }

    /// Hashes in all tiles of a level together: `floor(size / 256^level)`.
    package func hashes(level: Int) -> UInt64 { level < 8 ? size >> (8 * UInt64(level)) : 0 }

    /// Full tiles of a kind.
    package func fullTiles(_ kind: TileKind) -> UInt64 { count(kind) / 256 }

    /// The partial tile of a kind, if its width is not 0.
    package func partialTile(_ kind: TileKind) -> TilePath? {
        let width = Int(count(kind) % 256)
        return width == 0 ? nil : TilePath(kind, index: fullTiles(kind), width: width)
    }

    /// The tile that holds a kind's item at `index`, as wide as it is in this tree.
    package func tile(_ kind: TileKind, holding index: UInt64) -> TilePath {
        let number = index / 256
        return TilePath(kind, index: number, width: Int(min(count(kind) - number * 256, 256)))
    }

    /// Does the tree have all that a tile holds? A file of one that it has not may be half written.
    package func covers(_ tile: TilePath) -> Bool {
        tile.index < UInt64.max / 256 - 1 && tile.index * 256 + UInt64(tile.width) <= count(tile.kind)
    }

    private func count(_ kind: TileKind) -> UInt64 {
        switch kind {
        case .hashes(let level): hashes(level: level)
        case .entries: size
        }
    }
}
