package import JSON
package import Residency

/// Which entries somebody asks for. What is not set does not matter; all that is set must hold.
package struct EntryFilter: Sendable {
    /// Times are not looked at here: they choose the range of indexes.
    package var from: Timestamp?
    package var to: Timestamp?
    package var kind: String?
    package var principal: String?
    package var store: String?
    package var reason: String?
    package var decision: String?
    /// The object's jurisdiction, or one whose border was crossed.
    package var jurisdiction: String?
    /// A token's SHA-256 or `jti`.
    package var authorization: String?
    package var mailbox: HiddenName?
    package var object: HiddenName?
    private var searches: [ByteSearch]?

    package init() {}

    /// The entries to look at: those between the two times.
    package func cursor(_ reader: LogReader) throws(LogFault) -> LogCursor {
        let first = try from.map { time throws(LogFault) in try reader.firstIndex(notBefore: time) } ?? 0
        let end = try to.map { time throws(LogFault) in try reader.firstIndex(notBefore: time) } ?? .max
        return LogCursor(reader, from: first, to: end)
    }

    /// The entry, parsed, when it is one of those that were asked for.
    /// - Throws: for one that may be and that nobody can read: left out, it would be in the log and in no answer.
    package mutating func match(_ logged: LoggedEntry) throws(LogFault) -> JSONObject? {
        guard mayMatch(logged.line) else { return nil }
        guard let entry = (try? JSONValue(parsing: logged.line))?.object else {
            throw LogFault(
                index: logged.index, file: TilePath(.entries, index: logged.index / 256).path, what: "is no entry")
        }
        func equals(_ wanted: String?, _ name: String) -> Bool { wanted == nil || entry[name]?.string == wanted }
        guard equals(kind, "kind"), equals(principal, "principal"), equals(store, "store"), equals(reason, "reason"),
            equals(decision, "decision")
        else { return nil }
        if let jurisdiction, entry["jurisdiction"]?.string != jurisdiction {
            guard (entry["crossed"]?.array ?? []).contains(where: { $0.string == jurisdiction }) else { return nil }
        }
        if let authorization {
            let isUnder = (entry["authorizations"]?.array ?? []).contains {
                $0.object?["sha256"]?.string == authorization || $0.object?["jti"]?.string == authorization
            }
            guard isUnder else { return nil }
        }
        guard mailbox?.matches(entry) ?? true, object?.matches(entry) ?? true else { return nil }
        return entry
    }

    /// Parsing costs ten times as much as looking for a text that must be there.
    private mutating func mayMatch(_ line: [UInt8]) -> Bool {
        let searches = searches ?? makeSearches()
        self.searches = searches
        return searches.allSatisfy { $0.isIn(line) }
    }

    private func makeSearches() -> [ByteSearch] {
        [kind, principal, store, reason, decision, jurisdiction, authorization].compactMap { text in
            // What JSON might write in more than one way is left to the parser.
            guard let text, text.utf8.allSatisfy({ (0x20..<0x7F).contains($0) && $0 != 0x22 && $0 != 0x5C }) else {
                return nil
            }
            return ByteSearch(Array("\"\(text)\"".utf8))
        }
    }
}

/// A mailbox or an object as an entry names it: a pseudonym as it stands in the log, or a real name and the keys that may have hidden it.
package struct HiddenName: Sendable {
    private let field: String
    private let name: String
    private let keys: [Pseudonymizer]
    /// The pseudonyms of `name`, by bucket: the bucket is hashed too.
    private var known: [String: Set<String>] = [:]

    /// - Parameters:
    ///   - field: `mailbox` or `object`.
    ///   - keys: none to take `name` for the pseudonym itself.
    package init(_ field: String, _ name: String, keys: [Pseudonymizer]) {
        self.field = field
        self.name = name
        self.keys = keys
    }

    mutating func matches(_ entry: JSONObject) -> Bool {
        guard let logged = entry[field]?.string else { return false }
        guard !keys.isEmpty else { return logged == name }
        guard let bucket = entry["store"]?.string else { return false }
        if known[bucket] == nil {
            known[bucket] = Set(keys.map { $0.pseudonym(field, bucket: bucket, Array(name.utf8)) })
        }
        return known[bucket]?.contains(logged) ?? false
    }
}
