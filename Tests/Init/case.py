"""The ground of the test cases: programs to run as tasks, and what most tests ask of a started mrun-init."""

import os
import resource
import shutil
import signal
import struct
import sys
import tempfile
import unittest

import harness
from harness import CALLS, Shim, libc, status_of

RELEASED = ("RELEASED", 0, 0)
ENOENT, EBADF, EACCES, ENOTDIR, EINVAL, ENOEXEC, EXDEV = 2, 9, 13, 20, 22, 8, 18
CAP_DAC_OVERRIDE, CAP_KILL, CAP_SETGID, CAP_SETUID, CAP_SETPCAP, CAP_NET_BIND = 1, 5, 6, 7, 8, 10
CAP_SYS_PTRACE, CAP_SYS_ADMIN, CAP_SYS_RESOURCE = 19, 21, 24
DEADLY = [s for s in range(1, 65) if s not in (9, 17, 18, 19, 20, 21, 22, 23, 28)]
CATCHABLE = [s for s in range(1, 65) if s not in (signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD)]

# Blocks every signal, says so, and tells each one that comes. By raw system calls: libc keeps 32 and 33 for itself.
LISTENER = f"""
import ctypes
call, all = ctypes.CDLL(None).syscall, ctypes.c_uint64(2**64 - 1)
call({CALLS['rt_sigprocmask']}, 2, ctypes.byref(all), None, 8)
print("ready", flush=True)
while True: print(call({CALLS['rt_sigtimedwait']}, ctypes.byref(all), None, None, 8), flush=True)
"""

# Tells the id of its session keyring.
KEYRING_READER = f"import ctypes; print(ctypes.CDLL(None).syscall({CALLS['keyctl']}, 0, -3, 0))"


# Not always the one that runs the tests: other users must be able to run it too.
PYTHON = "/usr/bin/python3" if os.path.exists("/usr/bin/python3") else sys.executable


def python(program, *arguments):
    return [PYTHON, "-ISc", program, *arguments]


def shell(program):
    return ["/bin/sh", "-c", program]


def deny(*numbers, action=0x00050000):
    """A seccomp program: those calls get `action`, all others are allowed."""
    lines = [(0x20, 0, 0, 0)]
    for number in numbers:
        lines += [(0x15, 0, 1, number), (0x06, 0, 0, action)]
    return lines + [(0x06, 0, 0, 0x7FFF0000)]


KILL_PROCESS = 0x80000000


def held_capabilities():
    """What this machine lets root have."""
    return int(status_of(os.getpid())["CapBnd"], 16)


def sets(status):
    """The five sets of a process."""
    return {name: int(status["Cap" + name], 16) for name in ("Inh", "Prm", "Eff", "Bnd", "Amb")}


def set_capabilities(mine, inheritable=0):
    """Of this process: permitted and effective, and inheritable."""
    data = struct.pack("<6I", *(half for shift in (0, 32)
                                for half in [mine >> shift & 0xFFFFFFFF] * 2 + [inheritable >> shift & 0xFFFFFFFF]))
    if libc.syscall(CALLS["capset"], struct.pack("<Ii", 0x20080522, 0), data) != 0:
        raise OSError("capset")


class InitTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.descriptors = set(os.listdir("/proc/self/fd"))
        cls.core_limit = resource.getrlimit(resource.RLIMIT_CORE)
        resource.setrlimit(resource.RLIMIT_CORE, (0, cls.core_limit[1]))
        libc.prctl(harness.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        cls.folder = tempfile.mkdtemp(prefix="mrun-init-")
        os.chmod(cls.folder, 0o755)
        # Never run from a file: the runtime runs it from a sealed memfd.
        cls.binary = harness.sealed(harness.build())

    @classmethod
    def tearDownClass(cls):
        os.close(cls.binary)
        shutil.rmtree(cls.folder)
        resource.setrlimit(resource.RLIMIT_CORE, cls.core_limit)
        left = set(os.listdir("/proc/self/fd")) - cls.descriptors
        assert not harness.children_of(os.getpid()) and not left, "the tests left something behind"

    def setUp(self):
        self.addCleanup(harness.bury_strays)

    def launch(self, argv=("/bin/true",), **more):
        shim = Shim(self.binary, self.folder, argv, **more)
        self.addCleanup(shim.dispose)
        return shim

    def run_task(self, argv, **more):
        """Runs a task that must start; its output."""
        shim = self.launch(argv, **more)
        self.assertEqual(shim.read_reports(), [RELEASED])
        output = shim.output()
        self.assertEqual(shim.wait(), 0, output)
        return output

    def task_status(self, **more):
        lines = self.run_task(["/bin/cat", "/proc/self/status"], **more).splitlines()
        return dict(line.split(":\t", 1) for line in lines if ":\t" in line)

    def refused(self, step, error, detail=0, argv=("/bin/true",), code=1, **more):
        shim = self.launch(argv, **more)
        self.assertIn(shim.read_reports(), ([(step, error, detail)], [RELEASED, (step, error, detail)]))
        self.assertEqual(shim.wait(), code)
        return shim
