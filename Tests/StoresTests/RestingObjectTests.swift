import Foundation
import Glibc
import S3
import TestSupport
import Testing

@testable import Residency
@testable import Stores

/// An object that is kept open is found as a walk down its path would find it, whatever happened to the file or to a folder on the way.
@Suite struct RestingObjectTests {
    private let store: TestStore
    private let name = key("alice/inbox/1")

    init() throws {
        store = try TestStore()
        try store.put(name, bytes("content"))
    }

    private struct NothingKept: Error {}

    /// Looks an object up until it and its folders have rested and it is kept open.
    @discardableResult
    private func keptOpen(_ key: ObjectKey) throws -> Located {
        let deadline = ContinuousClock.now + .seconds(20)
        while ContinuousClock.now < deadline {
            // What the kernel has not in memory, or loses a race for, is nil.
            if let found = try locateCached(key), found === (try locateCached(key)) {
                return found
            }
            usleep(5000)
        }
        throw NothingKept()
    }

    private func locateCached(_ key: ObjectKey) throws -> Located? {
        try store.store.locateCached(key, in: LookupRound())
    }

    private func content(_ key: ObjectKey) throws -> [UInt8]? {
        let located = try store.locate(key)
        return located.state == .absent ? nil : try store.read(try store.open(located))
    }

    private func path(_ name: String) -> String { store.path + "/" + name }

    @Test func isTheSameWhileNothingChanges() throws {
        let kept = try keptOpen(name)
        #expect(try store.locate(name) === kept)
        #expect(try content(name) == bytes("content"))
    }

    /// All that a round looks up had been asked for when it began: what changes while it goes on comes after.
    @Test func isAskedForOnceInARound() throws {
        let round = LookupRound()
        let kept = try keptOpen(name)
        #expect(try store.locate(name, in: round) === kept)
        #expect(unlink(store.file(name)) == 0)
        #expect(try store.locate(name, in: round) === kept)
        #expect(try store.locate(name).state == .absent)
    }

    @Test func itsFoldersAreAskedForOnceInARound() throws {
        // What is swept between the two, once a second, they do not share.
        for attempt in 1...5 {
            let (one, other) = (key("alice/inbox-\(attempt)/1"), key("alice/inbox-\(attempt)/2"))
            for key in [one, other] { try store.put(key, bytes("mail")) }
            let (kept, otherKept) = (try keptOpen(one), try keptOpen(other))
            let round = LookupRound()
            let found = try store.locate(one, in: round)
            #expect(rename(path("alice/inbox-\(attempt)"), path("elsewhere-\(attempt)")) == 0)
            let otherFound = try store.locate(other, in: round)
            #expect(try store.locate(other).state == .absent)
            #expect(try store.locate(one).state == .absent)
            if found === kept, otherFound === otherKept { return }
        }
        Issue.record("five times it was asked for more than once in a round")
    }

    @Test func isAnotherOnceItIsReplaced() throws {
        try keptOpen(name)
        try store.put(name, bytes("other content"))
        #expect(try content(name) == bytes("other content"))
    }

    @Test func isGoneOnceItIsRemoved() throws {
        try keptOpen(name)
        #expect(unlink(store.file(name)) == 0)
        #expect(try content(name) == nil)
    }

    @Test func isGoneOnceItsFileHasAnotherName() throws {
        try keptOpen(name)
        #expect(rename(store.file(name), path("alice/inbox/2")) == 0)
        #expect(try content(name) == nil)
    }

    @Test(arguments: ["alice/inbox", "alice"]) func isGoneOnceAFolderOnTheWayHasAnotherName(_ folder: String) throws {
        try keptOpen(name)
        #expect(rename(path(folder), path("elsewhere")) == 0)
        #expect(try content(name) == nil)
    }

    @Test(arguments: ["alice/inbox", "alice"]) func isAnotherOnceAFolderOnTheWayIs(_ folder: String) throws {
        let other = key("bob/inbox/1")
        try store.put(other, bytes("sealed for another key"))
        try keptOpen(name)
        #expect(rename(path(folder), path("elsewhere")) == 0)
        #expect(rename(path(folder.replacing("alice", with: "bob")), path(folder)) == 0)
        #expect(try store.locate(name).state == .tagInvalid)
    }

    @Test func isNotFoundByWayOfASymbolicLink() throws {
        try keptOpen(name)
        #expect(rename(path("alice"), path("elsewhere")) == 0)
        #expect(symlink("elsewhere", path("alice")) == 0)
        #expect(try content(name) == nil)
    }

    @Test func isJudgedAgainWhenItsAttributeIsAnother() throws {
        try keptOpen(name)
        try store.setAttribute(bytes("nonsense"), name)
        #expect(try store.locate(name).state == .tagInvalid)
    }

    /// Another object in the folder changes its time: the way is walked again, and leads to the same file.
    @Test func isLookedForAgainWhenItsFolderChanges() throws {
        let kept = try keptOpen(name)
        try store.put(key("alice/inbox/2"), bytes("next"))
        let found = try store.locate(name)
        #expect(found !== kept)
        #expect(found.file?.status.identity == kept.file?.status.identity)
        #expect(try keptOpen(name) !== kept)
    }

    /// A folder that changed within a tick of the kernel's clock might change again and keep its time.
    @Test(arguments: [(Int64(19_999_999), 0), (20_000_000, 1)])
    func isNotKeptBeforeItsFoldersHaveRested(nanoseconds: Int64, count: Int) throws {
        let (located, objects) = (try keptOpen(name), RestingObjects(count: 1))
        try store.put(key("alice/inbox/2"), bytes("next"))
        keep(located, in: objects, now: try lastChange().later(nanoseconds: nanoseconds))
        #expect(objects.count == count)
        #expect((objects.object(name, in: LookupRound()) === located) == (count == 1))
    }

    @Test func isNotKeptWhereItsNameIsAnothers() throws {
        let (located, objects) = (try keptOpen(name), RestingObjects(count: 1))
        #expect(rename(store.file(name), path("alice/inbox/2")) == 0)
        keep(located, in: objects, now: try lastChange().later(nanoseconds: 1_000_000_000))
        #expect(objects.count == 0)
    }

    @Test func isKeptForTwoSweeps() throws {
        let (located, objects) = (try keptOpen(name), RestingObjects(count: 1))
        keep(located, in: objects, now: try lastChange().later(nanoseconds: 1_000_000_000))
        objects.sweep()
        #expect(objects.object(name, in: LookupRound()) === located)
        objects.sweep()
        #expect(objects.count == 0)
    }

    private func keep(_ located: Located, in objects: RestingObjects, now: FileTime) {
        objects.keep(located, path: bytes("alice/inbox/1"), below: store.store.root.folder, now: now)
    }

    /// When the last of the folders on the way changed.
    private func lastChange() throws -> FileTime {
        try ["", "alice", "alice/inbox"].map { try store.store.root.openFolder(bytes($0)).status().changed }.max()!
    }

    /// As a gateway calls it: what somebody removed gives its blocks back without anybody's asking.
    @Test func isClosedByItself() throws {
        let kept = try keptOpen(name)
        #expect(try store.locate(name) === kept)
        let deadline = ContinuousClock.now + .seconds(20)
        while store.store.resting.count > 0, ContinuousClock.now < deadline { usleep(50_000) }
        #expect(store.store.resting.count == 0)
    }

    @Test func isClosedAtOnceWhenTheStoreRemovesOrReplacesIt() throws {
        try keptOpen(name)
        try store.put(name, bytes("other content"))
        #expect(store.store.resting.count == 0)
        try keptOpen(name)
        #expect(try store.delete(name))
        #expect(store.store.resting.count == 0)
    }

    @Test func takesAShareOfTheDescriptorsThatAProcessMayHave() {
        #expect(RestingObjects.count(descriptorsMax: 65_536) == 1024)
        #expect(RestingObjects.count(descriptorsMax: 1024) == 32)
        #expect(RestingObjects.count(descriptorsMax: 40) == 1)
        #expect(RestingObjects.count(descriptorsMax: .max) == 1024)
    }
}
