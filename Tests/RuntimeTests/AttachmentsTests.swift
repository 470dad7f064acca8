import Kernel
import OCI
import Testing

@testable import Runtime

struct AttachmentsTests {
    private func process(terminal: Bool) -> ProcessSpec {
        var process = ProcessSpec(args: ["true"], cwd: "/")
        process.terminal = terminal
        return process
    }

    @Test(arguments: [true, false], [true, false])
    func `a console socket goes with a terminal that somebody else holds`(terminal: Bool, detaches: Bool)
        throws
    {
        var options = AttachmentOptions()
        options.program = "name"
        options.detaches = detaches
        if terminal && detaches {
            let failure = #expect(throws: Failure.self) {
                try Attachments(options, for: process(terminal: true))
            }
            #expect(
                failure?.message
                    == "cannot allocate tty if name will detach without setting console socket")
        }
        options.consoleSocket = "/nonexistent/socket"
        let failure = #expect(throws: Failure.self) {
            try Attachments(options, for: process(terminal: terminal))
        }
        let words =
            terminal && detaches
            ? "console socket \"/nonexistent/socket\": connect: No such file or directory"
            : "cannot use console socket if name will not detach or allocate tty"
        #expect(failure?.message == words)
    }

    @Test func `the task is told of what it was passed, and of nothing else`() throws {
        var options = AttachmentOptions()
        options.preserved = 3
        let plain = process(terminal: false)
        #expect(try Attachments(options, for: plain).amended(plain) == plain)
        options.listening = 2
        #expect(try Attachments(options, for: plain).amended(plain).env == ["LISTEN_FDS=2", "LISTEN_PID=1"])
    }

    @Test func `a service manager that is not there is missed at once`() {
        var options = AttachmentOptions()
        for address in [
            "/nonexistent/socket", "@mrun/nonexistent", "relative", String(repeating: "x", count: 108),
        ] {
            options.notifySocket = address
            let failure = #expect(throws: Failure.self) {
                try Attachments(options, for: process(terminal: false))
            }
            #expect(failure?.message.hasPrefix("NOTIFY_SOCKET \"\(address)\": connect: ") == true)
        }
    }
}
