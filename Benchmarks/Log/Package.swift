// swift-tools-version: 6.2
import PackageDescription

// A package of its own: it measures what the log does inside, for which the daemon's modules are compiled once more, testable.
// Sources/Bailiwick is a link to the daemon's Sources.

let settings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .enableUpcomingFeature("InferIsolatedConformances"),
    .enableExperimentalFeature("Lifetimes"),
]

func library(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: dependencies, path: "Sources/Bailiwick/\(name)", swiftSettings: settings)
}

let package = Package(
    name: "log-benchmark",
    targets: [
        .systemLibrary(name: "CGMP", path: "Sources/Bailiwick/CGMP", pkgConfig: "gmp"),
        .systemLibrary(name: "COpenSSL", path: "Sources/Bailiwick/COpenSSL", pkgConfig: "openssl"),
        .systemLibrary(name: "CLinux", path: "Sources/Bailiwick/CLinux"),
        .systemLibrary(name: "CXXHash", path: "Sources/Bailiwick/CXXHash", pkgConfig: "libxxhash"),
        library("OpenSSL", ["COpenSSL", "CGMP"]),
        library("JSON"),
        library("Residency"),
        library("DecisionLog", ["CLinux", "CXXHash", "OpenSSL", "JSON", "Residency"]),
        .executableTarget(
            name: "LogBench", dependencies: ["DecisionLog", "OpenSSL", "JSON", "Residency"],
            swiftSettings: [.enableExperimentalFeature("Lifetimes")]),
    ],
    swiftLanguageModes: [.v6]
)
