package import JSON
internal import OpenSSL
internal import Residency

/// Why a line is no decision entry.
package enum EntryError: Error, Hashable, Sendable, CustomStringConvertible {
    case json(JSONError)
    /// A field that is missing, out of its place or of another form.
    case field(String)
    /// Read and written again, it is not the same bytes.
    case notCanonical

    package var description: String {
        switch self {
        case .json(let error): "is not strict JSON: \(error)"
        case .field(let name): "its field \(name) is missing, out of place or malformed"
        case .notCanonical: "is not as the log writes it"
        }
    }
}

extension DecisionEntry {
    /// Reads a line as strictly as it is written: all fields of DESIGN section 7, in their order, in their one form.
    package init(parsing line: [UInt8]) throws(EntryError) {
        let value: JSONValue
        do throws(JSONError) { value = try JSONValue(parsing: line, bytesMax: Self.bytesMax) } catch {
            throw .json(error)
        }
        guard let members = value.object else { throw .field("kind") }
        var fields = EntryFields(members)
        try fields.expect("kind", "decision")
        guard try fields.integer("v") == 1 else { throw .field("v") }
        let time = try fields.required("time") { Timestamp(rfc3339: $0) }
        let gateway = try fields.required("gateway") { GatewayName($0) }
        let request = try fields.required("request") { $0 }
        let isAllowed = try fields.required("decision") { ["allow": true, "refuse": false][$0] }
        let reason = try fields.required("reason") { Reason(rawValue: $0) }
        guard reason.allows == isAllowed else { throw .field("decision") }
        let operation = try fields.required("operation") { Operation(rawValue: $0) }
        let data = try fields.required("data") { EntryData(rawValue: $0) }
        guard let (access, hasEntityTagCondition) = data.meaning(of: operation) else { throw .field("data") }
        let principal = try fields.optional("principal") { PrincipalName($0) }
        let office = try fields.optional("office") { DatacenterName($0) }
        let location = try fields.optional("location") { DatacenterName($0) }
        let address = try fields.required("address") { $0 }
        let certificate = try fields.optional("certificate", Self.digest)
        let store = try fields.optional("store") { BucketName($0) }
        let pseudonyms = (
            mailbox: try fields.optional("mailbox") { $0 }, object: try fields.optional("object") { $0 },
            prefix: try fields.optional("prefix") { $0 }
        )
        let size = try fields.optionalInteger("size")
        let etag = try fields.optional("etag") { $0 }
        let datacenter = try fields.optional("datacenter") { DatacenterName($0) }
        let jurisdiction = try fields.optional("jurisdiction") { Jurisdiction($0) }
        let received = try fields.optionalInteger("received")
        let crossed = try fields.array("crossed") { $0.string.flatMap { Jurisdiction($0) } }
        let isMisplaced = try fields.bool("misplaced")
        let authorizations = try fields.authorizations("authorizations")
        let policy = try fields.required("policy") { text in Self.digest(text).map { Hex.encode($0) } }
        try fields.finish()
        self.init(
            time: time, gateway: gateway, request: request, reason: reason, operation: operation, access: access,
            address: address, policy: policy)
        self.hasEntityTagCondition = hasEntityTagCondition
        (self.principal, self.office, self.location) = (principal, office, location)
        (self.certificate, self.store) = (certificate, store)
        (mailbox, object, prefix) = (pseudonyms.mailbox, pseudonyms.object, pseudonyms.prefix)
        (self.size, self.etag, self.datacenter) = (size, etag, datacenter)
        (self.jurisdiction, receivedSeconds) = (jurisdiction, received)
        (self.crossed, self.isMisplaced) = (crossed, isMisplaced)
        self.authorizations = authorizations
        var again: [UInt8] = []
        append(to: &again)
        guard again == line else { throw .notCanonical }
    }

    fileprivate static func digest(_ text: String) -> [UInt8]? {
        Hex.decode(text).flatMap { $0.count == 32 ? $0 : nil }
    }
}

/// An entry's fields, taken one after the other.
private struct EntryFields {
    private var rest: ArraySlice<(name: JSONString, value: JSONValue)>

    init(_ object: JSONObject) { rest = object.members[...] }

    private mutating func take(_ name: String) throws(EntryError) -> JSONValue {
        guard let next = rest.first, next.name.utf8.elementsEqual(name.utf8) else { throw .field(name) }
        rest = rest.dropFirst()
        return next.value
    }

    func finish() throws(EntryError) { if let more = rest.first { throw .field(more.name.text) } }

    mutating func expect(_ name: String, _ text: String) throws(EntryError) {
        guard try take(name).string == text else { throw .field(name) }
    }

    mutating func required<Value>(_ name: String, _ make: (String) -> Value?) throws(EntryError) -> Value {
        guard let value = try optional(name, make) else { throw .field(name) }
        return value
    }

    mutating func optional<Value>(_ name: String, _ make: (String) -> Value?) throws(EntryError) -> Value? {
        let value = try take(name)
        if value.isNull { return nil }
        guard let made = value.string.flatMap(make) else { throw .field(name) }
        return made
    }

    mutating func integer(_ name: String) throws(EntryError) -> Int64 {
        guard let number = try optionalInteger(name) else { throw .field(name) }
        return number
    }

    mutating func optionalInteger(_ name: String) throws(EntryError) -> Int64? {
        let value = try take(name)
        if value.isNull { return nil }
        guard let number = value.integer else { throw .field(name) }
        return number
    }

    mutating func bool(_ name: String) throws(EntryError) -> Bool {
        guard let value = try take(name).bool else { throw .field(name) }
        return value
    }

    mutating func array<Value>(_ name: String, _ make: (JSONValue) -> Value?) throws(EntryError) -> [Value] {
        guard let list = try take(name).array else { throw .field(name) }
        let values = list.compactMap(make)
        guard values.count == list.count else { throw .field(name) }
        return values
    }

    mutating func authorizations(_ name: String) throws(EntryError) -> [AuthorizationEntry] {
        guard let list = try take(name).array else { throw .field(name) }
        var entries: [AuthorizationEntry] = []
        for value in list {
            guard let object = value.object else { throw .field(name) }
            var fields = EntryFields(object)
            let sha256 = try fields.required("sha256") { DecisionEntry.digest($0).flatMap { SHA256Digest(bytes: $0) } }
            var entry = AuthorizationEntry(
                sha256: sha256, outcome: try fields.required("outcome") { JudgedAuthorization.Outcome(rawValue: $0) })
            entry.issuer = try fields.optional("iss") { $0 }
            entry.keyID = try fields.optional("kid") { $0 }
            entry.tokenID = try fields.optional("jti") { $0 }
            entry.element = try fields.optionalInteger("element").map { Int($0) }
            entry.expiresSeconds = try fields.optionalInteger("exp")
            entry.instrument = try fields.optional("instrument") { $0 }
            entry.reference = try fields.optional("reference") { $0 }
            entry.requester = try fields.optional("requester") { $0 }
            entry.country = try fields.optional("country") { $0 }
            try fields.finish()
            entries.append(entry)
        }
        return entries
    }
}
