internal import JSON
internal import OpenSSL
internal import Residency

/// One object of a payload, whose members are read by name and form.
struct ClaimReader {
    let object: JSONObject
    /// What stands before a member's name in an error: empty, or ends in a dot.
    let path: String

    func expected(_ name: String, _ what: String) -> MalformedToken { .claim(path: path + name, expected: what) }

    func allow(only names: [String]) throws(MalformedToken) {
        for (name, _) in object.members where !names.contains(where: name.equals) {
            throw expected(quoted(name.text), "no such member")
        }
    }

    func string(_ name: String, bytesMax: Int) throws(MalformedToken) -> JSONString {
        guard let utf8 = object[name]?.utf8, (1...bytesMax).contains(utf8.count) else {
            throw expected(name, "a string of 1 to \(bytesMax) bytes")
        }
        return JSONString(utf8: utf8)
    }

    /// A number without fraction or exponent: two readers must not round it to two times.
    func integer(_ name: String) throws(MalformedToken) -> Int64 {
        guard let value = object[name]?.integer else { throw expected(name, "an integer, in seconds") }
        return value
    }

    func object(_ name: String) throws(MalformedToken) -> ClaimReader {
        guard let value = object[name]?.object else { throw expected(name, "an object") }
        return ClaimReader(object: value, path: path + name + ".")
    }

    /// A non-empty array of non-empty strings.
    func strings(_ name: String) throws(MalformedToken) -> [JSONString] {
        guard let list = object[name]?.array, !list.isEmpty else {
            throw expected(name, "a non-empty array of strings")
        }
        var strings: [JSONString] = []
        for value in list {
            guard let utf8 = value.utf8, !utf8.isEmpty else { throw expected(name, "non-empty strings") }
            strings.append(JSONString(utf8: utf8))
        }
        return strings
    }

    func jurisdiction(_ name: String) throws(MalformedToken) -> Jurisdiction {
        guard let text = object[name]?.string, let code = Jurisdiction(text) else {
            throw expected(name, "an ISO 3166 code such as IE or US-CA")
        }
        return code
    }

    func time(_ name: String) throws(MalformedToken) -> Timestamp {
        guard let text = object[name]?.string, let time = Timestamp(rfc3339: text) else {
            throw expected(name, "a time of RFC 3339")
        }
        return time
    }

    /// A string, or a non-empty array of strings (RFC 7519, section 4.1.3).
    func audience() throws(MalformedToken) -> [JSONString] {
        if case .string = object["aud"] { return [try string("aud", bytesMax: TokenLimits.identifierBytesMax)] }
        return try strings("aud")
    }

    /// `cnf` (RFC 7800) with `x5t#S256` (RFC 8705, section 3.1) alone.
    func certificate() throws(MalformedToken) -> [UInt8]? {
        guard object["cnf"] != nil else { return nil }
        let confirmation = try object("cnf")
        try confirmation.allow(only: ["x5t#S256"])
        guard let text = confirmation.object["x5t#S256"]?.string, let digest = Base64.url.decode(text),
            digest.count == 32
        else { throw confirmation.expected("x5t#S256", "the base64url SHA-256 of a certificate") }
        return digest
    }

    /// `received`: from inclusive, to exclusive, not empty.
    func received() throws(MalformedToken) -> Range<Timestamp>? {
        guard object["received"] != nil else { return nil }
        let range = try object("received")
        try range.allow(only: ["from", "to"])
        let from = try range.time("from")
        let to = try range.time("to")
        guard from < to else { throw range.expected("to", "a time after from") }
        return from..<to
    }
}
