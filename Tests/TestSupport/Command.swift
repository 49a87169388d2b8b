import Foundation

/// What a command left behind.
package struct CommandResult: Sendable {
    package let status: Int32
    package let output: Data
    package let errors: String

    package var text: String { String(decoding: output, as: UTF8.self) }
}

/// Runs a program to its end and gives its status and output.
/// - Parameter arguments: the program first; searched on the PATH unless it has a `/`.
@discardableResult
package func run(
    _ arguments: [String], input: Data? = nil, environment: [String: String] = [:], folder: String? = nil
) throws -> CommandResult {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = arguments
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    if let folder { process.currentDirectoryURL = URL(fileURLWithPath: folder) }
    let sandbox = try Sandbox("command")
    for name in ["out", "err", "in"] { try Data().write(to: URL(fileURLWithPath: sandbox(name))) }
    if let input { try input.write(to: URL(fileURLWithPath: sandbox("in"))) }
    process.standardOutput = try FileHandle(forWritingTo: URL(fileURLWithPath: sandbox("out")))
    process.standardError = try FileHandle(forWritingTo: URL(fileURLWithPath: sandbox("err")))
    process.standardInput = try FileHandle(forReadingFrom: URL(fileURLWithPath: sandbox("in")))
    try process.run()
    process.waitUntilExit()
    return CommandResult(
        status: process.terminationStatus, output: try Data(contentsOf: URL(fileURLWithPath: sandbox("out"))),
        errors: sandbox.read("err"))
}

/// Is there such a program on the PATH?
package func has(_ program: String) -> Bool {
    (try? run(["sh", "-c", "command -v \(program)"]).status) == 0
}

/// The Python that has boto3: the one that Tests/run prepared, else any that can import it.
package let python: String? = {
    let candidates = [ProcessInfo.processInfo.environment["BAILIWICK_TEST_PYTHON"], "python3"].compactMap { $0 }
    return candidates.first { (try? run([$0, "-c", "import boto3, cryptography"]).status) == 0 }
}()
