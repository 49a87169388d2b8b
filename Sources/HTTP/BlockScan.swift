/// Walks a block of lines (a head, or trailers) to the empty line that ends it, as its bytes come, and looks at each once. What it
/// finds does not depend on how the bytes were cut into pieces.
struct BlockScan {
    enum Finding: Hashable {
        case more
        /// The block is that long, its empty line included.
        case end(byteCount: Int)
        /// The last of that many bytes is an LF without a CR, or follows a CR without being an LF.
        case badLineEnd(byteCount: Int)
        case firstLineTooLong
        case tooLarge
    }

    private let bytesMax: Int
    private let firstLineBytesMax: Int
    private var at = 0
    private var lineStart = 0

    /// - Parameter firstLineBytesMax: without its CRLF; `bytesMax` counts every line's.
    init(bytesMax: Int, firstLineBytesMax: Int) {
        self.bytesMax = bytesMax
        self.firstLineBytesMax = firstLineBytesMax
    }

    /// Nothing was looked at.
    var isFresh: Bool { at == 0 }

    /// - Parameter span: the block from its beginning, and whatever follows.
    mutating func advance(over span: Span<UInt8>) -> Finding {
        let end = min(span.count, bytesMax)
        var isAfterReturn = at > lineStart && span[at - 1] == Byte.carriageReturn
        while at < end {
            if isAfterReturn {
                guard span[at] == Byte.lineFeed else { return .badLineEnd(byteCount: at + 1) }
                at += 1
                guard at > lineStart + 2 else { return .end(byteCount: at) }
                lineStart = at
                isAfterReturn = false
                continue
            }
            let lineBytesMax = lineStart == 0 ? firstLineBytesMax : Int.max
            let limit = lineBytesMax < end ? lineBytesMax + 1 : end
            at = span.lineEnd(from: at, to: limit)
            if at == limit {
                guard at < end else { break }
                return span[at] == Byte.lineFeed ? .badLineEnd(byteCount: at + 1) : .firstLineTooLong
            }
            at += 1
            guard span[at - 1] == Byte.carriageReturn else { return .badLineEnd(byteCount: at) }
            isAfterReturn = true
        }
        return at < span.count ? .tooLarge : .more
    }
}

extension Span where Element == UInt8 {
    /// Where the first CR or LF stands between two places; the second of them where none does.
    fileprivate func lineEnd(from start: Int, to end: Int) -> Int {
        var at = start
        while at + 8 <= end {
            let controls = EightBytes.controls(eightBytes(at: at))
            guard controls != 0 else {
                at += 8
                continue
            }
            at += controls.trailingZeroBitCount >> 3
            if self[at] == Byte.carriageReturn || self[at] == Byte.lineFeed { return at }
            at += 1
        }
        while at < end, self[at] != Byte.carriageReturn, self[at] != Byte.lineFeed { at += 1 }
        return at
    }
}
