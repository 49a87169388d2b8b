import OpenSSL
import Residency

@testable import Stores

private let place = Place(datacenter: DatacenterName("dub1")!, jurisdiction: Jurisdiction("IE")!)
/// A key that no input is sealed by.
private let keyring = SealKeyring([
    (place, [SealKey(id: SealKeyID("k1")!, key: HMACKey((0..<32).map { _ in UInt8.random(in: 0...255) }))])
])

/// The input is an attribute's value: a tag's text, a line feed, and the rest; its second half is a side file too.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let input = Array(UnsafeBufferPointer(start: start, count: count))
    rest(input)
    guard let count = PackedAttribute.textCount(input.span) else {
        tag(input, [])
        return 0
    }
    let records = Array(input[(count + 1)...])
    tag(Array(input[..<count]), records)
    rest(records)
    return 0
}

/// What is accepted is what is written of it, byte for byte.
private func rest(_ input: [UInt8]) {
    if let rest = StoredRest.parse(input.span) {
        var written = rest.packedCore() + rest.packedMetadata()
        if let file = rest.sideFile { StoredRest.append(StoredRest.RecordType.sideFile, [file.record], to: &written) }
        precondition(written == input, "a rest is written otherwise than read")
    }
    var rest = StoredRest(etag: "e")
    if rest.takeSideFile(input.span) {
        precondition(rest.packedMetadata() == input, "a side file is written otherwise than read")
    }
}

private func tag(_ text: [UInt8], _ rest: [UInt8]) {
    let verified = try? ResidencyTag.verify(text.span, rest: rest.span, binding: [0x61].span, keyring: keyring)
    precondition(verified == nil, "a forged seal verified")
    guard let tag = try? ResidencyTag.parseUnverified(text.span) else { return }
    var written = "v1;\(tag.keyID.text);\(tag.residency.place.datacenter.text);"
    written += String(decoding: tag.residency.place.jurisdiction.utf8, as: UTF8.self)
    written += ";\(tag.taggedSeconds);\(tag.residency.receivedSeconds);" + (tag.size.map { "\($0);" } ?? "-;")
    var bytes = Array(written.utf8)
    if let digest = tag.contentDigest { Base64URL.append(digest, to: &bytes) } else { bytes.append(0x2D) }
    precondition(text.starts(with: bytes + [UInt8(ascii: ";")]), "a tag is written otherwise than read")
}
