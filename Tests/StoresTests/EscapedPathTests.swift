import S3
import Testing

@testable import Stores

/// DESIGN section 8: a key's path below the root, injectively.
@Suite struct EscapedPathTests {
    private static func a(_ count: Int) -> String { String(repeating: "a", count: count) }

    @Test(arguments: [
        ("alice/INBOX/1.eml", "alice/INBOX/1.eml"), ("%", "%25"), ("%25", "%2525"), ("100%/x", "100%25/x"),
        (".", "%2E"), ("..", "%2E%2E"), ("...", "..."), (".a", ".a"), ("a/.", "a/%2E"), ("../x", "%2E%2E/x"),
        ("/", "%/%"), ("/a", "%/a"), ("a/", "a/%"), ("a//b", "a/%/b"), ("//", "%/%/%"),
        ("%=", "%25="), ("a/%=", "a/%25="), ("%+", "%25+"), ("%2E", "%252E"), ("%2E%2E", "%252E%252E"),
        ("%bailiwick/x", "%25bailiwick/x"), ("%bailiwick", "%25bailiwick"),
        (a(200), a(200)), (a(201), a(200) + "%+/a"), (a(200) + "/a", a(200) + "/a"),
        (a(400), a(200) + "%+/" + a(200)), (a(401), a(200) + "%+/" + a(200) + "%+/a"),
        (a(200) + ".", a(200) + "%+/%2E"), (a(200) + "..", a(200) + "%+/%2E%2E"), (a(200) + "...", a(200) + "%+/..."),
        (a(199) + "é", a(199) + "%+/é"), (a(198) + "é", a(198) + "é"), (a(198) + "%", a(198) + "%+/%25"),
        (a(197) + "%", a(197) + "%25"), (a(197) + "😀", a(197) + "%+/😀"),
        (a(201) + "/b", a(200) + "%+/a/b"),
    ])
    func keysAndPaths(_ key: String, _ path: String) throws {
        let key = try #require(ObjectKey(utf8: bytes(key)))
        #expect(String(decoding: EscapedPath.file(key), as: UTF8.self) == path)
        #expect(EscapedPath.key(ofPath: bytes(path)) == key)
        #expect(EscapedPath.key(ofPath: bytes(path + "/%=")) == key, "the object of the folder of that name")
    }

    /// Paths that no key has: reading them back must not give one.
    @Test(arguments: [
        "%bailiwick", "%bailiwick/stage/1", "%2e", "%41", "%2E%2E%2E", "a%", "%%", "%=", "%=/a", "a/%=/b", "a/%=/%=",
        "%+",
        a(200) + "%+", a(199) + "%+/a", a(200) + "%+/%=", a(201), a(200) + "%+/" + a(201), "a%+/b", ".", "..", "a/../b",
        "", "a/", "/a", a(200) + "%+/%", "%25%", "%2525%2",
    ])
    func foreignPaths(_ path: String) { #expect(EscapedPath.key(ofPath: bytes(path)) == nil) }

    @Test func everyByteAndCharacter() throws {
        for byte in UInt8(1)...127 {
            for key in [[byte], [97, byte], [byte, 97], [97, byte, 97]] {
                try check(try #require(ObjectKey(utf8: key)))
            }
        }
        // Every lead byte and every continuation byte of UTF-8 is in one of these.
        for scalar in UInt32(0x80)...0x8FF { try check(key(String(Unicode.Scalar(scalar)!))) }
        for scalar in stride(from: UInt32(0x900), to: 0x110000, by: 61) {
            guard let scalar = Unicode.Scalar(scalar) else { continue }
            try check(key("a" + String(scalar)))
        }
    }

    @Test func theLongestKeys() throws {
        for text in ["a", "%", ".", "/", "./", "../", "%/", "é", "😀", "a/"] {
            let repeated = String(repeating: text, count: ObjectKey.bytesMax / text.utf8.count)
            #expect(EscapedPath.file(key(repeated)).count < 4096, "PATH_MAX")
            try check(key(repeated))
        }
    }

    /// Injective, both ways, over keys made of what is special.
    @Test func randomKeys() throws {
        var generator = SeededGenerator(8)
        let pieces = [
            "%", ".", "..", "/", "/", "a", "b", "%25", "%2E", "%=", "%+", "%bailiwick", "é", "😀", "-", "\n", "\u{1}",
            Self.a(99), Self.a(198), Self.a(200),
        ].map(bytes)
        var keys: Set<ObjectKey> = []
        var paths: Set<[UInt8]> = []
        while keys.count < 20_000 {
            var bytes: [UInt8] = []
            for _ in 0..<Int.random(in: 1...9, using: &generator) { bytes += pieces.randomElement(using: &generator)! }
            guard let key = ObjectKey(utf8: bytes), keys.insert(key).inserted else { continue }
            let path = try check(key)
            guard paths.insert(path).inserted else {
                Issue.record("\(key) has another key's path")
                continue
            }
        }
    }

    /// Random bytes as a path give a key only if that key's path they are.
    @Test func randomPaths() throws {
        var generator = SeededGenerator(9)
        let pieces = ["%", "/", ".", "a", "25", "2E", "=", "+", "é", Self.a(200), "%25", "%+/", "/%="].map(bytes)
        var keyed = 0
        for _ in 0..<20_000 {
            var path: [UInt8] = []
            for _ in 0..<Int.random(in: 1...7, using: &generator) { path += pieces.randomElement(using: &generator)! }
            guard let key = EscapedPath.key(ofPath: path) else { continue }
            keyed += 1
            let file = EscapedPath.file(key)
            #expect(path == file || path == file + bytes("/%="))
        }
        #expect(keyed > 1000)
    }

    /// A path that stays below the root, outside what is ours, and leads back to its key.
    @discardableResult
    private func check(_ key: ObjectKey) throws -> [UInt8] {
        let path = EscapedPath.file(key)
        let names = path.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false).map(Array.init)
        for name in names {
            let isName = !name.isEmpty && name.count <= 255 && name != bytes(".") && name != bytes("..")
            if !isName || name == EscapedPath.folderObject || name.contains(0) { Issue.record("\(key): \(name)") }
            if String(validating: name, as: UTF8.self) == nil { Issue.record("\(key): \(name) is not UTF-8") }
        }
        if names[0] == EscapedPath.internalFolder { Issue.record("\(key) reaches internal files") }
        if EscapedPath.key(ofPath: path) != key { Issue.record("\(key) does not come back from its path") }
        return path
    }
}
