internal import CKernel
internal import Kernel
internal import OCI

/// What few tasks have: the part of the orders that is left out for the others.
struct TaskAttributes {
    private let process: ProcessSpec
    private let memoryPolicy: MemoryPolicySpec?
    private let personality: PersonalitySpec?
    private let affinity: NumberSet?
    let labels: [SecurityLabel]
    /// A procfs for the labels.
    var procRoot: Int32 = -1

    /// `nil` where there are none; `isFurther` for a process that `exec` makes.
    init?(_ process: ProcessSpec, _ linux: LinuxSpec, isFurther: Bool) throws(Failure) {
        // One question on the way of every container.
        guard
            process.scheduler != nil || process.ioPriority != nil || process.execCPUAffinity != nil
                || process.apparmorProfile != nil || process.selinuxLabel != nil || linux.memoryPolicy != nil
                || linux.personality != nil
        else { return nil }
        self.process = process
        memoryPolicy = linux.memoryPolicy
        personality = linux.personality
        affinity = isFurther ? process.execCPUAffinity?.final : nil
        labels = try SecurityModules().labels(of: process)
    }

    /// Puts them into the block.
    ///
    /// - Returns: where they are.
    func append(to tail: inout Tail) -> UInt64 {
        var header = orders_attributes()
        var given: [orders_attribute] = []
        if let personality {
            given.append(ORDERS_PERSONALITY)
            header.personality = personality.number
        }
        if let scheduler = process.scheduler {
            given.append(ORDERS_SCHEDULER)
            header.scheduler = TaskAttributes.attributes(of: scheduler)
        }
        if let priority = process.ioPriority {
            given.append(ORDERS_IO_PRIORITY)
            header.io_priority = priority.number
        }
        if let memoryPolicy {
            given.append(ORDERS_MEMORY_POLICY)
            header.memory_mode = memoryPolicy.number
            let words = memoryPolicy.nodes?.words ?? []
            header.node_words = UInt32(words.count)
            header.nodes_offset = UInt32(tail.append(words))
        }
        if let affinity {
            given.append(ORDERS_AFFINITY)
            header.cpu_words = UInt32(affinity.words.count)
            header.cpus_offset = UInt32(tail.append(affinity.words))
        }
        if !labels.isEmpty {
            given.append(ORDERS_LABELS)
            let entries = labels.map { label in
                orders_label(
                    file_offset: tail.append(label.file), text_offset: tail.append(label.text),
                    label_offset: tail.append(label.label))
            }
            header.label_count = UInt32(entries.count)
            header.labels_offset = UInt32(tail.append(entries))
        }
        header.proc_fd = labels.isEmpty ? -1 : procRoot
        header.given = given.reduce(0) { $0 | UInt32($1.rawValue) }
        return tail.append([header])
    }

    private static func attributes(of scheduler: SchedulerSpec) -> orders_scheduler {
        var attributes = orders_scheduler()
        attributes.size = UInt32(MemoryLayout<orders_scheduler>.size)
        attributes.policy = scheduler.number
        attributes.flags = scheduler.flagSet
        attributes.nice = scheduler.nice
        attributes.priority = scheduler.priority
        attributes.runtime = scheduler.runtime
        attributes.deadline = scheduler.deadline
        attributes.period = scheduler.period
        return attributes
    }

    /// A failure of mrun-init at one of them, in words; `nil` for other steps.
    static func failure(_ report: orders_report, process: ProcessSpec) -> Failure? {
        let errno = Int32(bitPattern: report.error)
        switch orders_step(report.step) {
        case ORDERS_STEP_LABEL:
            let labels = SecurityLabel.all(of: process)
            guard labels.indices.contains(Int(report.detail)) else { return nil }
            return labels[Int(report.detail)].failure(errno: errno, isUnread: errno == differs)
        case ORDERS_STEP_ATTRIBUTE:
            return Failure(
                .kernel(call: words(orders_attribute(report.detail), process, errno), errno: errno))
        default: return nil
        }
    }

    /// EXDEV: mrun-init has read something else than it has written.
    private static let differs: Int32 = 18

    private static func words(
        _ attribute: orders_attribute, _ process: ProcessSpec, _ errno: Int32
    ) -> String {
        switch attribute {
        case ORDERS_PERSONALITY: return "set the personality"
        case ORDERS_IO_PRIORITY: return "set the I/O priority \(process.ioPriority?.class ?? "")"
        case ORDERS_MEMORY_POLICY: return "set the memory policy"
        case ORDERS_AFFINITY:
            return "run on the processors \(process.execCPUAffinity?.final?.text ?? "") of execCPUAffinity"
        default:
            let policy = process.scheduler?.policy ?? ""
            // EPERM: the kernel gives this policy only to who may run on all processors.
            let isDeadline = policy == "SCHED_DEADLINE" && errno == 1
            let why =
                isDeadline ? " (process scheduler can't be used together with AllowedCPUs)" : ""
            return "set the scheduler policy \(policy)\(why)"
        }
    }
}
