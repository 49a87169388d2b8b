/// What a head's fields say of the framing and of the connection, gathered in one pass.
struct FieldMeaning {
    private var host: Range<Int>?
    private var contentLength: UInt64?
    private var isChunked = false
    private var expectsContinue = false
    private var isKeepAlive = true

    mutating func add(_ name: Span<UInt8>, _ value: Span<UInt8>, _ range: Range<Int>) throws(FramingError) {
        switch name.count {
        case 4 where name.equalsLowercased("host"): try addHost(value, range)
        case 6 where name.equalsLowercased("expect"):
            // A list of one, case-insensitively (RFC 9110, section 10.1.1).
            guard value.equalsLowercased("100-continue") else { throw .unknownExpectation }
            expectsContinue = true
        case 10 where name.equalsLowercased("connection"):
            if value.listContains("close") { isKeepAlive = false }
        case 14 where name.equalsLowercased("content-length"): try addContentLength(value)
        case 17 where name.equalsLowercased("transfer-encoding"):
            // chunked once and alone; a second field would be a second coding (RFC 9112, section 6.1).
            guard !isChunked, value.equalsLowercased("chunked") else { throw .unknownTransferCoding }
            isChunked = true
        default: break
        }
    }

    func head(
        method: RequestHead.Method, bytes: Span<UInt8>, target: Range<Int>, fieldsStart: Int
    ) throws(FramingError) -> RequestHead {
        guard let host else { throw .badHost }
        guard !(isChunked && contentLength != nil) else { throw .contentLengthWithTransferEncoding }
        let body: RequestHead.Body
        if isChunked {
            body = .chunked
        } else if let contentLength, contentLength > 0 {
            body = .length(contentLength)
        } else {
            body = .none
        }
        return RequestHead(
            method, isKeepAlive: isKeepAlive, expectsContinue: expectsContinue && body != .none, body: body,
            declaresLength: contentLength != nil, bytes: bytes, target: target, host: host,
            fieldsStart: fieldsStart)
    }

    /// Exactly one, not empty, of the bytes that a name, an address and a port are made of (RFC 9112, section 3.2).
    private mutating func addHost(_ value: Span<UInt8>, _ range: Range<Int>) throws(FramingError) {
        guard host == nil, !value.isEmpty else { throw .badHost }
        var at = 0
        value.skipLettersAndHyphens(&at)
        while at < value.count, Byte.isOfHost(value[at]) { at += 1 }
        guard at == value.count else { throw .badHost }
        host = range
    }

    /// One number of digits only, below 2^63; a repeated field is refused even when it agrees.
    private mutating func addContentLength(_ value: Span<UInt8>) throws(FramingError) {
        guard contentLength == nil, !value.isEmpty, value.count <= 19 else { throw .badContentLength }
        var number: UInt64 = 0
        for index in value.indices {
            guard Byte.isDigit(value[index]) else { throw .badContentLength }
            number = number * 10 + UInt64(value[index] - 0x30)
        }
        guard number <= UInt64(Int64.max) else { throw .badContentLength }
        contentLength = number
    }
}

extension Span where Element == UInt8 {
    /// Does this comma-separated list hold that token (given in lower case)?
    func listContains(_ token: StaticString) -> Bool {
        var start = 0
        var at = 0
        while at <= count {
            if at == count || self[at] == Byte.comma {
                var from = start
                var to = at
                while from < to, self[from] == Byte.space || self[from] == Byte.tab { from += 1 }
                while to > from, self[to - 1] == Byte.space || self[to - 1] == Byte.tab { to -= 1 }
                if extracting(from..<to).equalsLowercased(token) { return true }
                start = at + 1
            }
            at += 1
        }
        return false
    }
}
