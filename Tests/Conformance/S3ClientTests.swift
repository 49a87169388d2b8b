import Foundation
import TestSupport
import Testing

/// boto3 with a client certificate and unsigned requests does all of the first part of S3 at home, and reads across the border
/// with an authorization.
@Suite struct S3ClientTests {
    @Test(.enabled(if: python != nil, "no Python with boto3: Tests/run prepares one"))
    func boto3DoesTheFirstPartOfS3() throws {
        let world = try World()
        defer { withExtendedLifetime(world) {} }
        // boto3 cannot bind its source address, so this machine's own is made Dublin's.
        try world.edit("dub1-gw1") {
            $0 = $0.replacingOccurrences(of: "\"127.0.10.0/24\"]", with: "\"127.0.10.0/24\", \"127.0.0.1/32\"]")
        }
        try world.start("dub1-gw1")
        let result = try run([
            python ?? "python3", "\(repository)/Tests/Conformance/boto3_first_part.py", world.folder.path,
            "https://127.0.0.1:\(world.dublin)", try world.irishToken(),
        ])
        #expect(result.status == 0, "\(result.errors)")
    }
}
