import Foundation
import PackagePlugin

/// Compiles mrun-init and turns it into a Swift constant of the target that uses this plugin.
///
/// One command does both: SwiftPM takes a build command's output that is not a source file for a resource, and resources
/// bring Foundation into the module, which would make mrun eight times as big.
@main
struct EmbedInit: BuildToolPlugin {
    func createBuildCommands(context: PluginContext, target: any Target) throws -> [Command] {
        let sources = context.package.directoryURL.appending(path: "Sources")
        let folder = sources.appending(path: "Init")
        let files = try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
            .sorted { $0.path < $1.path }
        let units = files.filter { $0.pathExtension == "c" }
        let clang = try context.tool(named: "clang").url
        let program = context.pluginWorkDirectoryURL.appending(path: "mrun-init")
        let constant = context.pluginWorkDirectoryURL.appending(path: "InitImage.swift")
        return [
            .buildCommand(
                displayName: "Compiling and embedding mrun-init",
                executable: try context.tool(named: "embed-init").url,
                arguments: [
                    program.path, constant.path,
                    clang.path, "@\(folder.appending(path: "flags.txt").path)", "-o", program.path,
                ] + units.map(\.path),
                inputFiles: files + [sources.appending(path: "CKernel/include/orders.h")],
                outputFiles: [constant])
        ]
    }
}
