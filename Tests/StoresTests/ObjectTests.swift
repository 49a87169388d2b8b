import Foundation
import NIOCore
import OpenSSL
import S3
import TestSupport
import Testing

@testable import DecisionLog
@testable import Residency
@testable import Stores

/// Objects go in and come out of a directory store.
@Suite struct ObjectTests {
    @Test(arguments: [
        "alice/INBOX/1.eml", "a", "%", ".", "..", "../../etc/passwd", "/", "//", "a/", "%bailiwick/stage/1", "é/😀",
        String(repeating: "a", count: 1024), String(repeating: "%", count: 1024), String(repeating: "a/", count: 100),
    ])
    func roundTrip(_ name: String) throws {
        let store = try TestStore()
        let key = key(name)
        #expect(try store.locate(key).state == .absent)
        #expect(try !store.delete(key))
        let content = SelfCheckingContent.make(1)
        let outcome = try store.put(key, content)
        var md5 = Hasher(.md5)
        md5.update(content)
        #expect(outcome.etag == Hex.encode(md5.finish()))
        #expect(outcome.size == Int64(content.count))
        #expect(outcome.residency == ResidencyFacts(place: dublin, receivedSeconds: now.seconds))
        #expect(!outcome.replaced)
        #expect(FileManager.default.fileExists(atPath: store.file(key)), "the file of that path below the root")
        let located = try store.locate(key)
        #expect(located.state == .tagged(outcome.residency))
        #expect(located.size == outcome.size && located.etag == outcome.etag)
        let facts = try store.describe(key)
        #expect(facts.etag == outcome.etag && facts.size == outcome.size && facts.residency == outcome.residency)
        #expect(try store.get(key) == content)
        #expect(try store.put(key, bytes("other")).replaced)
        #expect(try store.get(key) == bytes("other"))
        #expect(try store.read(try store.open(located)) == content, "what was located stays what it was")
        #expect(try store.delete(key))
        #expect(try store.locate(key).state == .absent)
        #expect(try names(store) == ["%bailiwick"], "folders that are empty go too")
    }

    @Test func emptyObjects() throws {
        let store = try TestStore()
        let outcome = try store.put(key("a/empty"), size: 0)
        #expect(outcome.etag == "d41d8cd98f00b204e9800998ecf8427e" && outcome.size == 0)
        #expect(try store.get(key("a/empty")) == [])
        #expect(try store.describe(key("a/empty")).size == 0)
        #expect(try store.list().entries.map(\.key) == [key("a/empty")])
    }

    @Test func manyPiecesAndRanges() throws {
        let store = try TestStore()
        let pieces = (0..<9).map { [UInt8](repeating: $0, count: 100_000) }
        let whole = Array(pieces.joined())
        try store.put(
            key("k"), pieces[0], pieces[1], pieces[2], pieces[3], pieces[4], pieces[5], pieces[6], pieces[7], pieces[8],
            size: Int64(whole.count), completion: PutCompletion(sha256: SHA256Digest(hashing: whole).bytes))
        let object = try store.open(try store.locate(key("k")))
        #expect(try store.read(object, bytesMax: 123_457) == whole)
        #expect(try store.read(object, 99_999..<100_001) == [0, 1])
        #expect(try store.read(object, 899_999..<1_000_000) == [8])
        #expect(try store.read(object, 900_000..<900_001) == [])
        var reader = object.body(10..<20)
        var buffer: [UInt8] = []
        // What was just written is in memory, where the file system can say so.
        if let count = try reader.readCached(bytesMax: 100, into: &buffer) {
            #expect(count == 10 && buffer == [UInt8](repeating: 0, count: 10))
            #expect(try reader.readCached(bytesMax: 100, into: &buffer) == 0)
        }
    }

    @Test func metadataComesBack() throws {
        let store = try TestStore()
        func pair(_ name: String, _ value: String) -> MetadataPair {
            MetadataPair(name: bytes(name), value: bytes(value))
        }
        let checksums = [
            StoredChecksum(algorithm: .crc32, value: [1, 2, 3, 4]),
            StoredChecksum(algorithm: .sha256, isComposite: true, value: [UInt8](repeating: 9, count: 32)),
        ]
        for count in [1, 500, 5000, 100_000] {
            let metadata = ObjectMetadata(
                headers: [
                    .contentType: bytes("message/rfc822; name=\"merger.eml\""), .expires: bytes("never"),
                    .contentDisposition: bytes("attachment; filename=\"Re: the merger.eml\""),
                ],
                userMetadata: [pair("b", "1"), pair("a", String(repeating: "x", count: count)), pair("b", "2")],
                tags: [pair("kind", "mail"), pair("empty", "")])
            try store.put(
                key("k"), bytes("x"), metadata: metadata,
                completion: PutCompletion(checksums: checksums, etag: "abc-2", partSizes: [1, 0]))
            let facts = try store.describe(key("k"))
            #expect(facts.headers == metadata.headers && facts.tags == metadata.tags)
            #expect(facts.userMetadata == metadata.userMetadata)
            #expect(facts.checksums == checksums && facts.etag == "abc-2" && facts.partSizes == [1, 0])
            #expect(
                try store.internalNames("side").count == (count > 3000 ? 1 : 0), "the one of the object before is gone")
            let withheld = try store.describe(key("k"), withholdsEntityTag: true)
            #expect(withheld.etag == nil && withheld.userMetadata == nil && withheld.checksums == nil)
            #expect(withheld.headers == [.contentType: bytes("message/rfc822")])
            #expect(try #require(try store.attribute(key("k"))).count <= StoreLimits.attributeBytesMax)
        }
        let tooLarge = ObjectMetadata(userMetadata: [pair("a", String(repeating: "x", count: 300_000))])
        #expect(throws: StoreError.metadataTooLarge) {
            try store.put(key("k"), bytes("x"), metadata: tooLarge)
        }
        #expect(try store.describe(key("k")).etag == "abc-2")
        try store.delete(key("k"))
        #expect(try store.internalNames("side") == [])
    }

    @Test func whatWasDeclaredIsChecked() throws {
        let store = try TestStore()
        let zeros = [UInt8](repeating: 0, count: 32)
        #expect(throws: StoreError.sizeMismatch) { try store.put(key("k"), bytes("abc"), size: 4) }
        #expect(throws: StoreError.sizeMismatch) { try store.put(key("k"), bytes("abc"), size: 2) }
        #expect(throws: StoreError.md5Mismatch) {
            try store.put(key("k"), bytes("abc"), completion: PutCompletion(md5: Array(zeros[..<16])))
        }
        #expect(throws: StoreError.sha256Mismatch) {
            try store.put(key("k"), bytes("abc"), completion: PutCompletion(sha256: zeros))
        }
        #expect(try store.locate(key("k")).state == .absent)
        #expect(try names(store) == ["%bailiwick"])
    }

    // MARK: - Conditions

    @Test func conditions() throws {
        let store = try TestStore()
        let large = ObjectMetadata(userMetadata: [.init(name: [97], value: [UInt8](repeating: 98, count: 9000))])
        #expect(throws: StoreError.absent) { try store.put(key("k"), bytes("0"), condition: .mustMatch([])) }
        let first = try store.put(key("k"), bytes("1"), condition: .mustBeAbsent)
        #expect(throws: StoreError.exists) {
            try store.put(key("k"), bytes("2"), condition: .mustBeAbsent, metadata: large)
        }
        #expect(throws: StoreError.preconditionFailed) {
            try store.put(key("k"), bytes("2"), condition: .mustMatch(["x", "y"]), metadata: large)
        }
        #expect(try store.get(key("k")) == bytes("1"))
        #expect(try store.internalNames("side") == [], "what was refused leaves no side file")
        let second = try store.put(key("k"), bytes("2"), condition: .mustMatch(["x", first.etag]))
        #expect(second.replaced)
        #expect(throws: StoreError.preconditionFailed) {
            try store.put(key("k"), bytes("3"), condition: .mustMatch([first.etag]))
        }
        #expect(try store.put(key("k"), bytes("3"), condition: .mustMatch([])).replaced)
        // Decided on one object, by a grant, a condition tells of no other one, nor, without a grant, of one that is not the store's own.
        try store.put(key("j"), bytes("3"))
        let located = try store.locate(key("j"))
        let other = try store.put(key("j"), bytes("4"))
        for tags in [[other.etag], ["x"], []] {
            #expect(throws: StoreError.notDecidedOn) {
                try store.put(key("j"), bytes("5"), condition: .mustMatch(tags, of: .only(located.identity)))
            }
        }
        let now = try store.locate(key("j")).identity
        #expect(try store.put(key("j"), bytes("5"), condition: .mustMatch([other.etag], of: .only(now))).replaced)
        let moved = try store.put(key("j"), bytes("6"), residency: .init(place: virginia, receivedSeconds: 1))
        #expect(throws: StoreError.notDecidedOn) {
            try store.put(key("j"), bytes("7"), condition: .mustMatch([moved.etag]))
        }
        #expect(try store.get(key("k")) == bytes("3"))
        #expect(try store.internalNames("stage") == [])
    }

    /// A folder of the same name is no object.
    @Test func conditionsBesideAFolder() throws {
        let store = try TestStore()
        try store.put(key("a/b"), bytes("b"))
        #expect(throws: StoreError.absent) { try store.put(key("a"), bytes("a"), condition: .mustMatch([])) }
        try store.put(key("a"), bytes("a"), condition: .mustBeAbsent)
        #expect(throws: StoreError.exists) { try store.put(key("a"), bytes("c"), condition: .mustBeAbsent) }
        try store.put(key("a"), bytes("d"), condition: .mustMatch([]))
        #expect(try store.get(key("a")) == bytes("d"))
    }

    @Test func onlyOneCreates() throws {
        let store = try TestStore()
        for round in 0..<10 {
            let created = Collected<String>()
            let refused = Collected<StoreError>()
            let errors = inParallel(
                (0..<6).map { thread in
                    {
                        do {
                            try store.put(key("r/\(round)"), bytes("\(thread)"), condition: .mustBeAbsent)
                            created.append("\(thread)")
                        } catch let error as StoreError { refused.append(error) }
                    }
                })
            #expect(errors.isEmpty)
            #expect(created.values.count == 1)
            #expect(refused.values == [StoreError](repeating: .exists, count: 5))
            #expect(try store.get(key("r/\(round)")) == bytes(created.values[0]))
        }
    }

    @Test func onlyOneReplacesWhatItSaw() throws {
        let store = try TestStore()
        var seen = try store.put(key("k"), bytes("start")).etag
        for round in 0..<10 {
            let condition = PutOptions.Condition.mustMatch([seen])
            let replaced = Collected<PutOutcome>()
            let refused = Collected<StoreError>()
            let errors = inParallel(
                (0..<6).map { thread in
                    {
                        do {
                            replaced.append(
                                try store.put(key("k"), bytes("\(round) \(thread)"), condition: condition))
                        } catch let error as StoreError { refused.append(error) }
                    }
                })
            #expect(errors.isEmpty)
            #expect(replaced.values.count == 1)
            #expect(refused.values == [StoreError](repeating: .preconditionFailed, count: 5))
            seen = try #require(replaced.values.first).etag
            #expect(try store.describe(key("k")).etag == seen)
        }
    }

    // MARK: - A key that is also a folder

    @Test(arguments: [["a", "a/b"], ["a/b", "a"]], [["a", "a/b"], ["a/b", "a"]])
    func objectAndFolder(_ order: [String], _ removal: [String]) throws {
        let store = try TestStore()
        for name in order { try store.put(key(name), bytes(name)) }
        for name in order { #expect(try store.get(key(name)) == bytes(name)) }
        #expect(try store.list().entries.map(\.key) == [key("a"), key("a/b")])
        #expect(try store.delete(key(removal[0])))
        #expect(try store.locate(key(removal[0])).state == .absent)
        #expect(try store.get(key(removal[1])) == bytes(removal[1]))
        #expect(try store.list().entries.map(\.key) == [key(removal[1])])
        try store.put(key(removal[0]), bytes("again"))
        #expect(try store.get(key(removal[0])) == bytes("again"))
        for name in order { #expect(try store.delete(key(name))) }
        #expect(try names(store) == ["%bailiwick"])
        #expect(try store.internalNames("stage") == [])
    }

    @Test func objectsAtEveryDepth() throws {
        let store = try TestStore()
        let all = ["a", "a/", "a//", "a//b", "a/b", "a/b/c/d", "a/b/c", "/", "/a", "a%", "a%/b", "%=", "a/%="]
        for name in all { try store.put(key(name), bytes(name)) }
        for name in all { #expect(try store.get(key(name)) == bytes(name)) }
        #expect(try store.list().entries.map(\.key) == all.map { key($0) }.sorted())
        let (summary, findings) = try store.scan(readsContent: true)
        #expect(summary.objects == all.count && findings == [])
        for (index, name) in all.enumerated() {
            #expect(try store.delete(key(name)))
            for rest in all[(index + 1)...] { #expect(try store.get(key(rest)) == bytes(rest)) }
        }
        #expect(try names(store) == ["%bailiwick"])
    }

    /// Somebody tidied up by hand while the daemon ran: what it remembers of folders must not stand in the way.
    @Test func foldersThatWereRemovedByHand() throws {
        let store = try TestStore()
        try store.put(key("a/b/c"), bytes("1"))
        try FileManager.default.removeItem(atPath: store.path + "/a")
        #expect(try store.locate(key("a/b/c")).state == .absent)
        try store.put(key("a/b/c"), bytes("2"))
        #expect(try store.get(key("a/b/c")) == bytes("2"))
        try FileManager.default.removeItem(atPath: store.path + "/a")
        try Data().write(to: URL(fileURLWithPath: store.path + "/a"))
        try store.put(key("a/b/c"), bytes("3"))
        #expect(try store.get(key("a/b/c")) == bytes("3"))
        #expect(try store.locate(key("a")).state == .untagged, "and a planted file stays an object without a tag")
    }

    // MARK: - Deleting what was decided on

    @Test func onlyTheLocatedObjectIsDeleted() throws {
        let store = try TestStore()
        try store.put(key("k"), bytes("1"))
        let first = try store.locate(key("k"))
        try store.put(key("k"), bytes("2"))
        #expect(try !store.delete(key("k"), located: first))
        #expect(try store.get(key("k")) == bytes("2"))
        #expect(try store.delete(key("k"), located: try store.locate(key("k"))))
        #expect(try store.locate(key("k")).state == .absent)
        // Nobody decided on what came after nothing was found.
        let absent = try store.locate(key("k"))
        try store.put(key("k"), bytes("3"))
        #expect(try !store.delete(key("k"), located: absent))
        #expect(try store.get(key("k")) == bytes("3"))
    }

    // MARK: - Permits

    /// A permit opens what was decided on and nothing else, whichever of its four parts differs.
    @Test(arguments: [PermitMismatch.bucket, .operation, .target, .identity])
    func permitsForSomethingElse(_ part: PermitMismatch) throws {
        let store = try TestStore()
        try store.put(key("k"), bytes("1"))
        try store.put(key("other"), bytes("2"))
        let located = try store.locate(key("k"))
        let other = try store.locate(key("other"))
        let bucket = BucketName(part == .bucket ? "archive" : "mail")!
        let target = bytes(part == .target ? "other" : "k")
        let again = try store.locate(key("k"))
        let expected = StoreError.permit(part)

        for identity in part == .identity ? [other.identity, .none, again.identity] : [located.identity] {
            #expect(throws: expected) {
                try store.store.describe(
                    located, for: .headObject,
                    permit: permit(part == .operation ? .getObject : .headObject, target, identity, bucket: bucket))
            }
            #expect(throws: expected) {
                let _: OpenObject = try store.wait { loop, done in
                    store.store.open(
                        located, for: .getObject,
                        permit: permit(part == .operation ? .headObject : .getObject, target, identity, bucket: bucket),
                        on: loop, TestStore.Waiter(open: done))
                }
            }
            #expect(throws: expected) {
                let _: Bool = try store.wait { loop, done in
                    store.store.delete(
                        key("k"), located: located, for: .deleteObject,
                        permit: permit(
                            part == .operation ? .getObject : .deleteObject, target, identity, bucket: bucket),
                        on: loop, done)
                }
            }
            #expect(throws: expected) {
                let _: Bool = try store.wait { loop, done in
                    do throws(StoreError) {
                        _ = try store.store.put(
                            key("k"), replacing: located, PutOptions(), for: .putObject,
                            permit: permit(
                                part == .operation ? .getObject : .putObject, target, identity, bucket: bucket),
                            on: loop)
                        done(.success(true))
                    } catch { done(.failure(error)) }
                }
            }
        }
        let identity = part == .identity ? located.identity : .none
        #expect(throws: expected) {
            let _: ListPage = try store.wait { loop, done in
                store.store.list(
                    ListQuery(prefix: bytes("k")), for: .listObjectsV2,
                    permit: permit(
                        part == .operation ? .getObject : .listObjectsV2, target, identity, bucket: bucket,
                        admission: homeAdmission()), on: loop, done)
            }
        }
        #expect(try store.get(key("k")) == bytes("1"))
    }

    @Test func contentIsVerifiedWhereAskedFor() throws {
        let store = try TestStore(verifiesContent: true)
        try store.put(key("k"), bytes("abc"))
        #expect(try store.get(key("k")) == bytes("abc"))
        try overwrite(store.file(key("k")), bytes("abX"))
        #expect(throws: StoreError.contentDamaged) { try store.get(key("k")) }
        try overwrite(store.file(key("k")), bytes("abc"))
        #expect(try store.get(key("k")) == bytes("abc"))
    }

    /// The file was cut while it was being read: an error, not the end.
    @Test func truncatedWhileRead() throws {
        let store = try TestStore()
        try store.put(key("k"), [UInt8](repeating: 1, count: 50_000))
        let object = try store.open(try store.locate(key("k")))
        #expect(truncate(store.file(key("k")), 20_000) == 0)
        #expect(throws: StoreError.contentDamaged) { try store.read(object) }
        var buffer: [UInt8] = []
        #expect(throws: StoreError.contentDamaged) {
            var reader = object.body(30_000..<40_000)
            _ = try reader.readCached(bytesMax: 100, into: &buffer)
        }
        #expect(try store.locate(key("k")).tagProblem == .size)
    }

    private func names(_ store: TestStore) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: store.path)
    }
}

/// Changes a file's first bytes in place, attribute and all left as they are.
func overwrite(_ path: String, _ content: [UInt8]) throws {
    let file = FileDescriptor(owning: Glibc.open(path, O_WRONLY))
    try file.write(ByteBuffer(bytes: content), at: 0)
}
