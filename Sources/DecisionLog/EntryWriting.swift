internal import JSON
internal import OpenSSL
internal import Residency

/// Values as entries have them; absent ones are `null`.
extension [UInt8] {
    /// A name needs no escape (`Residency.Name`).
    mutating func append<Kind>(name: Name<Kind>?) {
        guard let name else { return JSONText.appendNull(to: &self) }
        append(UInt8(ascii: "\""))
        append(utf8: name.text)
        append(UInt8(ascii: "\""))
    }

    /// Nor does a code.
    mutating func append(code jurisdiction: Jurisdiction?) {
        guard let jurisdiction else { return JSONText.appendNull(to: &self) }
        append(UInt8(ascii: "\""))
        jurisdiction.append(to: &self)
        append(UInt8(ascii: "\""))
    }

    /// Nor does an address, or a pseudonym: a key's name, a colon and base64url.
    mutating func append(_ name: StaticString, plain value: String?) {
        append(literal: name)
        guard let value else { return JSONText.appendNull(to: &self) }
        append(UInt8(ascii: "\""))
        append(utf8: value)
        append(UInt8(ascii: "\""))
    }

    mutating func append(_ name: StaticString, field value: String?) {
        append(literal: name)
        JSONText.append(optional: value, to: &self)
    }

    mutating func append(_ name: StaticString, field value: Int64?) {
        append(literal: name)
        if let value { JSONText.append(integer: value, to: &self) } else { JSONText.appendNull(to: &self) }
    }

    mutating func append(_ name: StaticString, field value: [UInt8]?) {
        append(literal: name)
        guard let value else { return JSONText.appendNull(to: &self) }
        append(UInt8(ascii: "\""))
        Hex.append(value.span, to: &self)
        append(UInt8(ascii: "\""))
    }
}
