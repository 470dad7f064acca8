"""What the tests of mrun-init stand on: builds it, writes orders, starts it, and leaves nothing behind."""

import ctypes
import fcntl
import functools
import os
import pathlib
import select
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
SOURCES = REPOSITORY / "Sources" / "Init"

libc = ctypes.CDLL(None, use_errno=True)
CLONE_NEWUSER, CLONE_NEWPID = 0x10000000, 0x20000000
PR_SET_CHILD_SUBREAPER = 36
MFD_ALLOW_SEALING = 2
SEALS = 0xF  # seal, shrink, grow, write

# The numbers of system calls that libc has no function for, or keeps something back from.
CALLS = {
    "x86_64": {"close": 3, "rt_sigprocmask": 14, "execve": 59, "uname": 63, "chdir": 80, "setresuid": 117, "capset": 126,
               "rt_sigtimedwait": 128, "prctl": 157, "exit_group": 231, "keyctl": 250, "ppoll": 271},
    "aarch64": {"close": 57, "rt_sigprocmask": 135, "execve": 221, "uname": 160, "chdir": 49, "setresuid": 147, "capset": 91,
                "rt_sigtimedwait": 137, "prctl": 167, "exit_group": 94, "keyctl": 219, "ppoll": 73},
}[os.uname().machine]

STAY, SUBREAPER, NO_NEW_PRIVS, CAPABILITIES, KEYRING, SETGROUPS, SECCOMP, BORN = (1 << n for n in range(8))

STEPS = [
    "RELEASED", "ORDERS", "KEYRING", "SESSION", "RLIMIT", "BOUNDING", "KEEPCAPS", "SETGROUPS", "SETGID", "SETUID",
    "CAPSET", "AMBIENT", "CWD", "NO_NEW_PRIVS", "SECCOMP", "FORK", "CONFINE", "EXEC", "ENTER", "ENTERED",
    "ATTRIBUTE", "HELD", "LABEL", "LISTENER", "HOOK",
]

START_FD, REPORT_FD, RECORD_FD, ENTER_FD, PROC_FD, PRESERVED_FD = 10, 11, 12, 13, 14, 15
ORDERS_FD = 3

HEADER = struct.Struct("<4I 2I 2I 5Q Q Q 2Q 2I 3I I 5i I Q 2I 2Q")
FIELDS = [
    "magic", "size", "flags", "umask", "uid", "gid", "group_count", "groups_offset",
    "bounding", "effective", "permitted", "inheritable", "ambient",
    "executable_offset", "cwd_offset", "argv_offset", "envp_offset",
    "rlimit_count", "rlimits_offset", "seccomp_count", "seccomp_offset", "seccomp_flags", "preserved",
    "start_fd", "report_fd", "record_fd", "enter_fd", "preserved_fd", "reserved", "attributes_offset",
    "hook_count", "hooks_offset", "hook_state_offset", "hook_rest_offset",
]

PERSONALITY, SCHEDULER, IO_PRIORITY, MEMORY_POLICY, AFFINITY, LABELS = (1 << n for n in range(6))
ATTRIBUTES = struct.Struct("<4I 2I 2I 2I i I 2I Q i I 3Q 2I")
ATTRIBUTE_FIELDS = [
    "given", "personality", "io_priority", "memory_mode", "node_words", "nodes_offset", "cpu_words", "cpus_offset",
    "label_count", "labels_offset", "proc_fd", "reserved",
    "size", "policy", "flags", "nice", "priority", "runtime", "deadline", "period", "clamp_least", "clamp_most",
]


def compiler():
    """The toolchain's clang, as the plugin finds it: next to swift."""
    swift = shutil.which("swift")
    beside = pathlib.Path(os.path.realpath(swift)).with_name("clang") if swift else None
    return str(beside) if beside and beside.exists() else shutil.which("clang")


@functools.cache
def build():
    """The bytes of mrun-init, compiled with the flags that the plugin uses."""
    sources = sorted(str(path) for path in SOURCES.glob("*.c"))
    with tempfile.TemporaryDirectory() as directory:
        output = pathlib.Path(directory, "mrun-init")
        subprocess.run([compiler(), f"@{SOURCES / 'flags.txt'}", "-o", output, *sources], check=True)
        return output.read_bytes()


def orders(argv, executable=None, env=("PATH=/usr/bin:/bin",), cwd="/", flags=0, groups=(), rlimits=(), program=(),
           attributes=None, nodes=(), processors=(), labels=(), hooks=(), **fields):
    """One block, as the Runtime writes it; `labels` are (file, text, label). A hook: its argv, env and time-out."""
    values = dict.fromkeys(FIELDS, 0)
    values.update(magic=0x3149524D, flags=flags, umask=0o22, start_fd=-1, report_fd=-1, record_fd=-1,
                  enter_fd=-1, preserved_fd=-1)
    if program:
        values["flags"] |= SECCOMP
    body = bytearray()

    def place(data, alignment=8):
        while (HEADER.size + len(body)) % alignment:
            body.append(0)
        offset = HEADER.size + len(body)
        body.extend(data)
        return offset

    def table(strings):
        places = [place(os.fsencode(text) + b"\0", 1) for text in strings] + [0]
        return place(struct.pack(f"<{len(places)}Q", *places))

    values["executable_offset"] = place(os.fsencode(executable or argv[0]) + b"\0")
    values["cwd_offset"] = place(os.fsencode(cwd) + b"\0")
    values["argv_offset"], values["envp_offset"] = table(argv), table(env)
    values["group_count"], values["groups_offset"] = len(groups), place(struct.pack(f"<{len(groups)}I", *groups))
    values["rlimit_count"] = len(rlimits)
    values["rlimits_offset"] = place(b"".join(struct.pack("<IIQQ", r, 0, s, h) for r, s, h in rlimits))
    values["seccomp_count"] = len(program)
    values["seccomp_offset"] = place(b"".join(struct.pack("<HBBI", *line) for line in program))
    if attributes is not None:
        more = dict.fromkeys(ATTRIBUTE_FIELDS, 0)
        more.update(size=56, proc_fd=-1, node_words=len(nodes), cpu_words=len(processors), label_count=len(labels))
        more["nodes_offset"] = place(struct.pack(f"<{len(nodes)}Q", *nodes))
        more["cpus_offset"] = place(struct.pack(f"<{len(processors)}Q", *processors))
        texts = [place(os.fsencode(text) + b"\0", 1) for label in labels for text in label]
        more["labels_offset"] = place(struct.pack(f"<{len(texts)}Q", *texts))
        more.update(attributes)
        values["attributes_offset"] = place(ATTRIBUTES.pack(*(more[name] for name in ATTRIBUTE_FIELDS)))
    if hooks:
        state = fields.pop("state", ("", ""))
        values["hook_state_offset"], values["hook_rest_offset"] = (place(os.fsencode(text) + b"\0", 1) for text in state)
        values["hook_count"] = len(hooks)
        values["hooks_offset"] = place(b"".join([
            struct.pack("<3Q2I", place(os.fsencode(words[0]) + b"\0", 1), table(words), table(given), timeout, 0)
            for words, given, timeout in hooks]))
    values["size"] = HEADER.size + len(body)
    values.update(fields)
    return HEADER.pack(*(values[name] for name in FIELDS)) + bytes(body)


def sealed(block):
    descriptor = os.memfd_create("orders", os.MFD_CLOEXEC | MFD_ALLOW_SEALING)
    os.write(descriptor, block)
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, SEALS)
    return descriptor


def until(condition, seconds=10):
    """Waits for something to become true; the value that made it so."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError("it did not come true in time")
        time.sleep(0.002)


def ended(pid, pidfd, seconds=20):
    """The exit code of a child that must end in time, or minus the signal that ended it."""
    if not select.select([pidfd], [], [], seconds)[0]:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        raise AssertionError("mrun-init did not end in time")
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def status_of(pid):
    with open(f"/proc/{pid}/status") as file:
        return dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)


def state_of(pid):
    """The letter of /proc/PID/stat, or None when it is gone."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return None


def children_of(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return [int(word) for word in file.read().split()]


def private_memory(pid):
    """Private memory in KiB, as a process without its neighbours would need it."""
    with open(f"/proc/{pid}/smaps_rollup") as file:
        return sum(int(line.split()[1]) for line in file if line.startswith(("Private_Clean", "Private_Dirty")))


def bury_strays():
    """Ends and reaps what a test left: this process is the subreaper of all that the tests start."""
    while strays := children_of(os.getpid()):
        for pid in strays:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


class HookEnd:
    """What is told of a hook that failed."""

    def __init__(self, frame):
        how, self.status, out, err, self.cut = struct.unpack_from("<5I", frame, 12)
        self.how = ["ENDED", "TIMED_OUT", "ABANDONED", "NOT_EXECUTED", "NOT_STARTED"][how]
        self.out, self.err = frame[32:32 + out], frame[32 + out:]
        if len(self.err) != err:
            raise AssertionError(f"a frame of {len(frame)} bytes")


class Shim:
    """One started mrun-init, with everything that a test wants to know about it."""

    def __init__(self, binary, directory, argv=("/bin/true",), *, held=False, reporting=None, recorded=False,
                 namespace=False, enter=None, proc=None, block=None, stdin=None, prepare=None, leaked=(), preserved=(),
                 **more):
        self.reports, self.code, self.report = [], None, None
        table, numbers, theirs = {}, {}, []  # numbers for its descriptors; what is only its own
        # Its own descriptors are above those of the task, one of which is up there as well.
        above = max(0, len(preserved) - 6)

        def give(number, descriptor):
            table[number] = descriptor
            theirs.append(descriptor)

        for index, descriptor in enumerate(preserved):
            table[ORDERS_FD + index if index else PRESERVED_FD + above] = descriptor
        if preserved:
            numbers.update(preserved=len(preserved), preserved_fd=PRESERVED_FD + above)

        if not held if reporting is None else reporting:
            self.report, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            give(REPORT_FD + above, other.detach())
            numbers["report_fd"] = REPORT_FD + above
        if held:
            self.address = os.path.join(directory, f"start-{time.monotonic_ns()}")
            listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            listener.bind(self.address)
            listener.listen(16)
            give(START_FD + above, listener.detach())
            numbers["start_fd"] = START_FD + above
        if recorded:
            self.record_path = os.path.join(directory, f"record-{time.monotonic_ns()}")
            give(RECORD_FD + above, os.open(self.record_path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC))
            numbers["record_fd"] = RECORD_FD + above
        if enter is not None:
            table[ENTER_FD + above] = enter
            numbers["enter_fd"] = ENTER_FD + above
        if proc is not None:
            table[PROC_FD + above] = proc
        self.output_reader, output = os.pipe()
        give(1, output)
        if stdin is None:
            give(0, os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC))
        else:
            table[0] = stdin
        give(ORDERS_FD, sealed(orders(list(argv), **{**numbers, **more}) if block is None else block))
        self.pid = self._fork(namespace, lambda: self._become(binary, table, prepare, leaked))
        self.pidfd = os.pidfd_open(self.pid)
        for descriptor in theirs:
            os.close(descriptor)

    @staticmethod
    def _fork(namespace, child):
        own = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
        if namespace and libc.unshare(CLONE_NEWPID) != 0:
            raise OSError(ctypes.get_errno(), "unshare")
        pid = os.fork()
        if pid == 0:
            try:
                child()
            finally:
                os._exit(99)
        if namespace and libc.setns(own, CLONE_NEWPID) != 0:
            raise OSError(ctypes.get_errno(), "setns")
        os.close(own)
        return pid

    @staticmethod
    def _become(binary, table, prepare, leaked):
        # First out of the way of all target numbers, then to their places.
        program = fcntl.fcntl(binary, fcntl.F_DUPFD_CLOEXEC, 100)
        moved = {number: fcntl.fcntl(descriptor, fcntl.F_DUPFD, 100) for number, descriptor in table.items()}
        for number, descriptor in moved.items():
            os.dup2(descriptor, number)
            os.close(descriptor)
        for number in leaked:
            os.dup2(os.open("/", os.O_RDONLY | os.O_DIRECTORY), number)
        if prepare:
            prepare()
        os.execve(program, ["mrun-init", "the-id"], {})

    # What others do to it.

    def connect(self):
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        connection.settimeout(10)
        try:
            connection.connect(self.address)
        except OSError:
            connection.close()
            raise
        return connection

    def start(self):
        self.report = self.connect()
        self.report.send(b"S")
        return self

    def signal(self, number):
        signal.pidfd_send_signal(self.pidfd, number)

    # What it tells.

    def read_reports(self):
        """All frames until the end of the stream, as (step, error, detail)."""
        self.report.settimeout(20)
        while frame := self.report.recv(8192):
            step, error, detail = struct.unpack_from("<3I", frame)
            if STEPS[step] == "HOOK":
                self.hook_end = HookEnd(frame)
            self.reports.append((STEPS[step], error, detail))
        return self.reports

    def entered(self):
        """The pid of the task that was born in another namespace, whose start is reported to have worked."""
        frames = self.read_reports()
        (pid,) = [detail for step, error, detail in frames if step == "ENTERED" and error == 0]
        if ("RELEASED", 0, 0) not in frames or len(frames) != 2:
            raise AssertionError(f"it reported {frames}")
        return pid

    def wait(self, seconds=20):
        """The exit code, or minus the signal that ended it."""
        if self.code is None:
            self.code = -signal.SIGKILL  # unless it ends by itself
            self.code = ended(self.pid, self.pidfd, seconds)
        return self.code

    def output(self, seconds=20):
        """Everything that was written to its standard output, until all writers are gone."""
        text, end = b"", time.monotonic() + seconds
        while select.select([self.output_reader], [], [], max(0, end - time.monotonic()))[0]:
            piece = os.read(self.output_reader, 65536)
            if not piece:
                return text.decode()
            text += piece
        raise AssertionError(f"somebody still holds the output open, after {text!r}")

    def read_line(self, seconds=10):
        line = b""
        while not line.endswith(b"\n"):
            if not select.select([self.output_reader], [], [], seconds)[0]:
                raise AssertionError(f"no line in time, only {line!r}")
            byte = os.read(self.output_reader, 1)
            if not byte:
                raise AssertionError(f"the output ended after {line!r}")
            line += byte
        return line.decode().rstrip("\n")

    def record(self):
        with open(self.record_path) as file:
            return file.read()

    def once_held(self):
        """Waits until it sits in its poll; all that comes before is over then."""
        return self._once_in("ppoll")

    def once_serving(self):
        """Waits until a staying init has nothing to do but to wait for signals."""
        return self._once_in("rt_sigtimedwait")

    def _once_in(self, call):
        def asleep():
            with open(f"/proc/{self.pid}/syscall") as file:
                return file.read().split()[0] == str(CALLS[call])
        until(asleep)
        return self

    def task(self):
        """The pid of a staying init's child."""
        return until(lambda: children_of(self.pid))[0]

    def dispose(self):
        if self.report:
            self.report.close()
        os.close(self.output_reader)
        if self.code is None:
            self.signal(signal.SIGKILL)
            self.wait()
        os.close(self.pidfd)
