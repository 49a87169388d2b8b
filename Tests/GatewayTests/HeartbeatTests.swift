import Dispatch
import Foundation
import NIOPosix
import OpenSSL
import TestSupport
import Testing

@testable import DecisionLog
@testable import Gateway
@testable import Residency

/// A thread that waits for the disk is alive; one that waits for anything else is not.
@Suite(.serialized) struct HeartbeatTests {
    @Test(arguments: [true, false]) func aThreadMayWaitForTheDisk(_ isDisk: Bool) throws {
        let folder = try Sandbox("heartbeat")
        let (origin, seed) = ("example.org/log", [UInt8](repeating: 7, count: 32))
        let verifier = NoteVerifier(name: origin, key: try Ed25519PrivateKey(seed: seed).publicKey, type: .ed25519)
        let signer = try NoteSigner(
            "PRIVATE+KEY+\(origin)+\(Hex.encode(verifier.keyID))+\(Base64.standard.encode([0x01] + seed))")
        let log = try DecisionLog.open(
            LogConfiguration(directory: folder("log"), origin: origin, signers: [signer]),
            gateway: GatewayName("dub1-gw1")!, start: [])
        defer { log.close() }
        let pool = NIOThreadPool(numberOfThreads: 2)
        pool._start(threadNamePrefix: "file-")
        defer { try? pool.syncShutdownGracefully() }
        let heartbeat = Heartbeat(loops: [], pool: pool, log: log)
        let (begun, ends) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
        pool.submit { _ in
            let wait = {
                begun.signal()
                ends.wait()
            }
            if isDisk { DiskWaits.during(wait) } else { wait() }
        }
        begun.wait()
        _ = heartbeat.beat()
        // Whoever is late after all others had their time stays so.
        var alive = 0
        for _ in 0..<20 {
            usleep(50_000)
            if heartbeat.beat() == .alive { alive += 1 }
        }
        #expect(isDisk ? alive >= 5 : alive == 0)
        ends.signal()
    }
}
