import Foundation

/// A program that answers each line that it is sent with a line.
package final class Client: @unchecked Sendable {
    private let process = Process()
    private let input = Pipe()
    private let output = Pipe()

    package init(_ arguments: [String]) throws {
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = arguments
        process.standardInput = input
        process.standardOutput = output
        try process.run()
    }

    deinit { end() }

    /// Sends a line and waits for the answer.
    package func ask(_ line: String = "") throws -> String {
        try input.fileHandleForWriting.write(contentsOf: Data((line + "\n").utf8))
        return try read()
    }

    /// The next line that it says.
    package func read() throws -> String {
        var answer: [UInt8] = []
        while let byte = try output.fileHandleForReading.read(upToCount: 1)?.first {
            if byte == UInt8(ascii: "\n") { return String(decoding: answer, as: UTF8.self) }
            answer.append(byte)
        }
        throw TestFailure("the client ended: \(String(decoding: answer, as: UTF8.self))")
    }

    package func end() {
        try? input.fileHandleForWriting.close()
        if process.isRunning { process.terminate() }
        process.waitUntilExit()
    }
}
