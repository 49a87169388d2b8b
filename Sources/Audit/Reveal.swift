internal import DecisionLog
package import OpenSSL
package import Settings

/// Finds names behind pseudonyms, for whoever holds the key: a pseudonym is compared with that of every name that is known, which
/// are those that tokens name and those that the auditor gives.
package final class Reveal {
    enum Finding: Hashable {
        case noKey
        /// The key is held, and the name is none that is known.
        case unknown
        case name([UInt8])
    }

    private struct Place: Hashable {
        let keyID: String
        let field: String
        let bucket: String
        /// What stands before the mailbox in a key of the store.
        let folders: [UInt8]
    }

    private struct Table {
        var names: [String: [UInt8]] = [:]
        /// How many of the known names it holds.
        var count = 0
    }

    /// By id; an id may be that of several datacenters' keys.
    private let keys: [String: [Pseudonymizer]]
    private var known: [[UInt8]] = []
    private var isKnown: Set<[UInt8]> = []
    private var tables: [Place: Table] = [:]
    /// Ids of keys under which a pseudonym was that of its name.
    private var proven: Set<String> = []

    /// - Parameters:
    ///   - keys: pseudonym keys; none for an audit without revealing.
    ///   - names: candidates: mailboxes, keys or prefixes.
    package init(keys: [NamedKey], names: [[UInt8]]) throws(OpenSSLError) {
        var made: [String: [Pseudonymizer]] = [:]
        for key in keys { made[key.id, default: []].append(Pseudonymizer(keyID: key.id, key: HMACKey(key.bytes))) }
        self.keys = made
        for name in names { add(name) }
    }

    /// Takes one more candidate.
    func add(_ name: [UInt8]) { if isKnown.insert(name).inserted { known.append(name) } }

    /// Is the pseudonym that of this value? nil where its key is not held.
    func isPseudonym(_ pseudonym: String, of value: [UInt8], _ field: String, bucket: String) -> Bool? {
        let keyID = Self.keyID(pseudonym)
        let isIt = keys[keyID].map { keys in
            keys.contains { $0.pseudonym(field, bucket: bucket, value) == pseudonym }
        }
        if isIt == true { proven.insert(keyID) }
        return isIt
    }

    /// What may be wrong instead of the log, where a pseudonym is not that of its name.
    func doubt(_ pseudonym: String) -> String {
        let keyID = Self.keyID(pseudonym)
        guard !proven.contains(keyID) else { return "" }
        return "; no pseudonym before it was made by the key given as \(keyID): is that the pseudonym key of this id?"
    }

    func mailbox(_ pseudonym: String, bucket: String) -> Finding { find(pseudonym, "mailbox", bucket, [], Self.itself) }

    func object(_ pseudonym: String, bucket: String) -> Finding { find(pseudonym, "object", bucket, [], Self.itself) }

    /// - Parameter folders: the literal folders of the store's mailbox rule, with their last slash.
    func prefix(_ pseudonym: String, bucket: String, folders: [UInt8]) -> Finding {
        find(pseudonym, "prefix", bucket, folders) { name in
            let slash = [UInt8(ascii: "/")]
            return [name, folders + name, folders + name + slash, name + slash]
        }
    }

    private func find(
        _ pseudonym: String, _ field: String, _ bucket: String, _ folders: [UInt8],
        _ candidates: ([UInt8]) -> [[UInt8]]
    ) -> Finding {
        let keyID = Self.keyID(pseudonym)
        guard let keys = keys[keyID] else { return .noKey }
        let place = Place(keyID: keyID, field: field, bucket: bucket, folders: folders)
        // Taken out while it changes, lest the dictionary be copied.
        var table = tables.removeValue(forKey: place) ?? Table()
        let values = known[table.count...].flatMap(candidates) + (table.names.isEmpty ? [[], folders] : [])
        for value in values {
            for key in keys { table.names[key.pseudonym(field, bucket: bucket, value)] = value }
        }
        table.count = known.count
        defer { tables[place] = table }
        guard let name = table.names[pseudonym] else { return .unknown }
        proven.insert(keyID)
        return .name(name)
    }

    private static func itself(_ name: [UInt8]) -> [[UInt8]] { [name] }

    static func keyID(_ pseudonym: String) -> String { String(pseudonym.prefix { $0 != ":" }) }
}
