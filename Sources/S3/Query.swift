/// A target's query, decoded once.
struct Query: Sendable {
    /// In the order in which they stand; a name without `=` has an empty value.
    private let items: [(name: String, value: [UInt8])]

    /// The most parameters that are read.
    static let itemsMax = 64

    init(_ text: Span<UInt8>) throws(S3Error) {
        var items: [(name: String, value: [UInt8])] = []
        var start = 0
        var at = 0
        while at <= text.count {
            if at == text.count || text[at] == UInt8(ascii: "&") {
                if at > start {
                    guard items.count < Self.itemsMax else { throw S3Error(.invalidURI) }
                    items.append(try Self.item(text.extracting(start..<at)))
                }
                start = at + 1
            }
            at += 1
        }
        self.items = items
    }

    private static func item(_ text: Span<UInt8>) throws(S3Error) -> (name: String, value: [UInt8]) {
        var equals = 0
        while equals < text.count, text[equals] != UInt8(ascii: "=") { equals += 1 }
        guard
            let name = Percent.decode(text.extracting(0..<equals), plusIsSpace: true).flatMap({
                String(validating: $0, as: UTF8.self)
            }),
            let value = Percent.decode(text.extracting(min(equals + 1, text.count)..<text.count), plusIsSpace: true)
        else { throw S3Error(.invalidURI) }
        return (name, value)
    }

    var isEmpty: Bool { items.isEmpty }

    var names: [String] { items.map(\.name) }

    func has(_ name: String) -> Bool { items.contains { $0.name.utf8.elementsEqual(name.utf8) } }

    func first(_ name: String) -> [UInt8]? { items.first { $0.name.utf8.elementsEqual(name.utf8) }?.value }

    func values(_ name: String) -> [[UInt8]] { items.filter { $0.name.utf8.elementsEqual(name.utf8) }.map(\.value) }

    /// The first sub-resource or parameter that stands for an operation which is not built.
    var subresource: String? { items.first { Self.notBuilt.contains($0.name) }?.name }

    private static let notBuilt: Set<String> = [
        "accelerate", "acl", "analytics", "attributes", "cors", "delete", "encryption", "intelligent-tiering",
        "inventory",
        "legal-hold", "lifecycle", "logging", "metrics", "notification", "object-lock", "ownershipControls",
        "partNumber",
        "policy", "policyStatus", "publicAccessBlock", "renameObject", "replication", "requestPayment", "restore",
        "retention",
        "select", "session", "tagging", "torrent", "uploadId", "uploads", "versionId", "versioning", "versions",
        "website",
    ]
}
