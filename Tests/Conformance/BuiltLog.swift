import Foundation
import JSON
import OpenSSL
import Residency
import TestSupport

@testable import DecisionLog

/// A log of made-up entries at chosen times, written by the daemon's own tree: what the tools are tried on.
/// Confined to one test, or not grown any more.
final class BuiltLog: @unchecked Sendable {
    let folder: Sandbox
    let path: String
    private(set) var signer: NoteSigner
    let origin: String
    private let files: LogFolder
    private(set) var entries: [[UInt8]] = []
    private var waiting: [UInt64] = []

    var vkey: String { signer.verifier.text }

    init(origin: String = "logs.example.org/dub1-gw1") throws {
        self.origin = origin
        folder = try Sandbox("log")
        path = folder("log")
        files = LogFolder(path: path)
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        for name in ["evidence", "policy"] {
            try folder.write("log/\(name)/\(String(repeating: "ab", count: 32))", name)
        }
        signer = try Self.newSigner(origin)
    }

    private static func newSigner(_ origin: String) throws -> NoteSigner {
        let seed = randomBytes(32)
        let key = try Ed25519PrivateKey(seed: seed).publicKey.bytes
        let hash = SHA256Digest(hashing: Array(origin.utf8) + [0x0A, 1] + key).bytes.prefix(4)
        return try NoteSigner(
            "PRIVATE+KEY+\(origin)+\(Hex.encode(Array(hash)))+\(Base64.standard.encode([1] + seed))")
    }

    /// Goes on under a new key of the same name, after a checkpoint that both signed.
    func rotate() throws {
        let (old, new) = (signer, try Self.newSigner(origin))
        for signers in [[new, old], [new]] {
            var tree = try Tree(files, origin: origin, signers: signers)
            try tree.publish(cosignatures: [])
        }
        signer = new
    }

    /// The first entry's time: midnight of 1 November 2026; each is `step` after the one before.
    static let start = Timestamp(seconds: 1_793_491_200)
    var step: Int64 = 1_000_000
    var nextTime: Timestamp { Timestamp(microseconds: Self.start.microseconds + Int64(entries.count) * step) }

    /// Appends entries until there are `count`, and publishes. Every tenth is a refusal, some are completions and events.
    func grow(to count: Int) throws {
        var tree = try Tree(files, origin: origin, signers: [signer])
        var framed: [UInt8] = []
        while entries.count < count {
            let line = makeEntry(entries.count)
            EntryFraming.append(line, to: &framed)
            entries.append(line)
        }
        try tree.append(framed)
        try tree.publish()
    }

    /// Appends these as they are, and publishes: also what no daemon would write.
    func append(_ lines: [[UInt8]]) throws {
        var tree = try Tree(files, origin: origin, signers: [signer])
        var framed: [UInt8] = []
        for line in lines { EntryFraming.append(line, to: &framed) }
        entries += lines
        try tree.append(framed)
        try tree.publish()
    }

    private func makeEntry(_ index: Int) -> [UInt8] {
        var line: [UInt8] = []
        let gateway = GatewayName("dub1-gw1")!
        if waiting.count >= 40 || (index % 97 == 96 && !waiting.isEmpty) {
            let items = waiting.map { CompletionEntry.Item(index: $0, status: 200, bytes: 12, outcome: .whole) }
            waiting = []
            CompletionEntry(gateway: gateway, items: items).append(to: &line, time: nextTime)
        } else if index % 211 == 0 {
            EventEntry(gateway: gateway, name: index == 0 ? "start" : "reload", members: [("version", .text("0.1.0"))])
                .append(to: &line, time: nextTime)
        } else {
            let entry = Self.decision(index, at: nextTime)
            if entry.reason.allows { waiting.append(UInt64(index)) }
            entry.append(to: &line)
        }
        return line
    }

    static let pseudonyms = Pseudonymizer(keyID: "dub1-2026", key: HMACKey([UInt8](repeating: 7, count: 32)))

    static func decision(_ index: Int, at time: Timestamp) -> DecisionEntry {
        var entry = DecisionEntry(
            time: time, gateway: GatewayName("dub1-gw1")!, request: "req-\(index)",
            reason: index % 10 == 0 ? .authorizationRequired : index % 10 == 1 ? .authorized : .domestic,
            operation: index % 4 == 0 ? .putObject : .getObject,
            access: index % 4 == 0 ? .write(conditional: false) : .content, address: "127.0.10.5",
            policy: String(repeating: "ab", count: 32))
        entry.principal = PrincipalName(index % 10 < 2 ? "ediscovery" : "mailserver-dub1")
        entry.office = DatacenterName(index % 10 < 2 ? "iad1" : "dub1")
        entry.certificate = [UInt8](repeating: 0xCE, count: 32)
        entry.store = BucketName("mail-dub1")
        let mailbox = index % 2 == 0 ? "alice" : "bob, \"the\" builder"
        entry.mailbox = pseudonyms.pseudonym("mailbox", bucket: "mail-dub1", Array(mailbox.utf8))
        entry.object = pseudonyms.pseudonym("object", bucket: "mail-dub1", Array("\(mailbox)/\(index % 50)".utf8))
        entry.size = 4096
        entry.etag = "f5d845b854646440d5188c6ebe886861"
        entry.datacenter = DatacenterName("dub1")
        entry.jurisdiction = Jurisdiction(index % 7 == 0 ? "DE" : "IE")
        entry.receivedSeconds = 1_770_000_000
        if index % 10 < 2 { entry.crossed = [Jurisdiction("IE")!] }
        if index % 10 == 1 {
            var authorization = AuthorizationEntry(sha256: SHA256Digest(hashing: [1]), outcome: .granted)
            authorization.issuer = "https://authorizations.example.ie"
            authorization.tokenID = "token-1"
            authorization.instrument = "warrant"
            entry.authorizations = [authorization]
        }
        return entry
    }

    /// Runs `bailiwick log`.
    func tool(_ arguments: String..., input: Data? = nil) throws -> CommandResult {
        try run(["\(products)/bailiwick", "log"] + arguments, input: input, folder: folder.path)
    }

    /// Adds a byte's lowest bit to a file of the log.
    func flip(_ name: String, at offset: Int) throws {
        let url = URL(fileURLWithPath: path + "/" + name)
        var data = try Data(contentsOf: url)
        data[data.startIndex + offset] ^= 1
        try data.write(to: url)
    }
}
