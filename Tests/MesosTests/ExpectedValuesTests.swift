import JSON
import OCI
import Testing

@testable import Mesos

/// One document, in one spelling, on one kind of agent.
struct Case: CustomTestStringConvertible {
    let name: String
    let dialect: Dialect
    let overhead: Bool
    let cfs: Bool
    let version: TranslationOptions.CgroupVersion

    var testDescription: String {
        "\(dialect.rawValue)/\(name), overhead \(overhead), cfs \(cfs), cgroups \(version)"
    }

    /// The documents of which all can be brought about.
    static let names = [
        "01-seed-demo", "02-seed-demo-larger", "03-shell-minimal", "04-argv", "05-argv-path-lookup",
        "06-argv-no-arguments", "07-shell-ignores-arguments", "09-environment", "11-user",
        "27-ipc-share-parent",
        "29-limits-cpu-mem", "31-limits-cpu-only", "32-tiny-resources", "34-revocable-cpus",
        "35-ports-and-sets",
        "42-kill-policy-health-check", "43-health-check-command-tcp",
    ]

    static let all: [Case] = names.flatMap { name in
        Dialect.allCases.flatMap { dialect in
            [true, false].flatMap { overhead in
                [true, false].flatMap { cfs in
                    [.v1, .v2].map {
                        Case(name: name, dialect: dialect, overhead: overhead, cfs: cfs, version: $0)
                    }
                }
            }
        }
    }

    func translation() throws -> Translation {
        let options = options {
            $0.executorOverhead = overhead
            $0.enableCFS = cfs
            $0.cgroupVersion = version
        }
        return try translate(dialect.document(name), options: options)
    }

    /// What Mesos writes, from `expected/`.
    func values() throws -> [String: JSON] {
        let expected = try Fixture.json("expected/\(name).expected.json")
        let title = overhead ? "with_command_executor_overhead" : "without_executor_overhead"
        guard case .object(let members)? = expected["cgroup_\(title).cfs_\(cfs ? "on" : "off")"] else {
            return [:]
        }
        return Dictionary(uniqueKeysWithValues: members.map { ($0.name, $0.value) })
    }
}

struct ExpectedValuesTests {
    @Test(arguments: Case.all)
    func `the limits are those that Mesos writes`(_ given: Case) throws {
        let resources = try given.translation().spec.linux.resources
        let values = try given.values()
        #expect(values.count >= 9)
        func number(_ name: String) -> Int64? {
            if case .integer(let number)? = values[name] { number } else { nil }
        }
        func text(_ name: String) -> String? {
            switch values[name] {
            case .integer(let number): String(number)
            case .string(let text): text
            default: nil
            }
        }
        switch given.version {
        case .v1:
            #expect(resources.cpu.shares.map(Int64.init) == number("v1.cpu.shares"))
            #expect(resources.cpu.quota == number("v1.cpu.cfs_quota_us"))
            #expect(resources.cpu.period.map(Int64.init) == number("v1.cpu.cfs_period_us"))
            #expect(resources.memory.reservation == number("v1.memory.soft_limit_in_bytes"))
            #expect(resources.memory.limit == number("v1.memory.limit_in_bytes"))
            #expect(resources.unified.isEmpty)
        case .v2:
            let files = resources.unified.map(\.name)
            #expect(files == ["cpu.weight", "cpu.max", "memory.low", "memory.max"])
            for (file, value) in resources.unified.map({ ($0.name, $0.value) }) {
                #expect(value == text("v2." + file), "\(file)")
            }
            #expect(resources.cpu == CPUResources())
            #expect(resources.memory == MemoryResources())
        }
    }

    @Test(arguments: Case.all)
    func `only a task that may use more than it asked for is picked sooner when memory runs out`(
        _ given: Case
    ) throws {
        let isSet = try given.translation().spec.process?.oomScoreAdj != nil
        #expect(try given.values()["soft_limit_below_hard_limit"] == .bool(isSet))
    }

    @Test(arguments: Case.names, Dialect.allCases)
    func `the command is the one that Mesos executes`(name: String, dialect: Dialect) throws {
        let spec = try spec(dialect.document(name))
        let expected = try Fixture.json("expected/\(name).expected.json")["command"]
        guard case .array(var arguments)? = expected?["argv"], case .string(let file)? = expected?["exec"]
        else {
            Issue.record("no command in the expected values")
            return
        }
        // Mesos passes no argument at all; no program can cope with that.
        if arguments.isEmpty { arguments = [.string(file)] }
        let process = try #require(spec.process)
        #expect(process.args.map(JSON.string) == arguments)
        #expect((spec.annotation(Meaning.executable) ?? process.args[0]) == file)
    }

    @Test(arguments: Case.names)
    func `all spellings of a document give the same config`(name: String) throws {
        let plain = try translate(Dialect.plain.document(name), options: options())
        for dialect in [Dialect.camel, .native] {
            let other = try translate(dialect.document(name), options: options())
            // The checks are kept as they stand in the document.
            var spec = other.spec
            let texts = ["org.apache.mesos.check", "org.apache.mesos.health_check"]
            spec.annotations.removeAll { texts.contains($0.name) }
            var reference = plain.spec
            reference.annotations.removeAll { texts.contains($0.name) }
            #expect(spec == reference)
            #expect(other.warnings == plain.warnings)
        }
    }

    @Test func `version 0 of the API says slave_id`() throws {
        let old = try spec(Fixture.json("v0/01-seed-demo-v0.json"))
        #expect(try old == spec(Dialect.plain.document("01-seed-demo")))
    }

    @Test(arguments: Case.names)
    func `what comes out is a config that mrun runs`(name: String) throws {
        for change: (inout TranslationOptions) -> Void in [
            { _ in }, { $0.rootfs = "/img" },
            {
                $0.rootfs = "/img"
                $0.sandbox = "/box"
            },
            { $0.cgroupVersion = .v2 }, { $0.isolation = .posix },
        ] {
            let spec = try spec(Dialect.native.document(name), options(change))
            #expect(spec.problems() == [])
            let text = spec.json.text(indent: 4)
            #expect(try Spec(Cursor(JSON.parse(Array(text.utf8)))) == spec)
        }
    }
}
