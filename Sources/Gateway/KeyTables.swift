internal import NIOPosix
internal import OpenSSL
internal import Tokens

/// The pinned ES256 keys of one snapshot that get tables of their multiples, by which a token that is new takes half the time to verify.
struct KeyTables: Sendable {
    /// In the order of the issuers' ids and of their files, the first `Limits.keyTablesMax`.
    let keys: [PublicKey]

    /// - Parameter previous: whose tables equal keys share.
    init(_ issuers: IssuerRegistry, reusing previous: KeyTables?) {
        keys = Array(
            issuers.all.lazy.flatMap(\.keys.all).filter { $0.algorithm == .es256 }.prefix(Limits.keyTablesMax))
        guard let previous else { return }
        let known = Dictionary(previous.keys.map { ($0.members, $0) }) { first, _ in first }
        for key in keys { if let equal = known[key.members] { key.adoptTable(of: equal) } }
    }

    /// Makes the tables that are missing, one after the other, each in a job of its own: a thread of the pool is kept for 25 ms, and
    /// the others take what requests ask for.
    /// - Parameter isWanted: asked before each; the pool's stop ends it too.
    func make(on pool: NIOThreadPool, while isWanted: @escaping @Sendable () -> Bool) {
        Self.make(keys[...], on: pool, while: isWanted)
    }

    private static func make(
        _ keys: ArraySlice<PublicKey>, on pool: NIOThreadPool, while isWanted: @escaping @Sendable () -> Bool
    ) {
        guard let key = keys.first else { return }
        pool.submit { work in
            guard case .active = work, isWanted() else { return }
            key.precompute()
            make(keys.dropFirst(), on: pool, while: isWanted)
        }
    }
}
