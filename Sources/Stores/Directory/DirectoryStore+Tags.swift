internal import Glibc
package import NIOCore
package import NIOPosix
internal import OpenSSL
package import Residency
package import S3

extension DirectoryStore {
    package func adopt(
        _ located: Located, at time: Timestamp, on loop: any EventLoop,
        _ done: @escaping (Result<Located, StoreError>) -> Void
    ) {
        root.jobs.run(on: loop) { () throws(StoreError) -> Located in
            guard let file = located.file else { throw .absent }
            guard case .missing = file.tagState else { throw .outOfTurn }
            return Located(located.key, try adopted(file, of: located.key, at: time), root.jobs)
        } _: {
            done($0)
        }
    }

    package func reseal(
        _ key: ObjectKey, at time: Timestamp, on loop: any EventLoop, _ records: @escaping @Sendable (Reseal) -> Bool,
        _ done: @escaping (Result<Reseal, StoreError>) -> Void
    ) {
        root.jobs.run(on: loop) { () throws(StoreError) -> Reseal in
            let located = try locate(key)
            guard let file = located.file else { throw .absent }
            let known = file.sealedText(of: key, keyring)
            if let known, known.residency.place != place { throw .misplaced(known.residency.place) }
            let residency = known?.residency ?? ResidencyFacts(place: place, receivedSeconds: time.seconds)
            let reseal = Reseal(
                residency: residency, before: located.state, problem: located.tagProblem, textBefore: file.tagText)
            guard records(reseal) else { throw .notRecorded }
            if reseal.isRenewal {
                _ = try renew(file, of: key)
            } else {
                _ = try seal(file, of: key, residency, at: time, .either)
            }
            return reseal
        } _: {
            done($0)
        }
    }

    /// Seals an untagged file. Where another has done so meanwhile, its tag stands: what became of the race is read again.
    fileprivate func adopted(_ file: ObjectFile, of key: ObjectKey, at time: Timestamp) throws(StoreError) -> ObjectFile
    {
        do throws(StoreError) {
            // Nobody sealed when it was received, and the file's own times are for whoever laid it there to choose.
            let residency = ResidencyFacts(place: place, receivedSeconds: time.seconds)
            return try seal(file, of: key, residency, at: time, .creating)
        } catch {
            guard case .system(call: "fsetxattr", code: EEXIST) = error else { throw error }
            do throws(SystemError) {
                let attribute = try ExtendedAttribute.value(
                    of: file.descriptor, bytesMax: StoreLimits.attributeBytesMax)
                return file.with(
                    judge(attribute, size: file.status.size, binding: key.utf8), attribute: attribute)
            } catch { throw StoreError(error) }
        }
    }

    /// Seals a file over the content that it has now. What its attribute said beside the tag is kept as far as it can be read.
    private func seal(
        _ file: ObjectFile, of key: ObjectKey, _ residency: ResidencyFacts, at time: Timestamp,
        _ setting: ExtendedAttribute.Setting
    ) throws(StoreError) -> ObjectFile {
        let content = try ContentDigests.of(file.descriptor, size: file.status.size)
        var rest = try restBefore(file) ?? StoredRest(etag: Hex.encode(content.md5))
        if rest.partSizes.isEmpty { rest.etag = Hex.encode(content.md5) }
        rest.checksums = []
        rest.sideFile = nil
        let sealed = try SealedObject.seal(
            rest, residency: residency, taggedSeconds: time.seconds, size: file.status.size,
            contentDigest: content.sha256, binding: key.utf8, keyring: keyring)
        return try attach(sealed.attribute, sealed.sideFile, to: file, of: key, setting)
    }

    /// Gives a file another packed attribute, durably; the side file that it names is there before, the one that only the old attribute
    /// named goes after. Throws `contended`, and changes nothing, where the file has another attribute by now than it was found with.
    func attach(
        _ attribute: [UInt8], _ sideFile: (SideFile, [UInt8])?, to file: ObjectFile, of key: ObjectKey,
        _ setting: ExtendedAttribute.Setting
    ) throws(StoreError) -> ObjectFile {
        do throws(SystemError) {
            if let (side, bytes) = sideFile { try root.writeSideFile(side, bytes) }
        } catch { throw StoreError(error) }
        do throws(StoreError) {
            try root.locks.withLock(EscapedPath.file(key)) { () throws(StoreError) in
                let now: [UInt8]?
                do throws(SystemError) {
                    now = try ExtendedAttribute.value(of: file.descriptor, bytesMax: StoreLimits.attributeBytesMax)
                } catch { throw StoreError(error) }
                // Of two who adopt a file at once the kernel tells the second.
                guard setting == .creating || now == file.tag.attribute else { throw .contended }
                do throws(SystemError) {
                    try ExtendedAttribute.set(attribute, of: file.descriptor, setting)
                } catch { throw StoreError(error) }
            }
        } catch {
            if let (side, _) = sideFile { root.removeSideFile(side) }
            throw error
        }
        do throws(SystemError) { try file.descriptor.synchronize() } catch { throw StoreError(error) }
        // Only what a sound tag named: any other name may be another object's.
        if let side = file.sealed?.rest.sideFile { root.removeSideFile(side) }
        return file.with(judge(attribute, size: file.status.size, binding: key.utf8), attribute: attribute)
    }

    /// What the attribute says beside the tag, whether or not that verifies, with what its side file holds as far as that is
    /// what the attribute says.
    private func restBefore(_ file: ObjectFile) throws(StoreError) -> StoredRest? {
        if let sealed = file.sealed { return sealed.rest }
        guard let rest = file.unverifiedRest, let side = rest.sideFile else { return file.unverifiedRest }
        do throws(SystemError) {
            var whole = rest
            guard let bytes = try readSideFile(side), SHA256Digest(hashing: bytes) == side.digest,
                whole.takeSideFile(bytes.span)
            else { return rest }
            return whole
        } catch { throw StoreError(error) }
    }

    package func scan(
        _ options: ScanOptions, in pool: NIOThreadPool, on loop: any EventLoop,
        _ done: @escaping (Result<ScanSummary, StoreError>) -> Void
    ) {
        FileJobs(pool: pool).run(on: loop) { () throws(StoreError) -> ScanSummary in
            var scan = Scan(store: self, options: options)
            try scan.run()
            return scan.summary
        } _: {
            done($0)
        }
    }

    /// Judges one object for a scan. Gives the name of its side file.
    fileprivate func inspect(
        _ key: ObjectKey, _ options: ScanOptions, _ summary: inout ScanSummary
    ) throws(StoreError) -> String? {
        let located = try locate(key)
        guard var file = located.file else { return nil }
        if options.renews, let renewed = try renew(file, of: key) {
            summary.renewed += 1
            file = renewed
        }
        let sideFileName = (file.sealed?.rest ?? file.unverifiedRest)?.sideFile?.fileName
        summary.objects += 1
        summary.bytes += file.status.size
        func find(_ problem: ScanFinding.Problem) { options.finding(ScanFinding(name: key.utf8, problem: problem)) }
        switch located.state {
        case .untagged:
            if let adopts = options.adopts, adopts(key) {
                _ = try adopted(file, of: key, at: Timestamp(seconds: FileTime.now().seconds))
                summary.adopted += 1
            } else {
                summary.problems += 1
                find(.untagged)
            }
        case .tagInvalid:
            summary.problems += 1
            find(.tagInvalid(located.tagProblem ?? .malformed))
        case .tagged(let residency):
            if residency.place != place {
                summary.misplaced += 1
                find(.misplaced(residency.place))
            }
            guard options.readsContent, let digest = file.sealed?.tag.contentDigest else { return sideFileName }
            let content = try ContentDigests.of(file.descriptor, size: file.status.size, while: options.isWanted)
            if content.sha256 != digest {
                summary.problems += 1
                find(.contentDamaged)
            }
        case .absent, .notLocated: break
        }
        return sideFileName
    }
}

/// One walk over every file of a store.
private struct Scan {
    let store: DirectoryStore
    let options: ScanOptions
    var summary = ScanSummary()

    private static let lostAndFound = Array("lost+found".utf8)

    /// Side files that no object was seen to name so far.
    private var unnamedSideFiles: Set<String> = []

    init(store: DirectoryStore, options: ScanOptions) {
        self.store = store
        self.options = options
    }

    mutating func run() throws(StoreError) {
        let oldest = FileTime.now().seconds - StoreLimits.sideFileRestSeconds
        do throws(SystemError) {
            for name in try names(EscapedPath.internalFolder + Array("/side".utf8)) {
                // A newer one may be that of an object on its way.
                guard let status = try status(of: RelativePath(name), in: store.root.sides),
                    status.modified.seconds < oldest
                else { continue }
                unnamedSideFiles.insert(String(decoding: name, as: UTF8.self))
            }
        } catch { throw StoreError(error) }
        try walk([])
        guard summary.isComplete else { return }
        for name in unnamedSideFiles.sorted() {
            // It may have gone with its object while the scan ran.
            guard (try? status(of: RelativePath(name), in: store.root.sides)) != .some(nil) else { continue }
            report(EscapedPath.internalFolder + Array("/side/\(name)".utf8), .orphanedSideFile)
        }
    }

    /// - Parameter path: of a folder; one that is gone by now has nothing in it.
    private mutating func walk(_ path: [UInt8]) throws(StoreError) {
        let found: [[UInt8]]
        do throws(SystemError) {
            found = try names(path)
        } catch {
            // The file system's own, where the store is all of one.
            if error.isDenied, path == Self.lostAndFound { return }
            if error.code != ENOENT, error.code != ENOTDIR { report(path, .unreadable(code: error.code)) }
            return
        }
        for name in found where summary.isComplete {
            let whole = path.isEmpty ? name : path + [UInt8(ascii: "/")] + name
            if whole == EscapedPath.internalFolder { continue }
            try visit(whole)
        }
    }

    private func names(_ path: [UInt8]) throws(SystemError) -> [[UInt8]] {
        var names: [[UInt8]] = []
        var entries = FolderEntries()
        try entries.read(try store.root.openFolder(path)) { (name, _) throws(SystemError) in
            names.append([UInt8](copying: name))
            return true
        }
        return names.sorted { $0.lexicographicallyPrecedes($1) }
    }

    private mutating func visit(_ path: [UInt8]) throws(StoreError) {
        guard options.isWanted() else {
            summary.isComplete = false
            return
        }
        let kind: FileStatus.Kind?
        do throws(SystemError) {
            let (parent, name) = EscapedPath.split(path)
            kind = try status(of: RelativePath(name), in: try store.root.openFolder(parent))?.kind
        } catch {
            // Only what is gone meanwhile may be passed over: what cannot be looked at may hold anything.
            if error.code != ENOENT, error.code != ENOTDIR { report(path, .unreadable(code: error.code)) }
            return
        }
        switch kind {
        case .folder: try walk(path)
        case .file:
            guard let key = EscapedPath.key(ofPath: path) else { return report(path, .notAnObject) }
            try inspect(key)
        case .other: report(path, .notAnObject)
        case nil: break
        }
    }

    /// Judges one object; what cannot be read is a finding and no end of the scan.
    private mutating func inspect(_ key: ObjectKey) throws(StoreError) {
        do throws(StoreError) {
            if let name = try store.inspect(key, options, &summary) { unnamedSideFiles.remove(name) }
            try LongWork.goesOn()
        } catch {
            switch error {
            case .system(_, let code): report(key.utf8, .unreadable(code: code))
            case .contentDamaged: report(key.utf8, .contentDamaged)
            case .absent: break
            case .closing: summary.isComplete = false
            case .permit, .untagged, .tagInvalid, .exists, .preconditionFailed, .sizeMismatch, .md5Mismatch,
                .sha256Mismatch, .metadataTooLarge, .sealKeyMissing, .obstructed, .contended, .full, .busy, .outOfTurn,
                .misplaced, .notRecorded, .notDecidedOn:
                throw error
            }
        }
    }

    private mutating func report(_ name: [UInt8], _ problem: ScanFinding.Problem) {
        summary.problems += 1
        options.finding(ScanFinding(name: name, problem: problem))
    }
}

extension ObjectFile {
    /// The tag's text as it stands in the attribute; nil where there is none.
    var tagText: String? {
        guard let attribute, let count = PackedAttribute.textCount(attribute.span) else { return nil }
        return String(validating: attribute[..<count], as: UTF8.self)
    }

    /// What the tag says, where its seal verifies; all that it says of the object need not hold.
    fileprivate func sealedText(of key: ObjectKey, _ keyring: SealKeyring) -> ResidencyTag? {
        if let sealed { return sealed.tag }
        guard let attribute, let count = PackedAttribute.textCount(attribute.span) else { return nil }
        return try? ResidencyTag.verifySeal(
            Array(attribute[..<count]).span, binding: key.utf8.span, keyring: keyring)
    }

    /// What the attribute says beside the tag, whether or not that verifies.
    var unverifiedRest: StoredRest? {
        guard let attribute, let count = PackedAttribute.textCount(attribute.span) else { return nil }
        return StoredRest.parse(Array(attribute[(count + 1)...]).span)
    }
}
