internal import DecisionLog
internal import HTTP
internal import Residency
internal import S3
internal import Settings
internal import Stores

// What is answered where a request is refused or fails.
extension Exchange {
    /// A decision to refuse.
    func answer(refusing reason: Reason) {
        if index == nil { countUnrecorded(reason) }
        let isUnknownBucket = reason == .notEntitled && store == nil
        let jurisdiction =
            isUnknownBucket
            ? nil : decision?.lacks ?? decision?.crossed.first ?? store?.policy.policy.place.jurisdiction
        let refusal = Refusal(
            reason, jurisdiction: jurisdiction, datacenter: datacenter(owning: jurisdiction),
            isUnknownBucket: isUnknownBucket, error: error)
        answerError(
            refusal.code, refusal.message, jurisdiction: jurisdiction, reason: reason, decision: index)
    }

    /// No durable decision counts it.
    private func countUnrecorded(_ reason: Reason) {
        switch reason {
        case .overloaded: worker.totals.unrecordedOverloaded += 1
        case .logUnavailable: worker.totals.unrecordedUnavailable += 1
        default: break
        }
    }

    /// The datacenter to name beside an owner: the object's own where it is known to be of that jurisdiction, else the store's.
    private func datacenter(owning jurisdiction: Jurisdiction?) -> DatacenterName? {
        if case .tagged(let residency)? = located?.state, residency.place.jurisdiction == jurisdiction {
            return residency.place.datacenter
        }
        return store?.policy.policy.place.datacenter
    }

    /// What storage could not do.
    func fail(storage error: StoreError) {
        switch error {
        case .absent: fail(.noSuchKey)
        case .exists, .preconditionFailed: fail(.preconditionFailed)
        case .notDecidedOn: fail(.conditionalRequestConflict)
        case .sizeMismatch: fail(.incompleteBody)
        case .md5Mismatch: fail(.badDigest)
        case .sha256Mismatch: fail(.contentSHA256Mismatch)
        case .metadataTooLarge: fail(.metadataTooLarge)
        case .full:
            count(.full)
            fail(.serviceUnavailable, "The store is full.")
        case .contended:
            count(.busy)
            fail(.slowDown)
        case .busy:
            count(.busy)
            worker.reportBusy(error)
            fail(.slowDown)
        case .closing: fail(.serviceUnavailable)
        case .permit, .untagged, .tagInvalid, .misplaced, .notRecorded, .contentDamaged, .sealKeyMissing, .obstructed,
            .outOfTurn, .system:
            count(.error)
            report(error)
            fail(.internalError)
        }
    }

    private func count(_ cause: StorageFailure.Cause) {
        if let store { worker.counters.count(cause, store: store.position) }
    }

    /// No entry need tell of it: a look-up comes before the decision.
    private func report(_ error: StoreError) {
        guard let store else { return worker.report("\(id.text): \(error)") }
        let bucket = store.policy.bucket
        guard let more = worker.mayReport(bucket, error) else { return }
        var what = [bucket.text]
        if let request {
            what.append(request.operation.rawValue)
            if let key = request.key {
                what.append(store.pseudonyms.pseudonym("object", bucket: bucket.text, key.utf8))
            }
        }
        let rest = more > 0 ? " (and \(more) more like it since the last line)" : ""
        worker.report("\(id.text): \(what.joined(separator: " ")): \(error)\(rest)")
    }

    func fail(_ code: S3ErrorCode, _ detail: String? = nil) {
        guard !hasAnswered else { return breakOff() }
        answerError(code, detail ?? code.message, jurisdiction: nil, reason: nil, decision: index)
    }

    func failRange(size: Int64) {
        var head = beginHead(416)
        head.append(contentsOf: "Content-Range: bytes */\(size)\r\n".utf8)
        let wanted = self.head?.values(of: "range").first ?? []
        let details = [("RangeRequested", wanted), ("ActualObjectSize", Array("\(size)".utf8))]
        finishError(head, .invalidRange, S3ErrorCode.invalidRange.message, details, nil, nil, index)
    }

    private func answerError(
        _ code: S3ErrorCode, _ message: String, jurisdiction: Jurisdiction?, reason: Reason?, decision: UInt64?
    ) {
        let head = beginHead(framingStatus ?? code.status)
        finishError(head, code, message, details(of: code), jurisdiction, reason, decision)
    }

    /// What S3 tells in errors of that code alone.
    private func details(of code: S3ErrorCode) -> [(name: String, value: [UInt8])] {
        guard let request else { return [] }
        switch code {
        case .noSuchKey: return request.key.map { [("Key", $0.utf8)] } ?? []
        case .noSuchBucket: return request.bucket.map { [("BucketName", Array($0.text.utf8))] } ?? []
        case .preconditionFailed:
            let conditions = request.selection?.conditions
            let name =
                conditions?.ifMatch != nil
                ? "If-Match" : conditions?.ifNoneMatch != nil ? "If-None-Match" : "If-Unmodified-Since"
            return [("Condition", Array(name.utf8))]
        default: return []
        }
    }

    /// A framing error has a status of HTTP's own.
    private var framingStatus: Int? {
        if let framing, index != nil || principal == nil { framing.status } else { nil }
    }

    private func finishError(
        _ head: [UInt8], _ code: S3ErrorCode, _ message: String, _ details: [(name: String, value: [UInt8])],
        _ jurisdiction: Jurisdiction?, _ reason: Reason?, _ decision: UInt64?
    ) {
        var head = head
        if decision != nil, self.decision?.isAllowed == true { writeFoundPlace(into: &head) }
        if isHead {
            if let jurisdiction { head.append(contentsOf: "x-bailiwick-jurisdiction: \(jurisdiction)\r\n".utf8) }
            if let reason { head.append(contentsOf: "x-bailiwick-reason: \(reason.rawValue)\r\n".utf8) }
            ResponseEncoder.endHead(into: &head)
            return finish(head)
        }
        let resource = self.head?.target.prefix { $0 != UInt8(ascii: "?") } ?? []
        ResponseEncoder.writeField("Content-Type", "application/xml", into: &head)
        finish(
            head,
            AnswerBody.error(
                code: code, message: message, details: details, resource: Array(resource), requestID: id.text,
                jurisdiction: jurisdiction,
                reason: reason, decision: decision))
    }

    /// The object's own place where one was found, else the store's.
    private func writeFoundPlace(into head: inout [UInt8]) {
        if case .tagged(let facts)? = located?.state {
            facts.place.writeFields(into: &head)
        } else {
            writePlace(into: &head)
        }
    }
}
