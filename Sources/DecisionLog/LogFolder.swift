internal import Glibc

/// A system call that failed.
package struct LogSystemError: Error, Hashable, Sendable, CustomStringConvertible {
    package let call: String
    package let path: String
    package let code: Int32
}

/// The files of one log folder, and the orders of system calls that make them durable.
struct LogFolder: Sendable {
    let path: String
    let disk: any LogDisk

    init(path: String, disk: any LogDisk = LinuxDisk()) {
        self.path = path
        self.disk = disk
    }

    // MARK: - Folders

    /// Makes a folder that may be there already, and makes its name durable: one that a process made which ended before it synced the
    /// name is there now and gone after the next power cut.
    func makeFolder(_ name: String, mode: UInt32 = 0o755) throws(LogSystemError) {
        var isNew = true
        do throws(Errno) { try disk.mkdir(full(name), mode: mode) } catch {
            guard error.code == EEXIST else { throw fault("mkdir", name, error) }
            isNew = false
        }
        do throws(LogSystemError) { try syncFolder(atPath: parent(ofPath: full(name))) } catch {
            // The folder above the log's own may be closed to us; then whoever made ours has made its name durable.
            if isNew || error.code != EACCES || !name.isEmpty { throw error }
        }
    }

    /// Makes the names in a folder durable.
    func syncFolder(_ name: String) throws(LogSystemError) { try syncFolder(atPath: full(name)) }

    private func syncFolder(atPath path: String) throws(LogSystemError) {
        var call = "open"
        do throws(Errno) {
            let descriptor = try disk.open(path, .folder)
            defer { disk.close(descriptor) }
            call = "fsync"
            try disk.fsync(descriptor)
        } catch {
            throw LogSystemError(call: call, path: path, code: error.code)
        }
    }

    func removeFolder(_ name: String) { try? disk.rmdir(full(name)) }

    /// The names in a folder, sorted; none when there is no such folder.
    func names(_ folder: String) throws(LogSystemError) -> [String] {
        do throws(Errno) { return try disk.names(full(folder)).sorted() } catch {
            if error.code == ENOENT { return [] }
            throw fault("readdir", folder, error)
        }
    }

    // MARK: - Whole files

    /// Writes a whole file under a temporary name, makes it durable, gives it its name, makes the name durable.
    /// - Returns: which file it is.
    @discardableResult
    func publish(_ name: String, _ bytes: [UInt8], mode: UInt32 = 0o644) throws(LogSystemError) -> FileIdentity {
        let identity = try place(name, bytes, mode: mode)
        try syncFolder(parent(of: name))
        return identity
    }

    /// The same for several files of one folder, which is made durable once.
    func publish(_ all: [(name: String, bytes: [UInt8])], mode: UInt32) throws(LogSystemError) {
        for file in all { _ = try place(file.name, file.bytes, mode: mode) }
        if let first = all.first { try syncFolder(parent(of: first.name)) }
    }

    /// The same, but for the name, which is not durable before its folder is.
    private func place(_ name: String, _ bytes: [UInt8], mode: UInt32) throws(LogSystemError) -> FileIdentity {
        let temporary = name + ".tmp"
        let identity: FileIdentity
        do throws(LogSystemError) {
            let descriptor = try open(temporary, .create(mode: mode))
            defer { disk.close(descriptor) }
            try write(descriptor, bytes.span, at: 0, name: temporary)
            try attempt("fsync", temporary) { () throws(Errno) in try disk.fsync(descriptor) }
            identity = try attempt("fstat", temporary) { () throws(Errno) in try disk.status(descriptor) }.identity
        } catch {
            remove(temporary)
            throw error
        }
        try attempt("rename", name) { () throws(Errno) in try disk.rename(full(temporary), full(name)) }
        return identity
    }

    /// The whole of a file; nil when there is none.
    func read(_ name: String) throws(LogSystemError) -> [UInt8]? { try read(name, fromDisk: false) }

    /// Has the disk begin to read a file that will be read soon; whatever comes of it.
    func startReading(_ name: String) {
        guard let descriptor = try? open(name, .read) else { return }
        disk.startReading(descriptor)
        disk.close(descriptor)
    }

    /// The whole of a file as the disk has it, durable from here on; nil when there is none. What memory holds is not trusted: a write
    /// that the kernel failed to bring to the disk is still seen there.
    func readFromDisk(_ name: String) throws(LogSystemError) -> [UInt8]? { try read(name, fromDisk: true) }

    private func read(_ name: String, fromDisk: Bool) throws(LogSystemError) -> [UInt8]? {
        var bytes: [UInt8] = []
        let isThere = try withFile(name) { descriptor throws(LogSystemError) in
            if fromDisk {
                try attempt("fsync", name) { () throws(Errno) in try disk.fsync(descriptor) }
                disk.dropCache(descriptor)
            }
            try readWhole(descriptor, into: &bytes, name: name)
        }
        return isThere ? bytes : nil
    }

    /// The whole of a file that is not wanted again soon, and that memory is not to keep.
    /// - Parameter bytes: takes the place of what they hold.
    /// - Returns: false when there is none.
    func readOnce(_ name: String, into bytes: inout [UInt8]) throws(LogSystemError) -> Bool {
        try withFile(name) { descriptor throws(LogSystemError) in
            try readWhole(descriptor, into: &bytes, name: name)
            disk.dropCache(descriptor)
        }
    }

    /// - Returns: false when there is no such file.
    private func withFile(
        _ name: String, _ body: (_ descriptor: Int32) throws(LogSystemError) -> Void
    ) throws(LogSystemError) -> Bool {
        let descriptor: Int32
        do throws(Errno) { descriptor = try disk.open(full(name), .read) } catch {
            if error.code == ENOENT { return false }
            throw fault("open", name, error)
        }
        defer { disk.close(descriptor) }
        try body(descriptor)
        return true
    }

    private func readWhole(_ descriptor: Int32, into bytes: inout [UInt8], name: String) throws(LogSystemError) {
        let size = try attempt("fstat", name) { () throws(Errno) in try disk.status(descriptor) }.byteCount
        if bytes.count < size { bytes = [UInt8](repeating: 0, count: size) }
        bytes.removeLast(bytes.count - size)
        let count = try read(descriptor, into: &bytes, name: name)
        bytes.removeLast(size - count)
    }

    /// Reads a file from its beginning, as far as `bytes` has room; gives how many it was.
    func read(_ descriptor: Int32, into bytes: inout [UInt8], name: String) throws(LogSystemError) -> Int {
        var done = 0
        while done < bytes.count {
            let got: Int
            do throws(Errno) { got = try disk.pread(descriptor, into: &bytes, from: done, at: done) } catch {
                throw fault("pread", name, error)
            }
            if got == 0 { break }
            done += got
        }
        return done
    }

    /// Writes all of the bytes, however many calls it takes.
    func write(_ descriptor: Int32, _ bytes: Span<UInt8>, at offset: Int, name: String) throws(LogSystemError) {
        var done = 0
        while done < bytes.count {
            let put: Int
            do throws(Errno) {
                put = try disk.pwrite(descriptor, bytes.extracting(done..<bytes.count), at: offset + done)
            } catch {
                throw fault("pwrite", name, error)
            }
            guard put > 0 else { throw fault("pwrite", name, Errno(code: EIO)) }
            done += put
        }
    }

    func open(_ name: String, _ way: OpenWay) throws(LogSystemError) -> Int32 {
        try attempt("open", name) { () throws(Errno) in try disk.open(full(name), way) }
    }

    // MARK: - Names

    /// Removes a file whose name need not be gone after a power cut.
    func remove(_ name: String) { try? disk.unlink(full(name)) }

    /// Removes a file for good.
    func removeDurably(_ name: String) throws(LogSystemError) {
        try attempt("unlink", name) { () throws(Errno) in try disk.unlink(full(name)) }
        try syncFolder(parent(of: name))
    }

    /// Gives a file another name of the same folder, durable on return.
    func rename(_ from: String, to name: String) throws(LogSystemError) {
        try attempt("rename", name) { () throws(Errno) in try disk.rename(full(from), full(name)) }
        try syncFolder(parent(of: name))
    }

    /// - Throws: when it cannot be told.
    func exists(_ name: String) throws(LogSystemError) -> Bool { try identity(name) != nil }

    /// Which file a name names now; nil when it names none.
    func identity(_ name: String) throws(LogSystemError) -> FileIdentity? {
        do throws(Errno) { return try disk.status(full(name)).identity } catch {
            if error.code == ENOENT || error.code == ENOTDIR { return nil }
            throw fault("stat", name, error)
        }
    }

    func identity(of descriptor: Int32, name: String) throws(LogSystemError) -> FileIdentity {
        try attempt("fstat", name) { () throws(Errno) in try disk.status(descriptor) }.identity
    }

    /// Holds the log against a second daemon as long as the descriptor is open; nil when another one has it.
    func lock(_ name: String) throws(LogSystemError) -> Int32? {
        let descriptor = try open(name, .keep)
        do throws(Errno) { if try disk.lock(descriptor) { return descriptor } } catch {
            disk.close(descriptor)
            throw fault("flock", name, error)
        }
        disk.close(descriptor)
        return nil
    }

    // MARK: - Paths and errors

    func full(_ name: String) -> String { name.isEmpty ? path : path + "/" + name }

    private func parent(of name: String) -> String {
        guard let slash = name.lastIndex(of: "/") else { return "" }
        return String(name[..<slash])
    }

    private func parent(ofPath path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    func attempt<Value>(_ call: String, _ name: String, _ body: () throws(Errno) -> Value) throws(LogSystemError)
        -> Value
    {
        do throws(Errno) { return try body() } catch { throw fault(call, name, error) }
    }

    private func fault(_ call: String, _ name: String, _ error: Errno) -> LogSystemError {
        LogSystemError(call: call, path: full(name), code: error.code)
    }
}
