internal import OpenSSL
internal import Residency
internal import S3

extension DirectoryStore {
    /// Seals a sound tag again where another key than its datacenter's first one did: what it says stays, and so does the content, which
    /// is not read. The key that sealed it can go once every object is renewed.
    /// - Returns: the object with its new tag; nil where the first key had sealed it, the tag is not sound, or somebody sealed it meanwhile.
    func renew(_ file: ObjectFile, of key: ObjectKey) throws(StoreError) -> ObjectFile? {
        guard let tag = file.sealed?.tag, var rest = file.sealed?.rest, let digest = tag.contentDigest else {
            return nil
        }
        guard let first = keyring.sealing(tag.residency.place.datacenter) else {
            throw .sealKeyMissing(tag.residency.place.datacenter)
        }
        guard first.id != Array(tag.keyID.text.utf8) else { return nil }
        rest.sideFile = nil
        let sealed = try SealedObject.seal(
            rest, residency: tag.residency, taggedSeconds: tag.taggedSeconds, size: file.status.size,
            contentDigest: digest, binding: key.utf8, keyring: keyring)
        do throws(StoreError) { return try attach(sealed.attribute, sealed.sideFile, to: file, of: key, .either) } catch
        {
            guard error == .contended else { throw error }
            return nil
        }
    }
}
