import Foundation
import NIOCore
import NIOPosix
import OpenSSL
import S3
import TestSupport

@testable import DecisionLog
@testable import Residency
@testable import Stores

let dublin = Place(datacenter: DatacenterName("dub1")!, jurisdiction: Jurisdiction("IE")!)
let virginia = Place(datacenter: DatacenterName("iad1")!, jurisdiction: Jurisdiction("US")!)
let now = Timestamp(seconds: 1_800_000_000)

let oldKeyBytes = [UInt8](repeating: 1, count: 32)
let newKeyBytes = [UInt8](repeating: 2, count: 32)
let virginianKeyBytes = [UInt8](repeating: 3, count: 32)

func sealKey(_ id: String, _ bytes: [UInt8]) -> SealKey { SealKey(id: SealKeyID(id)!, key: HMACKey(bytes)) }

/// Dublin's keys, the first of which seals, and Virginia's.
func keyring(dublin ids: [String] = ["old"], virginia hasVirginian: Bool = true) -> SealKeyring {
    let keys = ids.map { sealKey($0, $0 == "old" ? oldKeyBytes : newKeyBytes) }
    let ours = [(place: dublin, keys: keys)]
    return SealKeyring(hasVirginian ? ours + [(virginia, [sealKey("us", virginianKeyBytes)])] : ours)
}

func key(_ text: String) -> ObjectKey { ObjectKey(utf8: Array(text.utf8))! }
func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

/// SplitMix64 (Steele, Lea, Flood 2014): the same numbers on every run.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(_ seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

/// Content that tells whether it is whole: its first 8 bytes say what all the others must be.
enum SelfCheckingContent {
    static func make(_ seed: UInt64) -> [UInt8] {
        var generator = SeededGenerator(seed)
        let words = Int(generator.next() % 3000)
        var content = (0..<8).map { UInt8(truncatingIfNeeded: seed >> UInt64(8 * $0)) }
        for _ in 0..<words {
            let word = generator.next()
            for shift in stride(from: UInt64(0), to: 64, by: 8) {
                content.append(UInt8(truncatingIfNeeded: word >> shift))
            }
        }
        return content
    }

    static func isWhole(_ content: [UInt8]) -> Bool {
        guard content.count >= 8 else { return false }
        return content == make(content[..<8].reversed().reduce(0) { $0 << 8 | UInt64($1) })
    }
}

/// A decision to allow, as the log would have made it durable.
func permit(
    _ operation: Residency.Operation, _ target: [UInt8], _ identity: LocatedIdentity = .none, bucket: BucketName,
    admission: Admission? = nil, withholdsEntityTag: Bool = false
) -> Permit {
    Permit(
        index: 1,
        release: Release(
            bucket: bucket, operation: operation, target: target, identity: identity, admission: admission,
            withholdsEntityTag: withholdsEntityTag))
}

/// What a listing from within the country may show: everything that is sealed, and what has no tag where that is adopted.
func homeAdmission(untagged: StorePolicy.Untagged = .refuse) -> Admission {
    Admission(
        question: Question(
            operation: .listObjectsV2, access: .traffic, isEntitled: true, principal: PrincipalName("alice")!,
            certificate: nil, gatewayName: GatewayName("dub1-gw1")!, gateway: dublin, office: dublin,
            location: .datacenter(dublin),
            store: StorePolicy(place: dublin, untagged: untagged, foreignWrites: .create),
            mailbox: .mailboxes(startingWith: []), areas: [], time: now),
        storePassage: .open(.home), withholdsEntityTag: false)
}

/// A store in a folder of its own, called as a gateway calls it, but waited for.
final class TestStore: Sendable {
    static let pool: NIOThreadPool = {
        let pool = NIOThreadPool(numberOfThreads: 4)
        pool.start()
        return pool
    }()
    static let loops = MultiThreadedEventLoopGroup(numberOfThreads: 4)

    let folder: Sandbox?
    let path: String
    let store: DirectoryStore

    /// - Parameter path: an existing folder; nil for a new one that goes with this value.
    init(
        path: String? = nil, place: Place = dublin, keyring: SealKeyring = keyring(), verifiesContent: Bool = false,
        pool: NIOThreadPool = pool
    ) throws {
        folder = path == nil ? try Sandbox("store") : nil
        self.path = path ?? folder!.path
        store = try DirectoryStore.open(
            path: self.path, Self.configuration(place: place, keyring: keyring, verifiesContent: verifiesContent),
            pool: pool)
    }

    /// The same folder under other settings.
    init(_ other: TestStore, place: Place = dublin, keyring: SealKeyring = keyring(), verifiesContent: Bool = false) {
        folder = other.folder
        path = other.path
        store = other.store.reconfigured(
            Self.configuration(place: place, keyring: keyring, verifiesContent: verifiesContent))
    }

    static func configuration(
        place: Place = dublin, keyring: SealKeyring = keyring(), verifiesContent: Bool = false
    ) -> DirectoryStore.Configuration {
        DirectoryStore.Configuration(
            bucket: BucketName("mail")!, place: place, keyring: keyring, verifiesContent: verifiesContent)
    }

    /// Calls on a loop's thread and waits for the answer.
    func wait<Value: Sendable>(
        _ body: @escaping @Sendable (any EventLoop, @escaping (Result<Value, StoreError>) -> Void) -> Void
    ) throws -> Value {
        let loop = Self.loops.next()
        let promise = loop.makePromise(of: Value.self)
        loop.execute { body(loop) { promise.completeWith($0.mapError { $0 as any Error }) } }
        return try promise.futureResult.wait()
    }

    func permit(
        _ operation: Residency.Operation, _ target: [UInt8], _ identity: LocatedIdentity = .none,
        admission: Admission? = nil, withholdsEntityTag: Bool = false
    ) -> Permit {
        StoresTests.permit(
            operation, target, identity, bucket: store.bucket, admission: admission,
            withholdsEntityTag: withholdsEntityTag)
    }

    @discardableResult
    func put(
        _ key: ObjectKey, _ pieces: [UInt8]..., condition: PutOptions.Condition = .none,
        metadata: ObjectMetadata = .init(), residency: ResidencyFacts? = nil, size: Int64? = nil,
        completion: PutCompletion = .init()
    ) throws -> PutOutcome {
        let options = PutOptions(
            metadata: metadata, condition: condition, residency: residency, size: size)
        return try wait { [self] loop, done in
            do throws(StoreError) {
                let writer = try store.put(
                    key, replacing: nil, options, for: .putObject, permit: permit(.putObject, key.utf8), on: loop)
                Self.write(pieces[...], completion, to: writer, done)
            } catch { done(.failure(error)) }
        }
    }

    private static func write(
        _ pieces: ArraySlice<[UInt8]>, _ completion: PutCompletion, to writer: ObjectWriter,
        _ done: @escaping (Result<PutOutcome, StoreError>) -> Void
    ) {
        guard let first = pieces.first else { return writer.finish(completion, at: now, done) }
        writer.write(ByteBuffer(bytes: first)) {
            switch $0 {
            case .success: write(pieces.dropFirst(), completion, to: writer, done)
            case .failure(let error): done(.failure(error))
            }
        }
    }

    final class Waiter: ObjectWaiter {
        private let located: (Result<Located, StoreError>) -> Void
        private let open: (Result<OpenObject, StoreError>) -> Void

        init(
            located: @escaping (Result<Located, StoreError>) -> Void = { _ in },
            open: @escaping (Result<OpenObject, StoreError>) -> Void = { _ in }
        ) {
            self.located = located
            self.open = open
        }

        func objectIsLocated(_ located: Located) { self.located(.success(located)) }
        func objectIsOpen(_ object: OpenObject) { open(.success(object)) }

        /// Each waits for one of the two.
        func objectFailed(_ error: StoreError) {
            located(.failure(error))
            open(.failure(error))
        }
    }

    func locate(_ key: ObjectKey, in round: LookupRound = LookupRound()) throws -> Located {
        try wait { [self] loop, done in store.locate(key, in: round, on: loop, for: Waiter(located: done)) }
    }

    func describe(_ key: ObjectKey, withholdsEntityTag: Bool = false) throws -> ObjectFacts {
        let located = try locate(key)
        return try store.describe(
            located, for: .headObject,
            permit: permit(.headObject, key.utf8, located.identity, withholdsEntityTag: withholdsEntityTag))
    }

    func open(_ located: Located) throws -> OpenObject {
        try wait { [self] loop, done in
            store.open(
                located, for: .getObject, permit: permit(.getObject, located.key.utf8, located.identity), on: loop,
                Waiter(open: done))
        }
    }

    /// The whole content of a key.
    func get(_ key: ObjectKey) throws -> [UInt8] { try read(try open(try locate(key))) }

    func read(_ object: OpenObject, _ range: Range<Int64>? = nil, bytesMax: Int = 10_000) throws -> [UInt8] {
        try wait { loop, done in
            Self.read(range.map { object.body($0) } ?? object.body(), [], bytesMax: bytesMax, on: loop, done)
        }
    }

    private static func read(
        _ reader: BodyReader, _ before: [UInt8], bytesMax: Int, on loop: any EventLoop,
        _ done: @escaping (Result<[UInt8], StoreError>) -> Void
    ) {
        guard reader.remainingBytes > 0 else { return done(.success(before)) }
        reader.read(bytesMax: bytesMax, on: loop) {
            switch $0 {
            case .success(let buffer):
                var rest = reader
                rest.skip(buffer.readableBytes)
                read(rest, before + Array(buffer.readableBytesView), bytesMax: bytesMax, on: loop, done)
            case .failure(let error): done(.failure(error))
            }
        }
    }

    @discardableResult
    func delete(_ key: ObjectKey, located: Located? = nil) throws -> Bool {
        try wait { [self] loop, done in
            store.delete(
                key, located: located, for: .deleteObject,
                permit: permit(.deleteObject, key.utf8, located?.identity ?? .none), on: loop, done)
        }
    }

    func list(_ query: ListQuery = .init(), admission: Admission? = homeAdmission()) throws -> ListPage {
        try wait { [self] loop, done in
            store.list(
                query, for: .listObjectsV2, permit: permit(.listObjectsV2, query.prefix, admission: admission),
                on: loop, done)
        }
    }

    func adopt(_ located: Located) throws -> Located {
        try wait { [self] loop, done in store.adopt(located, at: now, on: loop, done) }
    }

    @discardableResult
    func reseal(
        _ key: ObjectKey, at time: Timestamp = now, records: @escaping @Sendable (Reseal) -> Bool = { _ in true }
    ) throws -> Reseal {
        try wait { [self] loop, done in store.reseal(key, at: time, on: loop, records, done) }
    }

    /// What a scan found, in the order in which it did.
    func scan(
        readsContent: Bool = false, adopts: (@Sendable (ObjectKey) -> Bool)? = nil, renews: Bool = false
    ) throws -> (summary: ScanSummary, findings: [ScanFinding]) {
        let findings = Collected<ScanFinding>()
        let options = ScanOptions(
            readsContent: readsContent, adopts: adopts, renews: renews, finding: { findings.append($0) })
        let summary: ScanSummary = try wait { [self] loop, done in
            store.scan(options, in: store.root.jobs.pool, on: loop, done)
        }
        return (summary, findings.values)
    }

    /// The path of a key's file, wherever it lies now.
    func file(_ key: ObjectKey) -> String {
        let file = path + "/" + String(decoding: EscapedPath.file(key), as: UTF8.self)
        var isFolder: ObjCBool = false
        _ = FileManager.default.fileExists(atPath: file, isDirectory: &isFolder)
        return isFolder.boolValue ? file + "/%=" : file
    }

    func attribute(_ key: ObjectKey) throws -> [UInt8]? { try StoresTests.attribute(of: file(key)) }

    func setAttribute(_ value: [UInt8], _ key: ObjectKey) throws {
        try ExtendedAttribute.set(value, of: FileDescriptor(owning: Glibc.open(file(key), O_RDWR)), .either)
    }

    /// A file that somebody laid there, without a tag.
    func plant(_ key: ObjectKey, _ content: [UInt8]) throws {
        let file = path + "/" + String(decoding: EscapedPath.file(key), as: UTF8.self)
        try FileManager.default.createDirectory(
            atPath: (file as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
        try Data(content).write(to: URL(fileURLWithPath: file))
    }

    /// Names in one of the store's own folders.
    func internalNames(_ folder: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: path + "/%bailiwick/" + folder).sorted()
    }
}

/// Values that several threads add.
final class Collected<Value: Sendable>: @unchecked Sendable {
    private let lock = NSLock()
    private var all: [Value] = []

    var values: [Value] { lock.withLock { all } }

    func append(_ value: Value) { lock.withLock { all.append(value) } }
}

/// Runs each body on a thread of its own and gives what they threw.
func inParallel(_ bodies: [@Sendable () throws -> Void]) -> [any Error] {
    let errors = Collected<any Error>()
    let group = DispatchGroup()
    for body in bodies {
        group.enter()
        Thread {
            do { try body() } catch { errors.append(error) }
            group.leave()
        }.start()
    }
    group.wait()
    return errors.values
}

func attribute(of path: String) throws -> [UInt8]? {
    let file = FileDescriptor(owning: Glibc.open(path, O_RDONLY))
    return try ExtendedAttribute.value(of: file, bytesMax: StoreLimits.attributeBytesMax)
}

extension FileTime {
    func later(nanoseconds more: Int64) -> FileTime {
        let sum = nanoseconds + more
        return FileTime(seconds: seconds + sum / 1_000_000_000, nanoseconds: sum % 1_000_000_000)
    }
}

extension ObjectFacts {
    /// All that is told, to be compared.
    var all: [AnyHashable] {
        [size, lastModifiedSeconds, etag, headers, userMetadata, tags, checksums, partSizes, residency]
    }
}
