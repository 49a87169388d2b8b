import Foundation

/// A small ext4 in a file, mounted, so that it can be filled. Unmounted when it goes.
package final class SmallFileSystem: Sendable {
    package let path: String

    package init(_ path: String, mebibytes: Int) throws {
        self.path = path
        let image = path + ".img"
        for command in [
            ["truncate", "-s", "\(mebibytes)M", image], ["mkfs.ext4", "-q", "-b", "4096", "-m", "0", image],
            ["mkdir", "-p", path],
            ["mount", "-o", "loop", image, path],
        ] {
            let result = try run(command)
            guard result.status == 0 else { throw TestFailure("\(command): \(result.errors)") }
        }
    }

    deinit { _ = try? run(["umount", "-l", path]) }
}

/// Can a file system be mounted here?
package let canMount: Bool = {
    guard getuid() == 0, has("mkfs.ext4"), let sandbox = try? Sandbox("mount") else { return false }
    return (try? SmallFileSystem(sandbox("small"), mebibytes: 4)) != nil
}()
