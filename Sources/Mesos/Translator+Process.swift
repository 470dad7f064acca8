internal import OCI

extension Translator {
    /// What Mesos' launch helper adds where nobody sets a PATH.
    private static let defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

    /// What runs in the container, and as whom.
    func process() -> ProcessSpec {
        var process = ProcessSpec(args: arguments(), cwd: sandbox ?? "/")
        process.env = environment()
        process.user = user()
        process.capabilities = capabilities(of: process.user)
        return process
    }

    /// The argument vector: of `sh -c` for a shell command, else the task's own.
    ///
    /// Mesos executes a command without arguments with an empty vector, which hardly a program copes with; here it
    /// gets its own name.
    private func arguments() -> [String] {
        guard let command = task.command else { return [] }
        guard let value = command.value, !value.isEmpty else {
            if !command.isShell && task.container?.hasImage == true { return [] }
            let words =
                command.isShell ? "shell command is not specified" : "executable path is not specified"
            findings.problem(command.pointer + "/value", words)
            return []
        }
        if command.isShell {
            if !command.arguments.isEmpty {
                findings.warn(command.pointer + "/arguments", "ignored, because the shell runs 'value'")
            }
            return ["sh", "-c", value]
        }
        return command.arguments.isEmpty ? [value] : command.arguments
    }

    /// The file to execute, where the argument vector does not say it; `nil`: it does.
    ///
    /// Mesos looks a bare name up in the working directory first, OCI does not: such a name is always given.
    var executable: String? {
        guard let command = task.command, !command.isShell, let value = command.value else { return nil }
        let isBare = !value.utf8.contains(UInt8(ascii: "/"))
        return isBare || (command.arguments.first ?? value) != value ? value : nil
    }

    /// `NAME=value` entries; of several with one name, the last one counts.
    private func environment() -> [String] {
        var variables: [(name: String, value: String)] = []
        func set(_ name: String, _ value: String) -> Bool {
            guard let index = variables.firstIndex(where: { $0.name == name }) else {
                variables.append((name, value))
                return false
            }
            variables[index].value = value
            return true
        }
        if let sandbox { variables.append(("MESOS_SANDBOX", sandbox)) }
        var given: Set<String> = []
        for variable in task.command?.environment ?? [] {
            _ = set(variable.name, variable.value ?? "")
            guard !given.insert(variable.name).inserted else { continue }
            findings.warn(
                variable.pointer + "/name", "'\(variable.name)' is given again, the last one counts")
        }
        if let role = task.resources.compactMap(\.allocationRole).first {
            _ = set("MESOS_ALLOCATION_ROLE", role)
        }
        if !variables.contains(where: { $0.name == "PATH" }) {
            variables.append(("PATH", Translator.defaultPath))
        }
        return variables.map { "\($0.name)=\($0.value)" }
    }

    /// The task's user on the host; root, as the agent is, where it names none.
    private func user() -> UserSpec {
        guard let wanted = task.command?.user else { return UserSpec() }
        if let user = options.users.user(wanted.name) { return user }
        let isUID = !wanted.name.isEmpty && wanted.name.allSatisfy { ("0"..."9").contains($0) }
        let hint = isUID ? "; write '\(wanted.name):GID' for one without an account" : ""
        findings.problem(wanted.pointer, "cannot get the uid of user '\(wanted.name)': not found\(hint)")
        return UserSpec()
    }

    /// Every capability that there is: Mesos leaves them as they are, and the kernel takes them away from all users
    /// but root.
    private func capabilities(of user: UserSpec) -> CapabilitySpec {
        var capabilities = CapabilitySpec()
        capabilities.bounding = Translator.capabilityNames
        if user.uid == 0 {
            capabilities.effective = Translator.capabilityNames
            capabilities.permitted = Translator.capabilityNames
        }
        return capabilities
    }

    /// In the order of their numbers (uapi/linux/capability.h).
    static let capabilityNames = [
        "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP",
        "LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK",
        "IPC_OWNER",
        "SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT",
        "SYS_NICE",
        "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL",
        "SETFCAP",
        "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF",
        "CHECKPOINT_RESTORE",
    ].map { "CAP_" + $0 }
}
