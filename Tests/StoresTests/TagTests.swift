import Foundation
import OpenSSL
import S3
import TestSupport
import Testing

@testable import Residency
@testable import Stores

/// DESIGN section 4: the residency tag, its seal, and what becomes of an object without a sound one.
@Suite struct TagTests {
    private let virginian = ResidencyFacts(place: virginia, receivedSeconds: 1_700_000_000)

    // MARK: - The seal

    /// Python computes the whole of DESIGN section 4 from the file alone: the text's fields, the digests, and the HMAC over
    /// label, text and key, each preceded by its length.
    @Test(.enabled("python3 is not installed") { has("python3") }, arguments: ["a/b", "é/%/..", "-"])
    func sealIsWhatTheDesignSays(_ name: String) throws {
        let store = try TestStore()
        let metadata = ObjectMetadata(
            headers: [.contentType: bytes("message/rfc822")], userMetadata: [.init(name: bytes("n"), value: bytes("v"))]
        )
        try store.put(
            key(name), bytes("content"), metadata: metadata,
            residency: ResidencyFacts(place: dublin, receivedSeconds: 1_700_000_000))
        let script = """
            import base64, hashlib, hmac, os, struct, sys
            path, name, seal_key = sys.argv[1], os.fsencode(sys.argv[2]), bytes.fromhex(sys.argv[3])
            def b64(data): return base64.urlsafe_b64encode(data).rstrip(b'=')
            content = open(path, 'rb').read()
            text, rest = os.getxattr(path, 'user.bailiwick').split(b'\\n', 1)
            said, seal = text.rsplit(b';', 1)
            expected = b';'.join([b'v1', b'old', b'dub1', b'IE', b'1800000000', b'1700000000', b'%d' % len(content),
                                  b64(hashlib.sha256(content).digest()), b64(hashlib.sha256(rest).digest())])
            assert said == expected, (said, expected)
            message = b''.join(struct.pack('>I', len(part)) + part for part in [b'bailiwick-tag-v1', said, name])
            assert seal == b64(hmac.new(seal_key, message, hashlib.sha256).digest()), seal
            records, at = [], 0
            while at < len(rest):
                kind, count = struct.unpack_from('>BI', rest, at)
                records.append((kind, rest[at + 5:at + 5 + count]))
                at += 5 + count
            assert records == [(1, hashlib.md5(content).hexdigest().encode()), (3, b'message/rfc822'),
                               (16, struct.pack('>I', 1) + b'nv')], records
            print('sound')
            """
        let result = try run(
            ["python3", "-c", script, store.file(key(name)), name, Hex.encode(oldKeyBytes)],
            environment: ["PYTHONUTF8": "1"])
        #expect(result.text == "sound\n", "\(result.errors)")
    }

    /// No single bit of a packed attribute can be changed, nor a byte added or cut off, without the object being refused.
    @Test func everyBitIsBound() throws {
        let store = try TestStore()
        try store.put(
            key("k"), bytes("content"),
            metadata: ObjectMetadata(
                headers: [.contentType: bytes("text/plain")],
                userMetadata: [.init(name: bytes("n"), value: bytes("v"))],
                tags: [.init(name: bytes("t"), value: bytes("w"))]),
            completion: PutCompletion(
                checksums: [StoredChecksum(algorithm: .crc32, value: [1, 2, 3, 4])], partSizes: [7]))
        let value = try #require(try store.attribute(key("k")))
        var problems: Set<TagProblem> = []
        func refused(_ changed: [UInt8], _ what: String) throws {
            try store.setAttribute(changed, key("k"))
            let located = try store.locate(key("k"))
            guard located.state == .tagInvalid, let problem = located.tagProblem, located.etag == nil else {
                Issue.record("\(what) was accepted: \(located.state)")
                return
            }
            problems.insert(problem)
        }
        for bit in 0..<value.count * 8 {
            var changed = value
            changed[bit / 8] ^= 1 << UInt8(bit % 8)
            try refused(changed, "bit \(bit)")
        }
        for count in 0..<value.count { try refused(Array(value[..<count]), "the first \(count) bytes") }
        for byte in [UInt8(0), 10, 59, 65] { try refused(value + [byte], "a byte more") }
        #expect(problems == [.malformed, .unknownKey, .seal, .rest])
        let located = try store.locate(key("k"))
        #expect(throws: StoreError.tagInvalid(.rest)) { try store.open(located) }
        #expect(throws: StoreError.tagInvalid(.rest)) { try store.describe(key("k")) }
        #expect(try store.list().entries.isEmpty)
        #expect(try store.list().excluded == 1)
        try store.setAttribute(value, key("k"))
        #expect(try store.get(key("k")) == bytes("content"))
    }

    @Test func anotherSizeIsRefused() throws {
        let store = try TestStore()
        try store.put(key("k"), bytes("content"))
        for size in [0, 6, 8] {
            #expect(truncate(store.file(key("k")), size) == 0)
            #expect(try store.locate(key("k")).tagProblem == .size)
        }
        #expect(truncate(store.file(key("k")), 7) == 0)
        #expect(try store.locate(key("k")).tagProblem == nil)
    }

    @Test func sideFilesAreBound() throws {
        let store = try TestStore()
        let metadata = ObjectMetadata(userMetadata: [.init(name: [97], value: [UInt8](repeating: 98, count: 9000))])
        try store.put(key("k"), bytes("content"), metadata: metadata)
        try store.put(key("other"), bytes("content"), metadata: metadata)
        let value = try #require(try store.attribute(key("k")))
        let side = try #require(
            try store.internalNames("side").first { name in
                Hex.encode(value).contains(name)
            })
        let path = store.path + "/%bailiwick/side/" + side
        let content = try Data(contentsOf: URL(fileURLWithPath: path))
        for changed in [content.dropLast(), content + [0], Data(content.reversed()), Data()] {
            try changed.write(to: URL(fileURLWithPath: path))
            #expect(try store.locate(key("k")).tagProblem == .sideFile)
            #expect(throws: StoreError.tagInvalid(.sideFile)) { try store.get(key("k")) }
        }
        try FileManager.default.removeItem(atPath: path)
        #expect(try store.locate(key("k")).tagProblem == .sideFile)
        try content.write(to: URL(fileURLWithPath: path))
        #expect(try store.describe(key("k")).userMetadata == metadata.userMetadata)
    }

    /// Texts that are no tag: each is refused as what it is.
    @Test(arguments: [
        ("", TagProblem.malformed), ("v1", .malformed), ("v2;old;dub1;IE;1;1;7;-;R;S", .malformed),
        ("v1;old;dub1;IE;1;1;7;-;R;S;", .malformed), ("v1;;dub1;IE;1;1;7;-;R;S", .malformed),
        ("v1;none;dub1;IE;1;1;7;-;R;S", .unknownKey), ("v1;old;nowhere;IE;1;1;7;-;R;S", .unknownKey),
        ("v1;old;dub 1;IE;1;1;7;-;R;S", .malformed), ("v1;none;dub1;ie;1;1;7;-;R;S", .malformed),
        ("v1;us;dub1;IE;1;1;7;-;R;S", .unknownKey), ("v1;old;iad1;US;1;1;7;-;R;S", .unknownKey),
        ("v1;old;dub1;IE;1;1;7;-;R;S", .seal), ("v1;old;dub1;IE;1;1;7;-;R;", .seal),
    ])
    func textsThatAreNoTag(_ text: String, _ problem: TagProblem) throws {
        let store = try TestStore()
        try store.plant(key("k"), bytes("content"))
        try store.setAttribute(bytes(text + "\n"), key("k"))
        #expect(try store.locate(key("k")).tagProblem == problem)
    }

    /// What is rightly sealed but not of the form: numbers with a sign, a leading zero or 19 digits, other jurisdictions.
    @Test(arguments: ["01", "+1", "-1", "", "1000000000000000000", "0x1", "１"])
    func sealedNumbersOfAnotherForm(_ number: String) throws {
        for fields in ["\(number);1;7;-", "1;\(number);7;-", "1;1;\(number);-", "1;1;7;\(number)"] {
            let rest = StoredRest(etag: "e").packedCore()
            var text = bytes("v1;old;dub1;IE;\(fields);")
            SHA256Digest(hashing: rest).appendBase64URL(to: &text)
            let seal = HMACKey(oldKeyBytes).authenticate(parts: [bytes("bailiwick-tag-v1"), text, bytes("k")])
            text.append(UInt8(ascii: ";"))
            seal.appendBase64URL(to: &text)
            #expect(throws: TagProblem.malformed, "\(fields)") {
                try SealedObject.judge(text + [10] + rest, size: 7, binding: bytes("k"), keyring: keyring())
            }
        }
    }

    // MARK: - Keys

    @Test func keyRotation() throws {
        let store = try TestStore(keyring: keyring(dublin: ["old"]))
        try store.put(key("a"), bytes("a"))
        let rotated = TestStore(store, keyring: keyring(dublin: ["new", "old"]))
        #expect(try rotated.get(key("a")) == bytes("a"), "the old key still verifies")
        try rotated.put(key("b"), bytes("b"))
        #expect(try keyID(rotated, key("b")) == "new", "the first key seals")
        #expect(try store.locate(key("b")).tagProblem == .unknownKey)
        let retired = TestStore(store, keyring: keyring(dublin: ["new"]))
        #expect(try retired.get(key("b")) == bytes("b"))
        #expect(try retired.locate(key("a")).tagProblem == .unknownKey)
        #expect(throws: StoreError.tagInvalid(.unknownKey)) { try retired.get(key("a")) }
        #expect(
            try rotated.reseal(key("a")).before == .tagged(ResidencyFacts(place: dublin, receivedSeconds: now.seconds)))
        #expect(try keyID(rotated, key("a")) == "new")
        #expect(try retired.get(key("a")) == bytes("a"))
    }

    /// After a scan that renews, every object is as it was under the first key alone: its facts, metadata and side file too.
    @Test func aScanRenewsWhatAnOlderKeySealed() throws {
        let store = try TestStore(keyring: keyring(dublin: ["old"]))
        var large = ObjectMetadata()
        large.userMetadata = (0..<40).map {
            MetadataPair(name: bytes("n\($0)"), value: bytes(String(repeating: "v", count: 100)))
        }
        try store.put(key("alice/large"), bytes("large"), metadata: large)
        try store.put(key("alice/moved"), bytes("moved"), residency: virginian)
        try store.put(key("alice/small"), bytes("small"))
        try store.put(key("alice/bad"), bytes("bad"))
        try store.setAttribute(bytes("v1;no tag"), key("alice/bad"))
        let sideFile = try store.internalNames("side")
        #expect(sideFile.count == 1)
        let before = try ["large", "moved", "small"].map { try store.describe(key("alice/\($0)")) }

        let rotated = TestStore(store, keyring: keyring(dublin: ["new", "old"]))
        let (plain, _) = try rotated.scan(readsContent: true)
        #expect(plain.renewed == 0)
        let (summary, findings) = try rotated.scan(readsContent: true, renews: true)
        #expect(summary.renewed == 2 && summary.objects == 4 && summary.problems == 1)
        #expect(findings.contains { $0.name == bytes("alice/bad") && $0.problem == .tagInvalid(.malformed) })
        #expect(try rotated.scan(renews: true).0.renewed == 0)
        #expect(try rotated.internalNames("side").count == 1 && rotated.internalNames("side") != sideFile)

        let retired = TestStore(store, keyring: keyring(dublin: ["new"]))
        let after = try ["large", "moved", "small"].map { try retired.describe(key("alice/\($0)")) }
        #expect(after.map(\.all) == before.map(\.all))
        #expect(try keyID(retired, key("alice/large")) == "new")
        #expect(try retired.scan(readsContent: true).0.problems == 1)
    }

    /// What an operator sealed since the scan read the tag is not sealed again as it was.
    @Test func aRenewalGivesWayToWhoSealsMeanwhile() throws {
        let store = try TestStore(keyring: keyring(dublin: ["old"]))
        try store.put(key("a"), bytes("a"))
        let rotated = TestStore(store, keyring: keyring(dublin: ["new", "old"]))
        let read = try #require(try store.store.findFile(key("a")))
        _ = try rotated.reseal(key("a"))
        let resealed = try rotated.attribute(key("a"))
        #expect(throws: StoreError.contended) {
            try rotated.store.attach(bytes("v1;as it was"), nil, to: read, of: key("a"), .either)
        }
        #expect(try rotated.attribute(key("a")) == resealed)
    }

    /// The same id with other bytes is another key.
    @Test func anotherKeyOfTheSameName() throws {
        let store = try TestStore()
        try store.put(key("a"), bytes("a"))
        let other = TestStore(store, keyring: SealKeyring([(dublin, [sealKey("old", newKeyBytes)])]))
        #expect(try other.locate(key("a")).tagProblem == .seal)
    }

    @Test func noKeyToSealWith() throws {
        let store = try TestStore(keyring: keyring(virginia: false))
        #expect(throws: StoreError.sealKeyMissing(virginia.datacenter)) {
            try store.put(key("a"), bytes("a"), residency: virginian)
        }
        #expect(try store.locate(key("a")).state == .absent)
    }

    // MARK: - Tags of other objects

    @Test func aTagOfAnotherObject() throws {
        let store = try TestStore()
        try store.put(key("a"), bytes("same"))
        try store.put(key("b"), bytes("same"))
        let (a, b) = (try #require(try store.attribute(key("a"))), try #require(try store.attribute(key("b"))))
        try store.setAttribute(a, key("b"))
        #expect(try store.locate(key("b")).tagProblem == .seal)
        #expect(throws: StoreError.tagInvalid(.seal)) { try store.get(key("b")) }
        // Half of one and half of the other.
        let cut = try #require(a.firstIndex(of: 10))
        try store.put(key("b"), bytes("same"), completion: PutCompletion(etag: "other-1"))
        let other = try #require(try store.attribute(key("b")))
        try store.setAttribute(Array(b[..<cut]) + other[(try #require(other.firstIndex(of: 10)))...], key("b"))
        #expect(try store.locate(key("b")).tagProblem == .rest)
        // A file that is moved takes its tag along and is refused under its new name.
        #expect(rename(store.file(key("a")), store.path + "/c") == 0)
        #expect(try store.locate(key("c")).tagProblem == .seal)
        let outcome = try store.reseal(key("c"))
        #expect(outcome.before == .tagInvalid && outcome.residency.place == dublin)
        #expect(try #require(outcome.textBefore).hasPrefix("v1;old;dub1;IE;"))
        #expect(try store.get(key("c")) == bytes("same"))
        // Bytes changed behind the tag are found by content scans; a sound tag goes on to speak of what it was sealed over.
        try overwrite(store.file(key("c")), bytes("SAME"))
        #expect(try store.scan().findings == [ScanFinding(name: bytes("b"), problem: .tagInvalid(.rest))])
        #expect(try store.scan(readsContent: true).findings.last?.problem == .contentDamaged)
        try store.reseal(key("c"))
        #expect(try store.scan(readsContent: true).findings.last?.problem == .contentDamaged)
    }

    /// What a tag says counts for a reseal as far as its seal vouches for it: an edit must not become true by the act that repairs it.
    @Test func aResealBelievesOnlyWhatIsSealed() throws {
        let store = try TestStore()
        let first = ResidencyFacts(place: dublin, receivedSeconds: 1_600_000_000)
        try store.put(key("k"), bytes("mail"), residency: first)
        let sound = try #require(try store.attribute(key("k")))
        let later = now.adding(seconds: 100)

        // The seal does not verify: now is when it was received.
        let edited = bytes(
            String(decoding: sound, as: UTF8.self).replacingOccurrences(of: ";1600000000;", with: ";1500000000;"))
        try store.setAttribute(edited, key("k"))
        let repaired = try store.reseal(key("k"), at: later)
        #expect(repaired.residency == ResidencyFacts(place: dublin, receivedSeconds: later.seconds))
        #expect(repaired.before == .tagInvalid && repaired.problem == .seal && !repaired.isRenewal)
        #expect(try #require(repaired.textBefore).contains(";1500000000;"))
        #expect(try store.locate(key("k")).state == .tagged(repaired.residency))

        // The seal verifies, what it binds does not: what it says stays.
        try store.setAttribute(sound + [0], key("k"))
        #expect(try store.locate(key("k")).tagProblem == .rest)
        #expect(try store.reseal(key("k"), at: later).residency == first)
        #expect(try store.locate(key("k")).state == .tagged(first))

        // Sound: a renewal, which changes nothing but the key.
        let renewed = try store.reseal(key("k"), at: later)
        #expect(renewed.isRenewal && renewed.residency == first && renewed.problem == nil)

        // Without the event nothing is sealed.
        try store.setAttribute(edited, key("k"))
        #expect(throws: StoreError.notRecorded) { try store.reseal(key("k")) { _ in false } }
        #expect(try store.attribute(key("k")) == edited)
    }

    /// An object moved between buckets keeps its owner: its tag is sound wherever that datacenter's key is held.
    @Test func misplacedObjects() throws {
        let irish = try TestStore()
        let american = try TestStore(place: virginia)
        try irish.put(key("k"), bytes("mail"), residency: .init(place: dublin, receivedSeconds: 1_600_000_000))
        let value = try #require(try irish.attribute(key("k")))
        try american.plant(key("k"), bytes("mail"))
        try american.setAttribute(value, key("k"))
        let irishFacts = ResidencyFacts(place: dublin, receivedSeconds: 1_600_000_000)
        #expect(try american.locate(key("k")).state == .tagged(irishFacts))
        let (summary, findings) = try american.scan(readsContent: true)
        #expect(findings == [ScanFinding(name: bytes("k"), problem: .misplaced(dublin))])
        #expect(summary.misplaced == 1 && summary.problems == 0)
        let without = TestStore(
            american, place: virginia, keyring: SealKeyring([(virginia, [sealKey("us", virginianKeyBytes)])]))
        #expect(try without.locate(key("k")).tagProblem == .unknownKey)
        // What Dublin's key sealed is Dublin's: no operator elsewhere takes it away, whatever else became of the object.
        #expect(throws: StoreError.misplaced(dublin)) { try american.reseal(key("k")) }
        try american.setAttribute(value + [0], key("k"))
        #expect(try american.locate(key("k")).tagProblem == .rest)
        #expect(throws: StoreError.misplaced(dublin)) { try american.reseal(key("k")) }
        #expect(try american.attribute(key("k")) == value + [0])
        // Whose key is not here cannot be told from an edit.
        let outcome = try without.reseal(key("k"))
        #expect(outcome.problem == .unknownKey && outcome.residency.place == virginia)
        #expect(throws: StoreError.absent) { try american.reseal(key("nothing")) }
    }

    /// An attribute longer than any of ours is a tag that does not verify: it refuses its own object, no listing over it, and an operator
    /// can seal the object again.
    @Test func anAttributeThatIsTooLong() throws {
        let store = try TestStore()
        for name in ["a", "k", "z"] { try store.put(key(name), bytes("mail")) }
        try store.setAttribute([UInt8](repeating: 118, count: StoreLimits.attributeBytesMax + 1), key("k"))
        #expect(try store.locate(key("k")).tagProblem == .malformed)
        #expect(throws: Never.self) { try store.list() }
        #expect(try store.scan().findings == [ScanFinding(name: bytes("k"), problem: .tagInvalid(.malformed))])
        #expect(try store.reseal(key("k")).residency.place == dublin)
        #expect(try store.get(key("k")) == bytes("mail"))
    }

    /// What is sealed can be read, whatever the file's time or the deliverer said.
    @Test(arguments: [Int64.min, -1, 253_402_300_800, .max])
    func aTimeThatNoTagCanTell(_ seconds: Int64) throws {
        let store = try TestStore()
        try store.put(key("k"), bytes("mail"), residency: .init(place: dublin, receivedSeconds: seconds))
        let nearest = seconds < 0 ? ResidencyTag.seconds.lowerBound : ResidencyTag.seconds.upperBound
        #expect(try store.locate(key("k")).state == .tagged(.init(place: dublin, receivedSeconds: nearest)))
    }

    /// Anybody who may write a folder may set its times.
    @Test func timesAreAsFarApartAsAnInt64Tells() {
        let (first, last) = (FileTime(seconds: .min, nanoseconds: 0), FileTime(seconds: .max, nanoseconds: 999_999_999))
        #expect(last.nanoseconds(since: first) == .max && first.nanoseconds(since: last) == .min)
        let far = FileTime(seconds: 9_223_372_036, nanoseconds: 999_999_999)
        #expect(FileTime(seconds: 0, nanoseconds: 0).nanoseconds(since: far) == .min)
        #expect(far.nanoseconds(since: FileTime(seconds: 9_223_372_035, nanoseconds: 0)) == 1_999_999_999)
    }

    /// Sealing again keeps what the client said of the object, wherever that is stored.
    @Test(arguments: [100, 9000])
    func resealKeepsMetadata(_ count: Int) throws {
        let store = try TestStore()
        let metadata = ObjectMetadata(
            headers: [.contentType: bytes("message/rfc822")],
            userMetadata: [.init(name: [97], value: [UInt8](repeating: 98, count: count))],
            tags: [.init(name: bytes("t"), value: bytes("w"))])
        try store.put(
            key("k"), bytes("content"), metadata: metadata, completion: PutCompletion(etag: "abc-1", partSizes: [7]))
        for ids in [["new", "old"], ["new"]] {
            // Sealed under a key that verifies, and then under one that does not any more.
            let rotated = TestStore(store, keyring: keyring(dublin: ids))
            if ids == ["new"] { try store.setAttribute(try resealedByOld(store), key("k")) }
            try rotated.reseal(key("k"))
            let facts = try rotated.describe(key("k"))
            #expect(facts.headers == metadata.headers && facts.tags == metadata.tags)
            #expect(facts.userMetadata == metadata.userMetadata)
            #expect(facts.etag == "abc-1" && facts.partSizes == [7])
        }
    }

    /// The attribute of `k` as the first key seals it.
    private func resealedByOld(_ store: TestStore) throws -> [UInt8] {
        try TestStore(store, keyring: keyring(dublin: ["old", "new"])).reseal(key("k"))
        return try #require(try store.attribute(key("k")))
    }

    @Test func resealLeavesNoSideFileBehind() throws {
        let store = try TestStore()
        let metadata = ObjectMetadata(userMetadata: [.init(name: [97], value: [UInt8](repeating: 98, count: 9000))])
        try store.put(key("k"), bytes("content"), metadata: metadata)
        for ids in [["new", "old"], ["old", "new"], ["new", "old"]] {
            try TestStore(store, keyring: keyring(dublin: ids)).reseal(key("k"))
        }
        #expect(try store.internalNames("side").count == 1)
        let facts = try TestStore(store, keyring: keyring(dublin: ["new"])).describe(key("k"))
        #expect(facts.userMetadata == metadata.userMetadata)
    }

    /// What lost its side file is refused to everyone, and no listing shows it.
    @Test func aLostSideFileIsNotListed() throws {
        let store = try TestStore()
        let metadata = ObjectMetadata(userMetadata: [.init(name: [97], value: [UInt8](repeating: 98, count: 9000))])
        for name in ["a", "k"] { try store.put(key(name), bytes("content"), metadata: metadata) }
        #expect(try store.list().entries.map(\.key) == [key("a"), key("k")])
        for name in try store.internalNames("side") {
            try FileManager.default.removeItem(atPath: "\(store.path)/%bailiwick/side/\(name)")
        }
        #expect(try store.locate(key("k")).tagProblem == .sideFile)
        let page = try store.list()
        #expect(page.entries == [] && page.excluded == 2)
    }

    // MARK: - Untagged objects

    @Test func untaggedIsRefused() throws {
        let store = try TestStore()
        try store.plant(key("a/k"), bytes("mail"))
        let located = try store.locate(key("a/k"))
        #expect(located.state == .untagged && located.etag == nil && located.size == 4)
        #expect(throws: StoreError.untagged) { try store.open(located) }
        #expect(throws: StoreError.untagged) { try store.describe(key("a/k")) }
        let refused = try store.list()
        #expect(refused.entries == [] && refused.excluded == 1)
        let shown = try store.list(admission: homeAdmission(untagged: .adopt))
        #expect(shown.entries.map(\.key) == [key("a/k")] && shown.entries[0].etag == nil)
        #expect(try store.list(admission: nil).entries == [], "without an admission nothing is shown")
        #expect(try store.put(key("a/k"), bytes("new")).replaced)
        #expect(try store.get(key("a/k")) == bytes("new"))
    }

    /// It is received when it is sealed: the file's own time is whoever laid it there's to choose.
    @Test func untaggedIsAdopted() throws {
        let store = try TestStore()
        try store.plant(key("a/k"), bytes("mail"))
        let chosen = Date(timeIntervalSince1970: 1_500_000_000)
        try FileManager.default.setAttributes([.modificationDate: chosen], ofItemAtPath: store.file(key("a/k")))
        let located = try store.locate(key("a/k"))
        let adopted = try store.adopt(located)
        #expect(adopted.state == .tagged(ResidencyFacts(place: dublin, receivedSeconds: now.seconds)))
        #expect(adopted.identity == located.identity)
        #expect(try store.read(try store.open(adopted)) == bytes("mail"))
        #expect(throws: StoreError.untagged, "what was located before is what it was") { try store.open(located) }
        #expect(try store.locate(key("a/k")).state == adopted.state)
        #expect(throws: StoreError.outOfTurn) { try store.adopt(adopted) }
        #expect(throws: StoreError.absent) { try store.adopt(try store.locate(key("nothing"))) }
        #expect(try store.scan(readsContent: true).findings == [])
    }

    /// Two requests met the untagged object at once: both go on with the one tag.
    @Test func adoptedTwiceAtOnce() throws {
        let store = try TestStore()
        try store.plant(key("k"), bytes("mail"))
        let (first, second) = (try store.locate(key("k")), try store.locate(key("k")))
        let adopted = try store.adopt(first)
        let value = try store.attribute(key("k"))
        let again = try store.adopt(second)
        #expect(again.state == adopted.state && again.identity == second.identity)
        #expect(try store.read(try store.open(again)) == bytes("mail"))
        #expect(try store.attribute(key("k")) == value)
    }

    private func keyID(_ store: TestStore, _ key: ObjectKey) throws -> String {
        let value = try #require(try store.attribute(key))
        return try ResidencyTag.parseUnverified(Array(value.prefix { $0 != 10 }).span).keyID.text
    }
}
