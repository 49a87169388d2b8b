import Foundation
import S3
import TestSupport
import Testing

@testable import Residency
@testable import Stores

/// What is visible is whole and tagged, whoever writes, reads and deletes at the same time.
@Suite struct AtomicityTests {
    /// Two write a key, one deletes it, one makes it a folder and no folder, two read through the store and one reads the
    /// files themselves.
    @Test func oneKeyFromSeveralThreads() throws {
        let store = try TestStore()
        let shared = key("m/k")
        let rounds: UInt64 = 60
        let seen = Collected<Int>()
        let finishedWriters = Collected<UInt64>()
        var bodies: [@Sendable () throws -> Void] = []
        for writer in UInt64(0)..<2 {
            bodies.append {
                defer { finishedWriters.append(writer) }
                for round in 0..<rounds { try store.put(shared, SelfCheckingContent.make(writer << 32 | round)) }
            }
        }
        bodies.append { for _ in 0..<rounds { try store.delete(shared) } }
        bodies.append {
            for round in 0..<rounds {
                try store.put(key("m/k/inner"), SelfCheckingContent.make(round))
                try store.delete(key("m/k/inner"))
            }
        }
        for _ in 0..<2 {
            bodies.append {
                while finishedWriters.values.count < 2 {
                    for key in [shared, key("m/k/inner")] {
                        let located = try store.locate(key)
                        switch located.state {
                        case .absent: continue
                        case .tagged:
                            let content = try store.read(try store.open(located), bytesMax: 1 << 20)
                            if !SelfCheckingContent.isWhole(content) { throw TestFailure("half an object") }
                            seen.append(content.count)
                        case .untagged, .tagInvalid, .notLocated: throw TestFailure("\(located.state) was visible")
                        }
                    }
                }
            }
        }
        bodies.append {
            while finishedWriters.values.count < 2 {
                for name in ["m/k", "m/k/%=", "m/k/inner"] { try Self.judgeFile(store.path + "/" + name, of: name) }
            }
        }
        let errors = inParallel(bodies)
        #expect(errors.isEmpty, "\(errors)")
        #expect(!seen.values.isEmpty)
        #expect(try store.internalNames("stage") == [])
        try store.put(shared, bytes("at the end"))
        #expect(try store.get(shared) == bytes("at the end"))
    }

    /// A regular file that can be opened has its attribute, and that verifies.
    private static func judgeFile(_ path: String, of name: String) throws {
        let number = Glibc.open(path, O_RDONLY | O_NOFOLLOW)
        guard number >= 0 else { return }
        let file = FileDescriptor(owning: number)
        let status = try file.status()
        guard status.kind == .file else { return }
        guard let value = try ExtendedAttribute.value(of: file, bytesMax: 4096) else { throw TestFailure("no tag") }
        let binding = name.hasSuffix("/%=") ? String(name.dropLast(3)) : name
        _ = try SealedObject.judge(value, size: status.size, binding: bytes(binding), keyring: keyring())
    }

    /// Keys below one another come and go: each is found as it was put by the one thread that owns it.
    @Test func keysBelowOneAnother() throws {
        let store = try TestStore()
        let names = ["t/a", "t/a/b", "t/a/b/c", "t/a/b/d", "t/a/", "t"]
        let errors = inParallel(
            names.enumerated().map { number, name in
                {
                    var generator = SeededGenerator(UInt64(number))
                    for round in 0..<UInt64(40) {
                        let content = SelfCheckingContent.make(UInt64(number) << 32 | round)
                        let condition: PutOptions.Condition = Bool.random(using: &generator) ? .mustBeAbsent : .none
                        try store.put(key(name), content, condition: condition)
                        guard try store.get(key(name)) == content else { throw TestFailure("\(name): other content") }
                        guard try store.delete(key(name)) else { throw TestFailure("\(name) was gone") }
                        guard try store.locate(key(name)).state == .absent else { throw TestFailure("\(name) is back") }
                    }
                }
            })
        #expect(errors.isEmpty, "\(errors)")
        #expect(try FileManager.default.contentsOfDirectory(atPath: store.path) == ["%bailiwick"])
        #expect(try store.internalNames("stage") == [])
    }

    /// A key's first neighbour below it turns its file into a folder: the object is there at every moment.
    @Test func anObjectThatBecomesAFolder() throws {
        let store = try TestStore()
        for round in 0..<80 {
            let key = key("k\(round)")
            try store.put(key, bytes("1"))
            let isDone = Collected<Bool>()
            let reading: @Sendable () throws -> Void = {
                repeat {
                    guard try store.locate(key).state != .absent else { throw TestFailure("\(key) was gone") }
                } while isDone.values.isEmpty
            }
            let errors = inParallel([
                {
                    defer { isDone.append(true) }
                    try store.put(StoresTests.key("k\(round)/below"), bytes("2"))
                }, reading, reading,
            ])
            #expect(errors.isEmpty, "\(errors)")
        }
    }

    /// Replacing an object with a side file takes the old one away; a reader in between sees one object or the other.
    @Test func sideFilesWhileReplaced() throws {
        let store = try TestStore()
        @Sendable func metadata(_ letter: UInt8) -> ObjectMetadata {
            ObjectMetadata(userMetadata: [.init(name: [letter], value: [UInt8](repeating: letter, count: 9000))])
        }
        try store.put(key("k"), [0], metadata: metadata(0))
        var bodies: [@Sendable () throws -> Void] = (UInt8(1)...2).map { letter in
            { for _ in 0..<150 { try store.put(key("k"), [letter], metadata: metadata(letter)) } }
        }
        for _ in 0..<4 {
            bodies.append {
                for _ in 0..<400 {
                    let located = try store.locate(key("k"))
                    guard case .tagged = located.state else { throw TestFailure("\(located.state) was visible") }
                    let object = try store.open(located)
                    let letter = try store.read(object)[0]
                    guard object.facts.userMetadata == metadata(letter).userMetadata else {
                        throw TestFailure("another object's metadata")
                    }
                }
            }
        }
        let errors = inParallel(bodies)
        #expect(errors.isEmpty, "\(errors)")
        #expect(try store.internalNames("side").count == 1)
    }
}
