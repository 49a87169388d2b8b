// swift-tools-version: 6.2
import PackageDescription

let settings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .enableUpcomingFeature("InferIsolatedConformances"),
    .enableExperimentalFeature("Lifetimes"),
    .treatAllWarnings(as: .error),
    .strictMemorySafety(),
]

let nioCore: Target.Dependency = .product(name: "NIOCore", package: "swift-nio")
let nioPosix: Target.Dependency = .product(name: "NIOPosix", package: "swift-nio")
let nioHTTP1: Target.Dependency = .product(name: "NIOHTTP1", package: "swift-nio")
let nioEmbedded: Target.Dependency = .product(name: "NIOEmbedded", package: "swift-nio")
let arguments: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")

let testSettings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"), .enableExperimentalFeature("Lifetimes"), .treatAllWarnings(as: .error),
]

func test(_ target: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .testTarget(
        name: "\(target)Tests", dependencies: [.target(name: target)] + dependencies, swiftSettings: testSettings)
}

/// One folder in Sources is one target; the dependencies are what `.ci/lint-imports` lets it import.
let package = Package(
    name: "bailiwick",
    products: [
        .executable(name: "bailiwickd", targets: ["bailiwickd"]),
        .executable(name: "bailiwick", targets: ["bailiwick"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio.git", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-argument-parser.git", from: "1.8.2"),
        .package(url: "https://github.com/LebJe/TOMLKit.git", from: "0.6.0"),
    ],
    targets: [
        .systemLibrary(name: "CGMP", pkgConfig: "gmp", providers: [.apt(["libgmp-dev"])]),
        .systemLibrary(name: "COpenSSL", pkgConfig: "openssl", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(name: "CSystemd", pkgConfig: "libsystemd", providers: [.apt(["libsystemd-dev"])]),
        .systemLibrary(name: "CExpat", pkgConfig: "expat", providers: [.apt(["libexpat1-dev"])]),
        .systemLibrary(name: "CXXHash", pkgConfig: "libxxhash", providers: [.apt(["libxxhash-dev"])]),
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .systemLibrary(name: "CLinux"),
        .target(name: "OpenSSL", dependencies: ["COpenSSL", "CGMP"], swiftSettings: settings),
        .target(name: "JSON", swiftSettings: settings),
        .target(name: "Residency", swiftSettings: settings),
        .target(name: "HTTP", dependencies: ["OpenSSL", nioCore], swiftSettings: settings),
        .target(name: "Sockets", dependencies: ["CLinux", nioCore], swiftSettings: settings),
        .target(
            name: "TLS", dependencies: ["CLinux", "OpenSSL", "COpenSSL", "Sockets", nioCore], swiftSettings: settings),
        .target(name: "Tokens", dependencies: ["OpenSSL", "JSON", "Residency"], swiftSettings: settings),
        .target(
            name: "DecisionLog", dependencies: ["CLinux", "CXXHash", "OpenSSL", "JSON", "Residency"],
            swiftSettings: settings),
        .target(name: "S3", dependencies: ["OpenSSL", "CExpat", "Residency"], swiftSettings: settings),
        .target(
            name: "Stores",
            dependencies: ["CLinux", "OpenSSL", "S3", "Residency", "DecisionLog", nioCore, nioPosix],
            swiftSettings: settings),
        .target(
            name: "Settings",
            dependencies: ["OpenSSL", "JSON", "Residency", "Tokens", .product(name: "TOMLKit", package: "TOMLKit")],
            swiftSettings: settings),
        .target(
            name: "Audit",
            dependencies: ["OpenSSL", "JSON", "Residency", "Tokens", "DecisionLog", "S3", "Stores", "Settings"],
            swiftSettings: settings),
        .target(
            name: "Gateway",
            dependencies: [
                "CZlib", "OpenSSL", "JSON", "Sockets", "TLS", "HTTP", "Residency", "Tokens", "DecisionLog", "S3",
                "Stores", "Settings", nioCore, nioHTTP1, nioPosix,
            ],
            swiftSettings: settings),
        .executableTarget(
            name: "bailiwickd",
            dependencies: [
                "CLinux",
                "Gateway", "Settings", "DecisionLog", "OpenSSL", "JSON", "Residency", "CSystemd", nioPosix, arguments,
            ],
            swiftSettings: settings),
        .executableTarget(
            name: "bailiwick",
            dependencies: [
                "OpenSSL", "JSON", "TLS", "HTTP", "Residency", "Tokens", "DecisionLog", "S3", "Stores", "Settings",
                "Audit", nioCore,
                nioPosix, arguments,
            ],
            swiftSettings: settings),
        .target(name: "TestSupport", path: "Tests/TestSupport", swiftSettings: testSettings),
        test("OpenSSL", ["TestSupport"]),
        test("JSON"),
        test("Residency"),
        test("HTTP", [nioCore, nioHTTP1, nioEmbedded]),
        test("Tokens", ["OpenSSL", "JSON", "Residency", "TestSupport"]),
        test("DecisionLog", ["OpenSSL", "JSON", "Residency", "TestSupport"]),
        test("Sockets", [nioCore]),
        test("TLS", ["OpenSSL", "Sockets", nioCore, nioPosix, nioEmbedded, "TestSupport"]),
        test("S3", ["Residency"]),
        test("Settings", ["OpenSSL", "Residency", "Tokens", "TestSupport"]),
        test("Gateway", ["DecisionLog", "JSON", "OpenSSL", "Residency", "Settings", "Stores", "Tokens", nioPosix]),
        test("Stores", ["OpenSSL", "JSON", "S3", "Residency", "DecisionLog", nioCore, nioPosix, "TestSupport"]),
        test(
            "Audit",
            ["OpenSSL", "JSON", "Residency", "Tokens", "DecisionLog", "S3", "Stores", "Settings", "TestSupport"]),
        .testTarget(
            name: "ConformanceTests",
            dependencies: ["bailiwickd", "bailiwick", "DecisionLog", "JSON", "OpenSSL", "Residency", "TestSupport"],
            path: "Tests/Conformance",
            exclude: [
                "alerts_test.yml", "boto3_first_part.py", "descriptors.py", "forked_witness.py", "held.py",
                "journal.sh", "load.py",
                "manager.py", "revocations.py", "rotation.py", "session.py", "steady.py", "systemctl.sh",
                "validate_ocsf.py", "wire.py", "witness.py", "tlog", "tlogproof",
            ],
            swiftSettings: testSettings),
    ],
    swiftLanguageModes: [.v6]
)
