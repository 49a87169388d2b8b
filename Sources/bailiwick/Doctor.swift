internal import DecisionLog
internal import Glibc
internal import JSON
internal import Residency
internal import Settings
internal import Stores
internal import TLS
internal import Tokens

/// Examines what one settings file describes.
struct Doctor {
    let settings: Settings
    let now: Int64

    /// What is left when it is time to renew.
    private static let renewalDays = 14
    private static let listDays = 1
    private static let diskDays = 7
    private static let diskPercent: UInt64 = 5
    private static let writeMicrosecondsWarning: Int64 = 20_000

    init(_ settings: Settings) {
        self.settings = settings
        now = Int64(time(nil))
    }

    // MARK: - Machine

    func examineMachine(_ findings: inout Diagnosis) {
        switch ClockState.now {
        case .synchronized(let error):
            findings.ok("clock", "synchronized, within \(error / 1000 + 1) ms as the kernel reckons")
        case .unsynchronized:
            findings.warn(
                "clock",
                "not synchronized: authorizations are judged by it. Run chrony or systemd-timesyncd (timedatectl set-ntp true)"
            )
        case .unknown: findings.warn("clock", "the kernel does not tell whether it is synchronized")
        }
    }

    // MARK: - Certificates, lists, keys

    func examineTrust(_ findings: inout Diagnosis) {
        do throws(TLSConfigurationError) {
            _ = try TLSContext(
                TLSConfiguration(
                    role: .server, certificateChain: settings.tls.certificate, privateKey: settings.tls.privateKey,
                    authorities: settings.tls.clientAuthorities, revocationLists: settings.tls.revocationLists),
                nowSeconds: now)
            let end = Expiry.certificates(settings.tls.certificate).map(\.notAfterSeconds).min() ?? 0
            judge(
                "certificate", end, days: Self.renewalDays, isFatal: true, "renew it and reload", &findings)
        } catch { findings.fail("certificate", Self.words(error)) }
        for (index, validity) in Expiry.certificates(settings.tls.clientAuthorities).enumerated() {
            judge(
                "client authority \(index + 1)", validity.notAfterSeconds, days: Self.renewalDays, isFatal: false,
                "put its successor into tls.client_authorities", &findings)
        }
        for (index, end) in Expiry.revocationLists(settings.tls.revocationLists).enumerated() {
            guard let end else { continue }
            judge(
                "revocation list \(index + 1)", end, days: Self.listDays, isFatal: true,
                "fetch the authority's new list and reload: past its end the clients that it covers are refused",
                &findings)
        }
        for issuer in settings.issuers.all { examine(issuer, &findings) }
    }

    private func examine(_ issuer: Issuer, _ findings: inout Diagnosis) {
        let name = "issuer \(issuer.id)"
        findings.ok(name, "\(issuer.keys.keyIDs.count) keys, \(issuer.denied.count) tokens on the deny list")
        for (keyID, end) in issuer.keys.expiries {
            judge(
                "\(name), key \(String(decoding: keyID.utf8, as: UTF8.self))", end, days: Self.renewalDays,
                isFatal: false, "ask the issuer for its successor", &findings)
        }
        guard let list = issuer.revocations else { return }
        judge(
            "\(name), revocations", list.expiresSeconds, days: Self.listDays, isFatal: true,
            "ask the issuer for its new list: past its end all its authorizations are refused", &findings)
    }

    private func judge(
        _ name: String, _ end: Int64, days: Int, isFatal: Bool, _ remedy: String, _ findings: inout Diagnosis
    ) {
        let date = Timestamp(seconds: end).rfc3339.prefix(10)
        // A key set or a list may name any number: only from one that is yet to come something is taken.
        guard end > now else {
            let words = "ended on \(date): \(remedy)"
            return isFatal ? findings.fail(name, words) : findings.warn(name, words)
        }
        let left = (end - now) / 86_400
        if left < days {
            findings.warn(name, "\(left) days left, until \(date): \(remedy)")
        } else {
            findings.ok(name, "\(left) days left, until \(date)")
        }
    }

    private static func words(_ error: TLSConfigurationError) -> String {
        switch error {
        case .certificateUnreadable: "tls.certificate holds no PEM certificate, or a damaged one"
        case .privateKeyUnreadable: "tls.private_key holds no unencrypted PEM (PKCS#8) private key"
        case .keyDoesNotMatch: "tls.private_key does not match tls.certificate: put in place what was issued together"
        case .certificateExpired(let end):
            "ended on \(Timestamp(seconds: end).rfc3339.prefix(10)): renew it and reload"
        case .certificateNotYetValid(let begin):
            "is not valid before \(Timestamp(seconds: begin).rfc3339.prefix(10)): is the clock right?"
        case .authoritiesUnreadable: "tls.client_authorities holds no PEM certificate, or a damaged one"
        case .revocationListUnreadable(let index):
            "tls.revocation_lists[\(index)] holds no revocation lists (PEM, or one in DER), or not these alone"
        case .openSSL(let call): "\(call) failed"
        }
    }

    // MARK: - Stores

    func examineStores(_ findings: inout Diagnosis) {
        for store in settings.stores {
            let name = "store \(store.bucket)"
            do throws(DirectoryStoreError) {
                try DirectoryStore.probe(path: store.path)
                findings.ok(
                    name,
                    "unnamed files and extended attributes of \(StoreLimits.attributeBytesMax) bytes: \(store.path)")
            } catch { findings.fail(name, "\(error)") }
            examine(DiskSpace(path: store.path), name, &findings)
        }
    }

    private func examine(_ space: DiskSpace?, _ name: String, _ findings: inout Diagnosis) {
        guard let space, space.sizeBytes > 0 else { return }
        let percent = space.freeBytes * 100 / space.sizeBytes
        let words = "\(Self.size(space.freeBytes)) free, \(percent) %"
        if percent < Self.diskPercent {
            findings.warn("\(name), disk", "\(words): make room")
        } else {
            findings.ok("\(name), disk", words)
        }
    }

    private static func size(_ bytes: UInt64) -> String {
        bytes >= 10 << 30 ? "\(bytes >> 30) GiB" : "\(bytes >> 20) MiB"
    }

    // MARK: - Log

    func examineLog(_ findings: inout Diagnosis) {
        for (index, line) in settings.log.signingKeys.enumerated() where (try? NoteSigner(line)) == nil {
            findings.fail(
                "log", "log.signing_keys[\(index)] is no key of C2SP's form: `bailiwick keys new --kind log` makes one")
        }
        let folder = settings.log.directory
        // A log that was never opened has no folder yet: what counts is the one that it will be made in.
        let place = DiskSpace(path: folder) == nil ? Self.parent(folder) : folder
        do throws(LogSystemError) {
            let probe = try LogDiskProbe(folder: place)
            let words =
                "a durable write takes \(probe.writeMicroseconds) µs, \(probe.usesDirectIO ? "around" : "through") the page cache"
            if probe.usesDirectIO, probe.writeMicroseconds < Self.writeMicrosecondsWarning {
                findings.ok("log disk", words)
            } else {
                findings.warn(
                    "log disk",
                    "\(words): every decision waits for one. Use a local SSD with ext4 or XFS, which take O_DIRECT")
            }
        } catch {
            findings.fail(
                "log disk", "\(error.path): \(error.call): \(systemWords(error.code)): run as the daemon's user?")
        }
        let space = DiskSpace(path: place)
        examine(space, "log", &findings)
        if let space { examineGrowth(folder, space, &findings) }
    }

    /// Days until the disk is full, at the rate of the last day; the log's own entries tell how much that was.
    private func examineGrowth(_ folder: String, _ space: DiskSpace, _ findings: inout Diagnosis) {
        let name = "log growth"
        guard let reader = try? LogReader(folder: folder, verifier: nil) else {
            return findings.ok(name, "no checkpoint yet")
        }
        do {
            let size = reader.checkpoint.size
            guard size > reader.minimumIndex, let newest = LogReader.time(of: try reader.entry(size - 1))
            else { return findings.ok(name, "no entries yet") }
            if newest.seconds > now + 5 {
                findings.fail(
                    "clock",
                    "the log's last entry is of \(newest.rfc3339), and authorizations are judged by it. If the clock is right now, wait until then or begin a new log (OPERATING.md, The log's time is ahead of the clock); if not, set it right"
                )
            }
            let first = try reader.firstIndex(notBefore: Timestamp(seconds: now - 86_400))
            guard first < size, let oldest = LogReader.time(of: try reader.entry(first)) else {
                return findings.ok(name, "nothing in the last day")
            }
            let seconds = max(60, now - oldest.seconds)
            let bytes = try Self.bytesPerEntry(reader) * Double(size - first)
            let days = Double(space.freeBytes) / (bytes * 86_400 / Double(seconds))
            let words =
                "\(size - first) entries in \(seconds / 3600) h \(seconds / 60 % 60) min: \(Int(min(days, 100_000))) days left at that rate"
            if days < Double(Self.diskDays) {
                findings.warn(name, "\(words): make room, or move the log to a larger disk")
            } else {
                findings.ok(name, words)
            }
        } catch { findings.warn(name, "\(error)") }
    }

    /// By the newest bundle, with the entry's share of the hash tiles: 32 bytes on the lowest level, 1/256 of that above.
    private static func bytesPerEntry(_ reader: LogReader) throws -> Double {
        let (_, bytes, entries) = try reader.bundle(reader.bundleCount - 1)
        return Double(bytes.count) / Double(max(1, entries.count)) + 32.2
    }

    private static func parent(_ path: String) -> String {
        guard let slash = path.lastIndex(of: "/"), slash > path.startIndex else { return "/" }
        return String(path[..<slash])
    }
}

/// The words of strerror(3).
private func systemWords(_ code: Int32) -> String { unsafe String(cString: strerror(code)) }
