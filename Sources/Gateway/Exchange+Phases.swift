internal import DecisionLog
internal import HTTP
internal import NIOCore
internal import Residency
internal import S3
internal import Settings
internal import Stores
internal import Tokens

// The life of a request, in the order in which it happens:
// parse → authenticate → decide on the store → locate → decide on the object → record → perform → complete.
// Each phase ends in the next one, in an answer, or in a wait that the next one ends. It is parsed as it is made (`Exchange.init`).
extension Exchange {
    @inline(__always)
    func begin() {
        let time = worker.log.now()
        guard let standing = authenticate(at: time) else { return }
        if let request { decideOnStore(request, by: standing, at: time) } else { decideOnNothing(at: time) }
    }

    // MARK: - Authenticate

    /// The principal that the certificate names under the settings in force; nil when the request was answered here.
    @inline(__always)
    private func authenticate(at time: Timestamp) -> Standing? {
        guard let standing = connection.authenticate(by: service, at: time) else {
            worker.totals.strangers += 1
            worker.aggregates.count(.unauthenticated, from: connection.address)
            // Bytes that are no request are that for a stranger too.
            if framing != nil, let error {
                fail(error.code, error.message)
            } else {
                answer(refusing: .unauthenticated)
            }
            return nil
        }
        self.standing = standing
        guard standing.requestsPerSecondMax == 0 || isAdmitted(standing) else {
            worker.aggregates.count(.overloaded, of: standing.principal.settings.name)
            answer(refusing: .overloaded)
            return nil
        }
        return standing
    }

    private func isAdmitted(_ standing: Standing) -> Bool {
        worker.rates.admits(
            standing.principal.settings.name, max: standing.requestsPerSecondMax,
            atSecond: startedMicroseconds / 1_000_000)
    }

    // MARK: - Decide on the store

    private func decideOnNothing(at time: Timestamp) {
        record(Decision(error?.code == .notImplemented ? .unsupported : .badRequest), at: time)
    }

    @inline(__always)
    private func decideOnStore(_ request: S3Request, by standing: Standing, at time: Timestamp) {
        guard let bucket = request.bucket else {
            return record(Decision(.administrative), at: time)
        }
        guard let store = standing.store(bucket, in: service) else {
            return record(Decision(.notEntitled), at: time)
        }
        self.store = store
        if connection.lastBucket?.text != bucket.text { connection.lastBucket = bucket }
        if let key = request.key { names = worker.names.names(of: key, in: store, of: service) }
        if standing.looksUp(request, in: store) { return worker.lookUp(self) }
        switch decide(request, in: store, by: standing, on: .notLocated, at: time) {
        case .decided(let decision): record(decision, at: time)
        case .needsObject:
            standing.nowLooksUp(request, in: store)
            worker.lookUp(self)
        }
    }

    /// Of a write, asked before every decision: others may have been refused since the last.
    private func areForeignWritesSuspended(_ request: S3Request, at time: Timestamp) -> Bool {
        guard case .write = request.access, let principal else { return false }
        return worker.overwrites.areSuspended(for: principal.settings.name, at: time)
    }

    /// Asks the rule, by what is known of the object; only where tokens can change its answer are they looked at.
    @inline(__always)
    private func decide(
        _ request: S3Request, in store: ServedStore, by standing: Standing, on object: ObjectState, at time: Timestamp
    ) -> Verdict {
        var question = question(request, in: store, by: standing, on: object, at: time)
        guard request.hasTokens else { return Rule.decide(question) }
        if presented.isEmpty, Rule.looksAtAuthorizations(question) {
            presented = request.tokens.map { worker.review($0, under: service) }
        }
        // As they stand at the question's time.
        question.authorizations = presented.map { $0.authorization(at: time) }
        return Rule.decide(question)
    }

    @inline(__always)
    private func question(
        _ request: S3Request, in store: ServedStore, by standing: Standing, on object: ObjectState, at time: Timestamp
    ) -> Question {
        Question(
            request.operation, access: request.access,
            isEntitled: standing.permissions.cover(request.operation), circumstances: standing.circumstances,
            store: store.policy.policy, mailbox: names?.mailbox ?? request.scope(store.store.mailboxRule),
            object: object, hasEntityTagCondition: request.hasEntityTagCondition,
            areForeignWritesSuspended: areForeignWritesSuspended(request, at: time), time: time)
    }

    // MARK: - Locate

    /// Called once, with all that this turn of the loop has read.
    func locate(in round: LookupRound) {
        guard !isOver else { return }
        guard let store, let key = request?.key else { return fail(.internalError) }
        phaseMicroseconds = worker.monotonicMicroseconds()
        isLocating = true
        store.store.locate(key, in: round, on: worker.loop, for: self)
    }

    // MARK: - Decide on the object

    @inline(__always)
    func decideOnObject(_ located: Located) {
        guard let request, let store, let standing else { return fail(.internalError) }
        self.located = located
        let time = worker.log.now()
        switch decide(request, in: store, by: standing, on: located.state, at: time) {
        case .decided(let decision): record(decision, at: time)
        case .needsObject: fail(.internalError)
        }
    }

    /// An entry of a later time went first: judge by that time.
    private func decideAgain(at time: Timestamp) {
        guard let request, let store, let standing else {
            return record(decision ?? Decision(.badRequest), at: time)
        }
        // A write that another one came before is over: only its time is new.
        if case .storing = work, let decision { return record(decision, at: time) }
        switch decide(request, in: store, by: standing, on: located?.state ?? .notLocated, at: time) {
        case .decided(let decision): record(decision, at: time)
        // What the look-up had found was given up for a refusal that no longer holds.
        case .needsObject: worker.lookUp(self)
        }
    }

    // MARK: - Record

    /// Hands the decision to the log; goes on in `decisionIsDurable`.
    func record(_ decision: consuming Decision, at time: Timestamp) {
        guard let standing else { return fail(.internalError) }
        // Refused as if before the look-up, which says nothing then either (DESIGN 3.7): too many were met while it was made.
        if case .overloaded = decision.reason { (located, decision.isMisplaced) = (nil, false) }
        let now = worker.monotonicMicroseconds()
        if isLocating { worker.count(now - phaseMicroseconds, in: .locate) }
        isLocating = false
        phaseMicroseconds = now
        let release = decision.isAllowed ? release(decision) : nil
        let reason = decision.reason
        let result = enqueue(decision, by: standing, at: time, release)
        self.decision = consume decision
        switch result {
        case .queued:
            // In the order of the log, so that whoever reads it counts the same.
            if case .foreignOverwrite = reason, let principal {
                worker.overwrites.count(for: principal.settings.name, at: time)
            }
        case .timeMoved(let later): decideAgain(at: later)
        case .overloaded:
            // What waits for the log is too much already.
            if let principal { worker.aggregates.count(.overloaded, of: principal.settings.name) }
            answer(refusing: .overloaded)
        case .unavailable: answer(refusing: .logUnavailable)
        }
    }

    @inline(__always)
    private func release(_ decision: Decision) -> Release? {
        let identity = located?.identity ?? .none
        if decision.admission == nil, let request, let names {
            return names.release(request.operation, identity, withholdsEntityTag: decision.withholdsEntityTag)
        }
        // ListBuckets is about no bucket: its permit is for a name that no store has, and opens nothing.
        guard let request, let bucket = request.bucket ?? BucketName("-") else { return nil }
        return Release(
            bucket: bucket, operation: request.operation, target: request.key?.utf8 ?? request.listing?.prefix ?? [],
            identity: identity, admission: decision.admission, withholdsEntityTag: decision.withholdsEntityTag)
    }

    // MARK: - Complete

    /// What was really sent is recorded, once, for every decision to allow.
    func complete(_ outcome: CompletionEntry.Outcome) {
        guard !isOver else { return }
        isOver = true
        work = .none
        let now = worker.monotonicMicroseconds()
        worker.count(now - startedMicroseconds, in: .request)
        if index != nil { worker.count(now - phaseMicroseconds, in: .perform) }
        worker.totals.bytesReleased += bytesSent
        guard let index, decision?.reason.allows == true else { return }
        worker.port.complete(
            .init(index: index, status: status, bytes: bytesSent, outcome: outcome, excluded: excluded))
    }
}

extension Exchange: ObjectWaiter {
    func objectIsLocated(_ located: Located) {
        if !isOver { decideOnObject(located) }
    }

    func objectIsOpen(_ object: OpenObject) {
        if !isOver, isStillAuthorized { answerObject(object.facts, content: object) }
    }

    func objectFailed(_ error: StoreError) {
        if !isOver { fail(storage: error) }
    }
}

extension Exchange: DecisionWaiter {
    /// The decision is on disk, or never will be.
    func decisionIsDurable(_ durable: consuming DurableDecision) {
        let now = worker.monotonicMicroseconds()
        worker.count(now - startedMicroseconds, in: .decision)
        worker.count(now - phaseMicroseconds, in: .record)
        phaseMicroseconds = now
        switch consume durable {
        case .allowed(let permit):
            index = permit.index
            count()
            // The client is gone: what was permitted is not done, and the completion says so.
            guard !isAbandoned, let request else { return complete(.brokenOff) }
            perform(request, permit: permit)
        case .refused(let index):
            self.index = index
            count()
            guard !isAbandoned else { return complete(.brokenOff) }
            answer(refusing: decision?.reason ?? .badRequest)
        case .unavailable:
            guard !isAbandoned else { return complete(.brokenOff) }
            answer(refusing: .logUnavailable)
        }
    }

    @inline(__always)
    private func count() {
        guard let reason = decision?.reason else { return }
        worker.counters.count(reason, store: store?.position, crossing: decision?.crossed.isEmpty == false)
        if decision?.isMisplaced == true { worker.totals.misplaced += 1 }
        if case .tagInvalid = reason { reportSealFailure() }
    }

    /// A broken seal is more than a refusal: somebody changed what lies on the disk.
    private func reportSealFailure() {
        worker.totals.sealFailures += 1
        guard let store, let key = request?.key else { return }
        let bucket = store.policy.bucket.text
        worker.log.record(
            EventEntry(
                gateway: service.name, name: "seal-failure",
                members: [
                    ("store", .text(bucket)),
                    ("object", .text(store.pseudonyms.pseudonym("object", bucket: bucket, key.utf8))),
                    ("request", .text(id.text)),
                ]))
    }
}

extension RequestHead {
    /// What S3 makes of it.
    /// - Parameter bucket: the one that it likely names.
    func s3Request(_ fields: RequestFields?, likely bucket: BucketName?) throws(S3Error) -> S3Request {
        let length: Int64?
        switch body {
        case .none: length = 0
        case .length(let count): length = Int64(clamping: count)
        case .chunked: length = nil
        }
        let request = try withTarget { (target: Span<UInt8>) throws(S3Error) -> S3Request in
            try S3Request(
                method: s3Method, target: target, fields: fields, declaredLength: length, likely: bucket)
        }
        // Without a length and uncoded a PUT has no body (RFC 9112, section 6.3), which S3 does not take for an empty object.
        if case .none = body, request.operation == .putObject, !declaresLength { throw S3Error(.missingContentLength) }
        return request
    }

    private var s3Method: S3Method {
        switch method {
        case .get: .get
        case .head: .head
        case .put: .put
        case .post: .post
        case .delete: .delete
        case .options, .other: .other
        }
    }
}

extension S3Request {
    /// Whose objects it can touch, by a store's rule.
    func scope(_ rule: MailboxRule) -> MailboxScope {
        if let key { return rule.scope(of: key) }
        return listing.map { rule.scope(ofPrefix: $0.prefix) } ?? .nobody
    }
}
