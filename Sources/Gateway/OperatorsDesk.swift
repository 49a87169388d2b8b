internal import DecisionLog
internal import HTTP
internal import JSON
internal import NIOCore
internal import Residency
internal import S3
internal import Settings
internal import Stores

/// What the operators' listener answers. `/health` and `/ready` to anybody who reaches it; all else to a certificate with the role.
final class OperatorsDesk: Sendable {
    private let gateway: Gateway

    init(gateway: Gateway) { self.gateway = gateway }

    func nowSeconds() -> Int64 { gateway.log.now().seconds }

    func answer(
        _ head: RequestHead, body: [UInt8], caller: OperatorsCaller?, asker: Asker, on loop: any EventLoop,
        _ done: @escaping @Sendable (WholeAnswer) -> Void
    ) {
        let path = String(decoding: head.target.prefix { $0 != UInt8(ascii: "?") }, as: UTF8.self)
        func may(_ operation: Operation) -> Bool { caller?.principal.settings.permissions.cover(operation) ?? false }
        let refused = WholeAnswer.text(403, "the certificate has no role for this\n")
        switch (head.method, path) {
        case (.get, "/health"), (.head, "/health"): done(.text(200, "ok\n"))
        case (.get, "/ready"), (.head, "/ready"): done(ready())
        case (.get, "/metrics"): if may(.readMetrics) { metrics(on: loop, done) } else { done(refused) }
        case (.get, _) where path.hasPrefix("/log/"):
            if may(.readLog) { log(String(path.dropFirst(5)), head, on: loop, done) } else { done(refused) }
        case (.post, "/tags/reseal"):
            guard let caller, may(.resealTag) else { return done(refused) }
            reseal(body, caller, on: loop, gateway.waitingFor(done))
        case (.post, "/tags/scan"):
            guard let caller, may(.scanTags) else { return done(refused) }
            scan(body, caller, asker, on: loop, gateway.waitingFor(done))
        default:
            done(
                .text(
                    404,
                    "there is: /health /ready /metrics /log/checkpoint /log/tile/… POST /tags/reseal POST /tags/scan\n")
            )
        }
    }

    /// Each check by name, with why not.
    private func ready() -> WholeAnswer {
        let readiness = Readiness(gateway, nowSeconds: nowSeconds())
        return .text(readiness.isReady ? 200 : 503, readiness.text)
    }

    private func metrics(on loop: any EventLoop, _ done: @escaping @Sendable (WholeAnswer) -> Void) {
        let gateway = gateway
        let now = nowSeconds()
        gateway.counters(on: loop) { counters in
            var text = MetricsText()
            text.add(counters, buckets: gateway.currentService.buckets.map(\.text))
            text.add(gateway, nowSeconds: now)
            var answer = WholeAnswer.text(200, text.text)
            answer.contentType = "text/plain; version=0.0.4; charset=utf-8"
            done(answer)
        }
    }

    /// The log as C2SP tlog-tiles serves it. Bundles are packed where that is asked for, on the pool: it takes longer than a loop's
    /// requests may wait. Hashes do not pack.
    private func log(
        _ path: String, _ head: RequestHead, on loop: any EventLoop, _ done: @escaping @Sendable (WholeAnswer) -> Void
    ) {
        if path == "checkpoint" {
            return done(WholeAnswer(status: 200, cacheControl: "no-cache", body: gateway.log.checkpoint))
        }
        guard let tile = TilePath(path), let bytes = gateway.log.tile(tile) else {
            return done(.text(404, "no such tile\n"))
        }
        var answer = WholeAnswer(
            status: 200, contentType: "application/octet-stream", cacheControl: "max-age=31536000, immutable",
            body: bytes)
        guard tile.kind == .entries else { return done(answer) }
        answer.vary = "Accept-Encoding"
        guard Gzip.isAccepted(head.values(of: "accept-encoding").map { String(decoding: $0, as: UTF8.self) }) else {
            return done(answer)
        }
        gateway.submitToPool { [answer] in
            var answer = answer
            if let packed = Gzip.compress(answer.body) { (answer.body, answer.contentEncoding) = (packed, "gzip") }
            loop.execute { [answer] in done(answer) }
        }
    }

    // MARK: - Tags

    /// `{"store","key","reason"}`: seals an object again, after the event is on disk that tells what was before and what is sealed.
    private func reseal(
        _ body: [UInt8], _ caller: OperatorsCaller, on loop: any EventLoop,
        _ done: @escaping @Sendable (WholeAnswer) -> Void
    ) {
        guard let request = (try? JSONValue(parsing: body, depthMax: 2))?.object, let store = store(request),
            let bytes = request["key"]?.utf8, let key = ObjectKey(utf8: bytes), let reason = request["reason"]?.string,
            !reason.isEmpty
        else {
            return done(
                unusable(body, "expected {\"store\",\"key\",\"reason\"} with a configured store, a key and a reason"))
        }
        let (log, name) = (gateway.log, gateway.currentService.name)
        let object = store.pseudonyms.pseudonym("object", bucket: store.policy.bucket.text, key.utf8)
        let who: [(name: StaticString, value: EventEntry.Value)] =
            [("store", .text(store.policy.bucket.text)), ("object", .text(object))] + caller.members
            + [("reason", .text(reason))]
        func refuse(_ status: Int, _ why: String, _ words: String) {
            self.refuse(.resealTag, caller, store, object, why, .text(status, words), on: loop, done)
        }
        guard !caller.isAbroad(of: store) else { return refuse(403, "border", Self.abroad(store)) }
        let records: @Sendable (Reseal) -> Bool = { reseal in
            let event = EventEntry(gateway: name, name: "reseal", members: who + reseal.members)
            do throws(LogError) { try log.recordDurably(event) } catch { return false }
            return true
        }
        store.store.reseal(key, at: log.now(), on: loop, records) { result in
            switch result {
            case .success(let reseal):
                let facts = reseal.residency
                let words =
                    "\(reseal.isRenewal ? "renewed" : "resealed"): \(facts.place.datacenter), \(facts.place.jurisdiction), "
                    + "received \(Timestamp(seconds: facts.receivedSeconds).rfc3339)\n"
                done(.text(200, words))
            case .failure(.absent): refuse(404, "absent", "no such object\n")
            case .failure(.misplaced(let place)):
                let words =
                    "misplaced: its tag is sound, and of \(place.datacenter), \(place.jurisdiction); a reseal would take it from there. "
                    + "Move it back with its attributes, or have the legal desk of \(place.jurisdiction) grant its relocation\n"
                refuse(409, "misplaced", words)
            case .failure(.notRecorded): done(.text(503, "the event could not be recorded; nothing was resealed\n"))
            case .failure(let error): done(.text(500, "\(error)\n"))
            }
        }
    }

    /// Refuses an operator, with an answer that may tell something of the store, after the event is on disk.
    /// - Parameter object: its pseudonym, where one was named.
    private func refuse(
        _ operation: Operation, _ caller: OperatorsCaller, _ store: ServedStore, _ object: String?, _ why: String,
        _ answer: WholeAnswer, on loop: any EventLoop, _ done: @escaping @Sendable (WholeAnswer) -> Void
    ) {
        let event = EventEntry(
            gateway: gateway.currentService.name, name: "operator-refused",
            members: [("store", .text(store.policy.bucket.text)), ("object", object.map { .text($0) } ?? .null)]
                + caller.members + [("operation", .text(operation.rawValue)), ("why", .text(why))])
        gateway.recordDurably(event, on: loop) { isDurable in
            done(isDurable ? answer : .text(503, "the event could not be recorded\n"))
        }
    }

    private static func abroad(_ store: ServedStore) -> String {
        let place = store.policy.policy.place
        return
            "\(store.policy.bucket) is in \(place.datacenter), \(place.jurisdiction): what lies there is not told to an operator whose office or "
            + "network is outside. Have an operator of \(place.jurisdiction) do it from there\n"
    }

    /// `{"store","content","renew"}`: walks a store and lists what is wrong with it. Who asked is recorded before.
    private func scan(
        _ body: [UInt8], _ caller: OperatorsCaller, _ asker: Asker, on loop: any EventLoop,
        _ answer: @escaping @Sendable (WholeAnswer) -> Void
    ) {
        guard let request = (try? JSONValue(parsing: body, depthMax: 2))?.object, let store = store(request) else {
            return answer(unusable(body, "expected {\"store\"} with a configured store"))
        }
        guard !caller.isAbroad(of: store) else {
            return refuse(.scanTags, caller, store, nil, "border", .text(403, Self.abroad(store)), on: loop, answer)
        }
        let bucket = store.policy.bucket
        if let since = gateway.scans.begin(bucket, at: gateway.log.now()) {
            return answer(.text(503, "a scan of \(bucket) is under way since \(since.rfc3339): wait for its end\n"))
        }
        let done: @Sendable (WholeAnswer) -> Void = { [gateway] text in
            gateway.scans.end(bucket)
            answer(text)
        }
        let (content, renews) = (request["content"]?.bool ?? false, request["renew"]?.bool ?? false)
        let event = EventEntry(
            gateway: gateway.currentService.name, name: renews ? "renewal" : "scan",
            members: [("store", .text(store.policy.bucket.text))] + caller.members)
        gateway.recordDurably(event, on: loop) { [self] isDurable in
            guard isDurable else { return done(.text(503, "the event could not be recorded; nothing was scanned\n")) }
            scan(store, content, renews: renews, asker, on: loop, done)
        }
    }

    private func scan(
        _ store: ServedStore, _ readsContent: Bool, renews: Bool, _ asker: Asker, on loop: any EventLoop,
        _ done: @escaping @Sendable (WholeAnswer) -> Void
    ) {
        let findings = Findings()
        let (log, name) = (gateway.log, gateway.currentService.name)
        let adopts = store.policy.policy.untagged == .adopt
        let bucket = store.policy.bucket.text
        let adopt: @Sendable (ObjectKey) -> Bool = { key in
            let object = store.pseudonyms.pseudonym("object", bucket: bucket, key.utf8)
            let event = EventEntry(
                gateway: name, name: "adoption", members: [("store", .text(bucket)), ("object", .text(object))])
            do throws(LogError) { try log.recordDurably(event) } catch { return false }
            return true
        }
        let options = ScanOptions(
            readsContent: readsContent, adopts: adopts ? adopt : nil, renews: renews, finding: { findings.add($0) },
            isWanted: { [gateway] in !gateway.isStopping && !asker.isGone })
        store.store.scan(options, in: gateway.scans.thread, on: loop) { result in
            switch result {
            case .success(let summary):
                guard summary.isComplete else {
                    let words = "cut short, since the gateway stops: scan again once it runs"
                    return done(.text(503, findings.text + "\(summary)\n\(words)\n"))
                }
                done(.text(summary.problems == 0 ? 200 : 409, findings.text + "\(summary)\n"))
            case .failure(let error): done(.text(500, findings.text + "\(error)\n"))
            }
        }
    }

    /// A request that asks for nothing that can be done; a store that is none is told with those that are.
    private func unusable(_ body: [UInt8], _ expected: String) -> WholeAnswer {
        guard let request = (try? JSONValue(parsing: body, depthMax: 2))?.object, let name = request["store"]?.string,
            store(request) == nil
        else { return .text(400, expected + "\n") }
        let stores = gateway.currentService.stores.map(\.policy.bucket.text)
        return .text(400, "\(name) is no store; there is: \(stores.joined(separator: ", "))\n")
    }

    private func store(_ request: JSONObject) -> ServedStore? {
        request["store"]?.string.flatMap { BucketName($0) }.flatMap { gateway.currentService.store($0) }
    }
}

extension Reseal {
    /// What the event tells of it: the tag before, what was wrong with that, and what is sealed.
    fileprivate var members: [(name: StaticString, value: EventEntry.Value)] {
        let state: EventEntry.Value = if case .untagged = before { .text("missing") } else { .null }
        return [
            ("before", textBefore.map { .text($0) } ?? .null), ("problem", problem.map { .text($0.rawValue) } ?? state),
            ("datacenter", .text(residency.place.datacenter.text)),
            ("jurisdiction", .text("\(residency.place.jurisdiction)")),
            ("received", .number(residency.receivedSeconds)),
        ]
    }
}

extension Gateway {
    /// Records an event and calls back on `loop` when it is on disk, or will not be.
    func recordDurably(_ event: EventEntry, on loop: any EventLoop, _ done: @escaping @Sendable (Bool) -> Void) {
        let log = log
        submitToPool {
            let isDurable = (try? log.recordDurably(event)) != nil
            loop.execute { done(isDurable) }
        }
    }
}
