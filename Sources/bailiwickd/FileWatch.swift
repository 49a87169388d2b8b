internal import Glibc
internal import Settings

/// The files that a reload reads and that others renew (certificates, lists, key sets), watched where `gateway.watch_files` says so.
///
/// inotify(7) says that something happened in a folder; what counts is whether a file is another one, or its bytes are: so a new file
/// renamed into place is seen, and a symbolic link that is swapped anywhere on the way to it, as certbot and Kubernetes do. Several files
/// that change together (a certificate and its key) are one change: it is told once all is quiet.
final class FileWatch {
    private struct Stamp: Equatable {
        var device: UInt = 0
        var inode: UInt = 0
        var size = 0
        var modified: [Int] = []
    }

    /// Nothing may have changed for so long.
    private static let quietMilliseconds: Int64 = 1000
    /// But a file that changes all the time does not hold the others back.
    private static let patienceMilliseconds: Int64 = 10_000
    /// How often files are looked at that nothing tells of.
    private static let lookMilliseconds: Int64 = 5000

    private let paths: [String]
    private let descriptor: Int32
    /// What was read last.
    private var read: [String: Stamp]
    /// What was seen last.
    private var seen: [String: Stamp]
    private var firstChange: Int64?
    private var lastChange: Int64 = 0
    /// Not every folder is watched: the machine gives no more watches, or the folder is not there or not to be read. Then the files are
    /// looked at by time.
    private var isBlind = false
    private var nextLook: Int64 = 0

    /// nil when the settings want none.
    /// - Parameter before: the watch until now, which looked before the settings were read: what changed since then may not have been.
    init?(_ settings: Settings, after before: FileWatch? = nil) {
        guard settings.gateway.watchesFiles else { return nil }
        paths = settings.renewedFiles
        descriptor = inotify_init1(Int32(IN_NONBLOCK | IN_CLOEXEC))
        read = [:]
        seen = [:]
        // Watched first, looked at afterwards: what changes between the two is told of, where the other way round nobody would hear of it.
        watchFolders()
        for path in paths {
            let stamp = Self.stamp(path)
            seen[path] = stamp
            read[path] = before?.seen[path] ?? stamp
        }
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    /// The files that differ from what was read last, once all has been quiet; nil when there is nothing to do.
    func changed(at now: Int64) -> [String]? {
        if somethingHappened() || isBlind && now >= nextLook {
            nextLook = now + Self.lookMilliseconds
            watchFolders()
            if look() {
                firstChange = firstChange ?? now
                lastChange = now
            }
        } else if firstChange == nil, seen != read {
            firstChange = now
            lastChange = now
        }
        guard let first = firstChange,
            now - lastChange >= Self.quietMilliseconds || now - first >= Self.patienceMilliseconds
        else { return nil }
        firstChange = nil
        let changed = paths.filter { seen[$0] != read[$0] }
        read = seen
        return changed.isEmpty ? nil : changed
    }

    /// Takes in how the files are now.
    /// - Returns: whether one is not as it was seen last.
    @discardableResult
    func look() -> Bool {
        let before = seen
        for path in paths { seen[path] = Self.stamp(path) }
        return seen != before
    }

    /// Empties inotify's queue.
    private func somethingHappened() -> Bool {
        var buffer = [UInt8](repeating: 0, count: 16 << 10)
        var any = false
        while true {
            let count = unsafe buffer.withUnsafeMutableBytes {
                unsafe Glibc.read(descriptor, $0.baseAddress, $0.count)
            }
            guard count > 0 else { return any }
            any = true
        }
    }

    /// Watches each folder on the way in which a name is looked up that can be made another one's: the file's own, and that of each
    /// symbolic link. To watch one again changes nothing.
    private func watchFolders() {
        isBlind = false
        let mask = IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE | IN_ATTRIB
        for path in paths {
            for folder in Self.folders(path, linksMax: 40) {
                if unsafe inotify_add_watch(descriptor, folder, UInt32(mask)) < 0 { isBlind = true }
            }
        }
    }

    private static func folders(_ path: String, linksMax: Int) -> Set<String> {
        var folders: Set<String> = []
        var todo = [path]
        var links = 0
        while let path = todo.popLast() {
            let parts = path.split(separator: "/", omittingEmptySubsequences: true).map(String.init)
            var folder = path.hasPrefix("/") ? "/" : "."
            for (position, part) in parts.enumerated() {
                let next = folder == "/" ? "/" + part : folder + "/" + part
                let isLast = position == parts.count - 1
                if isLast { folders.insert(folder) }
                if let target = link(next) {
                    folders.insert(folder)
                    links += 1
                    if links <= linksMax {
                        let rest = parts[(position + 1)...].map { "/" + $0 }.joined()
                        todo.append((target.hasPrefix("/") ? target : folder + "/" + target) + rest)
                    }
                    break
                }
                folder = next
            }
        }
        return folders
    }

    private static func link(_ path: String) -> String? {
        var buffer = [CChar](repeating: 0, count: 4096)
        let count = unsafe readlink(path, &buffer, buffer.count)
        return count > 0
            ? String(decoding: buffer.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self) : nil
    }

    private static func stamp(_ path: String) -> Stamp {
        var status = stat()
        guard unsafe stat(path, &status) == 0 else { return Stamp() }
        return Stamp(
            device: UInt(status.st_dev), inode: UInt(status.st_ino), size: Int(status.st_size),
            modified: [
                status.st_mtim.tv_sec, status.st_mtim.tv_nsec, status.st_ctim.tv_sec, status.st_ctim.tv_nsec,
            ])
    }
}
