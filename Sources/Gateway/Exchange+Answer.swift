internal import DecisionLog
internal import HTTP
internal import NIOCore
internal import OpenSSL
internal import Residency
internal import S3
internal import Settings
internal import Stores

// The bytes of answers.
extension Exchange {
    // MARK: - Objects

    /// GetObject and HeadObject: conditions, range, facts, and, for a GET, the content.
    /// - Parameter content: nil for a HEAD.
    @inline(__always)
    func answerObject(_ facts: ObjectFacts, content: OpenObject?) {
        guard let request else { return fail(.internalError) }
        var part: Range<Int64>?
        if let selection = request.selection {
            switch outcome(of: selection.conditions, on: facts) {
            case .preconditionFailed: return fail(.preconditionFailed)
            case .notModified:
                var head = beginHead(304)
                facts.residency.place.writeFields(into: &head)
                Self.writeValidators(facts, into: &head)
                ResponseEncoder.endHead(into: &head)
                return finish(head)
            case .proceed: break
            }
            if let wanted = selection.range {
                guard let resolved = wanted.resolve(size: facts.size) else { return failRange(size: facts.size) }
                part = resolved
            }
        }
        let range = part ?? 0..<facts.size
        let fields = worker.objectFields.fields(of: facts) {
            var fields: [UInt8] = []
            fields.reserveCapacity(Self.usualFieldsBytes)
            Self.writeValidators(facts, into: &fields)
            Self.writeFacts(facts, into: &fields)
            return fields
        }
        let length = range.upperBound - range.lowerBound
        let first = firstFields(part == nil ? 200 : 206)
        var head = worker.takeAnswer()
        // Spans and numbers: what else a closure has is counted.
        let (common, own, size) = (first.common.span, fields.span, facts.size)
        let (status, id, index, keepsAlive) = (first.status, first.id, first.index, first.keepsAlive)
        head.append(addingCapacity: common.count + own.count + Self.firstFieldsBytesMax + Self.lengthFieldsBytesMax) {
            FirstFields.append(common, status, id, index, keepsAlive, to: &$0)
            $0.append(copying: own)
            if let part {
                $0.append(utf8: "Content-Range: bytes \(part.lowerBound)-\(part.upperBound - 1)/\(size)\r\n")
            }
            $0.append(field: "Content-Length", UInt64(length))
            $0.append(literal: "\r\n")
        }
        guard let content, length > 0 else { return finish(consume head) }
        send(consume head, content.body(range))
    }

    /// `Content-Range` with three numbers, `Content-Length` with one, and the empty line.
    private static let lengthFieldsBytesMax = 160

    private func outcome(of conditions: Conditions, on facts: ObjectFacts) -> Conditions.Outcome {
        let now = worker.log.now().seconds
        return conditions.evaluate(etag: facts.etag, lastModifiedSeconds: facts.lastModifiedSeconds) {
            HTTPDate.parse(String(decoding: $0, as: UTF8.self), nowUnixSeconds: now)
        }
    }

    /// Few objects have metadata that takes more.
    private static let usualFieldsBytes = 256

    private static func writeValidators(_ facts: ObjectFacts, into head: inout [UInt8]) {
        if let etag = facts.etag {
            head.append("ETag: \"")
            head.append(contentsOf: etag.utf8)
            head.append("\"\r\nLast-Modified: ")
        } else {
            head.append("Last-Modified: ")
        }
        HTTPDate.write(unixSeconds: facts.lastModifiedSeconds, into: &head)
        head.append("\r\nAccept-Ranges: bytes\r\n")
    }

    /// What was stored with the object. A value that could not be a field's is left out: it was checked when it came.
    private static func writeFacts(_ facts: ObjectFacts, into head: inout [UInt8]) {
        facts.residency.place.writeFields(into: &head)
        if facts.headers[.contentType] == nil {
            head.append("Content-Type: binary/octet-stream\r\n")
        }
        if !facts.headers.isEmpty {
            for header in StoredHeader.allCases {
                guard let value = facts.headers[header] else { continue }
                try? ResponseEncoder.writeField(header.fieldName, value, into: &head)
            }
        }
        for pair in facts.userMetadata ?? [] {
            try? ResponseEncoder.writeField(prefix: "x-amz-meta-", name: pair.name, pair.value, into: &head)
        }
    }

    /// Sends a head and, in pieces as the client takes them, the content.
    @inline(__always)
    private func send(_ head: consuming [UInt8], _ body: BodyReader) {
        var head = consume head
        // Head and content in one array, and so in the same records.
        let room = min(Int64(head.count) + body.remainingBytes, Int64(Limits.readChunkBytes))
        head.reserveCapacity(Int(room))
        sendContent(body, after: consume head)
    }

    /// The socket takes more.
    func continueSending() {
        guard case .sending(let reader) = work, !isOver else { return }
        sendContent(reader)
    }

    /// Hands the socket as much as it takes.
    /// - Parameter head: goes before it, in the same records. Taken, so that the content is written into the same memory.
    private func sendContent(_ body: BodyReader, after head: consuming [UInt8] = []) {
        var (reader, bytes) = (body, consume head)
        while connection.isWritable {
            do throws(StoreError) {
                let room = Limits.readChunkBytes - bytes.count
                guard let count = try reader.readCached(bytesMax: room, into: &bytes) else {
                    connection.write(bytes.span)
                    return readFromDisk(reader)
                }
                bytesSent += UInt64(count)
            } catch { return breakOff() }
            if reader.remainingBytes == 0 { return finish(consume bytes) }
            // Sent piece by piece, each while it is in the processor's cache.
            connection.write(bytes.span)
            connection.flush()
            guard !isOver else { return }
            bytes.removeAll(keepingCapacity: true)
        }
        work = .sending(reader)
        connection.write(bytes.span)
        connection.flush()
        worker.give(back: consume bytes)
    }

    private func readFromDisk(_ reader: BodyReader) {
        work = .reading
        connection.flush()
        reader.read(bytesMax: Limits.readChunkBytes, on: worker.loop) { [self] result in
            guard !isOver else { return }
            switch result {
            case .success(let buffer):
                bytesSent += UInt64(buffer.readableBytes)
                var rest = reader
                rest.skip(buffer.readableBytes)
                if rest.remainingBytes == 0 { return finish(last: buffer.readableBytesUInt8Span) }
                connection.write(buffer.readableBytesUInt8Span)
                sendContent(rest)
            case .failure: breakOff()
            }
        }
    }

    /// The head is out and the content cannot follow: the client must not take it for whole.
    func breakOff() {
        complete(.brokenOff)
        connection.abort()
    }

    // MARK: - Other answers

    func answerBuckets() {
        guard let principal else { return fail(.internalError) }
        let buckets = service.stores.map(\.policy.bucket).filter(principal.settings.stores.contains)
        answerXML(AnswerBody.buckets(buckets, owner: principal.settings.name, createdSeconds: worker.startedSeconds))
    }

    func answerLocation() {
        guard let store else { return fail(.internalError) }
        answerXML(AnswerBody.location(store.policy.policy.place.datacenter))
    }

    func answerXML(_ body: [UInt8]) {
        var head = beginHead(200)
        writePlace(into: &head)
        ResponseEncoder.writeField("Content-Type", "application/xml", into: &head)
        finish(head, body)
    }

    func answerEmpty(_ status: Int) {
        var head = beginHead(status)
        writePlace(into: &head)
        if status != 204 { ResponseEncoder.writeField("Content-Length", "0", into: &head) }
        ResponseEncoder.endHead(into: &head)
        finish(head)
    }

    func answerPut(_ outcome: PutOutcome) {
        var head = beginHead(200)
        head.append(contentsOf: "ETag: \"\(outcome.etag)\"\r\n".utf8)
        writePlace(into: &head)
        ResponseEncoder.writeField("Content-Length", "0", into: &head)
        ResponseEncoder.endHead(into: &head)
        finish(head)
    }

    func writePlace(into head: inout [UInt8]) {
        if let store { head.append(contentsOf: store.placeFields) }
    }

    // MARK: - Heads

    /// What an answer begins with beside what all have in common: status line, the request's name, the decision and `Connection`.
    private static let firstFieldsBytesMax = 256

    func beginHead(_ status: Int) -> [UInt8] {
        let first = firstFields(status)
        var head = worker.takeAnswer()
        let common = first.common.span
        let (id, index, keepsAlive) = (first.id, first.index, first.keepsAlive)
        head.append(addingCapacity: common.count + Self.firstFieldsBytesMax) {
            FirstFields.append(common, status, id, index, keepsAlive, to: &$0)
        }
        return head
    }

    /// The answer begins.
    @inline(__always)
    private func firstFields(_ status: Int) -> FirstFields {
        self.status = status
        hasAnswered = true
        keepsAlive = connection.beginAnswer(
            wantsKeepAlive: head?.isKeepAlive ?? false, expectsContinue: head?.expectsContinue ?? false)
        return FirstFields(
            status: status, common: worker.commonFields.upToRequestID(at: worker.log.now().seconds), id: id,
            index: index, keepsAlive: keepsAlive)
    }

    func finish(_ head: consuming [UInt8], _ body: [UInt8]) {
        var head = head
        ResponseEncoder.writeField("Content-Length", integer: UInt64(body.count), into: &head)
        ResponseEncoder.endHead(into: &head)
        if !isHead { head.append(contentsOf: body) }
        finish(head)
    }

    /// The last bytes of an answer, whose memory is the next one's.
    func finish(_ last: consuming [UInt8]) {
        finish(last: last.span)
        worker.give(back: consume last)
    }

    /// The last bytes of the answer. When the socket has them, the completion is recorded.
    private func finish(last: Span<UInt8>) {
        work = .none
        connection.finishAnswer(last, of: self)
    }
}

/// What all answers begin with.
private struct FirstFields {
    let status: Int
    /// `CommonFields`.
    let common: [UInt8]
    let id: RequestID
    let index: UInt64?
    let keepsAlive: Bool

    @inline(__always)
    static func append(
        _ common: Span<UInt8>, _ status: Int, _ id: RequestID, _ index: UInt64?, _ keepsAlive: Bool,
        to head: inout OutputSpan<UInt8>
    ) {
        head.append(oneOf: ResponseEncoder.statusLine(status))
        head.append(copying: common)
        id.append(to: &head)
        head.append(literal: "\r\n")
        if let index { head.append(field: "x-bailiwick-decision", index) }
        if !keepsAlive { head.append(literal: "Connection: close\r\n") }
    }
}

extension OutputSpan where Element == UInt8 {
    /// Appends a field with a number. Inlined, so that its name is two stores.
    @inline(__always)
    fileprivate mutating func append(field name: StaticString, _ value: UInt64) {
        append(literal: name)
        append(literal: ": ")
        append(decimal: value)
        append(literal: "\r\n")
    }
}

extension StoredHeader {
    /// The header's name as it is sent.
    fileprivate var fieldName: StaticString {
        switch self {
        case .contentType: "Content-Type"
        case .contentEncoding: "Content-Encoding"
        case .contentDisposition: "Content-Disposition"
        case .contentLanguage: "Content-Language"
        case .cacheControl: "Cache-Control"
        case .expires: "Expires"
        }
    }
}

extension Place {
    /// Writes the fields of an answer that tell it.
    func writeFields(into head: inout [UInt8]) {
        head.append("x-bailiwick-datacenter: ")
        head.append(contentsOf: datacenter.text.utf8)
        head.append("\r\nx-bailiwick-jurisdiction: ")
        jurisdiction.append(to: &head)
        head.append("\r\n")
    }
}

/// The fields that all answers begin with, made once a second.
final class CommonFields {
    private var second: Int64 = .min
    private var bytes: [UInt8] = []

    /// Up to the value of `x-amz-request-id`.
    /// - Parameter second: unix seconds.
    func upToRequestID(at second: Int64) -> [UInt8] {
        if second != self.second {
            self.second = second
            let date = HTTPDate.format(unixSeconds: second)
            bytes = Array("Date: \(date)\r\nServer: bailiwick\r\nx-amz-request-id: ".utf8)
        }
        return bytes
    }
}
