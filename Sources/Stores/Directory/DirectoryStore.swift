package import DecisionLog
package import NIOCore
package import NIOPosix
package import Residency
package import S3

/// A bucket whose objects are files below one folder (DESIGN section 8). The embedded default: nothing else need run.
package struct DirectoryStore: Store {
    package let bucket: BucketName
    package let place: Place
    package let mailboxRule: MailboxRule
    let keyring: SealKeyring
    let verifiesContent: Bool
    let root: DirectoryRoot
    /// The folder, as the settings name it.
    package let path: String
    let judged = JudgedTags(count: StoreLimits.judgedTagsCount)
    let resting = RestingObjects(count: RestingObjects.count(descriptorsMax: ProcessFacts.descriptorsMax()))

    /// What the settings say of a store beside its folder.
    package struct Configuration: Sendable {
        package var bucket: BucketName
        package var place: Place
        package var mailboxRule: MailboxRule
        package var keyring: SealKeyring
        /// Compare the content's digest before any of it is released.
        package var verifiesContent: Bool

        package init(
            bucket: BucketName, place: Place, mailboxRule: MailboxRule = .firstComponent, keyring: SealKeyring,
            verifiesContent: Bool = false
        ) {
            self.bucket = bucket
            self.place = place
            self.mailboxRule = mailboxRule
            self.keyring = keyring
            self.verifiesContent = verifiesContent
        }
    }

    /// Locks a folder, empties its stage and tries what a store needs. Waits for the disk: not for an event loop.
    package static func open(
        path: String, _ configuration: Configuration, pool: NIOThreadPool
    ) throws(DirectoryStoreError) -> DirectoryStore {
        DirectoryStore(configuration, root: try DirectoryRoot(path: path, pool: pool), path: path)
    }

    /// A folder that this process has open already, whatever it was called: lock and caches are shared. nil where it has not.
    package static func reopen(path: String, _ configuration: Configuration) -> DirectoryStore? {
        DirectoryRoot.living(at: path).map { DirectoryStore(configuration, root: $0, path: path) }
    }

    /// Tries what a store needs of a folder without locking or changing it: for `--check`, also while a daemon runs on it.
    package static func probe(path: String) throws(DirectoryStoreError) {
        do throws(SystemError) {
            try DirectoryRoot.probe(try openRoot(path))
        } catch { throw DirectoryStoreError(error, path: path) }
    }

    private init(_ configuration: Configuration, root: DirectoryRoot, path: String) {
        bucket = configuration.bucket
        place = configuration.place
        mailboxRule = configuration.mailboxRule
        keyring = configuration.keyring
        verifiesContent = configuration.verifiesContent
        self.root = root
        self.path = path
    }

    /// Is it the same folder?
    package func shares(_ other: DirectoryStore) -> Bool { root === other.root }

    /// The same folder under a reload's settings: lock and caches are shared.
    package func reconfigured(_ configuration: Configuration) -> DirectoryStore {
        DirectoryStore(configuration, root: root, path: path)
    }
}

extension DirectoryStore {
    package func locate(
        _ key: ObjectKey, in round: LookupRound, on loop: any EventLoop, for waiter: any ObjectWaiter
    ) {
        do throws(StoreError) {
            if let located = try locateCached(key, in: round) {
                resting.sweepLater(on: loop)
                return waiter.objectIsLocated(located)
            }
        } catch { return waiter.objectFailed(error) }
        root.jobs.run(on: loop) { [self] () throws(StoreError) in
            // Many may have been let in before the first of them was opened.
            do throws(SystemError) { try StoreDescriptors.requireRoom() } catch { throw StoreError(error) }
            return try locate(key)
        } _: {
            waiter.objectIsLocated($0)
        }
    }

    package func describe(
        _ located: Located, for operation: Operation, permit: consuming Permit
    ) throws(StoreError) -> ObjectFacts {
        let release = try redeem(permit, operation, target: located.key.utf8, identity: located.identity)
        return try located.soundFile().facts(withholdsEntityTag: release.withholdsEntityTag)
    }

    package func open(
        _ located: Located, for operation: Operation, permit: consuming Permit, on loop: any EventLoop,
        _ waiter: any ObjectWaiter
    ) {
        let object: OpenObject
        do throws(StoreError) {
            let release = try redeem(permit, operation, target: located.key.utf8, identity: located.identity)
            object = try located.open(withholdingEntityTag: release.withholdsEntityTag, root.jobs)
        } catch { return waiter.objectFailed(error) }
        guard verifiesContent, let file = located.file, let digest = file.sealed?.tag.contentDigest else {
            return waiter.objectIsOpen(object)
        }
        root.jobs.runLong(on: loop) { () throws(StoreError) -> OpenObject in
            let actual = try ContentDigests.of(file.descriptor, size: file.status.size)
            guard actual.sha256 == digest else { throw .contentDamaged }
            return object
        } _: {
            waiter.objectIsOpen($0)
        }
    }

    /// The one way from a permit to what it lets a store do.
    @inline(__always)
    func redeem(
        _ permit: consuming Permit, _ operation: Operation, target: [UInt8], identity: LocatedIdentity
    ) throws(StoreError) -> Release {
        do throws(PermitMismatch) {
            return try permit.redeem(bucket: bucket, operation: operation, target: target, identity: identity)
        } catch { throw .permit(error) }
    }
}

extension Located {
    /// The file, where its tag is sound: everything else refuses everyone.
    func soundFile() throws(StoreError) -> ObjectFile {
        guard let file else { throw .absent }
        switch file.tagState {
        case .sealed: return file
        case .missing: throw .untagged
        case .invalid(let problem): throw .tagInvalid(problem)
        }
    }
}

extension ObjectFile {
    func facts(withholdsEntityTag: Bool) throws(StoreError) -> ObjectFacts {
        if !withholdsEntityTag, let facts = tag.facts { return facts }
        guard let sealed else { throw .untagged }
        return ObjectFacts(sealed, status, withholdsEntityTag: withholdsEntityTag)
    }
}
