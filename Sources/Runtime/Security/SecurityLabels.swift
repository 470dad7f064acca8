internal import Kernel
internal import OCI

/// What a security module is to take the task for from its `execve` on.
struct SecurityLabel: Equatable {
    /// Below a procfs; `self` is who opens it.
    let file: String
    /// What is written there.
    let text: String
    /// What must be read there then.
    let label: String
    /// What a message calls it.
    let name: String

    static func appArmor(_ profile: String) -> SecurityLabel {
        SecurityLabel(
            file: "self/attr/apparmor/exec", text: "exec " + profile, label: profile,
            name: "AppArmor profile \"\(profile)\"")
    }

    static func selinux(_ label: String) -> SecurityLabel {
        SecurityLabel(file: "self/attr/exec", text: label, label: label, name: "SELinux label \"\(label)\"")
    }

    /// Those of a process, without looking at the host: the one that a host may make unnecessary comes last.
    static func all(of process: ProcessSpec) -> [SecurityLabel] {
        var all: [SecurityLabel] = []
        if let label = process.selinuxLabel { all.append(selinux(label)) }
        if let profile = process.apparmorProfile { all.append(appArmor(profile)) }
        return all
    }

    /// Why the kernel did not take it; clients look for the file in back-quotes.
    func failure(errno: Int32, isUnread: Bool) -> Failure {
        let words =
            switch errno {
            // "No such file or directory" would tell clients that the executable is missing.
            case 2: "the kernel has no such profile"
            default: errorText(errno)
            }
        return .refused("\(name): `/proc/\(file)`: \(isUnread ? "it shows another label" : words)")
    }
}

/// The security modules of a host.
struct SecurityModules {
    /// `Y` where AppArmor is at work.
    var appArmorSwitch = "/sys/module/apparmor/parameters/enabled"
    /// Where SELinux is at work, its file system is mounted here.
    var selinuxFile = "/sys/fs/selinux/enforce"

    /// The labels that a process needs.
    ///
    /// - Throws: a refusal where the kernel has no use for one: a task that runs unconfined although its config says
    ///   otherwise helps nobody. `unconfined` asks for nothing, so any kernel will do.
    func labels(of process: ProcessSpec) throws(Failure) -> [SecurityLabel] {
        var labels = SecurityLabel.all(of: process)
        if labels.isEmpty { return [] }
        if let profile = process.apparmorProfile, try !hasAppArmor() {
            guard profile == "unconfined" else {
                throw SecurityModules.missing("AppArmor", SecurityLabel.appArmor(profile))
            }
            labels.removeLast()
        }
        if let label = process.selinuxLabel, try FileStatus.of(selinuxFile) == nil {
            throw SecurityModules.missing("SELinux", SecurityLabel.selinux(label))
        }
        return labels
    }

    private func hasAppArmor() throws(Failure) -> Bool {
        try Files.readIfPresent(appArmorSwitch)?.utf8.first == UInt8(ascii: "Y")
    }

    private static func missing(_ module: String, _ label: SecurityLabel) -> Failure {
        .refused("\(label.name): \(module) is not enabled on this host, `/proc/\(label.file)` has no use")
    }
}
