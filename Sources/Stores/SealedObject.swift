internal import NIOCore
internal import OpenSSL
internal import Residency

/// A sound tag and what it binds.
struct SealedObject: Sendable {
    let tag: ResidencyTag
    var rest: StoredRest

    /// Verifies a packed attribute; its side file, where there is one, is still to be taken.
    static func judge(
        _ attribute: [UInt8], size: Int64, binding: [UInt8], keyring: SealKeyring
    ) throws(TagProblem) -> SealedObject {
        let value = attribute.span
        guard let textCount = PackedAttribute.textCount(value) else { throw .malformed }
        let packedRest = value.extracting(textCount + 1..<value.count)
        let tag = try ResidencyTag.verify(
            value.extracting(0..<textCount), rest: packedRest, binding: binding.span, keyring: keyring)
        guard let rest = StoredRest.parse(packedRest) else { throw .malformed }
        guard tag.size == nil || tag.size == size else { throw .size }
        return SealedObject(tag: tag, rest: rest)
    }

    /// Packs a new tag with what it binds. Gives the side file's bytes too, where the attribute does not hold all.
    static func seal(
        _ rest: StoredRest, residency: ResidencyFacts, taggedSeconds: Int64, size: Int64, contentDigest: SHA256Digest,
        binding: [UInt8], keyring: SealKeyring
    ) throws(StoreError) -> (attribute: [UInt8], sideFile: (SideFile, [UInt8])?) {
        let (core, metadata) = (rest.packedCore(), rest.packedMetadata())
        func pack(_ packedRest: [UInt8]) throws(StoreError) -> [UInt8] {
            let text = try ResidencyTag.seal(
                residency, taggedSeconds: taggedSeconds, size: size, contentDigest: contentDigest,
                rest: packedRest.span, binding: binding.span, keyring: keyring)
            return text + [PackedAttribute.separator] + packedRest
        }
        let whole = try pack(core + metadata)
        if whole.count <= StoreLimits.attributeBytesMax { return (whole, nil) }
        guard metadata.count <= StoreLimits.sideFileBytesMax else { throw .metadataTooLarge }
        let file = SideFile(name: randomBytes(SideFile.nameBytes), digest: SHA256Digest(hashing: metadata))
        var short = core
        StoredRest.append(StoredRest.RecordType.sideFile, [file.record], to: &short)
        let packed = try pack(short)
        guard packed.count <= StoreLimits.attributeBytesMax else { throw .metadataTooLarge }
        return (packed, (file, metadata))
    }
}

/// The digests of an object's content.
struct ContentDigests: ~Copyable {
    private var md5 = Hasher(.md5)
    private var sha256 = Hasher(.sha256)

    mutating func update(_ buffer: ByteBuffer) {
        let bytes = buffer.readableBytesUInt8Span
        md5.update(bytes)
        sha256.update(bytes)
    }

    /// The digests of all that was added; ready for the next content.
    mutating func finish() -> (md5: [UInt8], sha256: SHA256Digest) { (md5.finish(), sha256.finishSHA256()) }

    /// Reads a whole file, piece by piece. Throws `contentDamaged` when it ends before `size`, `closing` when nobody wants it
    /// any more.
    static func of(
        _ file: borrowing FileDescriptor, size: Int64, while isWanted: () -> Bool = { true }
    ) throws(StoreError) -> (md5: [UInt8], sha256: SHA256Digest) {
        var digests = ContentDigests()
        var buffer = ByteBuffer()
        var position: Int64 = 0
        while position < size {
            buffer.clear()
            let wanted = Int(min(Int64(StoreLimits.hashChunkBytes), size - position))
            let read: Int
            do throws(SystemError) {
                read = try file.read(at: position, count: wanted, into: &buffer)
            } catch { throw StoreError(error) }
            guard read == wanted else { throw .contentDamaged }
            digests.update(buffer)
            position += Int64(read)
            try LongWork.goesOn()
            guard isWanted() else { throw .closing }
        }
        return digests.finish()
    }
}
