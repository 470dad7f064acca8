internal import CKernel
internal import Glibc
internal import Kernel
internal import OCI

/// A terminal in the container's devpts, made and checked, and not yet anybody's.
struct Terminal: ~Copyable {
    private let master: FileDescriptor
    private let slave: FileDescriptor
    private let name: String

    /// Makes one in the devpts that is mounted at `/dev/pts` of `root`.
    ///
    /// Only the kernel makes names in a devpts: once the folder is known to be one, what an image or another process put
    /// there cannot be met. The slave is opened without a name (CVE-2025-52565).
    init(in root: borrowing Root) throws(Failure) {
        let folder = try root.open("/dev/pts", flags: O_PATH | O_DIRECTORY, links: .none)
        guard Terminal.isOnDevpts(folder) else {
            throw .refused("\"/dev/pts\" in the container is no devpts: there is no place for a terminal")
        }
        let resolve = K_RESOLVE_BENEATH | K_RESOLVE_NO_SYMLINKS | K_RESOLVE_NO_XDEV
        let answer = sys_openat2(folder.raw, "ptmx", UInt64(O_RDWR | O_NOCTTY), 0, resolve)
        let master = FileDescriptor(adopting: Int32(try checked("open \"/dev/pts/ptmx\"", answer)))
        let multiplexer = try master.status()
        guard multiplexer.isCharacterDevice, Terminal.isOnDevpts(master),
            multiplexer.deviceNumber == DeviceNumber(major: 5, minor: 2)
        else { throw .refused("\"/dev/pts/ptmx\" makes no terminals") }
        try checked("unlock the terminal", sys_pty_unlock(master.raw))
        let name = "/dev/pts/\(try checked("ask the terminal's number", sys_pty_number(master.raw)))"
        let peer = try checked("open \"\(name)\"", sys_pty_peer(master.raw))
        let slave = FileDescriptor(adopting: Int32(peer))
        let status = try slave.status()
        guard status.isCharacterDevice, Terminal.isOnDevpts(slave),
            (136...143).contains(status.deviceNumber.major)
        else { throw .refused("\"\(name)\" is no terminal") }
        self.master = master
        self.slave = slave
        self.name = name
    }

    private static func isOnDevpts(_ file: borrowing FileDescriptor) -> Bool {
        sys_filesystem_magic(file.raw) == Int(K_DEVPTS_SUPER_MAGIC)
    }

    /// The slave as a mount of its own, for `/dev/console`.
    borrowing func mount() throws(Failure) -> DetachedMount {
        try DetachedMount(cloning: slave, recursive: false)
    }

    /// Sends the master to whoever is to hold it: one message, with the slave's name.
    borrowing func send(to socket: Int32) throws(Failure) {
        var name = name
        let answer = name.withUTF8 { bytes in
            bytes.baseAddress.map { sys_send_descriptor(socket, $0, bytes.count, master.raw) } ?? 0
        }
        try checked("send the terminal to the console socket", answer)
    }

    /// Gives the terminal its size and its owner; its group is what devpts says.
    borrowing func prepare(size: window_size?, owner: UInt32) throws(Failure) {
        if var size {
            try checked("set the terminal's size", sys_set_window_size(master.raw, &size))
        }
        if try slave.status().uid == owner { return }
        let answer = sys_fchownat(slave.raw, "", owner, UInt32.max, Int32(K_AT_EMPTY_PATH))
        try checked("give the terminal to user \(owner)", answer)
    }

    /// Makes it this process' terminal: of a session of its own, and standard input, output and error.
    borrowing func take() throws(Failure) {
        try checked("setsid", sys_setsid())
        try checked("take the terminal", sys_take_terminal(slave.raw))
        for number: Int32 in 0...2 {
            try checked("make the terminal descriptor \(number)", sys_dup3(slave.raw, number, 0))
        }
    }
}

extension Performer {
    /// Makes the container's terminal and shows it as `/dev/console`.
    ///
    /// No step of that path may be a link: the file would be made wherever it leads (CVE-2026-88264).
    mutating func makeTerminal(makesConsole: Bool) throws(Failure) {
        let made = try inRoot { (root) throws(Failure) in
            let terminal = try Terminal(in: root)
            if !makesConsole, try root.openIfPresent("/dev/console", links: .none) == nil { return terminal }
            let tree = try terminal.mount()
            try attach(tree, at: "/dev/console", directory: false, links: .none)
            return terminal
        }
        terminal = consume made
    }
}

extension Child {
    /// Takes the terminal that the plan has made, or for a further process one in the container that is entered.
    func take(_ made: consuming Terminal?, _ attachments: Attachments) throws(Failure) {
        let terminal: Terminal
        switch consume made {
        case .some(let there): terminal = there
        case .none:
            terminal = try Terminal(
                in: Root(adopting: try FileDescriptor.open("/", flags: O_PATH | O_DIRECTORY)))
        }
        try terminal.prepare(size: attachments.size, owner: launch.process.user.uid)
        try terminal.send(to: attachments.terminalSocketNumber)
        try terminal.take()
    }
}
