import Foundation
import JSON
import Kernel
import OCI
import Testing

@testable import Mesos

/// A document, and what is said against it.
struct Refusal: CustomTestStringConvertible {
    let name: String
    let pointer: String
    let words: String

    init(_ name: String, _ pointer: String, _ words: String) {
        self.name = name
        self.pointer = pointer
        self.words = words
    }

    var testDescription: String { name }

    /// The valid documents that ask for what is still to come.
    static let later: [Refusal] = [
        Refusal("08-uris", "/command/uris", "URIs to fetch"),
        Refusal("12-volume-host-path", "/container/volumes", "volumes"),
        Refusal("13-volume-legacy-host-path", "/container/volumes", "volumes"),
        Refusal("15-volume-image", "/container/volumes", "volumes"),
        Refusal("16-volume-secret", "/container/volumes", "volumes"),
        Refusal("17-volume-docker-and-csi", "/container/volumes", "volumes"),
        Refusal("18-persistent-volume", "/resources/2/disk", "persistent volumes"),
        Refusal("19-capabilities", "/container/linux_info/effective_capabilities", "capabilities"),
        Refusal(
            "21-capabilities-empty-and-deprecated", "/container/linux_info/capability_info", "capabilities"),
        Refusal("22-rlimits", "/container/rlimit_info/rlimits", "resource limits"),
        Refusal("23-seccomp-profile", "/container/linux_info/seccomp", "seccomp"),
        Refusal("24-seccomp-unconfined", "/container/linux_info/seccomp", "seccomp"),
        Refusal("25-tty", "/container/tty_info", "a terminal"),
        Refusal("28-share-pid", "/container/mesos/image", "images"),
        Refusal("36-docker-image-entrypoint", "/container/mesos/image", "images"),
        Refusal("37-docker-image-default-cmd", "/container/mesos/image", "images"),
        Refusal("39-appc-image", "/container/mesos/image", "images"),
        Refusal("40-network-cni", "/container/network_infos/0", "networks"),
        Refusal("41-hostname-host-network", "/container/mesos/image", "images"),
        Refusal("44-docker-containerizer", "/container/type", "the docker containerizer"),
        Refusal("45-custom-executor", "/executor", "custom executors"),
        Refusal("50-pod-shared-cgroups", "/tasks", "task groups"),
        Refusal("51-pod-own-cgroups-limits", "/tasks", "task groups"),
        Refusal("53-pod-namespaces", "/tasks", "task groups"),
    ]

    /// The documents that are wrong, or that ask for what is still to come in a way that will be wrong then.
    static let invalid: [Refusal] = [
        Refusal("i01-missing-task-id", "/task_id", "missing required field 'task_id'"),
        Refusal("i02-missing-name", "/name", "missing required field 'name'"),
        Refusal("i03-missing-agent-id", "/agent_id", "missing required field 'agent_id'"),
        Refusal("i04-missing-command", "/command", "at least one (but not both)"),
        Refusal("i05-command-and-executor", "/executor", "at least one (but not both)"),
        Refusal("i06-shell-without-value", "/command/value", "shell command is not specified"),
        Refusal("i07-exec-without-value-or-image", "/command/value", "executable path is not specified"),
        Refusal("i08-negative-cpus", "/resources/0/scalar/value", "value <= 0"),
        Refusal("i09-cpus-rounds-to-zero", "/resources/0/scalar/value", "value <= 0"),
        Refusal(
            "i11-wrong-type-number-for-string", "/name", "not expecting a JSON number for field 'name'"),
        Refusal(
            "i12-wrong-type-string-for-number", "/resources/0/scalar/value",
            "cannot parse 'lots' as a JSON number"),
        Refusal(
            "i13-wrong-type-array-for-object", "/command", "not expecting a JSON array for field 'command'"),
        Refusal(
            "i15-unknown-enum-required", "/resources/0/type",
            "no enum value is called 'FLOAT', there are SCALAR, RANGES, SET, TEXT"),
        Refusal("i16-unknown-container-type", "/container/type", "no enum value is called 'LXC'"),
        Refusal("i17-unknown-volume-mode", "/container/volumes", "volumes"),
        Refusal("i19-unknown-ipc-mode", "/container/linux_info/ipc_mode", "no enum value is called 'HOST'"),
        Refusal("i21-shm-size-without-private", "/container/linux_info/shm_size", "`PRIVATE`"),
        Refusal("i22-volume-two-sources", "/container/volumes", "volumes"),
        Refusal("i23-volume-no-source", "/container/volumes", "volumes"),
        Refusal("i24-volume-source-type-mismatch", "/container/volumes", "volumes"),
        Refusal("i25-volume-source-unknown", "/container/volumes", "volumes"),
        Refusal("i26-volume-host-path-relative", "/container/volumes", "volumes"),
        Refusal("i28-volume-sandbox-self-relative-target", "/container/volumes", "volumes"),
        Refusal("i29-volume-parent-top-level", "/container/volumes", "volumes"),
        Refusal("i30-volume-traversal", "/container/volumes", "volumes"),
        Refusal("i31-rlimit-one-side", "/container/rlimit_info/rlimits", "resource limits"),
        Refusal("i33-rlimit-unknown", "/container/rlimit_info/rlimits", "resource limits"),
        Refusal("i34-seccomp-both", "/container/linux_info/seccomp", "seccomp"),
        Refusal("i36-capabilities-both-spellings", "/container/linux_info/capability_info", "capabilities"),
        Refusal(
            "i38-limit-below-request", "/limits/cpus",
            "the cpu limit must be greater than or equal to the cpu request"),
        Refusal(
            "i39-limit-mem-below-request", "/limits/mem",
            "the memory limit must be greater than or equal to the memory request"),
        Refusal(
            "i40-limit-unknown-resource", "/limits/disk",
            "only cpus and mem may be included in a task's resource limits"),
        Refusal(
            "i42-share-cgroups-false-top-level", "/container/linux_info/share_cgroups",
            "only tasks in a task group may have 'share_cgroups' set to 'false'"),
        Refusal(
            "i43-env-secret-with-value", "/command/environment/variables/0/value",
            "environment variable 'S' of type 'SECRET' must not have a value set"),
        Refusal(
            "i44-env-value-missing", "/command/environment/variables/0",
            "environment variable 'S' of type 'VALUE' must have a value set"),
        Refusal(
            "i47-bad-base64", "/command/environment/variables/0/secret/value/data",
            "invalid character '*'"),
        Refusal(
            "i48-negative-grace-period", "/kill_policy/grace_period/nanoseconds",
            "the task's 'kill_policy.grace_period' must be non-negative"),
        Refusal("i49-health-check-no-type", "/health_check", "HealthCheck must specify 'type'"),
        Refusal(
            "i50-health-check-bad-path", "/health_check/http/path",
            "the path 'healthz' of HTTP health check must start with '/'"),
        Refusal("i51-task-id-slash", "/task_id/value", "'a/b' contains invalid characters"),
        Refusal("i52-docker-type-without-docker", "/container", "DockerInfo 'docker' is not set"),
        Refusal("i54-scalar-with-ranges", "/resources/0", "invalid scalar resource"),
        Refusal("i55-no-resources", "/resources", "task uses no resources"),
        Refusal("i58-hostname-with-docker-host-network", "/container/type", "the docker containerizer"),
        Refusal("ix3-array-top-level", "", "expecting a JSON object"),
    ]

    /// What Mesos' parser accepts, or only ignores.
    static let acceptable = ["i56-camel-in-mesos", "i57-unknown-field"]

    /// What is no JSON at all.
    static let unreadable = [
        ("ix1-truncated", "the document ends too early"), ("ix2-trailing-comma", "line 1, column"),
        ("ix5-not-utf8", "utf-8"),
    ]
}

struct RefusalTests {
    /// Whether some line says it, at that place.
    private func says(_ lines: [String], _ pointer: String, _ words: String) -> Bool {
        lines.contains { $0.hasPrefix(pointer.isEmpty ? "" : pointer + ": ") && $0.contains(words) }
    }

    @Test(arguments: Refusal.later, Dialect.allCases)
    func `what a later version brings is refused by its pointer`(_ refusal: Refusal, dialect: Dialect) throws
    {
        let lines = try refusals(dialect.document(refusal.name))
        #expect(says(lines, dialect.pointer(refusal.pointer), refusal.words), "\(lines)")
        #expect(lines.allSatisfy { $0.contains("not supported") }, "nothing else is wrong: \(lines)")
    }

    @Test(arguments: Refusal.invalid)
    func `what is wrong is refused by its pointer`(_ refusal: Refusal) throws {
        let lines = try refusals(Fixture.json("invalid/\(refusal.name).json"))
        #expect(says(lines, refusal.pointer, refusal.words), "\(lines)")
    }

    @Test(arguments: Refusal.unreadable)
    func `what is no JSON is refused with its place`(name: String, words: String) throws {
        let bytes = try Fixture.bytes("invalid/\(name).json")
        let failure = #expect(throws: Failure.self) { try JSON.parse(bytes) }
        #expect(failure?.message.lowercased().contains(words) == true, "\(failure?.message ?? "")")
    }

    @Test(arguments: Refusal.acceptable)
    func `what Mesos would ignore is no reason to refuse`(name: String) throws {
        let translation = try translate(Fixture.json("invalid/\(name).json"), options: options())
        #expect(
            translation.warnings == (name.hasPrefix("i57") ? ["/frobnicate: unknown field, ignored"] : []))
    }

    @Test func `every document is in one of the tables`() throws {
        let invalid =
            Refusal.invalid.map(\.name) + Refusal.unreadable.map(\.0) + Refusal.acceptable
        #expect(try Fixture.names("invalid") == invalid.sorted())
        for dialect in Dialect.allCases {
            #expect(try Fixture.names(dialect.rawValue) == (Case.names + Refusal.later.map(\.name)).sorted())
        }
    }

    @Test func `all problems are named at once, in the order in which Mesos looks for them`() throws {
        let lines = try refusals(
            task(
                """
                "limits": {"cpus": {"value": 0.5}, "disk": {"value": 1}}, "kill_policy":
                {"grace_period": {"nanoseconds": -5}}, "task_id": {"value": ".."},
                "command": {"user": "ghost", "uris": [{"value": "http://a/b"}]},
                "container": {"type": "MESOS", "tty_info": {}, "volumes": [{}]}
                """))
        #expect(
            lines == [
                "/task_id/value: '..' is disallowed",
                "/kill_policy/grace_period/nanoseconds: the task's 'kill_policy.grace_period' must be non-negative",
                "/limits/cpus: the cpu limit must be greater than or equal to the cpu request",
                "/limits/disk: only cpus and mem may be included in a task's resource limits",
                "/command/value: shell command is not specified",
                "/command/user: cannot get the uid of user 'ghost': not found",
                "/command/uris: URIs to fetch: not supported by this version of mrun",
                "/container/volumes: volumes: not supported by this version of mrun",
                "/container/tty_info: a terminal: not supported by this version of mrun",
            ])
    }

    @Test func `the words of a document cannot forge lines of a log`() throws {
        let document = try task(#""task_id":{"value":"a\nmrun: fine"},"x\u001b[2J\ny":1"#)
        #expect(refusals(document) == [#"/task_id/value: 'a\nmrun: fine' contains invalid characters"#])
        let other = try task(#""x\u001b[2J\ny\u009b":1"#)
        #expect(try warnings(other) == [#"/x\u{1B}[2J\ny\u{009B}: unknown field, ignored"#])
    }

    @Test func `a problem is one line`() throws {
        let problems = #expect(throws: Problems.self) {
            try translate(.array([]), options: options { $0.containerID = "" })
        }
        #expect(
            problems?.description == "--container-id: \"\" has not 1 to 242 bytes\nexpecting a JSON object")
    }

    @Test(arguments: [
        ("\"kill_policy\":{\"grace_period\":{}}", "/kill_policy/grace_period/nanoseconds"),
        ("\"container\":{}", "/container/type"), ("\"labels\":{\"labels\":[{}]}", "/labels/labels/0/key"),
        ("\"limits\":{\"cpus\":{}}", "/limits/cpus/value"),
        (
            "\"command\":{\"value\":\"v\",\"environment\":{\"variables\":{}}}",
            "/command/environment/variables/name"
        ),
        ("\"discovery\":{\"ports\":{\"ports\":[{}]}}", "/discovery/ports/ports/0/number"),
        ("\"health_check\":{\"type\":\"HTTP\",\"http\":{}}", "/health_check/http/port"),
    ])
    func `a field that Mesos requires is required here`(fields: String, pointer: String) throws {
        #expect(try says(refusals(task(fields)), pointer, "missing required field"))
    }

    @Test(arguments: [
        ("", "must not be empty"), (".", "is disallowed"), ("..", "is disallowed"),
        ("a/b", "invalid characters"),
        ("a\\\\b", "invalid characters"), ("a\\nb", "invalid characters"),
        ("a\\u007fb", "invalid characters"),
        (String(repeating: "x", count: 256), "must not be greater than 255"),
    ])
    func `an id that is no name of a folder is refused`(id: String, words: String) throws {
        #expect(try says(refusals(task("\"task_id\":{\"value\":\"\(id)\"}")), "/task_id/value", words))
        #expect(try says(refusals(task("\"agent_id\":{\"value\":\"\(id)\"}")), "/agent_id/value", words))
    }

    @Test(arguments: ["a.b", "a b", "a:b", "grün", String(repeating: "x", count: 255)])
    func `any other id is fine`(id: String) throws {
        let spec = try spec(task("\"task_id\":{\"value\":\"\(id)\"}"))
        #expect(spec.annotation("org.apache.mesos.task_id") == id)
    }
}
