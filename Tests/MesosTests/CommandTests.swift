import JSON
import OCI
import Testing

@testable import Mesos

struct CommandTests {
    @Test(arguments: [
        (#"{"value":"echo a"}"#, ["sh", "-c", "echo a"]),
        (#"{"shell":true,"value":"x","arguments":["y"]}"#, ["sh", "-c", "x"]),
        (#"{"shell":"true","value":"x"}"#, ["sh", "-c", "x"]),
        (#"{"shell":false,"value":"/bin/echo","arguments":["echo","a b"]}"#, ["echo", "a b"]),
        (#"{"shell":false,"value":"/bin/echo","arguments":"/bin/echo"}"#, ["/bin/echo"]),
        (#"{"shell":"false","value":"/bin/true"}"#, ["/bin/true"]),
        (#"{"shell":null,"value":"v"}"#, ["sh", "-c", "v"]),
        (#"{"value":"$HOME \"q\" 'q' \n ü"}"#, ["sh", "-c", "$HOME \"q\" 'q' \n ü"]),
    ])
    func `the argument vector is that of Mesos`(command: String, arguments: [String]) throws {
        #expect(try spec(task("\"command\":\(command)")).process?.args == arguments)
    }

    @Test(
        arguments: [
            (#"{"value":"echo a"}"#, nil), (#"{"shell":false,"value":"/bin/true"}"#, nil),
            (#"{"shell":false,"value":"/bin/true","arguments":["/bin/true","x"]}"#, nil),
            (#"{"shell":false,"value":"/bin/busybox","arguments":["ls"]}"#, "/bin/busybox"),
            (#"{"shell":false,"value":"bin/run","arguments":["bin/run"]}"#, nil),
            (#"{"shell":false,"value":"sleep","arguments":["sleep","60"]}"#, "sleep"),
            (#"{"shell":false,"value":"sleep"}"#, "sleep"),
        ] as [(String, String?)])
    func
        `the file to execute is kept where the vector does not say it, or where Mesos would look for it elsewhere`(
            command: String, file: String?
        ) throws
    {
        #expect(try spec(task("\"command\":\(command)")).annotation(Meaning.executable) == file)
    }

    @Test(arguments: [
        (#"{"shell":true}"#, "shell command is not specified"), (#"{}"#, "shell command is not specified"),
        (#"{"value":""}"#, "shell command is not specified"),
        (#"{"shell":false}"#, "executable path is not specified"),
        (#"{"shell":false,"arguments":["a"]}"#, "executable path is not specified"),
    ])
    func `a command without a value is refused`(command: String, words: String) throws {
        #expect(try refusals(task("\"command\":\(command)")) == ["/command/value: " + words])
    }

    @Test func `arguments of a shell command are warned about`() throws {
        let found = try warnings(task(#""command":{"value":"x","arguments":["y"]}"#))
        #expect(found == ["/command/arguments: ignored, because the shell runs 'value'"])
    }

    @Test func `a command is run by an init that stays, with the capabilities untouched`() throws {
        let spec = try spec(task(""))
        #expect(spec.annotation(Meaning.stayingInit) == "true")
        #expect(spec.annotation(Meaning.capabilities) == "untouched")
        let process = try #require(spec.process)
        #expect(process.noNewPrivileges == false)
        let capabilities = try #require(process.capabilities)
        #expect(capabilities.bounding.count == 41)
        #expect(Set(capabilities.bounding).count == 41)
        #expect(capabilities.effective == capabilities.bounding)
        #expect(capabilities.permitted == capabilities.bounding)
        #expect(capabilities.ambient.isEmpty && capabilities.inheritable.isEmpty)
    }
}

struct EnvironmentTests {
    private let path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

    private func variables(_ list: String) -> String {
        "\"command\":{\"value\":\"v\",\"environment\":{\"variables\":[\(list)]}}"
    }

    @Test func `a task that sets nothing gets a PATH, and nothing of the caller's`() throws {
        #expect(try spec(task("")).process?.env == [path])
    }

    @Test func `a PATH of the task's own is kept`() throws {
        let spec = try spec(task(variables(#"{"name":"PATH","value":""}"#)))
        #expect(spec.process?.env == ["PATH="])
    }

    @Test func `values are passed on as they are, and the last of a name counts`() throws {
        let spec = try spec(Dialect.plain.document("09-environment"))
        #expect(
            spec.process?.env == [
                "PLAIN=1", "TYPED=two words", "EMPTY=", "EQ=a=b=c",
                "UTF8=grüß 世界 \"quoted\" \\ back\nslash", "DUP=last wins", "PATH=/opt/bin:/usr/bin:/bin",
            ])
    }

    @Test func `a name that is given twice is warned about without its values`() throws {
        let found = try warnings(task(variables(#"{"name":"A","value":"1"},{"name":"A","value":"2"}"#)))
        #expect(found == ["/command/environment/variables/1/name: 'A' is given again, the last one counts"])
    }

    @Test func `the sandbox is told, and the task may say otherwise`() throws {
        let options = options { $0.sandbox = "/box" }
        #expect(try spec(task(""), options).process?.env == ["MESOS_SANDBOX=/box", path])
        let own = try task(variables(#"{"name":"MESOS_SANDBOX","value":"/x"}"#))
        #expect(try spec(own, options).process?.env == ["MESOS_SANDBOX=/x", path])
        #expect(try warnings(own, options) == [])
    }

    @Test func `the role that the resources were offered to comes last, whatever the task says`() throws {
        let resources = """
            "resources":[{"name":"cpus","type":"SCALAR","scalar":{"value":1},"allocation_info":{"role":"*"}},
                         {"name":"mem","type":"SCALAR","scalar":{"value":1},"allocationInfo":{"role":"*"}}]
            """
        let own = variables(#"{"name":"MESOS_ALLOCATION_ROLE","value":"x"}"#)
        #expect(try spec(task(resources)).variable("MESOS_ALLOCATION_ROLE") == "*")
        #expect(try spec(task(resources + "," + own)).variable("MESOS_ALLOCATION_ROLE") == "*")
    }

    @Test(arguments: [
        (#"{"name":"S","type":"SECRET"}"#, "", "must have a secret set"),
        (#"{"name":"S","type":"UNKNOWN"}"#, "/type", "is not allowed"),
        (
            #"{"name":"S","value":"v","secret":{"type":"VALUE","value":{"data":"eA=="}}}"#, "/secret",
            "must not have a secret set"
        ),
        (#"{"name":"S","type":"SECRET","secret":{"type":"VALUE"}}"#, "/secret", "must have 'value' set"),
        (
            #"{"name":"S","type":"SECRET","secret":{"type":"REFERENCE"}}"#, "/secret",
            "must have 'reference' set"
        ),
        (
            #"{"name":"S","type":"SECRET","secret":{"type":"VALUE","value":{"data":"eA=="}}}"#, "/secret",
            "secrets in the environment: not supported"
        ),
        (
            #"{"name":"S","type":"SECRET","secret":{"type":"VALUE","value":{"data":"eA="}}}"#,
            "/secret/value/data", "cannot decode base64"
        ),
        (#"{"name":"","value":"v"}"#, "/name", "is empty"),
        (#"{"name":"A=B","value":"v"}"#, "/name", "holds"),
    ])
    func `a variable that is no text is refused`(variable: String, place: String, words: String) throws {
        let pointer = "/command/environment/variables/0" + place + ": "
        let lines = try refusals(task(variables(variable)))
        #expect(lines.contains { $0.hasPrefix(pointer) && $0.hasSubstring(words) }, "\(lines)")
    }
}

struct UserTests {
    @Test(arguments: [
        (nil, UserSpec()), ("root", UserSpec(additionalGids: [44])),
        ("nobody", UserSpec(uid: 65534, gid: 65533, additionalGids: [44])),
        ("65534", UserSpec(uid: 65534, gid: 65533, additionalGids: [44])),
        ("1000:1001", UserSpec(uid: 1000, gid: 1001)), ("65534:0", UserSpec(uid: 65534)),
    ])
    func `the user is looked up on the host`(name: String?, user: UserSpec) throws {
        let field = name.map { ",\"user\":\"\($0)\"" } ?? ""
        #expect(try spec(task("\"command\":{\"value\":\"id\"\(field)}")).process?.user == user)
    }

    @Test(arguments: ["1000:1001", "nobody"])
    func `whoever is not root begins without capabilities, and may gain them by executing files`(
        name: String
    ) throws {
        let process = try spec(task("\"command\":{\"value\":\"id\",\"user\":\"\(name)\"}")).process
        let capabilities = try #require(process?.capabilities)
        #expect(capabilities.bounding.count == 41)
        #expect(capabilities.effective.isEmpty && capabilities.permitted.isEmpty)
    }

    @Test(arguments: [
        ("ghost", ""), ("", ""), ("4294967295:0", ""), ("0:4294967295", ""), ("1:2:3", ""), ("-1:0", ""),
        ("1000", "; write '1000:GID' for one without an account"), ("nobody:root", ""),
    ])
    func `whoever does not exist is refused`(name: String, hint: String) throws {
        let lines = try refusals(task("\"command\":{\"value\":\"id\",\"user\":\"\(name)\"}"))
        #expect(lines == ["/command/user: cannot get the uid of user '\(name)': not found\(hint)"])
    }

    @Test func `lines that are no accounts are passed over`() {
        let users = UserDatabase(
            passwd: "\n# x:0:0:0\nshort:x:1\nbad:x:one:1::/:/x\nhuge:x:4294967296:1:::\nweb:x:33:33:www:/:/x",
            group: "bad\nweb:x:33:web\na:x:1:web,db\nb:x:2:db\nc:x:3:web\nalso:x:1:web\n")
        #expect(users.user("web") == UserSpec(uid: 33, gid: 33, additionalGids: [1, 3]))
        for name in ["short", "bad", "huge", "# x", "x"] { #expect(users.user(name) == nil) }
    }
}
