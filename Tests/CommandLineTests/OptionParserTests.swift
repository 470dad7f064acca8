import Kernel
import Testing

@testable import CommandLine

private func parse(_ command: String, _ words: String...) throws -> Arguments {
    try #require(Command.named(command)).parse(words)
}

private func message(_ command: String, _ words: String...) throws -> String {
    let command = try #require(Command.named(command))
    let failure = #expect(throws: Failure.self) { try command.parse(words) }
    return failure?.message ?? ""
}

struct OptionParserTests {
    @Test(arguments: [
        ["--bundle", "/b", "web"], ["--bundle=/b", "web"], ["-b", "/b", "web"], ["-b/b", "web"],
        ["web", "--bundle", "/b"], ["web", "-b", "/b"], ["--bundle", "/b", "--", "web"],
    ])
    func `a value stands after the name, after an equals sign or in the cluster, before or after the id`(
        words: [String]
    ) throws {
        let arguments = try Command.create.parse(words)
        #expect(arguments.value("bundle") == "/b")
        #expect(arguments.positionals == ["web"])
    }

    @Test func `letters may be clustered, the last with a value`() throws {
        let arguments = try parse("exec", "-de", "A=1", "web", "sh")
        #expect(arguments.flag("detach"))
        #expect(arguments.values("env") == ["A=1"])
    }

    @Test func `a repeatable option keeps all values, and another one the last`() throws {
        let arguments = try parse("exec", "-e", "A=1", "--env=B=2", "--cwd", "/a", "--cwd", "/b", "web", "sh")
        #expect(arguments.values("env") == ["A=1", "B=2"])
        #expect(arguments.value("cwd") == "/b")
    }

    @Test(arguments: [
        ("exec", ["web", "ls", "--env", "-d"]), ("kill", ["web", "-9"]), ("ps", ["web", "--format", "pid"]),
    ])
    func `exec, kill and ps leave everything after the first positional alone`(name: String, words: [String])
        throws
    {
        let words = name == "kill" ? Array(words.prefix(2)) : words
        let arguments = try #require(Command.named(name)).parse(words)
        #expect(arguments.positionals == words)
        #expect(arguments.values(name == "exec" ? "env" : "help").isEmpty)
    }

    @Test func `two dashes end the options, and a single one is a positional`() throws {
        #expect(try parse("create", "--", "--pid-file").positionals == ["--pid-file"])
        #expect(try parse("translate", "-").positionals == ["-"])
        #expect(try parse("exec", "web", "--", "ls").positionals == ["web", "--", "ls"])
    }

    @Test func `an abbreviated name is unknown, even where it is the only one that fits`() throws {
        #expect(try message("create", "--bund", "/b", "web") == "unknown option \"--bund\"")
        #expect(try message("create", "--bund=/b", "web") == "unknown option \"--bund\"")
        #expect(try message("delete", "--for", "web") == "unknown option \"--for\"")
        #expect(try message("create", "--pid", "web") == "unknown option \"--pid\"")
        #expect(try message("create", "--n", "web") == "unknown option \"--n\"")
    }

    @Test func `what is wrong with an option is said with its name`() throws {
        #expect(try message("create", "--bogus", "web") == "unknown option \"--bogus\"")
        #expect(try message("create", "-x", "web") == "unknown option \"-x\"")
        #expect(try message("run", "-dx", "web") == "unknown option \"-x\"")
        #expect(try message("create", "web", "--bundle") == "option \"--bundle\" wants a value")
        #expect(try message("create", "web", "-b") == "option \"-b\" wants a value")
        #expect(
            try message("translate", "--no-cgroups_enable_cfs=true", "t")
                == "option \"--no-cgroups_enable_cfs\" takes no value")
        #expect(
            try message("delete", "--force=maybe", "web")
                == "option \"--force\": \"maybe\" is neither true nor false")
    }

    @Test func `a flag can be taken back`() throws {
        #expect(try parse("delete", "--force=true", "web").flag("force"))
        #expect(!(try parse("delete", "--force", "--force=false", "web").flag("force")))
        #expect(try parse("delete", "web").flag("force", absent: true))
    }

    @Test(arguments: [
        (["--cgroups_enable_cfs"], true), (["--cgroups-enable-cfs"], true),
        (["--cgroups_enable_cfs=true"], true),
        (["--cgroups-enable-cfs=1"], true), (["--cgroups_enable_cfs=false"], false),
        (["--no-cgroups_enable_cfs"], false), (["--no-cgroups-enable-cfs"], false),
        (["--no-cgroups_enable_cfs", "--cgroups_enable_cfs"], true),
    ])
    func `the agent's boolean flags are spelled as Mesos spells them, and with dashes`(
        words: [String], want: Bool
    ) throws {
        #expect(
            try Command.translate.parse(words + ["task.json"]).flag("cgroups_enable_cfs", absent: !want)
                == want)
    }

    @Test func `an agent flag with a value has both spellings too`() throws {
        #expect(try parse("translate", "--cgroups-root", "m", "t").value("cgroups_root") == "m")
        #expect(try parse("translate", "--cgroups_root=m", "t").value("cgroups_root") == "m")
        #expect(try message("translate", "--container_id=x", "t") == "unknown option \"--container_id\"")
    }

    @Test func `the number of positionals is checked in runc's words, with the usage line`() throws {
        #expect(try message("state") == "\"state\" requires exactly 1 argument(s) (usage: mrun state ID)")
        #expect(try message("state", "a", "b").hasPrefix("\"state\" requires exactly 1 argument(s)"))
        #expect(try message("exec").hasPrefix("\"exec\" requires a minimum of 1 argument(s)"))
        #expect(try message("kill", "a", "b", "c").hasPrefix("\"kill\" requires a maximum of 2 argument(s)"))
        #expect(try message("list", "a").hasSuffix("(usage: mrun list [OPTION ...])"))
    }

    @Test func `help asks for no positionals`() throws {
        #expect(try parse("exec", "--help").flag("help"))
        #expect(try parse("exec", "-h").flag("help"))
    }

    @Test func `words may hold any text, and none`() throws {
        #expect(try parse("create", "").positionals == [""])
        #expect(try parse("create", "--bundle=", "ü b\n").value("bundle") == "")
        #expect(try parse("create", "-b", "", "x").value("bundle") == "")
        #expect(try parse("create", "--bundle", "--pid-file", "x").value("bundle") == "--pid-file")
    }
}

struct SettingsTests {
    @Test func `options before the command end at the command`() throws {
        var settings = Settings()
        let words = try settings.read([
            "--root", "/r", "--log=/l", "--log-format", "json", "--debug", "--systemd-cgroup", "create",
            "--root", "x",
        ])
        #expect(words == ["create", "--root", "x"])
        #expect(settings.root == "/r")
        #expect(settings.isRootGiven)
        #expect(settings.logFile == "/l")
        #expect(settings.logFormat == .json)
        #expect(settings.isDebugging)
        #expect(settings.cgroupManager == "systemd")
    }

    @Test func `a cgroup manager that is none is refused`() throws {
        var settings = Settings()
        _ = try settings.read(["--cgroup-manager", "disabled"])
        #expect(settings.cgroupManager == "disabled")
        #expect(throws: Failure.self) { try settings.read(["--cgroup-manager", "lmctfy"]) }
    }

    @Test func `without options the defaults hold`() throws {
        var settings = Settings()
        #expect(try settings.read([]) == [])
        #expect(settings == Settings())
        #expect(settings.root == "/run/mrun")
    }

    @Test func `a root is made absolute`() throws {
        var settings = Settings()
        _ = try settings.read(["--root", "r", "list"])
        #expect(settings.root == (try Files.workingDirectory()) + "/r")
    }

    @Test(arguments: [
        (["--log-format", "xml"], "invalid log-format: xml"),
        (["--root", "/"], "Option --root argument should not be set to /"),
        (["--root="], "option \"--root\" wants a folder"),
        (["--rooot", "/x"], "unknown option \"--rooot\""),
    ])
    func `what cannot be is refused`(words: [String], want: String) {
        var settings = Settings()
        let failure = #expect(throws: Failure.self) { try settings.read(words) }
        #expect(failure?.message == want)
    }
}
