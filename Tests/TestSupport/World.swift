import Foundation

/// Keys, certificates, issuers and settings of two gateways, as `demo/configure` lays them out, in a folder of its own, and the
/// daemons that run on them.
package final class World: @unchecked Sendable {
    package let folder: Sandbox
    private var daemons: [Daemon] = []
    private let lock = NSLock()

    /// Ports that nobody listens on at the moment of asking: gateway and operators, for Dublin and for Virginia.
    package let dublin: Int
    package let virginia: Int

    package init() throws {
        folder = try Sandbox("world")
        dublin = World.freePortPair()
        virginia = World.freePortPair()
        let result = try TestSupport.run(
            ["\(repository)/demo/configure", folder.path, "\(dublin)", "\(virginia)"],
            environment: ["PATH": "\(products):\(ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin")"])
        guard result.status == 0 else { throw TestFailure("demo/configure: \(result.errors)\(result.text)") }
    }

    deinit { for daemon in daemons { daemon.kill() } }

    /// Starts a gateway and waits until it is ready.
    @discardableResult
    package func start(_ name: String, arguments: [String] = []) throws -> Daemon {
        let daemon = try Daemon(
            settings: folder("\(name).toml"), socket: folder("run/\(name).sock"), arguments: arguments)
        lock.withLock { daemons.append(daemon) }
        try daemon.waitUntilReady()
        return daemon
    }

    /// The daemon that was started last under that name.
    package func daemon(_ name: String) -> Daemon? {
        lock.withLock { daemons.last { $0.outputPath == folder("\(name).toml") + ".out" } }
    }

    /// The settings file's text, edited.
    package func edit(_ name: String, _ change: (inout String) -> Void) throws {
        var text = folder.read("\(name).toml")
        change(&text)
        try folder.write("\(name).toml", text)
    }

    /// Runs the command-line tool.
    package func bailiwick(_ arguments: String..., input: Data? = nil) throws -> CommandResult {
        try TestSupport.run(["\(products)/bailiwick"] + arguments, input: input, folder: folder.path)
    }

    /// An authorization by Ireland's issuer; `arguments` come after the usual ones.
    package func irishToken(mailbox: String = "alice", data: String = "content", _ arguments: String...) throws
        -> String
    {
        let hours = arguments.contains("--expires") ? [] : ["--hours", "24"]
        let instrument = arguments.contains("--instrument") ? [] : ["--instrument", "warrant"]
        let result = try TestSupport.run(
            [
                "\(products)/bailiwick", "token", "issue", "--issuer", "https://authorizations.example.ie", "--key",
                folder("keys/issuer-ie.pem"), "--kid", "ie-2026", "--audience", "dub1-gw1", "--subject", "ediscovery",
                "--jurisdiction", "IE", "--authority-name", "Central Criminal Court", "--authority-country", "IE",
                "--requester", "law-enforcement", "--mailbox", mailbox, "--data", data, "--reference", "2026/CCC/118",
            ] + hours + instrument + arguments)
        guard result.status == 0 else { throw TestFailure("token issue: \(result.errors)") }
        return result.text.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    /// Puts a fresh revocation list with one more certificate where the settings name it.
    package func revoke(_ name: String) throws {
        let pki = folder("pki")
        try folder.write(
            "ca.conf",
            """
            [ca]
            default_ca = a
            [a]
            database = \(folder("ca.index"))
            certificate = \(pki)/clients-ca.crt
            private_key = \(pki)/clients-ca.key
            default_md = sha256
            default_crl_days = 30
            """)
        try folder.write("ca.index", "")
        for arguments in [["-revoke", "\(pki)/\(name).crt"], ["-gencrl", "-out", "\(pki)/clients.crl"]] {
            let result = try TestSupport.run(["openssl", "ca", "-config", folder("ca.conf")] + arguments)
            guard result.status == 0 else { throw TestFailure(result.errors) }
        }
    }

    /// An answer as curl saw it.
    package struct Answer: Sendable {
        package let status: Int
        package let headers: [String: String]
        package let body: Data

        package var text: String { String(decoding: body, as: UTF8.self) }
        package var reason: String? {
            headers["x-bailiwick-reason"]
                ?? text.range(of: "(?<=<Reason>)[a-z-]+", options: .regularExpression).map { String(text[$0]) }
        }
    }

    /// One request by curl, as a principal (the certificate's file name) from a source address.
    package func curl(
        _ who: String?, from address: String, _ path: String, at port: Int? = nil, _ arguments: String...,
        body: Data? = nil
    ) throws -> Answer {
        try curl(who, from: address, path, at: port, arguments: arguments, body: body)
    }

    /// The same, with curl's arguments in a list.
    package func curl(
        _ who: String?, from address: String, _ path: String, at port: Int? = nil, arguments: [String],
        body: Data? = nil
    ) throws -> Answer {
        let out = folder("answer-\(UUID().uuidString)")
        defer { for suffix in [".head", ".body"] { try? FileManager.default.removeItem(atPath: out + suffix) } }
        var command = [
            "curl", "-sS", "--max-time", "60", "--path-as-is", "--cacert", folder("pki/servers-ca.crt"), "--interface",
            address, "-D", out + ".head", "-o", out + ".body", "-w", "%{http_code}",
        ]
        if let who { command += ["--cert", folder("pki/\(who).crt"), "--key", folder("pki/\(who).key")] }
        if body != nil { command += ["--upload-file", "-"] }
        let result = try TestSupport.run(
            command + arguments + ["https://127.0.0.1:\(port ?? dublin)\(path)"], input: body)
        guard let status = Int(result.text), status > 0 else {
            throw TestFailure("curl exited with \(result.status): \(result.errors)")
        }
        var headers: [String: String] = [:]
        for line in (try? String(contentsOfFile: out + ".head", encoding: .utf8))?.split(whereSeparator: \.isNewline)
            ?? []
        {
            guard let colon = line.firstIndex(of: ":") else { continue }
            headers[line[..<colon].lowercased()] = line[line.index(after: colon)...].trimmingCharacters(
                in: .whitespaces)
        }
        return Answer(
            status: status, headers: headers,
            body: (try? Data(contentsOf: URL(fileURLWithPath: out + ".body"))) ?? Data())
    }

    /// A port that is free now, and the one above it too.
    package static func freePortPair() -> Int {
        for _ in 0..<1000 {
            let port = Int.random(in: 20_000..<60_000) & ~1
            if isFree(port), isFree(port + 1) { return port }
        }
        return 18443
    }

    private static func isFree(_ port: Int) -> Bool {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        return withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }
}

/// Why a test could not go on.
package struct TestFailure: Error, CustomStringConvertible {
    package let description: String

    package init(_ description: String) { self.description = description }
}
