import Foundation

/// One running `bailiwickd`.
package final class Daemon: @unchecked Sendable {
    package let process = Process()
    package let outputPath: String
    private let socket: String

    /// - Parameter launcher: a command that takes the daemon's as its last arguments, and becomes it.
    package init(
        settings: String, socket: String, arguments: [String] = [], environment: [String: String] = [:],
        launcher: [String] = []
    ) throws {
        self.socket = socket
        outputPath = settings + ".out"
        _ = FileManager.default.createFile(atPath: outputPath, contents: nil)
        let command = launcher + ["\(products)/bailiwickd", "--config", settings] + arguments
        process.executableURL = URL(fileURLWithPath: command[0])
        process.arguments = Array(command.dropFirst())
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        let output = try FileHandle(forWritingTo: URL(fileURLWithPath: outputPath))
        process.standardOutput = output
        process.standardError = output
        process.standardInput = FileHandle.nullDevice
        try process.run()
        AtExit.shared.add { [process] in if process.isRunning { Foundation.kill(process.processIdentifier, SIGKILL) } }
    }

    package var output: String { (try? String(contentsOfFile: outputPath, encoding: .utf8)) ?? "" }
    package var pid: Int32 { process.processIdentifier }

    /// Asks `/ready` on the operators' Unix socket until it says yes.
    package func waitUntilReady(seconds: Double = 20) throws {
        let deadline = Date().addingTimeInterval(seconds)
        while Date() < deadline {
            guard process.isRunning else { throw TestFailure("bailiwickd ended: \(output)") }
            let answer = try run([
                "curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "--unix-socket", socket,
                "http://localhost/ready",
            ])
            if answer.text == "200" { return }
            usleep(20_000)
        }
        throw TestFailure("bailiwickd is not ready: \(output)")
    }

    /// Waits until the output holds a text.
    package func waitForOutput(_ text: String, seconds: Double = 10) throws {
        let deadline = Date().addingTimeInterval(seconds)
        while !output.contains(text) {
            guard Date() < deadline else { throw TestFailure("no \(text) in: \(output)") }
            usleep(10_000)
        }
    }

    package func signal(_ number: Int32) { Foundation.kill(pid, number) }

    /// SIGTERM, and its exit status.
    @discardableResult
    package func stop() -> Int32 {
        if process.isRunning { process.terminate() }
        process.waitUntilExit()
        return process.terminationStatus
    }

    package func kill() {
        if process.isRunning {
            signal(SIGKILL)
            process.waitUntilExit()
        }
    }
}
