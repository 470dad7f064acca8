internal import CKernel
internal import Glibc
internal import Kernel

/// The writes that put one directory back into the state of before.
struct Undo {
    let isWanted: Bool
    /// In the order in which they are made: the last change is taken back first.
    private(set) var writes: [ControlWrite] = []

    init(isWanted: Bool) { self.isWanted = isWanted }

    /// Notes what `file` held before `text` was written to it.
    mutating func note(_ file: String, _ text: String, before: String) {
        guard let old = PreviousValue.text(of: file, changedBy: text, before: before) else { return }
        writes.insert(ControlWrite(file, old, onlyIfPresent: true), at: 0)
    }

    /// Notes writes whose file cannot be read.
    mutating func note(_ old: [ControlWrite]) { writes = old + writes }
}

extension CgroupDirectory {
    /// Writes all; what the kernel refuses with `EINVAL` is written once more, after the others.
    borrowing func apply(_ limit: LimitWrites, _ undo: inout Undo) throws(Failure) {
        var refused: [ControlWrite] = []
        var file = ""
        var isAlternative = false
        var before: String?
        var open: Int32 = -1
        defer { if open >= 0 { _ = sys_close(open) } }
        for write in limit.writes {
            // Device rules are many writes into one file: it is opened once.
            if write.file != file {
                if open >= 0 { try checking("close", sys_close(open)) }
                file = write.file
                (open, isAlternative) = try self.open(write, limit)
                before = nil
                if open >= 0, undo.isWanted, limit.controller != V1.Devices.name {
                    before = try read(isAlternative ? write.alternative?.file ?? file : file)
                }
            }
            if open < 0 { continue }
            var own = write
            if isAlternative, let other = write.alternative { own = ControlWrite(other.file, other.text) }
            if let before { undo.note(own.file, own.text, before: before) }
            let answer = writeOnce(own.text, to: open)
            if answer == -Int(EINVAL) { refused.append(own) } else { try check(own, limit, answer) }
        }
        if refused.isEmpty { return }
        for write in refused {
            guard let open = try self.open(write.file, O_WRONLY) else { continue }
            try check(write, limit, writeOnce(write.text, to: open.raw))
        }
    }

    /// The file for a write, or the one that stands in for it; −1 where it need not be there.
    private borrowing func open(
        _ write: ControlWrite, _ limit: LimitWrites
    ) throws(Failure) -> (descriptor: Int32, isAlternative: Bool) {
        var answer = sys_openat(descriptor.raw, write.file, O_WRONLY, 0)
        if answer >= 0 { return (Int32(truncatingIfNeeded: answer), false) }
        var names = "\"\(write.file)\""
        if isMissing(answer), let other = write.alternative {
            answer = sys_openat(descriptor.raw, other.file, O_WRONLY, 0)
            if answer >= 0 { return (Int32(truncatingIfNeeded: answer), true) }
            names += " or \"\(other.file)\""
        }
        if isMissing(answer) {
            if write.onlyIfPresent { return (-1, false) }
            // Not in the kernel's own words: clients take those for a missing executable.
            throw Failure.refused("the kernel has no \(names) there").during(cgroup(path))
                .during(limit.pointer(of: write))
        }
        throw Failure(.kernel(call: "open \(names)", errno: Int32(truncatingIfNeeded: -answer)))
            .during(cgroup(path)).during(limit.pointer(of: write))
    }

    private borrowing func check(
        _ write: ControlWrite, _ limit: LimitWrites, _ answer: Int
    ) throws(Failure) {
        guard answer < 0 else { return }
        var call = "write \"\(write.text)\" to \"\(write.file)\""
        if answer == -Int(EBUSY), write.file.hasPrefix("memory."),
            let usage = try read("memory.usage_in_bytes")
        {
            call += " (\(usage.prefix { $0.isNumber }) bytes are in use)"
        }
        if answer == -Int(EINVAL), write.text == "a", try hasSubcgroups() {
            call += " (cgroup v1 takes no rule for every device while there are cgroups in it)"
        }
        throw Failure(.kernel(call: call, errno: Int32(truncatingIfNeeded: -answer)))
            .during(cgroup(path)).during(limit.pointer(of: write))
    }

    private borrowing func hasSubcgroups() throws(Failure) -> Bool {
        var status = file_status()
        try checking("stat", sys_status(descriptor.raw, "", Int32(K_AT_EMPTY_PATH), &status))
        return status.links > 2
    }
}

/// How the old content of a control file is written back.
enum PreviousValue {
    /// What undoes a write of `text` into a file that read as `before`; `nil` where nothing can.
    static func text(of file: String, changedBy text: String, before: String) -> String? {
        let lines = before.split(separator: "\n").map(String.init)
        if file == "memory.oom_control" {
            let flag = lines.first { $0.hasPrefix("oom_kill_disable ") }
            return flag.map { String($0.dropFirst("oom_kill_disable ".utf8.count)) }
        }
        if file == "io.max" || file == "rdma.max"
            || text.utf8.contains(UInt8(ascii: ":")) && file.hasSuffix("weight")
            || file.hasSuffix("_device") || file == "net_prio.ifpriomap"
        {
            let key = String(text.prefix { $0 != " " })
            if let line = lines.first(where: { $0.hasPrefix(key + " ") }) { return line }
            guard let rest = reset(file) else { return nil }
            return "\(key) \(rest)"
        }
        guard let first = lines.first else { return "\n" }
        return first.hasPrefix("default ") ? String(first.dropFirst("default ".utf8.count)) : first
    }

    /// What takes the entry of one device out of a file.
    private static func reset(_ file: String) -> String? {
        switch file {
        case "io.max": "rbps=max wbps=max riops=max wiops=max"
        case "rdma.max": "hca_handle=max hca_object=max"
        case "io.weight", "io.bfq.weight": "default"
        case "net_prio.ifpriomap": nil
        default: "0"
        }
    }
}
