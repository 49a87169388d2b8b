import Foundation
import TestSupport
import Testing

/// Errors that a user can act on: what is wrong, where, and the way out.
@Suite final class OperatorErrorTests {
    let world: World

    init() throws { world = try World() }

    func check(_ change: (inout String) -> Void) throws -> CommandResult {
        try world.edit("dub1-gw1", change)
        return try run(["\(products)/bailiwickd", "--check", "--config", world.folder("dub1-gw1.toml")])
    }

    @Test func theSettingsOfTheDemoAreAccepted() throws {
        let result = try check { _ in }
        #expect(result.status == 0, "\(result.errors)")
    }

    @Test func anUnknownDriverIsNamedWithTheKnownOnes() throws {
        let result = try check { $0.replace("driver = \"directory\"", with: "driver = \"carrier-pigeon\"") }
        #expect(result.status != 0)
        #expect(result.errors.contains("store[0].driver"))
        #expect(result.errors.contains("directory"))
    }

    @Test func aMissingStorePathIsNamed() throws {
        let result = try check { $0.replace("store/dub1\"", with: "store/elsewhere\"") }
        #expect(result.status != 0)
        #expect(result.errors.contains("store/elsewhere"))
    }

    @Test func aLogThatCannotBeMadeIsNamedBeforeTheStart() throws {
        let result = try check { $0.replace(world.folder("log/dub1"), with: "/nonexistent/log") }
        #expect(result.status == 1 && result.errors.contains("log.directory: open /nonexistent: No such file"))
        let file = world.folder("keys/log-dub1")
        let below = try check { $0.replace("/nonexistent/log", with: file + "/log") }
        #expect(below.status == 1 && below.errors.contains("log.directory: open \(file): Not a directory"), "\(below)")
    }

    @Test func aFileSystemWithoutExtendedAttributesIsRefused() throws {
        // sysfs has none, and no O_TMPFILE either.
        let result = try check {
            $0.replace("path = \"\(world.folder("store/dub1"))\"", with: "path = \"/sys/kernel\"")
        }
        #expect(result.status != 0)
        #expect(result.errors.contains("/sys/kernel"))
    }

    @Test func anIssuerForAJurisdictionThatNoDatacenterHasIsAnError() throws {
        let result = try check { $0.replace("jurisdictions = [\"US\"]", with: "jurisdictions = [\"NO\"]") }
        #expect(result.status != 0)
        #expect(result.errors.contains("NO"))
        #expect(result.errors.contains("issuer[1]"))
    }

    @Test func aCertificateThatDoesNotMatchItsKeyIsAnError() throws {
        let result = try check { $0.replace("pki/dub1-gw1.key", with: "pki/iad1-gw1.key") }
        #expect(result.status != 0)
        #expect(result.errors.contains("match"))
    }

    @Test func anExpiredCertificateIsAnErrorWithItsDate() throws {
        let result = try check {
            $0.replace("pki/dub1-gw1.crt", with: "pki/dub1-expired.crt")
            $0.replace("pki/dub1-gw1.key", with: "pki/dub1-expired.key")
        }
        #expect(result.status != 0)
        #expect(result.errors.contains("expired"))
        #expect(result.errors.contains("20"))
    }

    @Test func aPrivateKeyThatOthersMayReadIsRefused() throws {
        try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: world.folder("keys/seal-dub1"))
        let result = try check { _ in }
        #expect(result.status != 0)
        #expect(result.errors.contains("seal-dub1"))
        #expect(result.errors.contains("600"))
    }

    @Test func aPortThatIsTakenIsNamed() throws {
        try world.start("dub1-gw1")
        try world.edit("iad1-gw1") { $0.replace("127.0.0.1:\(world.virginia)\"", with: "127.0.0.1:\(world.dublin)\"") }
        let second = try Daemon(settings: world.folder("iad1-gw1.toml"), socket: world.folder("run/iad1-gw1.sock"))
        second.process.waitUntilExit()
        #expect(second.process.terminationStatus != 0)
        #expect(second.output.contains("127.0.0.1:\(world.dublin)"))
        #expect(second.output.lowercased().contains("in use"))
    }

    /// Whoever asks for the health of a gateway there must not be told another's.
    @Test func aDaemonDoesNotTakeAnothersSocketAway() throws {
        let first = try world.start("dub1-gw1")
        let socket = world.folder("run/dub1-gw1.sock")
        try world.edit("iad1-gw1") { $0.replace(world.folder("run/iad1-gw1.sock"), with: socket) }
        let second = try Daemon(settings: world.folder("iad1-gw1.toml"), socket: socket)
        second.process.waitUntilExit()
        #expect(second.process.terminationStatus == 1)
        #expect(second.output.contains("gateway.operators_socket: \(socket): the address is in use"))
        try first.waitUntilReady()
        // What a daemon left that was killed is nobody's.
        first.kill()
        #expect(FileManager.default.fileExists(atPath: socket))
        let third = try Daemon(settings: world.folder("iad1-gw1.toml"), socket: socket)
        try third.waitUntilReady()
        #expect(third.stop() == 0)
    }

    /// What the log says of one gateway nobody may read as another's.
    @Test func aLogIsOfOneGateway() throws {
        let first = try world.start("dub1-gw1")
        try world.edit("dub1-gw1") { $0.replace("name = \"dub1-gw1\"", with: "name = \"dub1-gw2\"") }
        first.signal(SIGHUP)
        let words = "gateway.name: \"dub1-gw2\" instead of \"dub1-gw1\": a log is one gateway's"
        try first.waitForOutput(words)
        #expect(first.stop() == 0)
        let check = try check { _ in }
        #expect(check.status == 1 && check.errors.contains(words), "\(check)")
        let second = try Daemon(settings: world.folder("dub1-gw1.toml"), socket: world.folder("run/dub1-gw1.sock"))
        second.process.waitUntilExit()
        #expect(second.process.terminationStatus == 1 && second.output.contains(words), "\(second.output)")
        try world.edit("dub1-gw1") { $0.replace(world.folder("log/dub1"), with: world.folder("log/dub1-gw2")) }
        #expect(try world.start("dub1-gw1").stop() == 0)
    }

    @Test func aSecondDaemonOnTheSameStoreIsKeptOut() throws {
        try world.start("dub1-gw1")
        try world.edit("iad1-gw1") {
            $0.replace(
                "bucket = \"mail-iad1\"\ndatacenter = \"iad1\"", with: "bucket = \"mail-iad1\"\ndatacenter = \"dub1\"")
            $0.replace("store/iad1\"", with: "store/dub1\"")
        }
        let second = try Daemon(settings: world.folder("iad1-gw1.toml"), socket: world.folder("run/iad1-gw1.sock"))
        second.process.waitUntilExit()
        #expect(second.process.terminationStatus != 0)
        #expect(second.output.contains("store/dub1"))
    }

    @Test func terminationFinishesAndExitsWithZero() throws {
        let daemon = try world.start("dub1-gw1")
        _ = try world.curl("dub1-mailserver", from: "127.0.10.5", "/mail-dub1/alice/1", body: Data("x".utf8))
        #expect(daemon.stop() == 0)
        let verified = try world.bailiwick(
            "log", "verify", world.folder("log/dub1"), "--key",
            world.folder.read("keys/log-dub1.vkey").trimmingCharacters(in: .whitespacesAndNewlines))
        #expect(verified.status == 0, "\(verified.errors)\(verified.text)")
    }
}

extension String {
    fileprivate mutating func replace(_ old: String, with new: String) {
        precondition(contains(old), "the settings hold no \(old)")
        self = replacingOccurrences(of: old, with: new)
    }
}
