import Foundation
import JSON
import Kernel
import OCI
import Testing

@testable import Mesos

/// The documents next to the tests.
enum Fixture {
    static let folder = Bundle.module.bundleURL.appending(path: "Fixtures")

    static func bytes(_ path: String) throws -> [UInt8] {
        Array(try Data(contentsOf: folder.appending(path: path)))
    }

    static func json(_ path: String) throws -> JSON { try JSON.parse(bytes(path)) }

    /// The names of a folder's documents, without `.json`.
    static func names(_ folder: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: Fixture.folder.appending(path: folder).path)
            .filter { $0.hasSuffix(".json") }.map { String($0.dropLast(5)) }.sorted()
    }
}

/// How the same document is spelled.
enum Dialect: String, CaseIterable {
    /// snake_case, what was set only.
    case plain
    /// Canonical proto JSON: lowerCamelCase, and 64-bit numbers as strings.
    case camel
    /// Mesos' own output, with its explicit defaults.
    case native

    func document(_ name: String) throws -> JSON { try Fixture.json("\(rawValue)/\(name).json") }

    /// A pointer of a plain document, as this dialect spells it.
    func pointer(_ plain: String) -> String {
        guard self == .camel else { return plain }
        return plain.split(separator: "/").map { token in
            let words = token.split(separator: "_")
            return "/" + words[0]
                + words.dropFirst().map { $0.prefix(1).uppercased() + $0.dropFirst() }.joined()
        }.joined()
    }
}

/// An agent with all isolators that there are.
func options(_ change: (inout TranslationOptions) -> Void = { _ in }) -> TranslationOptions {
    var options = TranslationOptions(
        containerID: "c1", cgroupVersion: .v1, totalMemory: 8 << 30,
        users: UserDatabase(
            passwd: "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65533:nobody:/:/bin/false\n",
            group: "root:x:0:\nnogroup:x:65533:\nvideo:x:44:root,nobody\n"))
    options.isolation = everything
    change(&options)
    return options
}

let everything: Isolation = isolation(
    "cgroups/cpu,cgroups/mem,namespaces/pid,namespaces/ipc,filesystem/linux")

func isolation(_ list: String) -> Isolation {
    do { return try Isolation(list: list) } catch { preconditionFailure(error.message) }
}

/// A task of one CPU and 64 MiB whose other fields are `fields`, without the braces; they win over the task's own.
func task(_ fields: String) throws -> JSON {
    let base = try JSON.parse(
        Array(
            """
            {"name":"n","task_id":{"value":"t"},"agent_id":{"value":"a"},"command":{"value":"true"},
             "resources":[{"name":"cpus","type":"SCALAR","scalar":{"value":1}},
                          {"name":"mem","type":"SCALAR","scalar":{"value":64}}]}
            """.utf8))
    let extra = try JSON.parse(Array("{\(fields)}".utf8))
    guard case .object(let old) = base, case .object(let new) = extra else { return .null }
    return .object(old.filter { member in !new.contains { $0.name == member.name } } + new)
}

/// The config of a task that must be fine.
func spec(_ document: JSON, _ options: TranslationOptions = options()) throws -> Spec {
    try translate(document, options: options).spec
}

/// The warnings about a task that must be fine.
func warnings(_ document: JSON, _ options: TranslationOptions = options()) throws -> [String] {
    try translate(document, options: options).warnings
}

/// What is said against a task that must be refused, a line each.
func refusals(_ document: JSON, _ options: TranslationOptions = options()) -> [String] {
    let problems = #expect(throws: Problems.self) { try translate(document, options: options) }
    return problems?.all.map(\.message) ?? []
}

extension Spec {
    /// The value of a variable of the task; `nil`: not set.
    func variable(_ name: String) -> String? {
        let entries = (process?.env ?? []).filter { $0.hasPrefix(name + "=") }
        #expect(entries.count <= 1)
        return entries.first.map { String($0.dropFirst(name.count + 1)) }
    }

    func mount(_ destination: String) -> MountSpec? { mounts.last { $0.destination == destination } }

    func unified(_ name: String) -> String? { linux.resources.unified.last { $0.name == name }?.value }
}

extension String {
    /// Whether `part` is somewhere in this text.
    func hasSubstring(_ part: String) -> Bool { contains(part) }
}
