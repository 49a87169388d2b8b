import JSON
import NIOPosix
import Synchronization
import Testing
import Tokens

@testable import Gateway
@testable import OpenSSL

@Suite struct KeyTablesTests {
    /// One thread, so that jobs end in the order in which they were submitted.
    let pool = NIOThreadPool(numberOfThreads: 1)

    func registry(_ issuers: [(id: String, keys: [PublicKey])]) throws -> IssuerRegistry {
        let made = try issuers.map { id, keys in
            let set = JSONValue.object([
                "keys": .array(keys.enumerated().map { number, key in key.jwk(keyID: "\(number)") })
            ])
            return Issuer(id: id, jurisdictions: [], keys: try KeySet(parsing: set.utf8Text))
        }
        return try #require(IssuerRegistry(made))
    }

    func keys(_ algorithms: SignatureAlgorithm...) throws -> [PublicKey] {
        try algorithms.map { try PrivateKey(generating: $0).publicKey }
    }

    /// Makes tables until `count` keys were asked for, and returns when the last job is over.
    func make(_ tables: KeyTables, count: Int) async {
        let asked = Mutex(0)
        await withCheckedContinuation { done in
            tables.make(on: pool) { [pool] in
                asked.withLock { asked in
                    asked += 1
                    // Behind the job that asks.
                    if asked == count { pool.submit { _ in done.resume() } }
                    return asked <= count
                }
            }
        }
    }

    @Test func everyES256KeyOfEveryIssuerGetsOne() async throws {
        pool.start()
        let registry = try registry([
            ("https://b.example", try keys(.es256, .ed25519)), ("https://a.example", try keys(.es384, .es256, .es256)),
        ])
        let tables = KeyTables(registry, reusing: nil)
        #expect(tables.keys.count == 3)
        await make(tables, count: 3)
        for issuer in registry.all {
            for key in issuer.keys.all { #expect((key.table != nil) == (key.algorithm == .es256)) }
        }
        try await pool.shutdownGracefully()
    }

    @Test func anEqualKeyOfTheNextSnapshotSharesIt() async throws {
        pool.start()
        let (kept, new) = (try keys(.es256, .es256), try keys(.es256))
        let first = KeyTables(try registry([("https://a.example", kept)]), reusing: nil)
        await make(first, count: 2)
        let next = KeyTables(
            try registry([("https://a.example", new), ("https://b.example", kept)]), reusing: first)
        #expect(next.keys[0].table == nil)
        for (key, earlier) in zip(next.keys.dropFirst(), first.keys) {
            #expect(key !== earlier && key.table != nil && key.table === earlier.table)
        }
        try await pool.shutdownGracefully()
    }

    @Test func itEndsBetweenTwoKeysOnceNobodyWantsIt() async throws {
        pool.start()
        let tables = KeyTables(
            try registry([("https://a.example", try keys(.es256, .es256, .es256))]), reusing: nil)
        await make(tables, count: 1)
        try await pool.shutdownGracefully()
        #expect(tables.keys.map { $0.table != nil } == [true, false, false])
        // A pool that has stopped makes none.
        tables.make(on: pool) { true }
        #expect(tables.keys[1].table == nil)
    }

    @Test func aBoundedNumberOfKeysGetsOne() throws {
        let set = try (0..<3).map { ("https://\($0).example", try (0..<64).flatMap { _ in try keys(.es256) }) }
        #expect(KeyTables(try registry(set), reusing: nil).keys.count == Limits.keyTablesMax)
    }
}
