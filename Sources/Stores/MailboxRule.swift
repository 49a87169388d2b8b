internal import OpenSSL
package import Residency
package import S3

/// Which part of a key names the mailbox: literal folders, then `{mailbox}`, then `/**` (DESIGN section 2).
package struct MailboxRule: Hashable, Sendable {
    /// The key's first component is its mailbox.
    package static let firstComponent = MailboxRule(folders: [])

    /// What stands before the mailbox, with its last slash.
    private let folders: [UInt8]

    private init(folders: [UInt8]) { self.folders = folders }

    /// Parses `{mailbox}/**` or `folder/…/{mailbox}/**`; nil for anything else.
    package init?(_ pattern: String) {
        let components = pattern.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        guard components.count >= 2, components.last.map(Array.init) == Array("**".utf8),
            Array(components[components.count - 2]) == Array("{mailbox}".utf8)
        else { return nil }
        let literal = components.dropLast(2)
        let special = Array("{}*".utf8)
        guard literal.allSatisfy({ !$0.isEmpty && !$0.contains(where: special.contains) }) else { return nil }
        folders = literal.flatMap { Array($0) + [UInt8(ascii: "/")] }
    }

    /// Whose object lies under the key; nil where it is nobody's, which no authorization covers.
    package func mailbox(of key: ObjectKey) -> Mailbox? {
        guard folders.isEmpty || key.utf8.starts(with: folders) else { return nil }
        let rest = key.utf8.span.extracting(folders.count...)
        guard let slash = rest.firstIndex(of: UInt8(ascii: "/")), slash > 0 else { return nil }
        return Mailbox(utf8: [UInt8](copying: rest.extracting(..<slash)))
    }

    /// Whose objects an operation on one key can touch.
    package func scope(of key: ObjectKey) -> MailboxScope { mailbox(of: key).map { .mailbox($0) } ?? .nobody }

    /// Whose objects a listing of this prefix can touch (DESIGN 3.6).
    package func scope(ofPrefix prefix: [UInt8]) -> MailboxScope {
        guard prefix.starts(with: folders) else {
            return folders.starts(with: prefix) ? .mailboxes(startingWith: []) : .nobody
        }
        let rest = prefix.dropFirst(folders.count)
        guard let slash = rest.firstIndex(of: UInt8(ascii: "/")) else {
            return .mailboxes(startingWith: Array(rest))
        }
        return slash > rest.startIndex ? .mailbox(Mailbox(utf8: Array(rest[..<slash]))) : .nobody
    }
}
