import Foundation
import NIOPosix
import S3
import TestSupport
import Testing

@testable import Stores

/// New objects get their names in groups, and nothing of a group is told before it is where a power cut leaves it.
@Suite struct PublisherTests {
    /// What was made durable and who was told, in their order.
    private enum Event: Equatable {
        /// With the names that stood by then.
        case all([String])
        case one(isFolder: Bool, names: [String])
        case done(String, Result<Bool, StoreError>)
    }

    /// A store, and a publisher of its own that tells all that it has made durable.
    private final class World: Sendable {
        let store: TestStore
        let events = Collected<Event>()
        let publisher: Publisher
        private let finished = DispatchSemaphore(value: 0)

        init(all: (@Sendable (Int32) throws(SystemError) -> Void)? = { _ in }, oneFails: Bool = false) throws {
            let (store, events) = (try TestStore(), events)
            try store.put(key("m/before"), [1])
            self.store = store
            let names = { @Sendable in
                (try? FileManager.default.contentsOfDirectory(atPath: store.path + "/m"))?.sorted() ?? []
            }
            var syncing = Publisher.Syncing(one: { number throws(SystemError) in
                let isFolder = (try? FileDescriptor(owning: dup(number)).status().kind) == .folder
                events.append(.one(isFolder: isFolder, names: names()))
                if oneFails { throw SystemError("fsync", EIO) }
            })
            if let all {
                syncing.all = { file throws(SystemError) in
                    events.append(.all(names()))
                    try all(file)
                }
            }
            publisher = Publisher(store.store.root.jobs, syncing)
        }

        func object(_ text: String, _ condition: PutOptions.Condition = .none) -> UnnamedObject? {
            let root = store.store.root
            guard let file = try? open(RelativePath("."), below: root.stage, .unnamedFile) else { return nil }
            return UnnamedObject(
                store: store.store, key: key(text), condition: condition, file: file, sideFile: nil
            ) { [events, finished] result in
                events.append(.done(text, result))
                finished.signal()
            }
        }

        /// Publishes the others while the first one is in a thread's hands.
        func publishTogether(_ names: [String], _ condition: PutOptions.Condition = .none) {
            let (begun, mayGoOn) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
            let first = Publisher.Waiting { [self] in
                begun.signal()
                mayGoOn.wait()
                return object("m/first")
            } cancel: {
            }
            publisher.publish(first)
            begun.wait()
            for name in names {
                publisher.publish(
                    Publisher.Waiting { [self] in
                        object(name, condition)
                    } cancel: {
                    })
            }
            mayGoOn.signal()
            for _ in 0...names.count { finished.wait() }
        }

        /// The names that there are.
        func names() throws -> [String] {
            try FileManager.default.contentsOfDirectory(atPath: store.path + "/m").sorted()
        }
    }

    @Test func aGroupIsDurableBeforeItsNamesAndTheNamesBeforeItIsTold() throws {
        let world = try World()
        world.publishTogether(["m/a", "m/b", "m/c"])
        #expect(
            world.events.values == [
                .one(isFolder: false, names: ["before"]),
                .one(isFolder: true, names: ["before", "first"]),
                .done("m/first", .success(false)),
                .all(["before", "first"]),
                .one(isFolder: true, names: ["a", "b", "before", "c", "first"]),
                .done("m/a", .success(false)), .done("m/b", .success(false)), .done("m/c", .success(false)),
            ])
    }

    /// What could not be written is told by each descriptor once: a group asks by one of its own, opened before anything of it was written.
    @Test func aGroupAsksByItsFirstFile() throws {
        let asked = Collected<FileIdentity?>()
        let world = try World(all: { asked.append(try? FileDescriptor(owning: dup($0)).status().identity) })
        world.publishTogether(["m/a", "m/b", "m/c"])
        world.publishTogether(["m/d", "m/e"])
        let firsts = try ["m/a", "m/d"].map {
            try FileDescriptor(owning: open(world.store.file(key($0)), O_RDONLY)).status().identity
        }
        #expect(asked.values == firsts)
    }

    /// Something could not be written, of whomever: nothing of the group is said to be on disk.
    @Test func whereTheFileSystemFailsNothingOfAGroupGetsAName() throws {
        let world = try World(all: { _ throws(SystemError) in throw SystemError("syncfs", EIO) })
        world.publishTogether(["m/a", "m/b"])
        let failure = Result<Bool, StoreError>.failure(.system(call: "syncfs", code: EIO))
        #expect(
            world.events.values.dropFirst(3) == [
                .all(["before", "first"]), .done("m/a", failure), .done("m/b", failure),
            ])
        #expect(try world.names() == ["before", "first"])
    }

    @Test func whatCannotBeMadeDurableGetsNoName() throws {
        let world = try World(all: nil, oneFails: true)
        world.publishTogether(["m/a", "m/b"])
        let failure = Result<Bool, StoreError>.failure(.system(call: "fsync", code: EIO))
        let done = world.events.values.filter { if case .done = $0 { true } else { false } }
        #expect(done.count == 3)
        for name in ["m/first", "m/a", "m/b"] { #expect(done.contains(.done(name, failure)), "\(name)") }
        #expect(try world.names() == ["before"])
    }

    @Test func whereNobodyVouchesForSyncfsEachObjectIsMadeDurableByItself() throws {
        let world = try World(all: nil)
        world.publishTogether(["m/a", "m/b"])
        let ones = world.events.values.count { if case .one = $0 { true } else { false } }
        #expect(ones == 6)
    }

    /// Somebody else writes so much to the same file system that to wait for it takes longer than the objects alone.
    @Test func afterASlowGroupThereIsNoneForAWhile() throws {
        let world = try World(all: { _ in usleep(60_000) })
        let groups = { world.events.values.count { if case .all = $0 { true } else { false } } }
        world.publishTogether(["m/a", "m/b"])
        #expect(groups() == 1)
        world.publishTogether(["m/c", "m/d"])
        #expect(groups() == 1)
        for name in ["m/a", "m/b", "m/c", "m/d"] {
            #expect(world.events.values.contains(.done(name, .success(false))), "\(name)")
        }
    }

    /// Two of one key in one group are one after the other.
    @Test func theConditionsHoldWithinAGroup() throws {
        let world = try World()
        world.publishTogether(["m/a", "m/a"])
        world.publishTogether(["m/b", "m/b", "m/before"], .mustBeAbsent)
        let done = world.events.values.compactMap { event -> Event? in
            if case .done(let name, _) = event, name != "m/first" { event } else { nil }
        }
        #expect(
            done == [
                .done("m/a", .success(false)), .done("m/a", .success(true)),
                .done("m/b", .failure(.exists)), .done("m/before", .failure(.exists)), .done("m/b", .success(false)),
            ])
    }

    /// The object of a name that is a folder lies in the folder, and a folder that a group has open may be removed meanwhile.
    @Test func foldersInAGroup() throws {
        let world = try World()
        world.publishTogether(["m/a/1", "m/a", "m/a/1/2", "n/a", "m/a/1"])
        for name in ["m/a/1", "m/a", "m/a/1/2", "n/a"] {
            #expect(try world.store.locate(key(name)).state == .untagged, "\(name)")
        }
        let folders = world.events.values.count { if case .one(isFolder: true, _) = $0 { true } else { false } }
        #expect(folders == 1 + 5, "m of the first, then m/a twice, m/a/1 twice and n")
    }

    /// A thread that publishes comes back to the pool however steadily objects come: to whatever else waits there, and to the watchdog's token.
    @Test(arguments: [true, false])
    func othersHaveTheirTurnUnderASteadyLoad(inGroups: Bool) throws {
        let pool = NIOThreadPool(numberOfThreads: 1)
        pool.start()
        defer { try? pool.syncShutdownGracefully() }
        var syncing = Publisher.Syncing()
        if inGroups { syncing.all = { _ in } }
        let load = SteadyLoad(Publisher(FileJobs(pool: pool), syncing))
        let (before, isOver) = (Collected<Int>(), DispatchSemaphore(value: 0))
        pool.submit { _ in
            load.publishAnother()
            pool.submit { _ in
                before.append(load.published.values.count)
                isOver.signal()
            }
        }
        isOver.wait()
        #expect(before.values[0] < SteadyLoad.countMax)
    }

    /// While one object is in a thread's hands the next one comes.
    private final class SteadyLoad: Sendable {
        static let countMax = 1000
        let published = Collected<Bool>()
        private let publisher: Publisher

        init(_ publisher: Publisher) { self.publisher = publisher }

        func publishAnother() {
            publisher.publish(
                .init { [self] in
                    published.append(true)
                    if published.values.count < Self.countMax { publishAnother() }
                    return nil
                } cancel: {
                })
        }
    }

    @Test func aPoolThatEndsTellsWhatWaits() throws {
        let publisher = Publisher(FileJobs(pool: NIOThreadPool(numberOfThreads: 1)), .init())
        let told = Collected<Bool>()
        publisher.publish(
            .init {
                told.append(false)
                return nil
            } cancel: {
                told.append(true)
            })
        #expect(told.values == [true])
    }

    @Test func aBurstThroughTheStore() throws {
        let store = try TestStore()
        let bodies = (UInt64(0)..<24).map { writer in
            { @Sendable in
                for round in UInt64(0)..<8 {
                    let name = key("m\(writer % 5)/\(writer)-\(round)")
                    let content = SelfCheckingContent.make(writer << 8 | round)
                    try store.put(name, content)
                    #expect(try store.get(name) == content)
                }
            }
        }
        #expect(inParallel(bodies).isEmpty)
        #expect(try store.scan(readsContent: true).summary.objects == 24 * 8)
        #expect(try store.scan().findings.isEmpty)
    }
}
