import Foundation
import Glibc
import NIOPosix
import S3
import TestSupport
import Testing

@testable import Stores

/// What the daemon's user may not open, such as the `lost+found` of a file system whose root a store is, hides nothing beside it.
@Suite struct DeniedTests {
    private let store: TestStore
    private let pool = NIOThreadPool(numberOfThreads: 1)

    /// A store whose thread is of a user who may not open everything: root may.
    init() throws {
        pool.start()
        store = try TestStore(pool: pool)
        for name in ["m/1", "m/2", "z"] { try store.put(key(name), [1]) }
        for name in ["lost+found", "m/denied"] {
            try FileManager.default.createDirectory(atPath: store.path + "/" + name, withIntermediateDirectories: false)
            try #require(chmod(store.path + "/" + name, 0) == 0)
        }
        try store.plant(key("m/3"), [])
        try #require(chmod(store.file(key("m/3")), 0) == 0)
        guard geteuid() == 0 else { return }
        let nobody: UInt32 = 65_534
        for name in ["", "%bailiwick", "%bailiwick/side", "m", "m/1", "m/2", "z"] {
            try #require(chown(store.path + "/" + name, nobody, nobody) == 0)
        }
        let done = DispatchSemaphore(value: 0)
        pool.submit { _ in
            _ = setFileSystemUser(nobody)
            done.signal()
        }
        done.wait()
    }

    @Test(arguments: [nil, "/"]) func aListingLeavesItOut(_ delimiter: String?) throws {
        let page = try store.list(ListQuery(delimiter: delimiter.map { bytes($0) }))
        let shown = delimiter == nil ? ["m/1", "m/2", "z"] : ["z"]
        #expect(page.entries.map(\.key) == shown.map { key($0) })
        #expect(page.commonPrefixes == (delimiter == nil ? [] : [bytes("m/")]))
        // Of the folder `lost+found` the object that it may have; of `m` its folder likewise, and its file.
        #expect(page.excluded == (delimiter == nil ? 3 : 1))
        #expect(!page.isTruncated)
        try pool.syncShutdownGracefully()
    }

    @Test func aScanTellsOfItButForLostAndFound() throws {
        let found = try store.scan()
        #expect(found.findings.map(\.name) == [bytes("m/3"), bytes("m/denied")])
        #expect(found.findings.allSatisfy { $0.problem == .unreadable(code: EACCES) })
        #expect(found.summary.objects == 3)
        try pool.syncShutdownGracefully()
    }

    /// A folder that may be listed and not entered: the names are there, and nothing behind them may pass for well.
    @Test func aScanTellsOfNamesThatItCannotLookAt() throws {
        try #require(chmod(store.path + "/m", 0o600) == 0)
        let found = try store.scan()
        #expect(found.findings.map(\.name) == ["m/1", "m/2", "m/3", "m/denied"].map { bytes($0) })
        #expect(found.findings.allSatisfy { "\($0)".hasSuffix(": cannot be read: Permission denied") })
        #expect(found.summary.objects == 1 && found.summary.problems == 4)
        try pool.syncShutdownGracefully()
    }

    /// One that cannot be read is there: a mail server that was told otherwise would take it for gone.
    @Test func aLookUpFails() throws {
        #expect(throws: StoreError.system(call: "openat2", code: EACCES)) {
            try store.store.locate(key("m/3"), on: pool)
        }
        try pool.syncShutdownGracefully()
    }
}

extension DirectoryStore {
    fileprivate func locate(_ key: ObjectKey, on pool: NIOThreadPool) throws {
        let (result, done) = (Collected<StoreError?>(), DispatchSemaphore(value: 0))
        pool.submit { _ in
            do throws(StoreError) {
                _ = try locate(key)
                result.append(nil)
            } catch { result.append(error) }
            done.signal()
        }
        done.wait()
        if let error = result.values[0] { throw error }
    }
}

/// setfsuid(2): of the calling thread alone, which loses root's way past permissions with it.
@_silgen_name("setfsuid") private func setFileSystemUser(_ user: UInt32) -> Int32
