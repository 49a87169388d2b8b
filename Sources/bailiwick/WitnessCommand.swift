internal import ArgumentParser
internal import DecisionLog
internal import Glibc
internal import HTTP
internal import NIOCore
internal import NIOPosix
internal import Residency
internal import Synchronization

/// `bailiwick witness`.
struct WitnessCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "witness",
        abstract: "Cosigns the checkpoints of others' logs, each only when the log has done nothing but grow.",
        discussion: """
            A C2SP tlog-witness: POST /add-checkpoint. It keeps the last checkpoint of each log that it cosigned, durably and before it \
            answers, so that nobody who holds a log's key can show two histories of it. Let somebody run it who is not the operator of \
            the log, on a machine that the operator cannot reach, and give gateways its vkey ([log] witnesses).

            It speaks plain HTTP. What it cosigns is signed; what it refuses is not, and a gateway closes its log when a witness says \
            that it has seen more or another history: over plain HTTP whoever is on the way can say so. Put a TLS server before it, and \
            give gateways its https URL, unless both are on one machine. --state is the witness's memory: one that lost it would cosign a \
            second history, so a lost folder needs a new key. It serves 512 connections at a time; a gateway has one. SIGTERM ends it \
            cleanly.

            EXAMPLE
              bailiwick keys new --kind witness --name witness.example.net/w1 --private witness-key > witness.vkey
              bailiwick witness --key witness-key --state /var/lib/bailiwick-witness --log "$(cat log.vkey)" --listen 127.0.0.1:8470
            """)

    @Option(help: ArgumentHelp("The witness's key, of `bailiwick keys new --kind witness`.", valueName: "file"))
    var key: String
    @Option(
        help: ArgumentHelp("The folder where it keeps what it cosigned; made where there is none.", valueName: "folder")
    )
    var state: String
    @Option(help: ArgumentHelp("The vkey of a log that it cosigns; repeatable.", valueName: "vkey"))
    var log: [String]
    @Option(help: ArgumentHelp("Where it listens.", valueName: "host:port"))
    var listen = "127.0.0.1:8470"

    /// Connections at a time; one more is closed at once. A gateway has one, and an idle one ends after a minute.
    private static let connectionsMax = 512

    func run() throws {
        let book = try openBook()
        let (host, port) = try address()
        for (origin, size) in book.sizes { KeyFiles.tell("\(origin): cosigned up to \(size)") }
        var signals = sigset_t()
        unsafe sigemptyset(&signals)
        for signal in [SIGTERM, SIGINT] { unsafe sigaddset(&signals, signal) }
        unsafe pthread_sigmask(SIG_BLOCK, &signals, nil)
        _ = signal(SIGPIPE, SIG_IGN)
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let pool = NIOThreadPool(numberOfThreads: 1)
        pool.start()
        let connections = ConnectionCount()
        let server = ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 256)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.autoRead, value: false)
            .childChannelInitializer { channel in
                let count = connections.count.add(1, ordering: .relaxed).newValue
                channel.closeFuture.whenComplete { _ in connections.count.subtract(1, ordering: .relaxed) }
                guard count <= Self.connectionsMax else { return channel.close() }
                return channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Self.handler(book, pool))
                }
            }
        let listener: any Channel
        do { listener = try server.bind(host: host, port: port).wait() } catch let error as IOError {
            throw CommandFailure(
                "--listen \(listen): \(error.errnoCode == EADDRINUSE ? "the address is in use by another process" : "\(error)")"
            )
        }
        KeyFiles.tell("listens on \(host):\(listener.localAddress?.port ?? port)")
        var caught: Int32 = 0
        unsafe sigwait(&signals, &caught)
        try? listener.close().wait()
        // What is being kept is kept, and answered.
        try? pool.syncShutdownGracefully()
        try? group.syncShutdownGracefully()
        KeyFiles.tell("stopped")
    }

    private func openBook() throws -> WitnessBook {
        let line = String(decoding: try KeyFiles.readPrivate(key), as: UTF8.self)
        let signer: NoteSigner
        do throws(NoteError) { signer = try NoteSigner(line, type: .cosignature) } catch {
            throw ValidationError("\(key) is no witness's key; make one with `bailiwick keys new --kind witness`.")
        }
        let logs = try log.map(LogArguments.verifier)
        do throws(LogError) { return try WitnessBook(folder: state, signer: signer, logs: logs) } catch {
            switch error {
            case .locked: throw CommandFailure("--state \(state): another witness holds it.")
            default: throw CommandFailure("--state \(state): \(error)")
            }
        }
    }

    private func address() throws -> (String, Int) {
        guard let colon = listen.lastIndex(of: ":"), let port = Int(listen[listen.index(after: colon)...]),
            (0...65_535).contains(port)
        else { throw ValidationError("--listen: expected host:port, such as 127.0.0.1:8470.") }
        return (String(listen[..<colon].filter { $0 != "[" && $0 != "]" }), port)
    }

    private static func handler(_ book: WitnessBook, _ pool: NIOThreadPool) -> WholeRequestHandler {
        WholeRequestHandler(
            bodyBytesMax: AddCheckpoint.bytesMax, idleSecondsMax: 60, nowSeconds: { Clock.now().seconds }
        ) { head, body, _, loop, done in
            guard String(decoding: head.target, as: UTF8.self) == "/add-checkpoint" else {
                return done(.text(404, "there is: POST /add-checkpoint\n"))
            }
            guard head.method == .post else { return done(.text(405, "POST, please\n")) }
            pool.submit { _ in
                let answer = book.add(body, atSeconds: UInt64(max(0, Clock.now().seconds)))
                loop.execute {
                    done(WholeAnswer(status: answer.status, contentType: answer.contentType, body: answer.body))
                }
            }
        }
    }
}

/// Connections that are open.
private final class ConnectionCount: Sendable {
    let count = Atomic(0)
}
