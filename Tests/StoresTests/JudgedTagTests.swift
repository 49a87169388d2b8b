import Foundation
import S3
import TestSupport
import Testing

@testable import Residency
@testable import Stores

/// A tag is judged once as long as its file stays as it was, and again after whatever changes it.
@Suite struct JudgedTagTests {
    private let store: TestStore

    init() throws { store = try TestStore() }

    /// Looks an object up until its file has rested and what was judged is known again.
    private func judgedAndKept(_ key: ObjectKey) throws -> JudgedTag {
        let deadline = ContinuousClock.now + .seconds(20)
        while ContinuousClock.now < deadline {
            let tag = try #require(try store.store.locateCached(key, in: LookupRound())?.file?.tag)
            if tag === (try store.store.locateCached(key, in: LookupRound())?.file?.tag) { return tag }
            usleep(5000)
        }
        throw NothingKept()
    }

    private struct NothingKept: Error {}

    @Test func isJudgedOnceWhileTheFileRests() throws {
        let name = key("alice/1")
        try store.put(name, bytes("content"))
        let kept = try judgedAndKept(name)
        #expect(kept === (try store.store.locateCached(name, in: LookupRound())?.file?.tag))
        #expect(try store.get(name) == bytes("content"))
    }

    @Test func isJudgedAgainWhenItsAttributeIsAnother() throws {
        let name = key("alice/1")
        try store.put(name, bytes("content"))
        _ = try judgedAndKept(name)
        var attribute = try #require(try store.attribute(name))
        attribute[attribute.count - 1] ^= 1
        try store.setAttribute(attribute, name)
        let found = try #require(try store.store.locateCached(name, in: LookupRound()))
        #expect(found.state == .tagInvalid)
    }

    /// Held against the cache alone: a rename changes the time of change too, on every file system that we know.
    @Test func isKnownUnderTheNameThatItsSealBindsAlone() throws {
        let (file, cache) = (try file("alice/1"), JudgedTags(count: 1))
        cache.keep(file, binding: bytes("alice/1"), now: later(file, nanoseconds: 20_000_000))
        #expect(cache.tag(of: file.status, binding: bytes("alice/1")) != nil)
        #expect(cache.tag(of: file.status, binding: bytes("alice/2")) == nil)
    }

    /// A change within a tick of the kernel's clock leaves the same time of change.
    @Test func isNotKeptBeforeTheFileHasRested() throws {
        let (file, cache) = (try file("alice/1"), JudgedTags(count: 1))
        cache.keep(file, binding: bytes("alice/1"), now: later(file, nanoseconds: 19_999_999))
        #expect(cache.tag(of: file.status, binding: bytes("alice/1")) == nil)
    }

    @Test func isNotKeptUnlessItsSealIsSound() throws {
        let name = key("alice/1")
        try store.put(name, bytes("content"))
        try store.setAttribute(bytes("nonsense"), name)
        let (file, cache) = (try #require(try store.locate(name).file), JudgedTags(count: 1))
        cache.keep(file, binding: name.utf8, now: later(file, nanoseconds: 1_000_000_000))
        #expect(cache.tag(of: file.status, binding: name.utf8) == nil)
    }

    private func file(_ name: String) throws -> ObjectFile {
        try store.put(key(name), bytes("content"))
        return try #require(try store.locate(key(name)).file)
    }

    private func later(_ file: ObjectFile, nanoseconds: Int64) -> FileTime {
        file.status.changed.later(nanoseconds: nanoseconds)
    }

    @Test func isJudgedAgainWhenTheContentIsAnother() throws {
        let name = key("alice/1")
        try store.put(name, bytes("content"))
        _ = try judgedAndKept(name)
        try Data(bytes("longer content")).write(to: URL(fileURLWithPath: store.file(name)), options: [])
        let found = try #require(try store.store.locateCached(name, in: LookupRound()))
        #expect(found.state == .tagInvalid)
    }

    @Test func anotherKeyringJudgesAgain() throws {
        let name = key("alice/1")
        try store.put(name, bytes("content"))
        _ = try judgedAndKept(name)
        let reconfigured = store.store.reconfigured(TestStore.configuration(keyring: keyring(dublin: ["other"])))
        let found = try #require(try reconfigured.locateCached(name, in: LookupRound()))
        #expect(found.state == .tagInvalid)
    }
}
