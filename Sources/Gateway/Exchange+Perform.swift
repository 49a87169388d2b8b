internal import DecisionLog
internal import HTTP
internal import NIOCore
internal import OpenSSL
internal import Residency
internal import S3
internal import Settings
internal import Stores
internal import Tokens

// What each operation does once its decision is durable. Bytes and facts come out of a store here, each against the permit that the
// log handed over, and nowhere else in the gateway.
extension Exchange {
    /// The decision to allow is durable: do it.
    @inline(__always)
    func perform(_ request: S3Request, permit: consuming Permit) {
        if let located, case .untagged = located.state, decision?.adopts == true {
            return adopt(located, request, permit: permit)
        }
        release(request, permit: permit)
    }

    @inline(__always)
    private func release(_ request: S3Request, permit: consuming Permit) {
        do throws(StoreError) {
            switch request.operation {
            case .getObject: try performGet(permit: permit)
            case .headObject: try performHead(permit: permit)
            case .listObjectsV2: try performList(request, permit: permit)
            case .putObject: try performPut(request, permit: permit)
            case .deleteObject: try performDelete(request, permit: permit)
            // Configuration only: the permit is spent on nothing.
            case .listBuckets: answerBuckets()
            case .headBucket: answerEmpty(200)
            case .getBucketLocation: answerLocation()
            case .createBucket, .listObjects, .getObjectAttributes, .copyObject, .deleteObjects, .getObjectTagging,
                .putObjectTagging, .deleteObjectTagging, .createMultipartUpload, .uploadPart, .uploadPartCopy,
                .completeMultipartUpload, .abortMultipartUpload, .listParts, .listMultipartUploads, .other, .readLog,
                .readMetrics, .scanTags, .resealTag:
                // The parser lets none of these through; one that came would release nothing.
                fail(.notImplemented)
            }
        } catch { fail(storage: error) }
    }

    /// An untagged object is sealed before it is read; the event is recorded before the seal.
    private func adopt(_ located: Located, _ request: S3Request, permit: consuming Permit) {
        // The permit was for the untagged object; after the adoption the request is decided on again, tag and all.
        guard let store else { return fail(.internalError) }
        _ = consume permit
        let event = EventEntry(
            gateway: service.name, name: "adoption",
            members: [
                ("store", .text(store.policy.bucket.text)),
                (
                    "object",
                    .text(store.pseudonyms.pseudonym("object", bucket: store.policy.bucket.text, located.key.utf8))
                ),
            ])
        worker.recordDurably(event) { [self] isDurable in
            guard !isOver else { return }
            guard isDurable else { return answer(refusing: .logUnavailable) }
            store.store.adopt(located, at: worker.log.now(), on: worker.loop) { [self] result in
                guard !isOver else { return }
                switch result {
                case .success(let adopted):
                    if let index { worker.port.complete(.init(index: index, status: 0, bytes: 0, outcome: .withdrawn)) }
                    index = nil
                    decideOnObject(adopted)
                case .failure(let error): fail(storage: error)
                }
            }
        }
    }

    // MARK: - Reading

    @inline(__always)
    private func performGet(permit: consuming Permit) throws(StoreError) {
        guard let store, let located else { throw .absent }
        if case .absent = located.state { throw .absent }
        store.store.open(located, for: .getObject, permit: permit, on: worker.loop, self)
    }

    private func performHead(permit: consuming Permit) throws(StoreError) {
        guard let store, let located else { throw .absent }
        if case .absent = located.state { throw .absent }
        answerObject(try store.store.describe(located, for: .headObject, permit: permit), content: nil)
    }

    private func performList(_ request: S3Request, permit: consuming Permit) throws(StoreError) {
        guard let store, let listing = request.listing else { throw .absent }
        let query = ListQuery(
            prefix: listing.prefix, delimiter: listing.delimiter, after: listing.after, keysMax: listing.keysMax)
        store.store.list(query, for: request.operation, permit: permit, on: worker.loop) { [self] result in
            guard !isOver else { return }
            switch result {
            case .success(let page):
                guard isStillAuthorized else { return }
                excluded = page.excluded
                let objects = page.entries.map {
                    ListedObject(
                        key: $0.key.utf8, size: $0.size, lastModifiedSeconds: $0.lastModifiedSeconds, etag: $0.etag)
                }
                answerXML(
                    AnswerBody.list(
                        listing, bucket: store.policy.bucket, objects: objects, commonPrefixes: page.commonPrefixes,
                        next: page.isTruncated ? page.next : nil))
            case .failure(let error): fail(storage: error)
            }
        }
    }

    // MARK: - Writing

    private func performPut(_ request: S3Request, permit: consuming Permit) throws(StoreError) {
        guard let store, let key = request.key, let put = request.put else { throw .absent }
        guard let options = putOptions(put, in: store) else { return fail(.invalidArgument) }
        // It was let in since nothing lies under the key, and without an object `If-Match` does not hold: both cannot be met.
        if put.mustMatch != nil, mayOnlyCreate { return fail(.noSuchKey) }
        let writer = try store.store.put(
            key, replacing: located, options, for: .putObject, permit: permit, on: worker.loop)
        work = .storing(writer)
        body = PutBody(put)
        connection.receiveBody(sendingContinue: head?.expectsContinue ?? false)
    }

    /// nil where a deliverer says something else than a time.
    private func putOptions(_ put: PutRequest, in store: ServedStore) -> PutOptions? {
        var metadata = ObjectMetadata()
        for (name, value) in put.headers {
            if let header = StoredHeader.allCases.first(where: { $0.name == name }) { metadata.headers[header] = value }
        }
        metadata.userMetadata = put.userMetadata.map { MetadataPair(name: $0.name, value: $0.value) }
        var residency: ResidencyFacts?
        if principal?.settings.roles.contains(.deliverer) == true,
            let text = put.userMetadata.first(where: { $0.name == Array("received".utf8) })?.value
        {
            let text = String(decoding: text, as: UTF8.self)
            guard let seconds = Int64(text) ?? Timestamp(rfc3339: text)?.seconds, ResidencyTag.seconds.contains(seconds)
            else { return nil }
            residency = ResidencyFacts(place: store.policy.policy.place, receivedSeconds: seconds)
        }
        var condition = PutOptions.Condition.none
        if put.mustBeAbsent || mayOnlyCreate {
            condition = .mustBeAbsent
        } else if let tags = put.mustMatch {
            let isGranted = decision?.expiresSeconds != nil
            condition = .mustMatch(tags, of: isGranted ? .only(located?.identity ?? .none) : .anyNative)
        }
        return PutOptions(metadata: metadata, condition: condition, residency: residency, size: put.size)
    }

    /// Under `foreign_writes = "create"` a write from abroad never replaces, whatever happened since the look-up.
    private var mayOnlyCreate: Bool {
        decision?.reason == .delivery && store?.policy.policy.foreignWrites == .create
    }

    private func performDelete(_ request: S3Request, permit: consuming Permit) throws(StoreError) {
        guard let store, let key = request.key else { throw .absent }
        store.store.delete(key, located: located, for: .deleteObject, permit: permit, on: worker.loop) {
            [self] result in
            guard !isOver else { return }
            switch result {
            case .success: answerEmpty(204)
            case .failure(let error): fail(storage: error)
            }
        }
    }

    // MARK: - The body of a write

    /// A piece of the body arrived.
    func receive(_ piece: ByteBuffer) {
        guard case .storing(let writer) = work else { return connection.pieceWasStored() }
        var content = ByteBuffer()
        do throws(S3Error) {
            if body?.isPlain == true {
                content = piece
                try body?.take(piece.readableBytesUInt8Span) { _ in }
            } else {
                content.reserveCapacity(piece.readableBytes)
                try body?.take(piece.readableBytesUInt8Span) { run in content.writeBytes([UInt8](copying: run)) }
            }
        } catch { return fail(error.code, error.detail) }
        guard content.readableBytes > 0 else { return connection.pieceWasStored() }
        writer.write(content) { [self] result in
            guard !isOver, !hasAnswered else { return }
            switch result {
            case .success: connection.pieceWasStored()
            case .failure(let error): fail(storage: error)
            }
        }
    }

    /// Is a body being taken that nothing was answered to yet?
    var awaitsBody: Bool { if case .storing = work { !hasAnswered && !isOver } else { false } }

    /// The body's framing is broken: nothing of it is published.
    func bodyBroke() { fail(.incompleteBody, "The body's framing is malformed.") }

    /// The body is whole: verify what was declared of it, and publish.
    func receivedAll() {
        guard case .storing(let writer) = work, let put = request?.put, !hasAnswered else { return }
        var completion = PutCompletion(md5: put.md5, sha256: put.sha256)
        do throws(S3Error) {
            if let body = body.take(), let sum = try body.finish() {
                completion.checksums = [StoredChecksum(algorithm: sum.algorithm.stored, value: sum.value)]
            }
        } catch { return fail(error.code, error.detail) }
        guard isStillAuthorized else { return }
        if mayOnlyCreate, areForeignWritesSuspended { return refuseOverwrite() }
        // Its body may have taken hours: it is sealed, and so received, now.
        writer.finish(completion, at: worker.log.now()) { [self] result in
            guard !isOver else { return }
            switch result {
            case .success(let outcome): answerPut(outcome)
            case .failure(.exists) where request?.put?.mustBeAbsent == false: refuseOverwrite()
            case .failure(let error): fail(storage: error)
            }
        }
    }

    /// Somebody created the key between the decision and the publication, or foreign writes were suspended meanwhile: a second decision says
    /// so. However many bodies were held back, no more than ten answers in a minute tell that a key exists.
    private func refuseOverwrite() {
        guard let store else { return fail(.internalError) }
        if let index { worker.port.complete(.init(index: index, status: 403, bytes: 0, outcome: .withdrawn)) }
        index = nil
        let second =
            areForeignWritesSuspended
            ? Decision(.overloaded, crossed: [store.policy.policy.place.jurisdiction])
            : Decision(
                .foreignOverwrite, crossed: decision?.crossed ?? [], judged: decision?.judged ?? [])
        record(second, at: worker.log.now())
    }

    private var areForeignWritesSuspended: Bool {
        guard let principal else { return false }
        return worker.overwrites.areSuspended(for: principal.settings.name, at: worker.log.now())
    }

    // MARK: - While a request is performed

    /// Do the authorizations that it rests on stand? Asked before an answer begins: a store may have looked for long.
    var isStillAuthorized: Bool {
        guard decision?.expiresSeconds != nil else { return true }
        checkAuthorizations()
        return !isOver
    }

    /// The body of a write is whole, and nothing was answered yet.
    private var isPublishing: Bool { if case .storing = work { body == nil && !hasAnswered } else { false } }

    /// What outlives the authorizations that it rests on is broken off: what a store looks for, an answer on its way, a write whose condition
    /// they opened and whose body is awaited. A write that is being published is over.
    func checkAuthorizations() {
        guard let decision, decision.expiresSeconds != nil, decision.isAllowed, index != nil, !isPublishing, !isOver
        else { return }
        let now = worker.log.now()
        let isExpired = decision.expiresSeconds.map { now.seconds >= $0 } ?? false
        let isRevoked = zip(presented, decision.judged).contains { reviewed, judged in
            guard judged.outcome == .granted, let token = reviewed.token else { return false }
            // The issuer as the settings have it now: a reload may have brought a new list.
            let issuer = worker.service.settings.issuers[token.claims.issuer]
            return issuer?.isRevoked(token.claims.tokenID, at: now) ?? true
        }
        guard isExpired || isRevoked else { return }
        complete(.withdrawn)
        connection.abort()
    }
}

extension ChecksumAlgorithm {
    fileprivate var stored: StoredChecksum.Algorithm {
        switch self {
        case .crc32: .crc32
        case .crc32c: .crc32c
        case .crc64nvme: .crc64nvme
        case .sha1: .sha1
        case .sha256: .sha256
        }
    }
}
