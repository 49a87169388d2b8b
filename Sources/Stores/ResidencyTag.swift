package import OpenSSL
package import Residency

/// The sealed statement "this object belongs to datacenter D, jurisdiction J, received at T" (DESIGN section 4):
/// `v1;KEYID;DATACENTER;JURISDICTION;TAGGED;RECEIVED;SIZE;DIGEST;REST;SEAL`.
package struct ResidencyTag: Hashable, Sendable {
    package let keyID: SealKeyID
    package let residency: ResidencyFacts
    /// When it was sealed, in unix seconds.
    package let taggedSeconds: Int64
    /// Bytes of the content; nil for `-`.
    package let size: Int64?
    /// SHA-256 of the content; nil for `-`.
    package let contentDigest: SHA256Digest?

    /// Times that a tag can tell, in unix seconds: to the end of the year 9999, where RFC 3339 ends.
    package static let seconds: ClosedRange<Int64> = 0...253_402_300_799

    /// The longest text that is looked at.
    static let textBytesMax = 512

    /// Parses the text and verifies its seal over `binding`, and that REST is the digest of `rest`.
    /// - Parameter binding: the key (directory, s3) or the mailbox (maildir).
    package static func verify(
        _ text: borrowing Span<UInt8>, rest: borrowing Span<UInt8>, binding: borrowing Span<UInt8>,
        keyring: SealKeyring
    ) throws(TagProblem) -> ResidencyTag {
        let (fields, key) = try verified(text, binding: binding, keyring: keyring)
        guard SHA256Digest(base64URL: text.extracting(fields.rest)) == SHA256Digest(hashing: copy rest) else {
            throw .rest
        }
        return try tag(text, fields, key)
    }

    /// Parses the text and verifies its seal over `binding`, whatever became of all else that it says of the object: for a reseal,
    /// which believes nothing that is not sealed.
    package static func verifySeal(
        _ text: borrowing Span<UInt8>, binding: borrowing Span<UInt8>, keyring: SealKeyring
    ) throws(TagProblem) -> ResidencyTag {
        let (fields, key) = try verified(text, binding: binding, keyring: keyring)
        return try tag(text, fields, key)
    }

    /// The fields of a text whose seal verifies, and the key that does.
    private static func verified(
        _ text: borrowing Span<UInt8>, binding: borrowing Span<UInt8>, keyring: SealKeyring
    ) throws(TagProblem) -> (TagFields, SealKeyring.Entry) {
        let fields = try TagFields(text)
        guard
            let key = keyring.verifying(
                datacenter: text.extracting(fields.datacenter), id: text.extracting(fields.keyID))
        else {
            // A malformed name is no unknown key; both refuse, but an operator is to be told which.
            _ = try fields.names(text)
            throw .unknownKey
        }
        let seal = code(key.key, text.extracting(0..<fields.seal.lowerBound - 1), binding: binding)
        guard let claimed = SHA256Digest(base64URL: text.extracting(fields.seal)), seal.isEqualInConstantTime(claimed)
        else {
            throw .seal
        }
        return (fields, key)
    }

    private static func tag(
        _ text: borrowing Span<UInt8>, _ fields: TagFields, _ key: SealKeyring.Entry
    ) throws(TagProblem) -> ResidencyTag {
        let (keyID, place) =
            isEqual(text.extracting(fields.jurisdiction), key.jurisdiction.span)
            ? (try fields.keyName(text), key.place) : try fields.names(text)
        return try fields.tag(text, keyID: keyID, place: place)
    }

    /// Parses the text and verifies nothing: for an operator's eyes.
    package static func parseUnverified(_ text: borrowing Span<UInt8>) throws(TagProblem) -> ResidencyTag {
        let fields = try TagFields(text)
        let (keyID, place) = try fields.names(text)
        return try fields.tag(text, keyID: keyID, place: place)
    }

    /// Seals a statement with the first key of its datacenter; a time that it cannot tell becomes the nearest that it can.
    package static func seal(
        _ residency: ResidencyFacts, taggedSeconds: Int64, size: Int64?, contentDigest: SHA256Digest?,
        rest: borrowing Span<UInt8>, binding: borrowing Span<UInt8>, keyring: SealKeyring
    ) throws(StoreError) -> [UInt8] {
        guard let key = keyring.sealing(residency.place.datacenter) else {
            throw .sealKeyMissing(residency.place.datacenter)
        }
        var text = Array("v1;".utf8)
        text.append(contentsOf: key.id)
        text.append(UInt8(ascii: ";"))
        text.append(contentsOf: key.datacenter)
        text.append(UInt8(ascii: ";"))
        text.append(contentsOf: residency.place.jurisdiction.utf8)
        let (tagged, received) = (bounded(taggedSeconds), bounded(residency.receivedSeconds))
        text.append(contentsOf: ";\(tagged);\(received);".utf8)
        text.append(contentsOf: size.map { Array("\($0);".utf8) } ?? Array("-;".utf8))
        if let contentDigest {
            contentDigest.appendBase64URL(to: &text)
        } else {
            text.append(UInt8(ascii: "-"))
        }
        text.append(UInt8(ascii: ";"))
        SHA256Digest(hashing: copy rest).appendBase64URL(to: &text)
        let seal = code(key.key, text.span, binding: binding)
        text.append(UInt8(ascii: ";"))
        seal.appendBase64URL(to: &text)
        return text
    }

    private static func bounded(_ time: Int64) -> Int64 { min(max(time, seconds.lowerBound), seconds.upperBound) }

    /// `bailiwick-tag-v1`, the text before the seal without its last `;`, and the binding, each preceded by its length as
    /// big-endian uint32.
    private static func code(
        _ key: HMACKey, _ text: borrowing Span<UInt8>, binding: borrowing Span<UInt8>
    ) -> SHA256Digest {
        var code = key.code
        code.update(framed: label.span)
        code.update(framed: copy text)
        code.update(framed: copy binding)
        return code.finish()
    }

    private static let label = Array("bailiwick-tag-v1".utf8)
}

extension TagProblem: Error {}

/// Where the ten fields of a tag's text are.
private struct TagFields {
    private var starts: InlineArray<11, Int>

    init(_ text: borrowing Span<UInt8>) throws(TagProblem) {
        starts = InlineArray(repeating: 0)
        guard text.count <= ResidencyTag.textBytesMax else { throw .malformed }
        var field = 1
        var start = 0
        while let index = text.extracting(start...).firstIndex(of: UInt8(ascii: ";")) {
            guard field < 10 else { throw .malformed }
            start += index + 1
            starts[field] = start
            field += 1
        }
        guard field == 10 else { throw .malformed }
        starts[10] = text.count + 1
        guard range(0).count == 2, text[0] == UInt8(ascii: "v"), text[1] == UInt8(ascii: "1") else { throw .malformed }
    }

    var keyID: Range<Int> { range(1) }
    var datacenter: Range<Int> { range(2) }
    var jurisdiction: Range<Int> { range(3) }
    var rest: Range<Int> { range(8) }
    var seal: Range<Int> { range(9) }

    func keyName(_ text: borrowing Span<UInt8>) throws(TagProblem) -> SealKeyID {
        guard let id = SealKeyID(string(keyID, in: text)) else { throw .malformed }
        return id
    }

    func names(_ text: borrowing Span<UInt8>) throws(TagProblem) -> (SealKeyID, Place) {
        guard let datacenter = DatacenterName(string(datacenter, in: text)),
            let jurisdiction = Jurisdiction(string(jurisdiction, in: text))
        else { throw .malformed }
        return (try keyName(text), Place(datacenter: datacenter, jurisdiction: jurisdiction))
    }

    func tag(_ text: borrowing Span<UInt8>, keyID: SealKeyID, place: Place) throws(TagProblem) -> ResidencyTag {
        guard let tagged = decimal(range(4), in: text), let received = decimal(range(5), in: text) else {
            throw .malformed
        }
        let size = decimal(range(6), in: text)
        guard size != nil || isHyphen(range(6), in: text) else { throw .malformed }
        let digest = SHA256Digest(base64URL: text.extracting(range(7)))
        guard digest != nil || isHyphen(range(7), in: text) else { throw .malformed }
        return ResidencyTag(
            keyID: keyID, residency: ResidencyFacts(place: place, receivedSeconds: received), taggedSeconds: tagged,
            size: size, contentDigest: digest)
    }

    private func range(_ field: Int) -> Range<Int> { starts[field]..<starts[field + 1] - 1 }

    private func string(_ range: Range<Int>, in text: borrowing Span<UInt8>) -> String {
        String(decoding: [UInt8](copying: text.extracting(range)), as: UTF8.self)
    }

    private func isHyphen(_ range: Range<Int>, in text: borrowing Span<UInt8>) -> Bool {
        range.count == 1 && text[range.lowerBound] == UInt8(ascii: "-")
    }

    /// Decimal digits without a sign or a leading zero, at most 18 of them.
    private func decimal(_ range: Range<Int>, in text: borrowing Span<UInt8>) -> Int64? {
        guard (1...18).contains(range.count), range.count == 1 || text[range.lowerBound] != UInt8(ascii: "0") else {
            return nil
        }
        var value: Int64 = 0
        for index in range {
            guard (0x30...0x39).contains(text[index]) else { return nil }
            value = value * 10 + Int64(text[index] - 0x30)
        }
        return value
    }
}

func appendBigEndian(_ value: UInt32, to bytes: inout [UInt8]) {
    bytes.append(UInt8(truncatingIfNeeded: value >> 24))
    bytes.append(UInt8(truncatingIfNeeded: value >> 16))
    bytes.append(UInt8(truncatingIfNeeded: value >> 8))
    bytes.append(UInt8(truncatingIfNeeded: value))
}
