import Foundation
import NIOCore
import S3
import TestSupport
import Testing

@testable import DecisionLog
@testable import Residency
@testable import Stores

/// The folder itself: who may open it, what is planted in it, and what a scan finds.
@Suite struct RootTests {
    // MARK: - Opening

    @Test func aSecondOpenerIsKeptOut() throws {
        var store: TestStore? = try TestStore()
        let folder = try #require(store?.folder)
        #expect(throws: DirectoryStoreError.locked(path: folder.path)) { try TestStore(path: folder.path) }
        #expect(try run(["flock", "-n", folder.path, "true"]).status == 1, "another process is kept out too")
        try DirectoryStore.probe(path: folder.path)
        try store?.put(key("k"), bytes("1"))
        store = nil
        try waitForLock(of: folder.path)
        #expect(try TestStore(path: folder.path).get(key("k")) == bytes("1"))
    }

    /// The store's last threads may still be letting go of it: flock(1) waits for them in the kernel.
    private func waitForLock(of path: String) throws {
        #expect(try run(["flock", "-w", "20", path, "true"]).status == 0, "the lock goes with the store")
    }

    @Test func whatIsNoFolder() throws {
        let sandbox = try Sandbox()
        let file = try sandbox.write("file", "")
        #expect(throws: DirectoryStoreError.missing(path: sandbox("none"))) { try TestStore(path: sandbox("none")) }
        #expect(throws: DirectoryStoreError.notAFolder(path: file)) { try TestStore(path: file) }
        #expect(throws: DirectoryStoreError.notAFolder(path: file)) { try DirectoryStore.probe(path: file) }
    }

    /// What a crash left in the stage: a file that was to be renamed, and a folder that was to take an object's place, with
    /// its link to that object or, after the exchange, the object's old name.
    @Test func theStageIsEmptiedAtStart() throws {
        var store: TestStore? = try TestStore()
        let folder = try #require(store?.folder)
        try store?.put(key("k"), bytes("1"))
        let file = try #require(store?.file(key("k")))
        store = nil
        try waitForLock(of: folder.path)
        let stage = folder("%bailiwick/stage")
        try FileManager.default.createDirectory(atPath: stage + "/8", withIntermediateDirectories: true)
        try FileManager.default.createDirectory(atPath: stage + "/9", withIntermediateDirectories: true)
        #expect(link(file, stage + "/7") == 0 && link(file, stage + "/8/%=") == 0)
        try folder.write("%bailiwick/stage/1", "half")
        try folder.write("%bailiwick/side/00", "kept")
        let again = try TestStore(path: folder.path)
        #expect(try again.internalNames("stage") == [])
        #expect(try again.internalNames("side") == ["00"])
        #expect(try again.get(key("k")) == bytes("1"))
    }

    // MARK: - Planted links

    /// Symbolic links below the root lead nowhere: not to content, not out of it, not in a listing.
    @Test func symbolicLinksAreRefused() throws {
        let outside = try Sandbox("outside")
        try outside.write("secret", "secret")
        let store = try TestStore()
        try store.put(key("real/k"), bytes("1"))
        let links = [
            ("file", outside("secret")), ("folder", outside.path), ("up", ".."), ("inside", "real"),
            ("inner", "real/k"), ("loop", "loop"), ("ours", "%bailiwick/side"), ("dangling", outside("new")),
        ]
        for (name, target) in links {
            try FileManager.default.createSymbolicLink(atPath: store.path + "/" + name, withDestinationPath: target)
            for key in [key(name), key(name + "/k"), key(name + "/secret"), key(name + "/a/b")] {
                #expect(try store.locate(key).state == .absent)
                #expect(try !store.delete(key))
            }
            for name in [name + "/k", name + "/secret", name + "/a/b"] {
                #expect(throws: StoreError.obstructed) { try store.put(key(name), bytes("x")) }
            }
            #expect(throws: StoreError.absent) { try store.reseal(key(name)) }
        }
        #expect(try store.list().entries.map(\.key) == [key("real/k")])
        let (summary, findings) = try store.scan(readsContent: true)
        #expect(summary.problems == links.count && summary.objects == 1)
        #expect(findings == links.map(\.0).sorted().map { ScanFinding(name: bytes($0), problem: .notAnObject) })
        // An object under a link's name takes the link's place; what the link led to is as it was.
        for (name, _) in links { try store.put(key(name), bytes("x")) }
        for (name, _) in links { #expect(try store.get(key(name)) == bytes("x")) }
        #expect(try FileManager.default.contentsOfDirectory(atPath: outside.path) == ["secret"])
        #expect(outside.read("secret") == "secret")
        #expect(try store.get(key("real/k")) == bytes("1"))
        #expect(try store.internalNames("side") == [] && store.internalNames("stage") == [])
    }

    /// A link that was taken away leaves nothing behind in memory.
    @Test func afterALinkIsGone() throws {
        let store = try TestStore()
        try FileManager.default.createSymbolicLink(atPath: store.path + "/a", withDestinationPath: "elsewhere")
        #expect(throws: StoreError.obstructed) { try store.put(key("a/b"), bytes("1")) }
        #expect(unlink(store.path + "/a") == 0)
        try store.put(key("a/b"), bytes("1"))
        #expect(try store.get(key("a/b")) == bytes("1"))
    }

    @Test func pipesAreNoObjects() throws {
        let store = try TestStore()
        #expect(mkfifo(store.path + "/pipe", 0o600) == 0)
        #expect(try store.locate(key("pipe")).state == .absent)
        #expect(throws: StoreError.obstructed) { try store.put(key("pipe/k"), bytes("1")) }
        #expect(try store.scan().findings == [ScanFinding(name: bytes("pipe"), problem: .notAnObject)])
    }

    /// What is found is told on a terminal, a line each.
    @Test func aFindingIsOneLineAndSteersNothing() {
        func text(_ name: String) -> String { "\(ScanFinding(name: bytes(name), problem: .untagged))" }
        #expect(text("alice/é \"1\".eml") == "alice/é \"1\".eml: no tag")
        #expect(text("a\nb: no tag\u{1B}[2J\u{9B}\u{202E}") == #""a\u{a}b: no tag\u{1b}[2J\u{9b}\u{202e}": no tag"#)
    }

    /// What is ours cannot be named by any key.
    @Test func internalFilesAreNoKeys() throws {
        let store = try TestStore()
        let metadata = ObjectMetadata(userMetadata: [.init(name: [97], value: [UInt8](repeating: 98, count: 9000))])
        try store.put(key("k"), bytes("1"), metadata: metadata)
        let side = try store.internalNames("side")[0]
        for name in ["%bailiwick", "%bailiwick/side", "%bailiwick/side/" + side, "./%bailiwick/side/" + side] {
            #expect(try store.locate(key(name)).state == .absent)
            try store.put(key(name), bytes("mine"))
            #expect(try store.get(key(name)) == bytes("mine"))
            try store.delete(key(name))
        }
        #expect(try store.internalNames("side") == [side])
        #expect(try store.describe(key("k")).userMetadata == metadata.userMetadata)
        #expect(try store.list().entries.map(\.key) == [key("k")])
    }

    // MARK: - Scanning

    @Test func aScanFindsWhatIsWrong() throws {
        let store = try TestStore()
        let large = ObjectMetadata(userMetadata: [.init(name: [97], value: [UInt8](repeating: 98, count: 9000))])
        for name in ["good", "good/too", "bad/size", "bad/content", "bad/seal", "bad/tag"] {
            try store.put(key(name), bytes("content"))
        }
        try store.put(key("good/large"), bytes("content"), metadata: large)
        try store.put(key("abroad"), bytes("content"), residency: .init(place: virginia, receivedSeconds: 1))
        try store.plant(key("planted"), bytes("content"))
        #expect(truncate(store.file(key("bad/size")), 3) == 0)
        try overwrite(store.file(key("bad/content")), bytes("CONTENT"))
        try store.setAttribute(try #require(try store.attribute(key("good"))), key("bad/seal"))
        try store.setAttribute(bytes("nonsense"), key("bad/tag"))
        try store.folder?.write("%zz/file", "foreign")
        try store.folder?.write("bad/%2e", "foreign")
        // The side file of no object, from long ago, and one that may be an object's on its way.
        let orphan = String(repeating: "0", count: 32)
        try store.folder?.write("%bailiwick/side/" + orphan, "x")
        try store.folder?.write("%bailiwick/side/" + String(repeating: "1", count: 32), "x")
        let good = try #require(try store.internalNames("side").first { !["0000", "1111"].contains($0.prefix(4)) })
        for name in [orphan, good] {
            try FileManager.default.setAttributes(
                [.modificationDate: Date(timeIntervalSince1970: 1_500_000_000)],
                ofItemAtPath: store.path + "/%bailiwick/side/" + name)
        }
        let expected: [(String, ScanFinding.Problem)] = [
            ("abroad", .misplaced(virginia)), ("bad/%2e", .notAnObject), ("bad/content", .contentDamaged),
            ("bad/seal", .tagInvalid(.seal)), ("bad/size", .tagInvalid(.size)), ("bad/tag", .tagInvalid(.malformed)),
            ("%zz/file", .notAnObject), ("planted", .untagged), ("%bailiwick/side/" + orphan, .orphanedSideFile),
        ]
        func findings(_ problems: [(String, ScanFinding.Problem)]) -> Set<ScanFinding> {
            Set(problems.map { ScanFinding(name: bytes($0.0), problem: $0.1) })
        }
        let whole = try store.scan(readsContent: true)
        #expect(Set(whole.findings) == findings(expected) && whole.findings.count == expected.count)
        #expect(whole.summary.objects == 9 && whole.summary.problems == 8 && whole.summary.misplaced == 1)
        #expect(whole.summary.bytes == 9 * 7 - 4 && whole.summary.isComplete && whole.summary.adopted == 0)
        let quick = try store.scan()
        #expect(Set(quick.findings) == findings(expected.filter { $0.1 != .contentDamaged }))
        // Adoption only of what the event log took in.
        #expect(try store.scan(adopts: { _ in false }).summary.adopted == 0)
        let asked = Collected<ObjectKey>()
        let adopting = try store.scan(adopts: {
            asked.append($0)
            return true
        })
        #expect(asked.values == [key("planted")] && adopting.summary.adopted == 1 && adopting.summary.problems == 6)
        #expect(try store.get(key("planted")) == bytes("content"))
    }

    @Test(arguments: [0, 1, 7]) func aScanEndsBeforeTheNextObjectOnceNobodyWantsIt(objects: Int) throws {
        let store = try TestStore()
        for number in 0..<20 { try store.plant(key("m/\(number)"), []) }
        let seen = Collected<ScanFinding>()
        let options = ScanOptions(finding: { seen.append($0) }, isWanted: { seen.values.count < objects })
        let summary: ScanSummary = try store.wait { loop, done in
            store.store.scan(options, in: TestStore.pool, on: loop, done)
        }
        #expect(!summary.isComplete && summary.objects == objects && seen.values.count == objects)
    }

    /// A large object is read in pieces: what it had so far is no finding.
    @Test func aScanEndsWithinAnObject() throws {
        let store = try TestStore()
        try store.put(key("m/large"), [UInt8](repeating: 7, count: 3 * StoreLimits.hashChunkBytes))
        let asked = Collected<Bool>()
        let options = ScanOptions(
            readsContent: true, finding: { Issue.record("\($0)") },
            isWanted: {
                asked.append(true)
                return asked.values.count < 4
            })
        let summary: ScanSummary = try store.wait { loop, done in
            store.store.scan(options, in: TestStore.pool, on: loop, done)
        }
        #expect(!summary.isComplete && summary.problems == 0 && asked.values.count == 4)
    }

    /// Objects that come and go under a scan are no findings, and no reason to end.
    @Test func aScanWhileOthersChange() throws {
        let store = try TestStore()
        for number in 0..<20 { try store.put(key("stay/\(number)"), bytes("x")) }
        let large = ObjectMetadata(userMetadata: [.init(name: [97], value: [UInt8](repeating: 98, count: 9000))])
        let errors = inParallel([
            {
                for _ in 0..<40 {
                    for name in ["a/b/c/d", "m/n", "m", "stay/0/x"] {
                        try store.put(key(name), bytes("x"), metadata: large)
                    }
                    for name in ["a/b/c/d", "m/n", "m", "stay/0/x"] { try store.delete(key(name)) }
                }
            },
            {
                for _ in 0..<40 {
                    let (summary, findings) = try store.scan(readsContent: true)
                    guard findings.isEmpty, summary.objects >= 20 else { throw TestFailure("\(findings) \(summary)") }
                }
            },
        ])
        #expect(errors.isEmpty, "\(errors)")
    }
}

/// A small file system of its own, for what cannot be shown on the machine's. Needs root, a loop device and e2fsprogs.
final class MountedFileSystem: Sendable {
    let sandbox: Sandbox
    var path: String { sandbox("mounted") }

    enum Kind {
        case ext4(megabytes: Int, blockBytes: Int)
        /// ext4 of 128 MB on a disk that has so many: what is beyond it cannot be written. Inodes, with their attributes in them, and
        /// five folders with room for their names have their blocks, so that only content is lost. It is written by single pages: the loop
        /// device takes a write that was cut short for a whole one.
        case thin(megabytes: Int)
        case ramfs
    }

    static let canMount: Bool = (try? MountedFileSystem(.ext4(megabytes: 4, blockBytes: 4096))) != nil
    static let canBeThin: Bool = (try? MountedFileSystem(.thin(megabytes: 30))) != nil
    static let reason: Comment = "mounting a file system needs root, a loop device and mkfs.ext4"

    init(_ kind: Kind) throws {
        sandbox = try Sandbox("mount")
        try FileManager.default.createDirectory(atPath: sandbox("mounted"), withIntermediateDirectories: true)
        let command =
            switch kind {
            case .ext4(let megabytes, let blockBytes):
                """
                truncate -s \(megabytes)M image && mkfs.ext4 -q -F -b \(blockBytes) -m 0 -O ^has_journal image && \
                mount -o loop image mounted
                """
            case .thin(let megabytes):
                """
                mkdir disk && mount -t tmpfs -o size=\(megabytes)m none disk && truncate -s 128M disk/image && \
                mkfs.ext4 -q -F -b 4096 -m 0 -J size=4,location=3500 -I 4096 -N 3000 disk/image && \
                dd if=disk/image of=disk/image bs=1M count=18 conv=notrunc status=none && mount -o loop disk/image mounted && \
                echo 4 > /sys/block/$(basename $(findmnt -n -o SOURCE mounted))/queue/max_sectors_kb && \
                for folder in 0 1 2 3 4; do \
                mkdir mounted/$folder && seq -f mounted/$folder/a-name-that-takes-room-%g 600 | xargs touch && \
                rm -r mounted/$folder/*; done && sync -f mounted
                """
            case .ramfs: "mount -t ramfs none mounted"
            }
        try Self.shell(command, in: sandbox)
    }

    /// As after a power cut: what the disk was not given is gone. It has room enough from then on.
    func mountAgain() throws {
        try Self.shell(
            "umount mounted && mount -o remount,size=256m disk && mount -o loop disk/image mounted", in: sandbox)
    }

    deinit { for folder in ["mounted", "disk"] { try? Self.shell("umount -l \(folder)", in: sandbox) } }

    static func shell(_ command: String, in sandbox: Sandbox) throws {
        let result = try run(["sh", "-c", "PATH=$PATH:/usr/sbin:/sbin; " + command], folder: sandbox.path)
        guard result.status == 0 else { throw TestFailure("\(command): \(result.errors)") }
    }
}

@Suite(.serialized, .enabled(MountedFileSystem.reason) { MountedFileSystem.canMount })
struct FileSystemTests {
    /// A file system without user.* attributes is refused in words that an operator can act on.
    @Test func noExtendedAttributes() throws {
        let mounted = try MountedFileSystem(.ramfs)
        let refusals: Set<DirectoryStoreError> = [
            .noExtendedAttributes(path: mounted.path), .noUnnamedFiles(path: mounted.path),
        ]
        for open in [{ _ = try TestStore(path: mounted.path) }, { try DirectoryStore.probe(path: mounted.path) }] {
            let error = #expect(throws: DirectoryStoreError.self) { try open() }
            #expect(error.map(refusals.contains) == true)
            #expect(error?.description.contains("use ext4, XFS, Btrfs or ZFS") == true)
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: mounted.path) == [])
    }

    @Test func attributesTooSmall() throws {
        let mounted = try MountedFileSystem(.ext4(megabytes: 4, blockBytes: 1024))
        #expect(throws: DirectoryStoreError.extendedAttributesTooSmall(path: mounted.path)) {
            try TestStore(path: mounted.path)
        }
    }

    /// Another file system mounted below the root is not the store's.
    @Test func mountPointsAreRefused() throws {
        let store = try TestStore()
        let sandbox = try #require(store.folder)
        try FileManager.default.createDirectory(atPath: sandbox("other"), withIntermediateDirectories: true)
        try MountedFileSystem.shell("mount -t ramfs none other", in: sandbox)
        defer { try? MountedFileSystem.shell("umount -l other", in: sandbox) }
        try sandbox.write("other/k", "foreign")
        try store.put(key("k"), bytes("1"))
        #expect(try store.locate(key("other/k")).state == .absent)
        #expect(throws: StoreError.obstructed) { try store.put(key("other/k"), bytes("1")) }
        #expect(throws: StoreError.obstructed) { try store.put(key("other"), bytes("1")) }
        #expect(try !store.delete(key("other/k")))
        #expect(try store.list().entries.map(\.key) == [key("k")])
        #expect(try store.list(ListQuery(delimiter: bytes("/"))).commonPrefixes == [])
        let (summary, findings) = try store.scan()
        #expect(findings == [ScanFinding(name: bytes("other"), problem: .unreadable(code: EXDEV))])
        #expect(summary.objects == 1)
        #expect(sandbox.read("other/k") == "foreign")
    }

    /// A disk that takes some of what is written and loses the rest: what was said to be stored is there when it comes back.
    @Test(.enabled("it needs a tmpfs, and a loop device whose queue can be set") { MountedFileSystem.canBeThin })
    func aDiskThatFails() throws {
        let mounted = try MountedFileSystem(.thin(megabytes: 30))
        let stored = Collected<UInt64>()
        let refused = Collected<any Error>()
        @Sendable func name(_ seed: UInt64) -> ObjectKey { key("\(seed >> 8 % 5)/\(seed)") }
        do {
            let store = try TestStore(path: mounted.path)
            let writers = (UInt64(0)..<40).map { writer in
                { @Sendable in
                    for round in UInt64(0)..<60 {
                        let seed = writer << 8 | round
                        do {
                            try store.put(name(seed), SelfCheckingContent.make(seed))
                            stored.append(seed)
                        } catch { refused.append(error) }
                    }
                }
            }
            #expect(inParallel(writers).isEmpty)
        }
        #expect(stored.values.count > 100 && refused.values.count > 100)
        try mounted.mountAgain()
        let store = try TestStore(path: mounted.path)
        for seed in stored.values { #expect(try store.get(name(seed)) == SelfCheckingContent.make(seed)) }
    }

    /// 16 MiB that run full: the caller is told so, nothing shows that is not whole, and a DELETE makes room again.
    @Test func fullDisk() throws {
        let mounted = try MountedFileSystem(.ext4(megabytes: 16, blockBytes: 4096))
        let store = try TestStore(path: mounted.path)
        let large = ObjectMetadata(userMetadata: [.init(name: [97], value: [UInt8](repeating: 98, count: 200_000))])
        var stored: [ObjectKey: [UInt8]] = [:]
        /// Puts objects under new keys until one does not fit.
        func fill(_ prefix: String, bytes count: Int, _ metadata: ObjectMetadata = .init()) throws {
            for number in 0..<100_000 {
                let key = key("\(prefix)/\(number)/mail")
                let content = [UInt8](repeating: UInt8(number % 251), count: count)
                do {
                    try store.put(key, content, metadata: metadata)
                    stored[key] = content
                } catch let error as StoreError {
                    #expect(error == .full)
                    return #expect(try store.locate(key).state == .absent)
                }
            }
            Issue.record("it never ran full")
        }
        func check() throws {
            for (key, content) in stored { #expect(try store.get(key) == content) }
            #expect(Set(try store.list().entries.map(\.key)) == Set(stored.keys))
            let (summary, findings) = try store.scan(readsContent: true)
            #expect(findings == [] && summary.objects == stored.count)
            #expect(try store.internalNames("stage") == [])
            let sideFiles = try stored.keys.filter { try store.describe($0).userMetadata != [] }
            #expect(try store.internalNames("side").count == sideFiles.count)
        }
        try fill("first", bytes: 1_000_000)
        try fill("metadata", bytes: 10, large)
        try fill("last", bytes: 1)
        try check()
        // An object is replaced whole or stays as it was.
        let first = key("first/0/mail")
        #expect(throws: StoreError.full) { try store.put(first, [UInt8](repeating: 9, count: 2_000_000)) }
        #expect(throws: StoreError.full) { try store.put(first, [], metadata: large) }
        try check()
        for number in 0..<3 {
            #expect(try store.delete(key("first/\(number)/mail")))
            stored[key("first/\(number)/mail")] = nil
        }
        let content = [UInt8](repeating: 7, count: 2_000_000)
        try store.put(first, content)
        stored[first] = content
        try check()
    }

    /// A writer that lost a piece to a full disk never publishes the others, even when there is room again.
    @Test func aWriterThatFailedStaysFailed() throws {
        let mounted = try MountedFileSystem(.ext4(megabytes: 16, blockBytes: 4096))
        let store = try TestStore(path: mounted.path)
        try store.put(key("filler"), [UInt8](repeating: 1, count: 8_000_000))
        let piece = ByteBuffer(repeating: 7, count: StoreLimits.writeBufferBytes)
        let results = Collected<StoreError?>()
        let outcome: Result<PutOutcome, StoreError> = try store.wait { loop, done in
            /// Writes until a piece fails, then makes room and goes on as if nothing had happened.
            func write(_ writer: ObjectWriter, _ left: Int) {
                writer.write(piece) { result in
                    guard case .failure(let error) = result else {
                        return left > 0 ? write(writer, left - 1) : done(.failure(.outOfTurn))
                    }
                    results.append(error)
                    store.store.delete(
                        key("filler"), located: nil, for: .deleteObject,
                        permit: store.permit(.deleteObject, bytes("filler")), on: loop
                    ) { _ in
                        writer.write(piece) { _ in writer.finish(.init(), at: now) { done(.success($0)) } }
                    }
                }
            }
            do throws(StoreError) {
                write(
                    try store.store.put(
                        key("k"), replacing: nil, PutOptions(), for: .putObject,
                        permit: store.permit(.putObject, bytes("k")), on: loop), 100)
            } catch { done(.failure(error)) }
        }
        #expect(results.values == [.full])
        #expect(outcome == .failure(.full))
        #expect(try store.locate(key("k")).state == .absent)
        try store.put(key("k"), [UInt8](repeating: 2, count: 8_000_000))
    }
}
