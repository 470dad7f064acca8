// swift-tools-version: 6.2
import PackageDescription

let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    // Regular expressions would come along with every `split`, and with them a megabyte.
    .unsafeFlags(["-Xfrontend", "-disable-implicit-string-processing-module-import"]),
]

/// A module of mrun; `tested` modules have a test target of their own.
func module(_ name: String, _ dependencies: [Target.Dependency], plugins: [Target.PluginUsage] = []) -> Target
{
    .target(name: name, dependencies: dependencies, swiftSettings: strict, plugins: plugins)
}

func tests(_ name: String, _ dependencies: [Target.Dependency], resources: [Resource] = []) -> Target {
    .testTarget(
        name: "\(name)Tests", dependencies: [.byName(name: name)] + dependencies, resources: resources,
        swiftSettings: strict)
}

let package = Package(
    name: "mrun",
    products: [
        .executable(name: "mrun", targets: ["mrun"]),
        .library(name: "Runtime", targets: ["Runtime"]),
    ],
    targets: [
        .target(
            name: "CKernel",
            cSettings: [.define("_GNU_SOURCE"), .unsafeFlags(["-Wall", "-Wextra", "-Werror", "-O2"])]),
        .target(
            name: "CStart",
            cSettings: [.define("_GNU_SOURCE"), .unsafeFlags(["-Wall", "-Wextra", "-Werror", "-O2"])]),
        .systemLibrary(name: "CJSON", pkgConfig: "json-c", providers: [.apt(["libjson-c-dev"])]),
        .systemLibrary(name: "CSeccomp", pkgConfig: "libseccomp", providers: [.apt(["libseccomp-dev"])]),
        .systemLibrary(name: "CGetopt"),
        .systemLibrary(name: "CCap", pkgConfig: "libcap", providers: [.apt(["libcap-dev"])]),

        // mrun-init: compiled and embedded by the plugin, never linked into mrun.
        .executableTarget(name: "embed-init", swiftSettings: [.swiftLanguageMode(.v6)]),
        .plugin(name: "EmbedInit", capability: .buildTool(), dependencies: ["embed-init"]),
        module("InitBinary", [], plugins: ["EmbedInit"]),

        module("Kernel", ["CKernel"]),
        module("JSON", ["CJSON", "Kernel"]),
        module("OCI", ["JSON", "Kernel"]),
        module("CommandLine", ["JSON", "Kernel", "CGetopt"]),
        module("Mesos", ["OCI", "JSON", "Kernel"]),
        module("Plan", ["OCI", "Kernel"]),
        module("Cgroups", ["OCI", "JSON", "Kernel", "CKernel"]),
        module(
            "Runtime",
            ["Plan", "Cgroups", "OCI", "JSON", "Kernel", "CKernel", "CSeccomp", "CCap", "InitBinary"]),
        .executableTarget(
            name: "mrun",
            dependencies: [
                "CommandLine", "Runtime", "Mesos", "Cgroups", "OCI", "JSON", "Kernel", "CKernel", "CStart",
            ],
            swiftSettings: strict + [.unsafeFlags(["-static-executable"])],
            linkerSettings: [
                .unsafeFlags([
                    "-static-executable", "-use-ld=lld", "-Xlinker", "--gc-sections", "-Xlinker", "-s",
                ])
            ]),

        tests("Mesos", ["OCI", "JSON", "Kernel"], resources: [.copy("Fixtures")]),
        tests("CommandLine", ["Kernel", "JSON"]),
        tests("Runtime", ["Cgroups", "OCI", "JSON", "Kernel", "CKernel"]),
        tests("Cgroups", ["OCI", "JSON", "Kernel"]),
        tests("Kernel", []),
        tests("JSON", ["Kernel"]),
        tests("OCI", ["JSON", "Kernel"]),
        tests("Plan", ["OCI", "Kernel"]),
    ]
)
