"""A filter whose calls an agent decides: what mrun-init and the runtime say to each other."""

import fcntl
import os
import struct

from case import EINVAL, RELEASED, InitTest, deny, python
from harness import CALLS, NO_NEW_PRIVS, STAY, STEPS, libc, status_of

NOTIFY, NEW_LISTENER = 0x7FC00000, 8
PIDFD_GETFD = 438
RECEIVE, SEND = 0xC0502100, 0xC0182101


def listening(*numbers):
    return dict(program=deny(*numbers, action=NOTIFY), seccomp_flags=NEW_LISTENER)


# Tells what became of its call, and what it has open.
CALLER = """
import os
try: print(os.uname().sysname)
except OSError as failure: print(failure.errno, [os.readlink(f"/proc/self/fd/{n}") for n in (3, 4) if os.path.exists(f"/proc/self/fd/{n}")])
"""


class Listener(InitTest):
    def frame(self, shim):
        shim.report.settimeout(10)
        step, error, detail = struct.unpack("<3I", shim.report.recv(64))
        return (STEPS[step], error, detail)

    def task_of(self, shim, flags):
        return shim.task() if flags & STAY else shim.pid

    def test_the_descriptor_is_told_and_the_task_waits_until_it_is_taken(self):
        for flags in (0, NO_NEW_PRIVS, STAY, STAY | NO_NEW_PRIVS):
            for held in (False, True):
                shim = self.launch(python(CALLER), held=held,
                                   flags=flags, **listening(CALLS["uname"]))
                if held:
                    shim.start()
                frames = [self.frame(shim)]
                if frames[0] == RELEASED:
                    frames.append(self.frame(shim))
                self.assertEqual(frames[-1], ("LISTENER", 0, 0))
                task = self.task_of(shim, flags)
                self.assertEqual(status_of(task)["Seccomp"], "0")
                shim.report.send(b"P")
                step, error, number = self.frame(shim)
                self.assertEqual((step, error), ("LISTENER", 0))
                self.assertGreater(number, 2)
                self.assertEqual(os.readlink(f"/proc/{task}/fd/{number}"), "anon_inode:seccomp notify")
                self.assertEqual(status_of(task)["Seccomp"], "2")
                self.assertEqual(status_of(task)["Name"], "mrun-init")
                pidfd = os.pidfd_open(task)
                listener = libc.syscall(PIDFD_GETFD, pidfd, number, 0)
                os.close(pidfd)
                shim.report.send(b"P")
                if frames[0] != RELEASED:
                    self.assertEqual(self.frame(shim), RELEASED)
                # The first call of the task that the agent is asked about gets the answer of the agent.
                request = bytearray(80)
                fcntl.ioctl(listener, RECEIVE, request)
                key, pid, _, call = struct.unpack_from("<QIIi", request)
                self.assertEqual((pid, call), (task, CALLS["uname"]))
                fcntl.ioctl(listener, SEND, bytearray(struct.pack("<QqiI", key, 0, -1, 0)))
                self.assertEqual((shim.output(), shim.wait()), ("1 []\n", 0))
                self.assertEqual(shim.report.recv(64), b"")
                os.close(listener)

    def test_whoever_hangs_up_ends_the_start(self):
        for flags in (0, NO_NEW_PRIVS, STAY, STAY | NO_NEW_PRIVS):
            for answers in (0, 1):
                shim = self.launch(python("print('ran')"), flags=flags, **listening(CALLS["uname"]))
                frame = self.frame(shim)
                if frame == RELEASED:
                    frame = self.frame(shim)
                self.assertEqual(frame[0], "LISTENER")
                if answers:
                    shim.report.send(b"P")
                    self.assertEqual(self.frame(shim)[:2], ("LISTENER", 0))
                shim.report.close()
                self.assertEqual(shim.output(), "")
                self.assertEqual(shim.wait(), 1)

    def test_without_a_report_there_is_nobody_to_tell(self):
        shim = self.launch(python("print('ran')"), reporting=False, **listening(CALLS["uname"]))
        self.assertEqual(shim.output(), "")
        self.assertEqual(shim.wait(), 1)

    def test_a_program_that_the_kernel_refuses_is_told(self):
        shim = self.launch(program=[(0xFFFF, 0, 0, 0)], seccomp_flags=NEW_LISTENER, flags=NO_NEW_PRIVS)
        self.assertEqual([self.frame(shim), self.frame(shim)], [RELEASED, ("LISTENER", 0, 0)])
        shim.report.send(b"P")
        self.assertEqual(self.frame(shim), ("SECCOMP", EINVAL, 0))
        self.assertEqual(shim.wait(), 1)

