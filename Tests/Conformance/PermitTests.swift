import Foundation
import TestSupport
import Testing

/// An unauthorised read must not compile: code outside `DecisionLog` cannot make a `Permit`, copy one, or use one twice.
/// Each snippet is type-checked against the modules that this very test run built.
@Suite struct PermitTests {
    struct Snippet: CustomTestStringConvertible, Sendable {
        let name: String
        let body: String
        /// What the compiler must say; nil when the snippet must compile.
        let error: String?

        var testDescription: String { name }
    }

    static let snippets = [
        Snippet(
            name: "using a permit that was handed over compiles",
            body: """
                func use(_ permit: consuming Permit, _ bucket: BucketName) -> Bool {
                    (try? permit.redeem(bucket: bucket, operation: .getObject, target: [], identity: .none)) != nil
                }
                """,
            error: nil),
        Snippet(
            name: "making a permit does not compile",
            body: """
                func forge(_ release: Release) -> Permit { Permit(index: 0, release: release) }
                """,
            error: "'Permit' initializer is inaccessible due to 'internal' protection level"),
        Snippet(
            name: "extending Permit with an initialiser does not compile",
            body: """
                extension Permit {
                    init(forged release: Release) { self.index = 0; self.release = release }
                }
                """,
            error: "'release' is inaccessible due to 'private' protection level"),
        Snippet(
            name: "using a permit twice does not compile",
            body: """
                func useTwice(_ permit: consuming Permit, _ bucket: BucketName) {
                    _ = try? permit.redeem(bucket: bucket, operation: .getObject, target: [], identity: .none)
                    _ = try? permit.redeem(bucket: bucket, operation: .getObject, target: [], identity: .none)
                }
                """,
            error: "'permit' consumed more than once"),
        Snippet(
            name: "keeping a permit and handing it on does not compile",
            body: """
                func keep(_ permit: borrowing Permit) -> Permit { permit }
                """,
            error: "'permit' is borrowed and cannot be consumed"),
    ]

    @Test(arguments: snippets)
    func holds(_ snippet: Snippet) throws {
        let folder = try Sandbox("permit")
        let source = try folder.write("snippet.swift", "import DecisionLog\nimport Residency\n\(snippet.body)\n")
        let (status, output) = try check(source)
        if let error = snippet.error {
            #expect(status != 0)
            #expect(output.contains(error), "\(output)")
        } else {
            #expect(status == 0, "\(output)")
        }
    }

    /// Runs the whole front end without making code: ownership is checked after type checking.
    private func check(_ source: String) throws -> (Int32, String) {
        let sources = "\(repository)/Sources"
        let systemModules = try FileManager.default.contentsOfDirectory(atPath: sources).filter {
            FileManager.default.fileExists(atPath: "\(sources)/\($0)/module.modulemap")
        }
        let result = try run(
            [
                "swiftc", "-emit-sil", "-o", "/dev/null", "-parse-as-library", "-swift-version", "6", "-package-name",
                packageIdentity, "-module-name", "Outsider", "-I", "\(products)/Modules",
            ] + systemModules.flatMap { ["-I", "\(sources)/\($0)"] } + [source])
        return (result.status, result.text + result.errors)
    }

    /// SwiftPM names a root package after its folder; whoever is outside the package sees no `package` declaration at all.
    private var packageIdentity: String {
        String(
            URL(fileURLWithPath: repository).lastPathComponent.lowercased().map {
                $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "_"
            })
    }
}
