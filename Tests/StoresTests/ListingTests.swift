import Foundation
import S3
import TestSupport
import Testing

@testable import Residency
@testable import Stores

/// Listing is in byte order of keys, against a model that sorts and filters.
@Suite struct ListingTests {
    /// One line of a listing.
    private enum Line: Hashable {
        case key([UInt8])
        case prefix([UInt8])
    }

    /// What S3 says a listing is: of all keys in byte order those with the prefix and after the marker, those with a delimiter
    /// after the prefix rolled up, and no prefix that is the marker.
    private func model(_ keys: [ObjectKey], _ query: ListQuery) -> [Line] {
        var lines: [Line] = []
        for key in keys.map(\.utf8).sorted(by: { $0.lexicographicallyPrecedes($1) }) {
            guard key.starts(with: query.prefix) else { continue }
            if let after = query.after, !after.lexicographicallyPrecedes(key) { continue }
            var line = Line.key(key)
            if let delimiter = query.delimiter {
                for at in key.indices where at >= query.prefix.count && key[at...].starts(with: delimiter) {
                    line = .prefix(Array(key[..<(at + delimiter.count)]))
                    break
                }
            }
            if case .prefix(let prefix) = line, prefix == query.after || lines.last == line { continue }
            lines.append(line)
        }
        return lines
    }

    private func lines(_ page: ListPage) -> Set<Line> {
        Set(page.entries.map { .key($0.key.utf8) }).union(page.commonPrefixes.map { .prefix($0) })
    }

    /// One query, as one page and in pages of `keysMax`, each against the model.
    private func check(_ store: TestStore, _ keys: [ObjectKey], _ query: ListQuery) throws {
        let expected = model(keys, query)
        var query = query
        var seen = 0
        for _ in 0...expected.count {
            let page = try store.list(query)
            let count = page.entries.count + page.commonPrefixes.count
            let slice = expected[seen..<min(expected.count, seen + query.keysMax)]
            let ordered =
                page.entries.map(\.key.utf8)
                == slice.compactMap { if case .key(let key) = $0 { key } else { nil } }
                && page.commonPrefixes
                    == slice.compactMap { if case .prefix(let prefix) = $0 { prefix } else { nil } }
            guard ordered, page.isTruncated == (seen + count < expected.count), page.excluded == 0 else {
                let text = { (bytes: [UInt8]?) in bytes.map { String(decoding: $0, as: UTF8.self) } ?? "-" }
                Issue.record(
                    """
                    prefix \(text(query.prefix)) delimiter \(text(query.delimiter)) after \(text(query.after)) \
                    keys \(query.keysMax): \(page.entries.map(\.key)) \(page.commonPrefixes.map { text($0) }) \
                    truncated \(page.isTruncated), expected \(slice) of \(expected.count)
                    """)
                return
            }
            seen += count
            guard page.isTruncated else { break }
            query.after = page.next
        }
        #expect(seen == expected.count)
    }

    @Test func orderOfNeighbours() throws {
        let store = try TestStore()
        let keys = [
            "a", "a-b", "a/", "a/b", "a/b-c", "a/b/c", "a0", "a%", "a%/b", "%", "%25", "..", ".", "../x", "...", "/",
            "//",
            "/a", "é", "e\u{301}", "A", "%bailiwick/x", "%=", "a/%=",
            String(repeating: "x", count: 200), String(repeating: "x", count: 201),
            String(repeating: "x", count: 201) + "/y", String(repeating: "x", count: 200) + "/y",
            String(repeating: "x", count: 500),
        ].map { key($0) }
        for key in keys { try store.put(key, key.utf8) }
        let page = try store.list()
        #expect(page.entries.map(\.key) == keys.sorted())
        #expect(page.entries.allSatisfy { $0.size == Int64($0.key.utf8.count) && $0.lastModifiedSeconds > 0 })
        for entry in page.entries { #expect(entry.etag == (try store.describe(entry.key).etag)) }
        for prefix in ["", "a", "a/", "a/b", "%", "%25", ".", "..", "/", "x", String(repeating: "x", count: 201), "é"] {
            for delimiter in [nil, "/", "-", "%", "//", "/b", "x"] {
                for keysMax in [1, 2, 3, 1000] {
                    try check(
                        store, keys,
                        ListQuery(prefix: bytes(prefix), delimiter: delimiter.map(bytes), keysMax: keysMax))
                }
            }
        }
    }

    /// Random sets of keys that change between listings: order, prefix, delimiter, marker and paging, and a cache that is never
    /// behind a PUT or DELETE.
    @Test(arguments: [1, 2, 3, 4] as [UInt64])
    func randomKeysAndQueries(_ seed: UInt64) throws {
        let store = try TestStore()
        var generator = SeededGenerator(seed)
        var keys: Set<ObjectKey> = []
        func randomBytes() -> [UInt8] {
            let parts = [
                "a", "b", "a", "a-b", "a.b", "%", "..", ".", "", "%=", "%+", "é", "+", "%bailiwick", "/", "0",
                String(repeating: "y", count: 201),
            ]
            var parts2: [String] = []
            for _ in 0..<Int.random(in: 1...4, using: &generator) {
                parts2.append(parts.randomElement(using: &generator)!)
            }
            return bytes(parts2.joined(separator: Bool.random(using: &generator) ? "/" : ""))
        }
        for _ in 0..<8 {
            for _ in 0..<12 {
                guard let key = ObjectKey(utf8: randomBytes()) else { continue }
                #expect(try store.put(key, [1]).replaced == !keys.insert(key).inserted)
            }
            for _ in 0..<4 {
                guard let key = keys.sorted().randomElement(using: &generator) else { continue }
                #expect(try store.delete(key))
                keys.remove(key)
            }
            try check(store, Array(keys), ListQuery())
            for _ in 0..<20 {
                let delimiters: [[UInt8]?] = [
                    nil, bytes("/"), bytes("/"), bytes("-"), bytes("a"), bytes("//"), bytes("%"),
                ]
                let prefix = Bool.random(using: &generator) ? [] : randomBytes()
                let somewhere = keys.sorted().randomElement(using: &generator)?.utf8 ?? []
                let after: [[UInt8]?] = [nil, nil, randomBytes(), somewhere, somewhere + bytes("/")]
                try check(
                    store, Array(keys),
                    ListQuery(
                        prefix: prefix, delimiter: delimiters.randomElement(using: &generator)!,
                        after: after.randomElement(using: &generator)!,
                        keysMax: [1, 2, 5, 1000].randomElement(using: &generator)!))
            }
        }
    }

    /// A folder that has rested is remembered; the first change after that shows at once, whoever made it, in the folder of
    /// a split component as well.
    @Test(arguments: ["f/", "f", "", String(repeating: "y", count: 201), "f/" + String(repeating: "y", count: 300)])
    func theCacheIsNeverStale(_ prefix: String) throws {
        let store = try TestStore()
        func name(_ number: Int) -> ObjectKey { key("\(prefix)\(number)") }
        try store.put(name(0), [])
        for round in 1...6 {
            // No sleeping: listings until the folder has rested for long enough to be kept.
            let start = ContinuousClock.now
            while ContinuousClock.now - start < .nanoseconds(2 * StoreLimits.restNanosecondsMin) {
                #expect(try store.list().entries.map(\.key) == [name(round - 1)])
            }
            try store.put(name(round), [])
            #expect(try store.list().entries.count == 2)
            if round % 2 == 0 {
                try store.delete(name(round - 1))
            } else {
                #expect(unlink(store.file(name(round - 1))) == 0)
            }
            #expect(try store.list().entries.map(\.key) == [name(round)])
            // The folder itself goes and comes back.
            try store.delete(name(round))
            #expect(try store.list().entries.isEmpty)
            try store.put(name(round), [])
            #expect(try store.list().entries.map(\.key) == [name(round)])
        }
    }

    /// The cache alone, with changes right after it took a folder in.
    @Test func theCacheKeepsAndForgets() throws {
        let sandbox = try Sandbox("cache")
        let cache = SortedFolderCache(bytesMax: 1 << 20)
        func read() throws -> SortedFolder { try cache.folder(bytes("x"), try openRoot(sandbox.path)) }
        try sandbox.write("a", "")
        let start = ContinuousClock.now
        while cache.keptCount == 0 {
            _ = try read()
            try #require(ContinuousClock.now - start < .seconds(10), "a folder that rests is kept")
        }
        for number in 0..<200 {
            try sandbox.write("b\(number)", "")
            #expect(try read().count == number + 2)
        }
    }

    /// What is listed while others change it: every key that stays is there each time, in order, and once.
    @Test func whileOthersChange() throws {
        let store = try TestStore()
        let staying = ["a", "a/b", "m/1", "m/2", "m/3", "z"].map { key($0) }
        for key in staying { try store.put(key, [1]) }
        let errors = inParallel([
            {
                for round in 0..<60 {
                    for name in ["a/c", "b", "m/1/x", "m"] { try store.put(key(name), [UInt8(round)]) }
                    for name in ["a/c", "b", "m/1/x", "m"] { try store.delete(key(name)) }
                }
            },
            {
                for _ in 0..<200 {
                    let listed = try store.list().entries.map(\.key)
                    guard listed == listed.sorted(), Set(listed).count == listed.count else {
                        throw TestFailure("not in order: \(listed)")
                    }
                    guard Set(listed).isSuperset(of: staying) else { throw TestFailure("keys are missing: \(listed)") }
                }
            },
        ])
        #expect(errors.isEmpty, "\(errors)")
    }

    /// Pages so long that several threads look at their objects: order, ends, a subfolder between, and what is left out or gone.
    @Test(arguments: [63, 64, 65, 100, 250, 1000])
    func longPages(keysMax: Int) throws {
        let store = try TestStore()
        var keys = (0..<300).map { key("f/\($0)") } + [key("f/15x/a"), key("f/2"), key("e"), key("g")]
        keys = Array(Set(keys))
        for key in keys { try store.put(key, [1]) }
        for prefix in ["", "f/", "f/1"] {
            for delimiter in [nil, "/"] {
                let query = ListQuery(
                    prefix: bytes(prefix), delimiter: delimiter.map { bytes($0) }, after: nil, keysMax: keysMax)
                try check(store, keys, query)
            }
        }
        // Every third is no object of ours: left out and counted, and the page still filled.
        for number in stride(from: 0, to: 300, by: 3) {
            #expect(unlink(store.file(key("f/\(number)"))) == 0)
            try store.plant(key("f/\(number)"), [1])
        }
        var shown: [ObjectKey] = []
        var excluded = 0
        var query = ListQuery(prefix: bytes("f/"), keysMax: keysMax)
        repeat {
            let page = try store.list(query)
            shown += page.entries.map(\.key)
            excluded += page.excluded
            query.after = page.isTruncated ? page.next : nil
        } while query.after != nil
        let expected = keys.filter { key in
            let name = key.description
            guard name.hasPrefix("f/") else { return false }
            return Int(name.dropFirst(2)).map { $0 % 3 != 0 } ?? true
        }
        #expect(shown == expected.sorted())
        #expect(excluded >= 100)
    }

    @Test func pagesOfNothing() throws {
        let store = try TestStore()
        #expect(try store.list() == ListPage())
        try store.put(key("a"), [])
        #expect(try store.list(ListQuery(keysMax: 0)) == ListPage())
        #expect(try store.list(ListQuery(prefix: bytes("b"))).entries.isEmpty)
        #expect(try store.list(ListQuery(after: bytes("a"))).entries.isEmpty)
    }

    /// What may not be shown is left out and counted, and stands for no common prefix.
    @Test func withheldEntries() throws {
        let store = try TestStore()
        for name in ["a/1", "b/1", "c"] { try store.plant(key(name), [1]) }
        for name in ["b/2", "d"] { try store.put(key(name), [1]) }
        let page = try store.list(ListQuery(delimiter: bytes("/")))
        #expect(page.commonPrefixes == [bytes("b/")])
        #expect(page.entries.map(\.key) == [key("d")])
        #expect(page.excluded == 3)
        let all = try store.list()
        #expect(all.entries.map(\.key) == [key("b/2"), key("d")] && all.excluded == 3)
    }
}
