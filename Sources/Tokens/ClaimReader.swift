internal import JSON
internal import OpenSSL
internal import Residency

/// One object of a payload, whose members are read by name and form. Its errors name a member by its path in this object.
struct ClaimReader {
    let object: JSONObject

    func expected(_ name: String, _ what: String) -> MalformedToken { .claim(path: name, expected: what) }

    func allow(only names: [String]) throws(MalformedToken) {
        if let other = object.firstName(notAmong: names) { throw expected(quoted(other.text), "no such member") }
    }

    func string(_ name: String, bytesMax: Int) throws(MalformedToken) -> JSONString {
        guard let value = object.string(name), (1...bytesMax).contains(value.count) else {
            throw expected(name, "a string of 1 to \(bytesMax) bytes")
        }
        return value
    }

    /// A number without fraction or exponent: two readers must not round it to two times.
    func integer(_ name: String) throws(MalformedToken) -> Int64 {
        guard let value = object.integer(name) else { throw expected(name, "an integer, in seconds") }
        return value
    }

    /// What is read of an object in this one.
    func object<Value>(
        _ name: String, _ read: (ClaimReader) throws(MalformedToken) -> Value
    ) throws(MalformedToken) -> Value {
        guard let value = object.object(name) else { throw expected(name, "an object") }
        do throws(MalformedToken) { return try read(ClaimReader(object: value)) } catch { throw error.within(name) }
    }

    /// The same of one that need not be there.
    func object<Value>(
        optional name: String, _ read: (ClaimReader) throws(MalformedToken) -> Value
    ) throws(MalformedToken) -> Value? {
        object.has(name) ? try object(name, read) : nil
    }

    /// A non-empty array of non-empty strings.
    /// - Parameter bytesMax: of each.
    func strings(_ name: String, bytesMax: Int = TokenLimits.tokenBytesMax) throws(MalformedToken) -> [JSONString] {
        guard let strings = object.strings(name), !strings.isEmpty,
            strings.allSatisfy({ (1...bytesMax).contains($0.count) })
        else {
            throw object[name]?.array.map(\.isEmpty) == false
                ? expected(name, "strings of 1 to \(bytesMax) bytes") : expected(name, "a non-empty array of strings")
        }
        return strings
    }

    func jurisdiction(_ name: String) throws(MalformedToken) -> Jurisdiction {
        guard let text = object.string(name)?.utf8, let code = Jurisdiction(utf8: text) else {
            throw expected(name, "an ISO 3166 code such as IE or US-CA")
        }
        return code
    }

    func time(_ name: String) throws(MalformedToken) -> Timestamp {
        guard let text = object.string(name)?.utf8, let time = Timestamp(rfc3339: text) else {
            throw expected(name, "a time of RFC 3339")
        }
        return time
    }

    /// A string, or a non-empty array of strings (RFC 7519, section 4.1.3).
    func audience() throws(MalformedToken) -> [JSONString] {
        if object.string("aud") != nil { return [try string("aud", bytesMax: TokenLimits.identifierBytesMax)] }
        return try strings("aud", bytesMax: TokenLimits.identifierBytesMax)
    }

    /// `cnf` (RFC 7800) with `x5t#S256` (RFC 8705, section 3.1) alone.
    static func certificate(_ confirmation: ClaimReader) throws(MalformedToken) -> [UInt8] {
        try confirmation.allow(only: ["x5t#S256"])
        guard let text = confirmation.object.string("x5t#S256")?.utf8, let digest = Base64.url.decode(text.span),
            digest.count == 32
        else { throw confirmation.expected("x5t#S256", "the base64url SHA-256 of a certificate") }
        return digest
    }

    /// `received`: from inclusive, to exclusive, not empty.
    static func received(_ range: ClaimReader) throws(MalformedToken) -> Range<Timestamp> {
        try range.allow(only: ["from", "to"])
        let from = try range.time("from")
        let to = try range.time("to")
        guard from < to else { throw range.expected("to", "a time after from") }
        return from..<to
    }
}
