// swift-tools-version: 6.2
import PackageDescription

// A package of its own, so that the daemon's has no target that only a sanitizer can link. Sources/Bailiwick is a link to the
// daemon's Sources: its targets are compiled here again, with libFuzzer's instrumentation.

let settings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .enableUpcomingFeature("InferIsolatedConformances"),
    .enableExperimentalFeature("Lifetimes"),
]

let nioCore: Target.Dependency = .product(name: "NIOCore", package: "swift-nio")
let nioPosix: Target.Dependency = .product(name: "NIOPosix", package: "swift-nio")

func library(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: dependencies, path: "Sources/Bailiwick/\(name)", swiftSettings: settings)
}

func fuzz(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .executableTarget(
        name: "Fuzz\(name)", dependencies: dependencies,
        swiftSettings: [.enableExperimentalFeature("Lifetimes"), .unsafeFlags(["-parse-as-library"])])
}

let package = Package(
    name: "fuzz",
    dependencies: [.package(url: "https://github.com/apple/swift-nio.git", from: "2.101.2")],
    targets: [
        .systemLibrary(name: "CGMP", path: "Sources/Bailiwick/CGMP", pkgConfig: "gmp"),
        .systemLibrary(name: "COpenSSL", path: "Sources/Bailiwick/COpenSSL", pkgConfig: "openssl"),
        .systemLibrary(name: "CExpat", path: "Sources/Bailiwick/CExpat", pkgConfig: "expat"),
        .systemLibrary(name: "CLinux", path: "Sources/Bailiwick/CLinux"),
        .systemLibrary(name: "CXXHash", path: "Sources/Bailiwick/CXXHash", pkgConfig: "libxxhash"),
        library("OpenSSL", ["COpenSSL", "CGMP"]),
        library("JSON"),
        library("Residency"),
        library("HTTP", [nioCore]),
        library("Tokens", ["OpenSSL", "JSON", "Residency"]),
        library("DecisionLog", ["CLinux", "CXXHash", "OpenSSL", "JSON", "Residency"]),
        library("S3", ["OpenSSL", "CExpat", "Residency"]),
        library("Stores", ["CLinux", "OpenSSL", "S3", "Residency", "DecisionLog", nioCore, nioPosix]),
        fuzz("HTTP", ["HTTP", nioCore]),
        fuzz("Tokens", ["Tokens", "JSON", "OpenSSL", "Residency"]),
        fuzz("JSON", ["JSON"]),
        fuzz("S3", ["S3", "Residency"]),
        fuzz("Stores", ["Stores", "OpenSSL", "Residency"]),
        fuzz("Log", ["DecisionLog", "OpenSSL", "JSON"]),
    ],
    swiftLanguageModes: [.v6]
)
