/// Where a witness takes checkpoints.
package struct WitnessURL: Hashable, Sendable {
    package let isTLS: Bool
    package let host: String
    package let port: Int
    /// Of `add-checkpoint`, beginning with a slash.
    package let path: String

    /// nil when the text is no URL such as `https://witness.example.net/w1`.
    package init?(_ text: String) {
        guard let scheme = text.firstRange(of: "://"), text.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            return nil
        }
        switch text[..<scheme.lowerBound] {
        case "http": isTLS = false
        case "https": isTLS = true
        default: return nil
        }
        let rest = text[scheme.upperBound...]
        let authority = rest.prefix { $0 != "/" }
        var prefix = rest[authority.endIndex...]
        while prefix.hasSuffix("/") { prefix.removeLast() }
        guard !prefix.contains(where: { $0 == "?" || $0 == "#" }), !authority.contains("@") else { return nil }
        path = prefix + "/add-checkpoint"
        if authority.hasPrefix("["), let end = authority.firstIndex(of: "]") {
            host = String(authority[authority.index(after: authority.startIndex)..<end])
            let after = authority[authority.index(after: end)...]
            guard let port = after.isEmpty ? (isTLS ? 443 : 80) : after.first == ":" ? Int(after.dropFirst()) : nil
            else { return nil }
            self.port = port
        } else {
            let parts = authority.split(separator: ":", omittingEmptySubsequences: false)
            guard parts.count <= 2, let name = parts.first else { return nil }
            host = String(name)
            guard let port = parts.count == 1 ? (isTLS ? 443 : 80) : Int(parts[1]) else { return nil }
            self.port = port
        }
        guard !host.isEmpty, (1...65_535).contains(port) else { return nil }
    }
}
