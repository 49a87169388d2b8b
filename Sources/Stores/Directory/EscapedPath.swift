internal import S3

/// How a key becomes a path below a directory store's root (DESIGN section 8), injectively, so that people can look at it:
///
/// - `%` in a component is `%25`; the components `.`, `..` and the empty one are `%2E`, `%2E%2E` and `%`;
/// - a component of more than 200 bytes (so escaped) is split: at most 200 bytes and `%+` are a folder, the rest lies in it.
///   It is split at a character, so that names stay UTF-8;
/// - the object whose key is also a folder is `%=` inside that folder;
/// - `%bailiwick/` is ours: no key's path begins so, for `%` is never followed by a letter but in `%2E`.
enum EscapedPath {
    static let folderObject = Array("%=".utf8)
    static let continuation = Array("%+".utf8)
    static let internalFolder = Array("%bailiwick".utf8)
    private static let percent = UInt8(ascii: "%")
    private static let slash = UInt8(ascii: "/")

    /// The path of a key's file where no folder has its name.
    static func file(_ key: ObjectKey) -> [UInt8] { path(key.utf8[...]) }

    /// The path of the folder in which every key lies that begins with `prefix`.
    /// - Parameter prefix: empty, or ends with a slash.
    static func folder(prefix: ArraySlice<UInt8>) -> [UInt8] { prefix.isEmpty ? [] : path(prefix.dropLast()) }

    /// The folder and the name of a path.
    static func split(_ path: [UInt8]) -> (folder: [UInt8], name: [UInt8]) {
        guard let last = path.lastIndex(of: slash) else { return ([], path) }
        return (Array(path[..<last]), Array(path[(last + 1)...]))
    }

    private static func path(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
        var path: [UInt8] = []
        path.reserveCapacity(bytes.count + 8)
        var start = bytes.startIndex
        while true {
            let end = bytes[start...].firstIndex(of: slash) ?? bytes.endIndex
            appendComponent(bytes[start..<end], to: &path)
            if end == bytes.endIndex { return path }
            path.append(slash)
            start = end + 1
        }
    }

    /// Appends the name, or the names, of one component.
    static func appendComponent(_ component: ArraySlice<UInt8>, to path: inout [UInt8]) {
        if component.count <= StoreLimits.nameBytesMax, !component.isEmpty, component.first != UInt8(ascii: "."),
            !component.contains(percent)
        {
            path.append(contentsOf: component)
        } else if component.isEmpty {
            path.append(percent)
        } else {
            appendPieces(component, to: &path)
        }
    }

    private static func appendPieces(_ component: ArraySlice<UInt8>, to path: inout [UInt8]) {
        var pieceStart = path.count
        var at = component.startIndex
        while at < component.endIndex {
            let byte = component[at]
            let count = min(byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4, component.endIndex - at)
            let escapedCount = byte == percent ? 3 : count
            if path.count - pieceStart + escapedCount > StoreLimits.nameBytesMax {
                path.append(contentsOf: continuation)
                path.append(slash)
                pieceStart = path.count
            }
            if byte == percent {
                path.append(contentsOf: "%25".utf8)
            } else {
                path.append(contentsOf: component[at..<at + count])
            }
            at += count
        }
        let last = path[pieceStart...]
        if last.allSatisfy({ $0 == UInt8(ascii: ".") }), last.count <= 2 {
            let escaped = Array(repeating: Array("%2E".utf8), count: last.count).flatMap { $0 }
            path.replaceSubrange(pieceStart..., with: escaped)
        }
    }

    /// What one name in a folder stands for.
    enum Name: Equatable {
        /// A whole component, or the last piece of a split one.
        case component([UInt8])
        /// A piece of a split component: a folder whose names go on with it.
        case piece([UInt8])
        case folderObject
        /// No key has this name in its path.
        case foreign
    }

    /// Reads a name. A component is this name's only if `appendComponent` gives the name back: see `isCanonical`.
    static func read(_ name: borrowing Span<UInt8>) -> Name {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(name.count)
        var hasEscape = false
        var isASCII = true
        for index in name.indices {
            let byte = name[index]
            if byte == percent { hasEscape = true }
            if byte >= 0x80 { isASCII = false }
            bytes.append(byte)
        }
        guard isASCII || String(validating: bytes, as: UTF8.self) != nil else { return .foreign }
        guard hasEscape else {
            return bytes.count <= StoreLimits.nameBytesMax ? .component(bytes) : .foreign
        }
        if bytes == folderObject { return .folderObject }
        if bytes == [percent] { return .component([]) }
        if bytes == Array("%2E".utf8) { return .component([UInt8(ascii: ".")]) }
        if bytes == Array("%2E%2E".utf8) { return .component(Array("..".utf8)) }
        let isPiece = bytes.count > 2 && bytes.suffix(2).elementsEqual(continuation)
        guard let decoded = unescaped(isPiece ? bytes.dropLast(2) : bytes[...]) else { return .foreign }
        return isPiece ? .piece(decoded) : .component(decoded)
    }

    /// Is `path` (one name, or the names of a split component) what a component is written as?
    static func isCanonical(_ path: [UInt8], of component: [UInt8]) -> Bool {
        var written: [UInt8] = []
        appendComponent(component[...], to: &written)
        return written == path
    }

    private static func unescaped(_ bytes: ArraySlice<UInt8>) -> [UInt8]? {
        var decoded: [UInt8] = []
        var at = bytes.startIndex
        while at < bytes.endIndex {
            decoded.append(bytes[at])
            if bytes[at] == percent {
                guard bytes[at...].starts(with: "%25".utf8) else { return nil }
                at += 2
            }
            at += 1
        }
        return decoded
    }

    /// The key whose file a path is; nil for a path that no key has.
    static func key(ofPath path: [UInt8]) -> ObjectKey? {
        var key: [UInt8] = []
        var names = path.split(separator: slash, omittingEmptySubsequences: false).map(Array.init)
        let isFolderObject = names.count > 1 && names.last == folderObject
        if isFolderObject { names.removeLast() }
        var isInside = false
        for (index, name) in names.enumerated() {
            switch read(name.span) {
            case .component(let bytes):
                key.append(contentsOf: bytes)
                if index < names.count - 1 { key.append(slash) }
                isInside = false
            case .piece(let bytes):
                key.append(contentsOf: bytes)
                isInside = true
            case .folderObject, .foreign: return nil
            }
        }
        guard !isInside, let key = ObjectKey(utf8: key) else { return nil }
        let written = file(key)
        return written == (isFolderObject ? Array(path.dropLast(folderObject.count + 1)) : path) ? key : nil
    }
}
