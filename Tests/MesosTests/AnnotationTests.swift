import JSON
import OCI
import Testing

@testable import Mesos

struct AnnotationTests {
    @Test func `ids, name and labels are kept`() throws {
        let spec = try spec(
            task(
                """
                "labels": {"labels": [{"key": "a/b", "value": "1"}, {"key": "flag"}, {"key": "twice", "value": "x"},
                {"key": "twice", "value": "y"}, {"key": ""}]}
                """))
        #expect(
            spec.annotations.filter { $0.name.hasPrefix("org.apache.mesos.") } == [
                Annotation("org.apache.mesos.container_id", "c1"),
                Annotation("org.apache.mesos.task_id", "t"),
                Annotation("org.apache.mesos.name", "n"), Annotation("org.apache.mesos.agent_id", "a"),
                Annotation("org.apache.mesos.label.a/b", "1"), Annotation("org.apache.mesos.label.flag", ""),
                Annotation("org.apache.mesos.label.twice", "y"), Annotation("org.apache.mesos.label.", ""),
            ])
    }

    @Test func `what the executor needs is kept as it stands`() throws {
        let document = try Dialect.plain.document("42-kill-policy-health-check")
        let spec = try spec(document)
        #expect(spec.annotation("org.apache.mesos.kill_policy.grace_period") == "15000000000")
        #expect(spec.annotation("org.apache.mesos.max_completion_time") == "3600000000000")
        for (name, field) in [("check", "check"), ("health_check", "health_check")] {
            let text = try #require(spec.annotation("org.apache.mesos." + name))
            #expect(try JSON.parse(Array(text.utf8)) == document[field])
            #expect(!text.hasSubstring("\n"))
        }
        let canonical = try MesosTests.spec(Dialect.camel.document("42-kill-policy-health-check"))
        #expect(canonical.annotation("org.apache.mesos.health_check")?.hasSubstring("delaySeconds") == true)
    }

    /// The first task of the seed, whole: a change of anything shows here.
    @Test func `the seed's task becomes this config`() throws {
        let options = TranslationOptions(
            containerID: "0c29", cgroupVersion: .v1, totalMemory: 8 << 30)
        let agent = try {
            var options = options
            options.isolation = try Isolation(list: "cgroups/cpu,cgroups/mem")
            return options
        }()
        let spec = try spec(Dialect.plain.document("01-seed-demo"), agent)
        #expect(try spec.json == Fixture.json("config/01-seed-demo.json"))
        let bare = try MesosTests.spec(Dialect.plain.document("01-seed-demo"), options)
        #expect(bare.linux.resources == ResourceSpec())
        #expect(bare.annotation(Meaning.controllers) == "freezer")
    }
}

struct CheckTests {
    @Test(arguments: [
        (#""check":{}"#, "/check: CheckInfo must specify 'type'"),
        (#""check":{"type":"UNKNOWN"}"#, "/check/type: 'UNKNOWN' is not a valid check type"),
        (#""check":{"type":"COMMAND"}"#, "/check: expecting 'command' to be set for COMMAND check"),
        (
            #""check":{"type":"COMMAND","command":{"command":{}}}"#,
            "/check/command/command: command check must contain 'shell command'"
        ),
        (
            #""health_check":{"type":"COMMAND","command":{"shell":false}}"#,
            "/health_check/command: command health check must contain 'executable path'"
        ),
        (
            #""health_check":{"type":"COMMAND","command":{"value":"v","environment":{"variables":[{"name":"A"}]}}}"#,
            "/health_check/command/environment/variables/0: "
                + "environment variable 'A' of type 'VALUE' must have a value set"
        ),
        (#""check":{"type":"HTTP"}"#, "/check: expecting 'http' to be set for HTTP check"),
        (#""check":{"type":"TCP"}"#, "/check: expecting 'tcp' to be set for TCP check"),
        (
            #""health_check":{"type":"HTTP","http":{"port":1,"scheme":"ftp"}}"#,
            "/health_check/http/scheme: unsupported HTTP health check scheme: 'ftp'"
        ),
        (
            #""check":{"type":"HTTP","http":{"port":1,"path":"x"}}"#,
            "/check/http/path: the path 'x' of HTTP check must start with '/'"
        ),
        (
            #""check":{"type":"TCP","tcp":{"port":1},"delay_seconds":-1}"#,
            "/check/delay_seconds: expecting 'delay_seconds' to be non-negative"
        ),
        (
            #""health_check":{"type":"TCP","tcp":{"port":1},"grace_period_seconds":-0.5}"#,
            "/health_check/grace_period_seconds: expecting 'grace_period_seconds' to be non-negative"
        ),
        (
            #""max_completion_time":{"nanoseconds":-1}"#,
            "/max_completion_time/nanoseconds: the task's 'max_completion_time' must be non-negative"
        ),
    ])
    func `a check that the master refuses is refused`(fields: String, line: String) throws {
        #expect(try refusals(task(fields)) == [line])
    }

    @Test(arguments: [
        #""check":{"type":"TCP","tcp":{"port":1},"timeout_seconds":0}"#,
        #""health_check":{"type":"HTTP","http":{"port":1,"protocol":"IPv6","statuses":[200]}}"#,
        #""health_check":{"type":"COMMAND","command":{"value":"v","uris":[{"value":"u"}],"user":"ghost"}}"#,
    ])
    func `a check does not shape the container`(fields: String) throws {
        var spec = try spec(task(fields))
        spec.annotations.removeAll { $0.name.hasSubstring("check") }
        #expect(try spec == MesosTests.spec(task("")))
    }
}
