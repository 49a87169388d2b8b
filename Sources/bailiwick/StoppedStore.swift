internal import ArgumentParser
internal import DecisionLog
internal import NIOCore
internal import NIOPosix
internal import OpenSSL
internal import Residency
internal import S3
internal import Settings
internal import Stores
internal import Synchronization

/// A store whose daemon is stopped: its folder's lock is held here, so that none starts on it meanwhile.
///
/// What may be adopted is adopted as the daemon would do it, the event durable in its log first. For that the log is opened too, and
/// only where that is needed. A log with witnesses is the daemon's alone: it must ask them whether it may go on.
struct StoppedStore {
    let settings: Settings
    let store: StoreSettings

    init(config: String, bucket: String) throws {
        do throws(SettingsError) { settings = try Settings.load(path: config, lastServed: LastServed.policy) } catch {
            throw CommandFailure(error.description)
        }
        guard let store = settings.stores.first(where: { $0.bucket.text == bucket }) else {
            throw ValidationError(
                "\(bucket): \(config) has the stores \(settings.stores.map(\.bucket.text).joined(separator: ", "))")
        }
        self.store = store
    }

    /// Walks the store and prints what is wrong.
    /// - Returns: how many things are.
    func scan(readsContent: Bool, renews: Bool) throws -> Int {
        // A log that no daemon has opened yet may have no folder.
        let log = settings.log.directory
        try DaemonsUser.become(ownerOf: KeyFiles.exists(log) ? log : store.path)
        let pool = NIOThreadPool(numberOfThreads: 1)
        pool.start()
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        defer {
            try? group.syncShutdownGracefully()
            try? pool.syncShutdownGracefully()
        }
        let configuration = try configuration()
        let directory: DirectoryStore
        do throws(DirectoryStoreError) {
            directory = try DirectoryStore.open(path: store.path, configuration, pool: pool)
        } catch { throw CommandFailure("\(store.bucket): \(error)") }
        let opened = try openLog(isNeeded: renews)
        defer { opened?.close() }
        let options = ScanOptions(
            readsContent: readsContent, adopts: try adopts ? opened.map { try adoption($0) } : nil, renews: renews,
            finding: { print($0) })
        let done = group.next().makePromise(of: ScanSummary.self)
        group.next().execute {
            directory.scan(options, in: pool, on: group.next()) { done.completeWith($0.mapError { $0 as any Error }) }
        }
        let summary = try done.futureResult.wait()
        print(summary)
        return summary.problems
    }

    private func configuration() throws -> DirectoryStore.Configuration {
        guard let rule = MailboxRule(store.mailbox) else {
            throw CommandFailure("store.mailbox: \"\(store.mailbox)\" is no rule such as \"{mailbox}/**\"")
        }
        let keyring = SealKeyring(
            try settings.datacenters.map { datacenter in
                (
                    datacenter.place,
                    try datacenter.sealKeys.map { key in
                        guard let id = SealKeyID(key.id) else { throw CommandFailure("seal key \(key.id)") }
                        return SealKey(id: id, key: HMACKey(key.bytes))
                    }
                )
            })
        return DirectoryStore.Configuration(
            bucket: store.bucket, place: store.policy.place, mailboxRule: rule, keyring: keyring)
    }

    private var adopts: Bool { store.policy.untagged == .adopt }

    /// - Parameter isNeeded: tags are renewed, which an event tells.
    private func openLog(isNeeded: Bool) throws -> DecisionLog? {
        guard adopts || isNeeded else { return nil }
        guard settings.log.witnesses.isEmpty else {
            if isNeeded { throw CommandFailure("the log has witnesses: renew tags through the running daemon") }
            KeyFiles.tell("the log has witnesses: what has no tag is listed, and adopted by a scan through the daemon")
            return nil
        }
        if let owner = LastServed.gateway(log: settings.log.directory), owner != settings.gateway.name.text {
            throw CommandFailure("\(settings.log.directory) is the log of \(owner), not of \(settings.gateway.name)")
        }
        let signers = try settings.log.signingKeys.map { try NoteSigner($0) }
        guard let first = signers.first else { return nil }
        let policy = SHA256Digest(hashing: settings.policy)
        let log = try DecisionLog.open(
            LogConfiguration(directory: settings.log.directory, origin: settings.log.origin, signers: signers),
            gateway: settings.gateway.name,
            start: [
                ("version", .text("bailiwick tags scan")), ("binary", .null), ("key", .text(first.verifier.text)),
                ("policy", .text(policy.hex)),
            ])
        try log.keepPolicy(policy, settings.policy)
        if isNeeded {
            let members: [(name: StaticString, value: EventEntry.Value)] = [
                ("store", .text(store.bucket.text)), ("principal", .null),
            ]
            try log.recordDurably(EventEntry(gateway: settings.gateway.name, name: "renewal", members: members))
        }
        return log
    }

    private func adoption(_ log: DecisionLog) throws -> @Sendable (ObjectKey) -> Bool {
        guard
            let key = settings.datacenters.first(where: { $0.place == store.policy.place })?.pseudonymKeys.first
        else { throw CommandFailure("\(store.bucket): its datacenter has no pseudonym key") }
        let pseudonyms = Pseudonymizer(keyID: key.id, key: HMACKey(key.bytes))
        let (bucket, gateway) = (store.bucket.text, settings.gateway.name)
        return { key in
            let object = pseudonyms.pseudonym("object", bucket: bucket, key.utf8)
            let event = EventEntry(
                gateway: gateway, name: "adoption", members: [("store", .text(bucket)), ("object", .text(object))])
            do throws(LogError) { try log.recordDurably(event) } catch { return false }
            return true
        }
    }
}
