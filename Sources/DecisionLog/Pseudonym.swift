package import OpenSSL

/// Turns what names a person into what tells nothing without a key: `KEYID:` and the base64url HMAC-SHA-256 over the field's name, the
/// bucket and the value, each after its length (DESIGN section 7). Destroying a key is erasure that leaves the tree whole.
package struct Pseudonymizer: Sendable {
    private let keyID: String
    private let key: HMACKey

    package init(keyID: String, key: HMACKey) {
        self.keyID = keyID
        self.key = key
    }

    /// - Parameter field: `mailbox`, `object`, `prefix` or `reference`.
    package func pseudonym(_ field: String, bucket: String, _ value: [UInt8]) -> String {
        var code = key.code
        code.update(framed: field.utf8.span)
        code.update(framed: bucket.utf8.span)
        code.update(framed: value.span)
        var text: [UInt8] = []
        text.reserveCapacity(keyID.utf8.count + 1 + SHA256Digest.base64URLCount)
        text.append(contentsOf: keyID.utf8)
        text.append(UInt8(ascii: ":"))
        code.finish().appendBase64URL(to: &text)
        return String(decoding: text, as: UTF8.self)
    }
}
