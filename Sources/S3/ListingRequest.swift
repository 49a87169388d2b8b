internal import OpenSSL

/// What a ListObjectsV2 asks for.
package struct ListingRequest: Hashable, Sendable {
    package let prefix: [UInt8]
    package let delimiter: [UInt8]
    package let startAfter: [UInt8]?
    package let continuationToken: [UInt8]?
    /// The key that the continuation token stands for.
    package let continuation: [UInt8]?
    package let keysMax: Int
    package let encodesKeys: Bool
    package let fetchesOwner: Bool

    /// S3's own bound on a page.
    package static let pageKeysMax = 1000

    init(_ query: Query) throws(S3Error) {
        prefix = query.first("prefix") ?? []
        delimiter = query.first("delimiter") ?? []
        startAfter = query.first("start-after")
        fetchesOwner = query.first("fetch-owner") == Array("true".utf8)
        if let text = query.first("max-keys") {
            guard let number = Int(String(decoding: text, as: UTF8.self)), number >= 0, number <= Int(Int32.max) else {
                throw S3Error(.invalidArgument, "Argument max-keys must be an integer between 0 and 2147483647")
            }
            keysMax = min(number, Self.pageKeysMax)
        } else {
            keysMax = Self.pageKeysMax
        }
        switch query.first("encoding-type") {
        case nil: encodesKeys = false
        case Array("url".utf8): encodesKeys = true
        default: throw S3Error(.invalidArgument, "Invalid Encoding Method specified in Request")
        }
        continuationToken = query.first("continuation-token")
        if let token = continuationToken {
            guard let key = Self.decode(token), prefix.isEmpty || key.starts(with: prefix) || prefix.starts(with: key)
            else {
                throw S3Error(.invalidArgument, "The continuation token provided is incorrect")
            }
            continuation = key
        } else {
            continuation = nil
        }
        guard Self.isPartOfAKey(prefix), Self.isPartOfAKey(delimiter), startAfter.map(Self.isPartOfAKey) ?? true else {
            throw S3Error(
                .invalidArgument,
                "A prefix, delimiter or start-after is no UTF-8 text without NUL of at most 1,024 bytes")
        }
    }

    /// The answer holds these texts again, which must be text there too.
    private static func isPartOfAKey(_ text: [UInt8]) -> Bool { text.isEmpty || ObjectKey(utf8: text) != nil }

    /// Only keys after this are wanted.
    package var after: [UInt8]? { continuation ?? startAfter }

    /// A continuation token: `1-` and the key in hexadecimal. It is no secret and no authority; the prefix is checked again.
    package static func token(for key: [UInt8]) -> [UInt8] {
        var token = Array("1-".utf8)
        Hex.append(key.span, to: &token)
        return token
    }

    private static func decode(_ token: [UInt8]) -> [UInt8]? {
        guard token.starts(with: "1-".utf8), token.count % 2 == 0, token.count <= 2 + 2 * ObjectKey.bytesMax else {
            return nil
        }
        return Hex.decode(token[2...])
    }
}
