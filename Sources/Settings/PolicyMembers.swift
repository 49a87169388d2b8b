internal import JSON
internal import OpenSSL
internal import Residency
internal import Tokens

/// One object of a snapshot, read member by member in the order in which it was written.
struct PolicyMembers {
    let path: String
    private var rest: ArraySlice<(name: JSONString, value: JSONValue)>

    init(_ value: JSONValue, path: String) throws(PolicyError) {
        guard let object = value.object else { throw .member(path, expected: "an object") }
        self.path = path
        rest = object.members[...]
    }

    /// Nothing may be left: what this reader does not know may have changed a decision.
    func finish() throws(PolicyError) {
        if let member = rest.first { throw .member(at(quoted(member.name.text)), expected: "no such member") }
    }

    // MARK: - Values

    mutating func version(_ known: Int64) throws(PolicyError) {
        guard try integer("v") == known else { throw .member(at("v"), expected: "\(known)") }
    }

    mutating func object(_ name: String) throws(PolicyError) -> PolicyMembers {
        try PolicyMembers(try take(name), path: at(name))
    }

    mutating func string(_ name: String) throws(PolicyError) -> String {
        guard let text = try take(name).string else { throw .member(at(name), expected: "a string") }
        return text
    }

    mutating func integer(_ name: String) throws(PolicyError) -> Int64 {
        guard let number = try take(name).integer, number >= 0 else {
            throw .member(at(name), expected: "an integer, not negative")
        }
        return number
    }

    mutating func bool(_ name: String) throws(PolicyError) -> Bool {
        guard let value = try take(name).bool else { throw .member(at(name), expected: "true or false") }
        return value
    }

    mutating func choice<Value>(_ name: String, _ values: [String: Value]) throws(PolicyError) -> Value {
        try named(name) { values[$0] }
    }

    mutating func named<Value>(_ name: String, _ make: (String) -> Value?) throws(PolicyError) -> Value {
        guard let value = make(try string(name)) else { throw .member(at(name), expected: "another value") }
        return value
    }

    mutating func name<Kind>(_ name: String) throws(PolicyError) -> Name<Kind> {
        try named(name) { Name<Kind>($0) }
    }

    mutating func jurisdiction(_ name: String) throws(PolicyError) -> Jurisdiction {
        try named(name) { Jurisdiction($0) }
    }

    mutating func jurisdictions(_ name: String) throws(PolicyError) -> Set<Jurisdiction> {
        Set(try strings(name) { Jurisdiction($0) })
    }

    /// A file's bytes, as `PolicyWriter` writes them: text, or base64 of what is none.
    mutating func bytes(_ name: String) throws(PolicyError) -> [UInt8] { try Self.bytes(try take(name), at(name)) }

    mutating func optionalBytes(_ name: String) throws(PolicyError) -> [UInt8]? {
        let value = try take(name)
        return value.isNull ? nil : try Self.bytes(value, at(name))
    }

    static func bytes(_ value: JSONValue, _ path: String) throws(PolicyError) -> [UInt8] {
        guard let utf8 = value.utf8 else { throw .member(path, expected: "a string") }
        let marker = Array("base64:".utf8)
        // Text is never written as base64: what decodes to text stands for itself.
        guard utf8.starts(with: marker), let bytes = Base64.standard.decode(Array(utf8.dropFirst(marker.count)).span),
            String(validating: bytes, as: UTF8.self) == nil
        else { return utf8 }
        return bytes
    }

    // MARK: - Lists

    mutating func array<Value>(
        _ name: String, _ make: (JSONValue, String) throws(PolicyError) -> Value
    ) throws(PolicyError) -> [Value] {
        guard let list = try take(name).array else { throw .member(at(name), expected: "an array") }
        var values: [Value] = []
        for (index, element) in list.enumerated() { values.append(try make(element, "\(at(name))[\(index)]")) }
        return values
    }

    mutating func strings<Value>(_ name: String, _ make: (String) -> Value?) throws(PolicyError) -> [Value] {
        try array(name) { value, path throws(PolicyError) in
            guard let text = value.string else { throw .member(path, expected: "a string") }
            guard let made = make(text) else { throw .member(path, expected: "another value") }
            return made
        }
    }

    /// What each instrument opens.
    mutating func instruments(_ name: String) throws(PolicyError) -> Instruments {
        let value = try take(name)
        guard let object = value.object else { throw .member(at(name), expected: "an object") }
        var opened: [(name: String, data: DataClasses)] = []
        for member in object.members {
            let path = at(name) + "." + quoted(member.name.text)
            guard let list = member.value.array else { throw .member(path, expected: "an array") }
            var data: DataClasses = []
            for one in list {
                switch one.string {
                case "traffic": data.insert(.traffic)
                case "content": data.insert(.content)
                case "relocate": data.insert(.relocate)
                default: throw .member(path, expected: "traffic, content or relocate")
                }
            }
            opened.append((member.name.text, data))
        }
        return Instruments(opened)
    }

    mutating func certificate(_ name: String) throws(PolicyError) -> CertificateMatch {
        var members = try object(name)
        let match: CertificateMatch
        switch members.rest.first?.name.text {
        case "uri": match = .uri(try members.string("uri"))
        case "common_name": match = .commonName(try members.string("common_name"))
        case "sha256":
            match = try members.named("sha256") { text in
                Hex.decode(text).flatMap { $0.count == 32 ? .sha256($0) : nil }
            }
        default: throw .member(at(name), expected: "uri, sha256 or common_name")
        }
        try members.finish()
        return match
    }

    // MARK: -

    private mutating func take(_ name: String) throws(PolicyError) -> JSONValue {
        guard let next = rest.first, next.name.utf8.elementsEqual(name.utf8) else {
            throw .member(at(name), expected: "this member here")
        }
        rest = rest.dropFirst()
        return next.value
    }

    private func at(_ name: String) -> String { path.isEmpty ? name : path + "." + name }
}
