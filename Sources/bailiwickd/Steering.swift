internal import Gateway
internal import Glibc
internal import Settings

/// What the main thread does from the start to the stop: feeds the watchdog, tells the status, and follows the signals.
struct Steering {
    private let gateway: Gateway
    private let config: String
    private let watchdog: Watchdog?
    private var files: FileWatch?
    private var standstill = StandstillNews()
    private var isDiskSlow = false
    private var nextStatusMilliseconds: Int64 = 0
    private var nextCheckpointMilliseconds: Int64 = 0

    private static let statusMilliseconds: Int64 = 1000
    private static let checkpointMilliseconds: Int64 = 60_000

    /// - Parameters:
    ///   - config: the settings file that a reload reads.
    ///   - files: the watch over the files that it names; nil for none.
    init(_ gateway: Gateway, config: String, files: FileWatch?) {
        self.gateway = gateway
        self.config = config
        watchdog = Watchdog(gateway.heartbeat)
        self.files = files
    }

    /// Until it is told to stop, and to the end of the stop.
    mutating func run() {
        while true {
            let now = Self.nowMilliseconds()
            watchdog?.beat()
            if now >= nextStatusMilliseconds {
                nextStatusMilliseconds = now + Self.statusMilliseconds
                gateway.measureRate()
                standstill.tell(gateway.standstill)
                tellDiskWait()
                Systemd.status(gateway.statusLine)
            }
            if now >= nextCheckpointMilliseconds, let line = gateway.checkpointLine {
                nextCheckpointMilliseconds = now + Self.checkpointMilliseconds
                Journal.notice(line)
            }
            if let changed = files?.changed(at: now) {
                Journal.notice("\(changed.joined(separator: ", ")) changed")
                reload()
            }
            switch Signal.next(withinMilliseconds: watchdog?.stepMilliseconds ?? Self.statusMilliseconds) {
            case .stop: return stop()
            case .reload: reload()
            case nil: break
            }
        }
    }

    /// The watchdog lets it wait: without this nobody would hear of it.
    private mutating func tellDiskWait() {
        let wait = gateway.diskWait
        if let wait, !isDiskSlow {
            Journal.warning("\(wait): is it failing, or does somebody write much to the same file system?")
        }
        isDiskSlow = wait != nil
    }

    private mutating func reload() {
        Systemd.reloading()
        files?.look()
        do {
            let settings = try Settings.load(path: config, previous: gateway.settings)
            let restartDue = try gateway.reload(settings)
            for warning in settings.warnings { Journal.warning("warning: \(warning)") }
            if !restartDue.isEmpty {
                Journal.warning(
                    "warning: \(restartDue.joined(separator: ", ")) changed, which a reload does not bring into force: restart"
                )
            }
            Journal.notice("settings reloaded")
        } catch {
            Journal.error("the settings are NOT reloaded, the old ones stay in force: \(error)")
            gateway.reloadFailed("\(error)")
        }
        files = FileWatch(gateway.settings, after: files)
        Systemd.ready(status: gateway.statusLine)
    }

    private mutating func stop() {
        Systemd.stopping()
        gateway.stop { watchdog?.beat() }
        // The last checkpoint may have failed as well.
        standstill.tell(gateway.standstill)
    }

    private static func nowMilliseconds() -> Int64 {
        var time = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }
}

/// Tells the journal, once, that nothing is decided any more, and why: after the restart that it takes nobody else knows.
private struct StandstillNews {
    private static let closedID = "b0d9c2a86f2e4b7ea1a5f1c1de6a3d47"
    private static let suspendedID = "6c1f0b6d35b14d5f9a0e8f4c7d92e0b3"

    private var told: Gateway.Standstill?

    mutating func tell(_ standstill: Gateway.Standstill?) {
        switch (told, standstill) {
        // Why a log closed is its first cause; how many witnesses are missing may change with every round.
        case (nil, nil), (.closed, _), (.suspended, .suspended): return
        case (_, .closed(let why)):
            Journal.error(
                "the log closed itself, every request is answered 503 until a restart: \(why)", messageID: Self.closedID
            )
        case (_, .suspended(let why)):
            Journal.error("suspended, every request is answered 503: \(why)", messageID: Self.suspendedID)
        case (.suspended, nil): Journal.notice("no longer suspended: requests are answered again")
        }
        told = standstill
    }
}

/// systemd's watchdog, where the unit has one: fed only when every thread has passed a token since the last time.
final class Watchdog {
    private let heartbeat: Heartbeat
    private let periodMilliseconds: Int64
    private var reported: [String] = []

    /// nil when nobody watches.
    init?(_ heartbeat: Heartbeat) {
        guard let microseconds = Systemd.watchdogMicroseconds else { return nil }
        self.heartbeat = heartbeat
        periodMilliseconds = Int64(clamping: microseconds / 1000)
    }

    /// How often to beat: a token has three quarters of the period to pass.
    var stepMilliseconds: Int64 { min(1000, max(10, periodMilliseconds / 4)) }

    func beat() {
        switch heartbeat.beat() {
        case .alive:
            Systemd.feedWatchdog()
            reported = []
        case .late(let threads, let seconds):
            guard seconds * 2000 >= periodMilliseconds, reported != threads else { return }
            reported = threads
            Journal.error(
                "\(threads.joined(separator: ", ")) did nothing for \(seconds) s: the watchdog is not fed, after \(periodMilliseconds / 1000) s systemd restarts the service"
            )
        }
    }
}
