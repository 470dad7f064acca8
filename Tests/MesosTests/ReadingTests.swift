import JSON
import OCI
import Testing

@testable import Mesos

struct ReadingTests {
    @Test(arguments: [
        ("agent_id", "agentId"), ("slave_id", "slaveId"), ("agent_id", "slave_id"), ("agentId", "slaveId"),
    ])
    func `a field that is given in two spellings is refused`(first: String, second: String) throws {
        var document = try task("\"agent_id\":null")
        if case .object(let members) = document {
            let both = [(first, "a"), (second, "b")].map { name, value in
                JSON.Member(name, .object([JSON.Member("value", .string(value))]))
            }
            document = .object(members.filter { $0.value != .null } + both)
        }
        #expect(refusals(document) == ["/\(second): the same field is given as '\(first)' and '\(second)'"])
    }

    @Test(arguments: [
        ("agent_id", "agentId"), ("share_pid_namespace", "sharePidNamespace"), ("data", "data"),
        ("max_completion_time", "maxCompletionTime"), ("ipc_mode", "ipcMode"), ("", ""),
    ])
    func `canonical proto JSON joins the words of a name`(name: String, camel: String) {
        #expect(Message.camelCase(name) == camel)
    }

    @Test func `null is the same as nothing`() throws {
        let fields = [
            "executor", "container", "limits", "labels", "health_check", "check", "data", "kill_policy",
        ]
        let document = try task(fields.map { "\"\($0)\":null" }.joined(separator: ","))
        #expect(try spec(document) == spec(task("")))
        #expect(try warnings(document) == [])
        #expect(try refusals(task("\"name\":null")) == ["/name: missing required field 'name'"])
    }

    @Test func `unknown fields are warned about wherever they are`() throws {
        let document = try task(
            """
            "a/b": 1, "command": {"value": "v", "nice": 3, "environment": {"variables": [{"name": "A", "value": "1",
            "x": {}}]}}, "labels": {"labels": [], "more": null}
            """)
        #expect(
            try warnings(document) == [
                "/command/environment/variables/0/x: unknown field, ignored",
                "/command/nice: unknown field, ignored", "/labels/more: unknown field, ignored",
                "/a~1b: unknown field, ignored",
            ])
    }

    @Test func `a single value stands for a list of one`() throws {
        let document = try task(
            """
            "resources": {"name": "cpus", "type": "SCALAR", "scalar": {"value": "1"}}, "labels": {"labels":
            {"key": "k", "value": "v"}}, "command": {"shell": false, "value": "/a", "arguments": "b"}
            """)
        let spec = try spec(document, options { $0.isolation = isolation("cgroups/cpu") })
        #expect(spec.process?.args == ["b"])
        #expect(spec.linux.resources.cpu.shares == 1126)
        #expect(spec.annotation("org.apache.mesos.label.k") == "v")
    }

    @Test(arguments: [
        ("15000000000", "15000000000"), ("\"15000000000\"", "15000000000"), ("1.5e10", "15000000000"),
        ("\"1.5e10\"", "15000000000"), ("15000000000.0", "15000000000"), ("0", "0"),
        ("\"9223372036854775807\"", "9223372036854775807"), ("9223372036854775807", "9223372036854775807"),
    ])
    func `64-bit numbers may be numbers or text`(number: String, text: String) throws {
        let document = try task("\"kill_policy\":{\"grace_period\":{\"nanoseconds\":\(number)}}")
        #expect(try spec(document).annotation("org.apache.mesos.kill_policy.grace_period") == text)
    }

    @Test(arguments: [
        ("1.5", "expected a whole number from"), ("\"1.5\"", "expected a whole number from"),
        ("9223372036854775808", "expected a whole number from"), ("1e300", "expected a whole number from"),
        ("\"x\"", "cannot parse 'x' as a JSON number"), ("\"\"", "cannot parse '' as a JSON number"),
        ("\"0x10\"", "cannot parse '0x10' as a JSON number"),
        ("\"nan\"", "cannot parse 'nan' as a JSON number"),
        ("\"Infinity\"", "cannot parse 'Infinity' as a JSON number"),
        ("true", "not expecting a JSON boolean for field 'nanoseconds'"),
        ("[1]", "not expecting a JSON array for field 'nanoseconds'"),
    ])
    func `what is no whole number is refused`(number: String, words: String) throws {
        let lines = try refusals(task("\"kill_policy\":{\"grace_period\":{\"nanoseconds\":\(number)}}"))
        #expect(lines.count == 1)
        #expect(lines.first?.hasPrefix("/kill_policy/grace_period/nanoseconds: " + words) == true, "\(lines)")
    }

    @Test(arguments: [
        ("\"NaN\"", "cannot parse 'NaN'"), ("\"inf\"", "cannot parse 'inf'"), ("\"0x1p3\"", "cannot parse"),
        ("\"1e999\"", "cannot parse"), ("\" 1\"", "cannot parse"), ("{}", "not expecting a JSON object"),
        ("\"-Infinity\"", "too large"),
    ])
    func `what is no number is refused`(number: String, words: String) throws {
        let list = #"[{"name":"cpus","type":"SCALAR","scalar":{"value":\#(number)}}]"#
        let lines = try refusals(task("\"resources\":\(list)"), options { $0.isolation = .posix })
        #expect(lines.first?.hasPrefix("/resources/0/scalar/value: ") == true)
        #expect(lines.first?.hasSubstring(words) == true, "\(lines)")
    }

    @Test(arguments: [
        ("1", "not expecting a JSON number for field 'shell'"),
        ("\"yes\"", "cannot parse 'yes' as a JSON boolean"),
        ("\"True\"", "cannot parse 'True' as a JSON boolean"),
    ])
    func `what is no boolean is refused`(value: String, words: String) throws {
        let lines = try refusals(task("\"command\":{\"value\":\"v\",\"shell\":\(value)}"))
        #expect(lines == ["/command/shell: " + words])
    }

    @Test(
        arguments: [
            ("\"\"", nil), ("\"eA==\"", nil), ("\"eHg=\"", nil), ("\"eHh4\"", nil), ("\"+/+/\"", nil),
            ("\"eA=\"", "its length or its padding"), ("\"eA\"", "its length or its padding"),
            ("\"=\"", "its length or its padding"), ("\"====\"", "its length or its padding"),
            ("\"eA==eA==\"", "its length or its padding"), ("\"-_-_\"", "invalid character '-'"),
            ("\"e A=\"", "invalid character ' '"), ("7", "not expecting a JSON number for field 'data'"),
        ] as [(String, String?)])
    func `bytes are base64`(text: String, words: String?) throws {
        let document = try task("\"data\":\(text)")
        guard let words else {
            #expect(try warnings(document) == ["/data: ignored: it is for the executor alone"])
            return
        }
        let lines = refusals(document)
        #expect(lines.count == 1)
        #expect(
            lines.first?.hasPrefix("/data: ") == true && lines.first?.hasSubstring(words) == true, "\(lines)")
    }

    @Test(arguments: [
        ("\"container\":{\"type\":2}", "/container/type: not expecting a JSON number for field 'type'"),
        ("\"container\":{\"type\":\"mesos\"}", "/container/type: no enum value is called 'mesos'"),
        (
            "\"discovery\":{\"visibility\":\"ALL\"}", "/discovery/visibility: no enum value is called 'ALL'"
        ),
        ("\"check\":{\"type\":\"GRPC\"}", "/check/type: no enum value is called 'GRPC'"),
    ])
    func `enum values go by their names, and unknown ones are refused even where Mesos drops them`(
        fields: String, line: String
    ) throws {
        let lines = try refusals(task(fields))
        #expect(lines.count == 1)
        #expect(lines.first?.hasPrefix(line) == true, "\(lines)")
    }

    @Test(arguments: [
        "[]", "{}", "{\"a\":{\"b\":[1]}}", "{\"name\":{},\"task_id\":[],\"resources\":7,\"limits\":[]}",
    ])
    func `a document that is no task at all is refused`(text: String) throws {
        #expect(try !refusals(JSON.parse(Array(text.utf8))).isEmpty)
    }

    /// Numbers that make sense to nobody must not end the program.
    @Test(arguments: [
        "-1", "-1e300", "1e300", "\"Infinity\"", "\"-Infinity\"", "9007199254740993", "9e15",
        "18446744073709551615",
        "9223372036854775.807", "8796093022208", "1e-300", "-0.0",
    ])
    func `extreme amounts are refused or bounded`(number: String) throws {
        let entries = ["cpus", "mem"].map {
            #"{"name":"\#($0)","type":"SCALAR","scalar":{"value":\#(number)}}"#
        }
        let all = (entries + entries).joined(separator: ",")
        for limit in [number, "1e300", "0"] {
            let document = try task(
                "\"resources\":[\(all)],\"limits\":{\"cpus\":{\"value\":\(limit)},\"mem\":{\"value\":\(limit)}}"
            )
            for version in [TranslationOptions.CgroupVersion.v1, .v2] {
                let options = options {
                    $0.cgroupVersion = version
                    $0.enableCFS = true
                    $0.limitSwap = version == .v1
                }
                do {
                    let spec = try translate(document, options: options).spec
                    #expect(spec.problems() == [])
                } catch {
                    #expect(!error.all.isEmpty)
                }
            }
        }
    }
}
