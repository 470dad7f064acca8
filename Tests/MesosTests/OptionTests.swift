import JSON
import Kernel
import OCI
import Testing

@testable import Mesos

struct IsolationTests {
    @Test(arguments: [
        ("posix/cpu,posix/mem", false, false, false, false), ("", false, false, false, false),
        ("cgroups/cpu", true, false, false, false), ("cgroups/mem", false, true, false, false),
        ("filesystem/linux,namespaces/pid,,namespaces/ipc", false, false, true, true),
        ("posix/cpu,cgroups/cpu,cgroups/cpu", true, false, false, false),
    ])
    func `the list says what is isolated`(list: String, cpu: Bool, memory: Bool, pid: Bool, ipc: Bool) throws
    {
        let isolation = try Isolation(list: list)
        #expect(isolation.limitsCPU == cpu && isolation.limitsMemory == memory)
        #expect(isolation.separatesPID == pid && isolation.separatesIPC == ipc)
    }

    @Test func `the default is that of Mesos`() throws {
        #expect(try Isolation(list: "posix/cpu,posix/mem") == .posix)
        let options = TranslationOptions(containerID: "c", cgroupVersion: .v1, totalMemory: 0)
        #expect(options.isolation == .posix)
    }

    @Test(arguments: [
        (
            "cgroups/cpu,docker/runtime,disk/du",
            "\"docker/runtime\", \"disk/du\": not supported by this version of mrun"
        ),
        ("gpu/nvidia", "\"gpu/nvidia\": not supported by this version of mrun"),
        ("cgroups/cpus,posix/mem", "Mesos has no isolator \"cgroups/cpus\""),
        ("disk/du,Posix/CPU", "Mesos has no isolator \"Posix/CPU\""),
        (" posix/mem", "Mesos has no isolator \" posix/mem\""),
    ])
    func `an isolator that mrun lacks is told apart from one that there is not`(list: String, words: String) {
        let failure = #expect(throws: Failure.self) { try Isolation(list: list) }
        #expect(failure?.message == "--isolation: " + words)
    }
}

struct OptionTests {
    @Test(arguments: [
        ("a.b", "contains '.'"), ("a b", "contains ' '"), ("a/b", "contains '/'"), ("a\\b", "contains '\\'"),
        ("..", "contains '.'"), ("", "has not 1 to 242 bytes"),
        (String(repeating: "x", count: 243), "has not"),
        ("a\nb", "contains control characters"), ("a\u{7f}", "contains control characters"),
    ])
    func `a container's id that Mesos refuses is refused`(id: String, words: String) throws {
        let lines = try refusals(task(""), options { $0.containerID = id })
        #expect(lines.count == 1)
        #expect(lines.first?.hasPrefix("--container-id: \"") == true, "\(lines)")
        #expect(lines.first?.hasSubstring("\" " + words) == true, "\(lines)")
    }

    @Test(arguments: ["a", "0f2c-42", "a:b", "ü", String(repeating: "x", count: 242)])
    func `any other id names the cgroup`(id: String) throws {
        let spec = try spec(task(""), options { $0.containerID = id })
        #expect(spec.linux.cgroupsPath == "/mesos/" + id)
        #expect(spec.annotation("org.apache.mesos.container_id") == id)
    }

    /// An agent that cannot be, and what is said against it.
    struct Wrong: CustomTestStringConvertible {
        let line: String
        let change: @Sendable (inout TranslationOptions) -> Void

        init(_ line: String, _ change: @escaping @Sendable (inout TranslationOptions) -> Void) {
            self.line = line
            self.change = change
        }

        var testDescription: String { line }
    }

    @Test(arguments: [
        Wrong("--sandbox: \"box\" is relative") { $0.sandbox = "box" },
        Wrong("--sandbox_directory: \"\" is relative") { $0.sandboxDirectory = "" },
        Wrong("--rootfs: \"img\" is relative") { $0.rootfs = "img" },
        Wrong("--rootfs: \"//\" is the host's: leave the option out to share it") { $0.rootfs = "//" },
        Wrong("--cgroups_root: \"/\" is no cgroup below the root") { $0.cgroupsRoot = "/" },
        Wrong("--cgroups_root: \"a/../b\" is no cgroup below the root") { $0.cgroupsRoot = "a/../b" },
        Wrong("--cgroups_limit_swap: not supported with cgroups v2") {
            $0.limitSwap = true
            $0.cgroupVersion = .v2
        },
    ])
    func `options that cannot be met are refused`(wrong: Wrong) throws {
        #expect(try refusals(task(""), options(wrong.change)) == [wrong.line])
    }
}
