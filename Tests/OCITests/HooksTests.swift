import JSON
import Kernel
import Testing

@testable import OCI

private func decodeHooks(_ hooks: String) throws -> HooksSpec? {
    try Spec(Cursor(try JSON.parse(Array(#"{"ociVersion":"1.3.0","hooks":\#(hooks)}"#.utf8)))).hooks
}

struct HooksTests {
    @Test func `each list is read into its own place, in its order`() throws {
        let names = [
            "prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop",
        ]
        let members = names.map { #""\#($0)":[{"path":"/\#($0)"},{"path":"/2"}]"# }.joined(separator: ",")
        let hooks = try #require(try decodeHooks("{\(members)}"))
        func both(_ name: String) -> [HookSpec] { [HookSpec(path: "/" + name), HookSpec(path: "/2")] }
        #expect(hooks.prestart == both("prestart") && hooks.createRuntime == both("createRuntime"))
        #expect(hooks.createContainer == both("createContainer"))
        #expect(hooks.startContainer == both("startContainer"))
        #expect(hooks.poststart == both("poststart") && hooks.poststop == both("poststop"))
        #expect(!hooks.isEmpty && hooks.areInCreate)
        #expect(try decodeHooks(hooks.json.text()) == hooks)
    }

    @Test func `all members of a hook are read, and written again`() throws {
        let text =
            #"{"poststop":[{"path":"/h","args":["h","a b",""],"env":["A=1","B=x=y","C="],"timeout":7}]}"#
        let hooks = try #require(try decodeHooks(text))
        let want = HookSpec(path: "/h", args: ["h", "a b", ""], env: ["A=1", "B=x=y", "C="], timeout: 7)
        #expect(hooks.poststop == [want])
        #expect(hooks.json.text() == text)
        #expect(!hooks.isEmpty && !hooks.areInCreate)
    }

    @Test(arguments: [
        #"{"path":"/h"}"#, #"{"path":"/h","args":[]}"#, #"{"path":"/h","args":null,"env":null}"#,
    ])
    func `without args it is called by its path, with nothing in its environment, and has all the time`(
        text: String
    ) throws {
        let hook = try #require(try decodeHooks(#"{"prestart":[\#(text)]}"#)?.prestart.first)
        #expect(hook.args == ["/h"] && hook.env.isEmpty && hook.timeout == nil)
    }

    @Test(arguments: ["{}", #"{"prestart":[]}"#, #"{"poststop":null,"other":1}"#])
    func `lists that are empty are none`(text: String) throws {
        let hooks = try #require(try decodeHooks(text))
        #expect(hooks.isEmpty && !hooks.areInCreate)
    }

    @Test(
        arguments: [
            ("[]", "/hooks: expected an object"), (#"{"prestart":{}}"#, "/hooks/prestart: expected an array"),
            (#"{"prestart":[{}]}"#, "/hooks/prestart/0: \"path\" is missing"),
            (#"{"poststart":[{"path":"/a"},{"path":"b"}]}"#, "/hooks/poststart/1/path: \"b\" is relative"),
            (#"{"poststop":[{"path":""}]}"#, "/hooks/poststop/0/path: \"\" is relative"),
            (#"{"poststop":[{"path":"/a","timeout":0}]}"#, "/hooks/poststop/0/timeout: a time-out of 0 s"),
            (#"{"poststop":[{"path":"/a","timeout":-5}]}"#, "/hooks/poststop/0/timeout: a time-out of -5 s"),
            (
                #"{"poststop":[{"path":"/a","timeout":2147483648}]}"#,
                "/hooks/poststop/0/timeout: a time-out of 2147483648 s"
            ),
            (#"{"poststop":[{"path":"/a","timeout":1.5}]}"#, "/hooks/poststop/0/timeout: "),
            (
                #"{"createRuntime":[{"path":"/a","env":["A=1","B"]}]}"#,
                "/hooks/createRuntime/0/env/1: \"B\" is not NAME=VALUE"
            ),
            (
                #"{"createContainer":[{"path":"/a","env":["=B"]}]}"#,
                "/hooks/createContainer/0/env/0: \"=B\" is not NAME=VALUE"
            ),
            (#"{"startContainer":[{"path":"/a","args":"x"}]}"#, "/hooks/startContainer/0/args: "),
        ])
    func `a hook that cannot be is refused by its place`(text: String, want: String) {
        let failure = #expect(throws: Failure.self) { try decodeHooks(text) }
        #expect(failure?.message.hasPrefix(want) == true, "\(failure?.message ?? "")")
    }
}
