import Foundation
import NIOConcurrencyHelpers
import NIOCore
import Sockets
import TestSupport
import Testing

@testable import TLS

/// TLS over a socket, against Python's `ssl`. What the handshake refuses is held in `OtherImplementationTests` for both carriers.
@Suite struct TLSSocketTests {
    /// What happened on the server's side.
    struct Events: Sendable {
        var bytesReceived = 0
        var sentLater = 0
        var refusals: [TLSError] = []
        var closed = 0
    }

    /// Does what a line asks: `send N`, `cut N` (sends N bytes and aborts), `last N` (writes N bytes at once and closes), `twice N`
    /// (writes N bytes at once, and, when they are sent, does `last N`), `small N` (writes and flushes N lines), `pause`, `close`,
    /// `soil` (leaves an error of its own in OpenSSL's queue for the thread); counts the rest.
    final class Obedient: SocketServer.Owner {
        private static let piece = ByteBuffer(repeating: 0x61, count: 48 << 10)
        var events: NIOLockedValueBox<Events>!
        private var remaining = 0
        private var isCutAfter = false
        private var lastBytes = 0

        override func handshakeFailed(_ error: TLSError) { events.withLockedValue { $0.refusals.append(error) } }

        override func received(_ bytes: Span<UInt8>) {
            events.withLockedValue { $0.bytesReceived += bytes.count }
            let text = String(decoding: bytes.indices.map { bytes[$0] }, as: UTF8.self)
            let words = text.split(whereSeparator: { " \n".contains($0) }).map(String.init)
            switch words.first {
            case "send", "cut":
                (remaining, isCutAfter) = (Int(words[1]) ?? 0, words[0] == "cut")
                send()
            case "last": sendLast(Int(words[1]) ?? 0)
            case "twice":
                lastBytes = Int(words[1]) ?? 0
                socket.write(ByteBuffer(repeating: 0x61, count: lastBytes))
                socket.flush()
            case "small":
                for number in 0..<(Int(words[1]) ?? 0) {
                    socket.write(ByteBuffer(string: "\(number) " + String(repeating: ".", count: 1000) + "\n"))
                    socket.flush()
                }
            case "pause": socket.pauseReading(true)
            case "close": socket.close()
            case "soil": _ = Certificate.parse(der: [0x30, 0x01])
            default: break
            }
        }

        private func send() {
            while remaining > 0, socket.isWritable {
                let count = min(remaining, Self.piece.readableBytes)
                socket.write(Self.piece.getSlice(at: 0, length: count) ?? ByteBuffer())
                remaining -= count
                socket.flush()
            }
            if remaining == 0, isCutAfter, socket.isWritable { socket.abort() }
        }

        private func sendLast(_ count: Int) {
            lastBytes = 0
            socket.write(ByteBuffer(repeating: 0x61, count: count))
            socket.flush()
            socket.close()
        }

        /// As a connection does whose answer is under way.
        override func inputIsClosed() { if lastBytes == 0 { super.inputIsClosed() } }

        override func outputIsSent() {
            events.withLockedValue { $0.sentLater += 1 }
            if lastBytes > 0 { sendLast(lastBytes) } else { send() }
        }

        override func socketIsClosed() { events.withLockedValue { $0.closed += 1 } }
    }

    final class Served {
        let server: SocketServer
        let events = NIOLockedValueBox(Events())

        init(gate: SourceGate? = nil) throws {
            let events = events
            server = try SocketServer(try PKI.server(), gate: gate) { socket in
                let owner = Obedient(socket)
                owner.events = events
                return owner
            }
        }

        deinit { server.stop() }

        /// Runs Python with a connection `s` whose end without close_notify is an error.
        func python(_ script: String) throws -> CommandResult {
            let opening = """
                import socket, ssl, struct, time
                c = ssl.create_default_context(cafile="\(try PKI.path("servers-ca.crt"))")
                c.load_cert_chain("\(try PKI.path("dub1-support.crt"))", "\(try PKI.path("dub1-support.key"))")
                raw = socket.create_connection(("127.0.0.1", \(server.port)))
                def tls(raw):
                    s = c.wrap_socket(raw, server_hostname="127.0.0.1", suppress_ragged_eofs=False)
                    s.settimeout(10)
                    return s
                def by_hand():
                    received, sent = ssl.MemoryBIO(), ssl.MemoryBIO()
                    s = c.wrap_bio(received, sent, server_hostname="127.0.0.1")
                    def until(call):
                        while True:
                            try: return call()
                            except ssl.SSLWantReadError:
                                raw.sendall(sent.read())
                                part = raw.recv(1 << 16)
                                received.write(part) if part else received.write_eof()
                    until(s.do_handshake)
                    raw.sendall(sent.read())
                    return s, sent, until
                def count(s):
                    n = 0
                    while part := s.recv(1 << 16): n += len(part)
                    return n

                """
            return try run(["timeout", "30", "python3", "-c", opening + script])
        }

        func wait(_ condition: (Events) -> Bool) -> Events {
            let deadline = Date().addingTimeInterval(10)
            while Date() < deadline, !events.withLockedValue({ condition($0) }) { Thread.sleep(forTimeInterval: 0.01) }
            return events.withLockedValue { $0 }
        }
    }

    /// A record that the socket does not take whole is sent on in its place, and none is sent before it.
    @Test func manySmallWritesArriveInOrderThoughTheyFillTheSocket() throws {
        let served = try Served()
        let result = try served.python(
            """
            s = tls(raw)
            s.sendall(b"small 20000\\n")
            time.sleep(1)
            with s.makefile("rb") as lines:
                for number in range(20000): assert lines.readline() == b"%d %s\\n" % (number, b"." * 1000)
            """)
        #expect(result.status == 0, "\(result.errors)")
        #expect(served.events.withLockedValue(\.sentLater) > 0)
    }

    /// A record whose header has come is under way: nothing of its session is given back.
    @Test func aRecordMayComeInTwoPiecesFarApart() throws {
        let served = try Served()
        let result = try served.python(
            """
            s, sent, until = by_hand()
            for cut in [5, 1, 7, 30]:
                s.write(b"send 10\\n")
                record = sent.read()
                raw.sendall(record[:cut])
                time.sleep(0.7)
                raw.sendall(record[cut:])
                got = b""
                while len(got) < 10: got += until(lambda: s.read(100))
            """)
        #expect(result.status == 0, "\(result.errors)")
    }

    /// What somebody else left in the thread's queue of errors is nothing that happened to this connection.
    @Test func anOlderErrorOfTheThreadEndsNoConnection() throws {
        let served = try Served()
        let result = try served.python(
            """
            s, sent, until = by_hand()
            s.write(b"soil")
            raw.sendall(sent.read())
            time.sleep(0.2)
            s.write(b"send 100")
            record = sent.read()
            raw.sendall(record[:7])
            time.sleep(0.2)
            raw.sendall(record[7:])
            assert len(until(lambda: s.read(100))) == 100
            s.write(b"soil")
            raw.sendall(sent.read())
            time.sleep(0.2)
            until(s.unwrap)
            """)
        #expect(result.status == 0, "\(result.errors)")
        #expect(served.wait { $0.closed == 1 }.refusals.isEmpty)
    }

    /// What a session that rests gives back it has again when it is needed.
    @Test func aSessionThatRestedGoesOn() throws {
        let served = try Served()
        let result = try served.python(
            """
            s = tls(raw)
            for size in [100, 100000, 5]:
                s.sendall(b"send %d\\n" % size)
                got = 0
                while got < size: got += len(s.recv(1 << 16))
                time.sleep(0.6)
            """)
        #expect(result.status == 0, "\(result.errors)")
    }

    @Test func aSlowReaderGetsAllOfIt() throws {
        let served = try Served()
        let result = try served.python(
            """
            s = tls(raw)
            s.sendall(b"send 20000000\\n")
            time.sleep(0.5)
            n = 0
            while n < 20000000: n += len(s.recv(1 << 16))
            s.sendall(b"close\\n")
            print(n, count(s))
            """)
        #expect(result.text == "20000000 0\n", "\(result.errors)")
        // More than the socket holds: the rest went when it took more.
        #expect(served.wait { $0.closed == 1 }.sentLater > 0)
    }

    /// The last bytes before a close are not lost, and the end is told.
    @Test func aCloseComesAfterWhatWasWritten() throws {
        let served = try Served()
        let result = try served.python(
            """
            s = tls(raw)
            s.sendall(b"send 3000000\\n")
            time.sleep(0.2)
            s.sendall(b"close\\n")
            print(count(s))
            """)
        #expect(result.text == "3000000\n", "\(result.errors)")
        #expect(served.wait { $0.closed == 1 }.closed == 1)
    }

    /// However long the reader looks away, while it is not longer than a minute: the five seconds are for its close_notify.
    @Test func aCloseWaitsForASlowReader() throws {
        let served = try Served()
        let result = try served.python(
            """
            s = tls(raw)
            s.sendall(b"last 20000000\\n")
            time.sleep(7)
            print(count(s))
            """)
        #expect(result.text == "20000000\n", "\(result.errors)")
        #expect(served.wait { $0.closed == 1 }.closed == 1)
    }

    /// Whoever says that no more comes from it gets all the same what is sent to it, to the last piece.
    @Test func aSlowReaderThatSendsNoMoreGetsAllOfIt() throws {
        let served = try Served()
        let result = try served.python(
            """
            o, sent, step = by_hand()
            o.write(b"twice 20000000\\n")
            try: o.unwrap()
            except ssl.SSLWantReadError: raw.sendall(sent.read())
            time.sleep(0.5)
            n = 0
            try:
                while part := step(lambda: o.read(1 << 16)): n += len(part)
            except ssl.SSLZeroReturnError: pass
            print(n)
            """)
        #expect(result.text == "40000000\n", "\(result.errors)")
        #expect(served.wait { $0.closed == 1 }.closed == 1)
    }

    /// Each asks for one in return, which nobody takes: they are not collected without end, nor where data comes between them.
    @Test(arguments: ["None", #"if number % 100 == 0: l.SSL_write(s, b"x", 1)"#])
    func keyUpdatesThatNobodyTakesEndTheConnection(between: String) throws {
        let served = try Served()
        let result = try served.python(
            """
            from ctypes import CDLL, c_void_p, create_string_buffer
            l, k = CDLL("libssl.so.3"), CDLL("libcrypto.so.3")
            for f in (l.TLS_client_method, l.SSL_CTX_new, l.SSL_new, k.BIO_new, k.BIO_s_mem): f.restype = c_void_p
            x = c_void_p(l.SSL_CTX_new(c_void_p(l.TLS_client_method())))
            assert l.SSL_CTX_use_certificate_file(x, b"\(try PKI.path("dub1-support.crt"))", 1) == 1
            assert l.SSL_CTX_use_PrivateKey_file(x, b"\(try PKI.path("dub1-support.key"))", 1) == 1
            s = c_void_p(l.SSL_new(x))
            received, records = (c_void_p(k.BIO_new(c_void_p(k.BIO_s_mem()))) for _ in range(2))
            l.SSL_set_bio(s, received, records)
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            room = create_string_buffer(1 << 20)
            def send():
                while (n := k.BIO_read(records, room, len(room))) > 0: raw.sendall(room.raw[:n])
            while l.SSL_connect(s) != 1:
                send()
                part = raw.recv(1 << 16)
                k.BIO_write(received, part, len(part))
            # Many at a time, so that few are the last that a read of the socket brings.
            sent = 0
            try:
                while sent < 400000:
                    for number in range(2000):
                        assert l.SSL_key_update(s, 1) == 1 and l.SSL_do_handshake(s) == 1
                        \(between)
                    send()
                    sent += 2000
            except OSError: pass
            print("ended" if 1000 < sent < 400000 else sent)
            """)
        #expect(result.text == "ended\n", "\(result.errors)")
        #expect(served.wait { $0.closed == 1 }.closed == 1)
    }

    @Test func whatIsCutOffDoesNotPassForWhole() throws {
        let served = try Served()
        let result = try served.python(
            """
            s = tls(raw)
            s.sendall(b"cut 1000\\n")
            try: print(count(s))
            except ssl.SSLEOFError: print("cut")
            """)
        #expect(result.text == "cut\n", "\(result.errors)")
    }

    @Test func aClientThatResetsIsToldOnce() throws {
        let served = try Served()
        let result = try served.python(
            """
            s = tls(raw)
            s.sendall(b"send 20000000\\n")
            time.sleep(0.3)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            socket.socket(fileno=s.detach()).close()
            """)
        #expect(result.status == 0, "\(result.errors)")
        _ = served.wait { $0.closed > 0 }
        Thread.sleep(forTimeInterval: 0.2)
        #expect(served.events.withLockedValue { $0.closed } == 1)
    }

    @Test func aPausedSocketIsNotReadAndReadsOnWhenAsked() throws {
        let served = try Served()
        let result = try served.python(
            """
            s = tls(raw)
            s.sendall(b"pause\\n")
            time.sleep(0.2)
            s.settimeout(1)
            try:
                for _ in range(1000): s.sendall(b"x" * 65536)
                print("taken")
            except (socket.timeout, ssl.SSLWantWriteError): print("held back")
            """)
        #expect(result.text == "held back\n", "\(result.errors)")
        // What the reads of one turn had brought was received, and those of the turn that saw the client end, and no more.
        #expect(served.events.withLockedValue { $0.bytesReceived } <= (2 * TLSLimits.readsMax + 1) * 17 << 10)
    }

    @Test func whatIsNoTLSIsRefused() throws {
        let served = try Served()
        let result = try served.python("raw.sendall(b'GET / HTTP/1.1\\r\\n\\r\\n'); raw.settimeout(5); raw.recv(100)")
        #expect(result.status == 0, "\(result.errors)")
        let events = served.wait { $0.closed == 1 }
        #expect(events.refusals == [.notTLS])
    }

    @Test func handshakesInProgressAreBounded() throws {
        let served = try Served(gate: SourceGate(max: 1, eachMax: 1))
        let result = try served.python(
            """
            raw.sendall(b"\\x16")
            time.sleep(0.2)
            other = socket.create_connection(raw.getpeername())
            other.settimeout(5)
            try: print(other.recv(100))
            except ConnectionResetError: print(b"")
            raw.close()
            time.sleep(0.2)
            s = tls(socket.create_connection(("127.0.0.1", \(served.server.port))))
            s.sendall(b"close\\n")
            print(count(s))
            """)
        #expect(result.text == "b''\n0\n", "\(result.errors)")
        #expect(served.wait { $0.closed == 3 }.refusals.count == 2)
    }
}
