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

    /// - Parameter span: the block from its beginning, and whatever follows.
    mutating func advance(over span: Span<UInt8>) -> Finding {
        // In registers: this loop sees every byte of every head.
        var at = at
        var isAfterReturn = at > lineStart && span[at - 1] == Byte.carriageReturn
        var lineBytesMax = lineStart == 0 ? firstLineBytesMax : Int.max
        defer { self.at = at }
        let end = min(span.count, bytesMax)
        while at < end {
            if !isAfterReturn {
                // Between two line ends nothing is below a space, save a tab now and then.
                let limit = lineBytesMax < end ? lineBytesMax + 1 : end
                while at + 16 <= limit, !span.hasControl(inSixteenFrom: at) { at += 16 }
                while at + 8 <= limit {
                    let controls = EightBytes.controls(span.eightBytes(at: at))
                    guard controls == 0 else {
                        at += controls.trailingZeroBitCount >> 3
                        break
                    }
                    at += 8
                }
                guard at < end else { break }
            }
            let byte = span[at]
            if byte == Byte.lineFeed {
                guard isAfterReturn else { return .badLineEnd(byteCount: at + 1) }
                guard at > lineStart + 1 else { return .end(byteCount: at + 1) }
                lineStart = at + 1
                lineBytesMax = Int.max
            } else if isAfterReturn {
                return .badLineEnd(byteCount: at + 1)
            } else if at > lineBytesMax {
                return .firstLineTooLong
            }
            isAfterReturn = byte == Byte.carriageReturn
            at += 1
        }
        return at < span.count ? .tooLarge : .more
    }
}
