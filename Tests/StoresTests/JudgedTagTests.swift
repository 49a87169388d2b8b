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

    /// What the look-up of an object's file gives once the file has rested: the second one finds what the first one kept.
    private func judgedTwice(_ key: ObjectKey) throws -> (first: JudgedTag, second: JudgedTag) {
        let deadline = ContinuousClock.now + .seconds(20)
        while ContinuousClock.now < deadline {
            let tags = try (0..<2).map { _ in try #require(try store.store.locateCached(key)?.file?.tag) }
            if tags[1] === (try store.store.locateCached(key)?.file?.tag) { return (tags[0], tags[1]) }
            usleep(5000)
        }
        Issue.record("nothing was kept")
        throw CancellationError()
    }

    @Test func isJudgedOnceWhileTheFileRests() throws {
        let name = key("alice/1")
        try store.put(name, bytes("content"))
        let (_, kept) = try judgedTwice(name)
        #expect(kept === (try store.store.locateCached(name)?.file?.tag))
        #expect(try store.get(name) == bytes("content"))
    }

    @Test func isJudgedAgainWhenItsAttributeIsAnother() throws {
        let name = key("alice/1")
        try store.put(name, bytes("content"))
        _ = try judgedTwice(name)
        var attribute = try #require(try store.attribute(name))
        attribute[attribute.count - 1] ^= 1
        try store.setAttribute(attribute, name)
        let found = try #require(try store.store.locateCached(name))
        #expect(found.state == .tagInvalid)
    }

    @Test func isJudgedAgainUnderAnotherName() throws {
        let (name, other) = (key("alice/1"), key("alice/2"))
        try store.put(name, bytes("content"))
        _ = try judgedTwice(name)
        // A rename changes the time of change; a look under the name that the seal does not bind must fail whatever the time says.
        try FileManager.default.moveItem(atPath: store.file(name), toPath: store.path + "/alice/2")
        let found = try #require(try store.store.locateCached(other))
        #expect(found.state == .tagInvalid)
    }

    @Test func isJudgedAgainWhenTheContentIsAnother() throws {
        let name = key("alice/1")
        try store.put(name, bytes("content"))
        _ = try judgedTwice(name)
        try Data(bytes("longer content")).write(to: URL(fileURLWithPath: store.file(name)), options: [])
        let found = try #require(try store.store.locateCached(name))
        #expect(found.state == .tagInvalid)
    }

    @Test func anotherKeyringJudgesAgain() throws {
        let name = key("alice/1")
        try store.put(name, bytes("content"))
        _ = try judgedTwice(name)
        let reconfigured = store.store.reconfigured(TestStore.configuration(keyring: keyring(dublin: ["other"])))
        let found = try #require(try reconfigured.locateCached(name))
        #expect(found.state == .tagInvalid)
    }
}
