internal import ArgumentParser
internal import CLinux
internal import DecisionLog
internal import Gateway
internal import Glibc
internal import OpenSSL
internal import Settings

@main
struct Bailiwickd: ParsableCommand {
    static let version = "0.1.0"

    static let configuration = CommandConfiguration(
        commandName: "bailiwickd",
        abstract:
            "Stands in front of regional mailbox storage and lets nothing cross a border without an authorization.",
        discussion: """
            SIGHUP reloads the settings, whole or not at all. SIGTERM finishes what is in hand and exits 0.
            Exit status: 0 stopped as asked; 1 could not start; 2 the log is damaged, do not restart before somebody looked.

            Example:
              bailiwickd --check --config /etc/bailiwick/bailiwick.toml
              bailiwickd --config /etc/bailiwick/bailiwick.toml
            """,
        version: version)

    @Option(help: "The settings file.")
    var config = "/etc/bailiwick/bailiwick.toml"

    @Flag(help: "Say what is wrong with the settings, keys and stores, and start nothing.")
    var check = false

    func run() throws {
        Signal.block()
        let digest = BinaryDigest()
        let settings = try load()
        if check { return try checkOnly(settings) }
        let files = FileWatch(settings)
        for warning in settings.warnings { Journal.warning("warning: \(warning)") }
        let sockets = try activatedSockets()
        let export = Journal.isJournal ? JournalExport() : nil
        let gateway: Gateway
        do throws(GatewayError) {
            gateway = try Gateway.start(
                settings, identity: .init(version: Self.version, binary: { digest.value }), activated: sockets,
                follower: export, report: { Journal.error($0) })
        } catch {
            Journal.error("\(config): \(error)")
            throw ExitCode(error.isDamage ? 2 : 1)
        }
        Journal.notice("\(settings.gateway.name) listens on \(gateway.addresses.joined(separator: ", "))")
        Systemd.ready(status: gateway.statusLine)
        // A start touches code that nothing needs again: settings, keys, recovery.
        clinux_forget_code()
        var steering = Steering(gateway, config: config, files: files)
        steering.run()
        export?.finish()
        Journal.notice("stopped")
    }

    private func load() throws -> Settings {
        do throws(SettingsError) { return try Settings.load(path: config, lastServed: LastServed.policy) } catch {
            Journal.error(error.description)
            throw ExitCode(1)
        }
    }

    private func activatedSockets() throws -> [ActivatedSocket] {
        do throws(SocketActivation.Failure) { return try SocketActivation.take() } catch {
            Journal.error(error.description)
            throw ExitCode(1)
        }
    }

    private func checkOnly(_ settings: Settings) throws {
        do throws(GatewayError) { try Gateway.check(settings) } catch {
            Journal.error("\(config): \(error)")
            throw ExitCode(1)
        }
        for warning in settings.warnings { Journal.warning("warning: \(warning)") }
        print(
            "\(config): the settings are good: \(settings.stores.count) store(s), \(settings.principals.count) principal(s)"
        )
    }
}
