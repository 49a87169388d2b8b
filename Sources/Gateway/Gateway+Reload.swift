internal import DecisionLog
internal import NIOCore
internal import Residency
package import Settings
internal import Synchronization
internal import TLS

/// What reloads came to since the start.
struct ReloadRecord {
    var good: UInt64 = 0
    var failed: UInt64 = 0
    /// When the snapshot in force was taken.
    var lastGoodSeconds: Int64 = wallClockSeconds()
    /// Why the last one was not taken; nil where it was.
    var problem: String?
    /// Settings of the file that only a restart brings into force.
    var restartDue: [String] = []
}

extension Gateway {
    /// Swaps the settings whole, or not at all.
    /// - Returns: the keys of settings that differ from those of the start and that only a restart brings into force.
    package func reload(_ settings: Settings) throws(GatewayError) -> [String] {
        let now = wallClockSeconds()
        _ = try Self.tlsContext(settings, now)
        guard settings.gateway.name == startedWith.gateway.name else {
            throw Self.otherGateway(settings.gateway.name, than: startedWith.gateway.name.text)
        }
        let before = state.withLock { $0.service }
        let service = try Service(settings, pool: pool, reusing: before)
        do throws(LogError) { try shared.log.keepPolicy(service.policyDigest, settings.policy) } catch {
            throw .log(error)
        }
        // All that can fail comes before the first loop takes anything.
        func context() throws(GatewayError) -> TLSContext {
            do throws(TLSConfigurationError) { return try TLSContext(service.tls, nowSeconds: now) } catch {
                throw .tls("tls: \(error)")
            }
        }
        var contexts: [TLSContext] = []
        for _ in workers { contexts.append(try context()) }
        let operatorsContext = try context()
        var adopted = zip(workers, contexts).map { worker, tls in
            worker.eventLoop.submit { worker.value.adopt(service, tls: tls) }
        }
        adopted.append(
            operators.eventLoop.submit { [operators] in operators.value.adopt(service, tls: operatorsContext) })
        for done in adopted { try? done.wait() }
        let restartDue = settings.keysThatNeedARestart(since: startedWith)
        state.withLock { state in
            state.service = service
            state.reloads.good += 1
            state.reloads.lastGoodSeconds = now
            state.reloads.problem = nil
            state.reloads.restartDue = restartDue
        }
        condition.look({ service }, on: pool)
        makeKeyTables(service)
        shared.log.record(
            EventEntry(gateway: service.name, name: "reload", members: [("policy", .text(service.policy))]))
        return restartDue
    }

    /// A reload that was not taken is an event too.
    package func reloadFailed(_ why: String) {
        let name = state.withLock { state in
            state.reloads.failed += 1
            state.reloads.problem = why
            return state.service.name
        }
        shared.log.record(
            EventEntry(gateway: name, name: "reload-failed", members: [("why", .text(why))]))
    }
}
