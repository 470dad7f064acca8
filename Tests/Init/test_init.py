#!/usr/bin/env python3
"""Tests of mrun-init alone, without the runtime around it. Run as root: python3 Tests/Init/test_init.py"""

import fcntl
import os
import pty
import random
import resource
import shutil
import signal
import socket
import struct
import sys
import tempfile
import termios
import time
import unittest

import harness
from harness import (CALLS, CAPABILITIES, KEYRING, NO_NEW_PRIVS, RECORD_FD, REPORT_FD, SETGROUPS, START_FD, STAY, SUBREAPER,
                     Shim, children_of, libc, orders, private_memory, state_of, status_of, until)

RELEASED = ("RELEASED", 0, 0)
ENOENT, EBADF, EACCES, ENOTDIR, EINVAL, ENOEXEC, EXDEV = 2, 9, 13, 20, 22, 8, 18
CAP_KILL, CAP_NET_BIND, CAP_SYS_PTRACE = 5, 10, 19
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


def set_capabilities(mine, inheritable=0):
    """Of this process: permitted and effective, and inheritable."""
    data = struct.pack("<6I", *(half for shift in (0, 32)
                                for half in [mine >> shift & 0xFFFFFFFF] * 2 + [inheritable >> shift & 0xFFFFFFFF]))
    if libc.syscall(CALLS["capset"], struct.pack("<Ii", 0x20080522, 0), data) != 0:
        raise OSError("capset")


def setUpModule():
    global folder, binary, descriptors, core_limit
    descriptors = set(os.listdir("/proc/self/fd"))
    core_limit = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, core_limit[1]))
    libc.prctl(harness.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    folder = tempfile.mkdtemp(prefix="mrun-init-")
    os.chmod(folder, 0o755)
    binary = harness.loaded(harness.build(folder))


def tearDownModule():
    os.close(binary)
    shutil.rmtree(folder)
    resource.setrlimit(resource.RLIMIT_CORE, core_limit)
    left = set(os.listdir("/proc/self/fd")) - descriptors
    assert not children_of(os.getpid()) and not left, "the tests left something behind"


class InitTest(unittest.TestCase):
    def setUp(self):
        self.addCleanup(harness.bury_strays)

    def launch(self, argv=("/bin/true",), **more):
        shim = Shim(binary, folder, argv, **more)
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


class Starting(InitTest):
    def test_the_task_replaces_it(self):
        shim = self.launch(python("import os; print(os.getpid(), os.getsid(0))"))
        self.assertEqual(shim.output(), f"{shim.pid} {shim.pid}\n")

    def test_arguments_and_environment_are_exactly_those_ordered(self):
        for flags in (0, STAY):
            argv = ["odd name", "", "two words", "ü"]
            program = "import os; print(open('/proc/self/cmdline').read().split(chr(0)), open('/proc/self/environ').read())"
            output = self.run_task([*python(program), *argv], env=["A=1", "B=", "C=x y"], flags=flags)
            self.assertTrue(output.startswith(str([*python(program), *argv, ""])), output)
            self.assertTrue(output.endswith(" A=1\0B=\0C=x y\0\n"), output)
            self.assertEqual(self.run_task(["/usr/bin/env"], env=[], flags=flags), "")

    def test_the_executable_and_the_first_argument_are_two_things(self):
        self.assertEqual(self.run_task(["renamed", "-c", "echo $0"], executable="/bin/sh"), "renamed\n")

    def test_every_exit_code_of_the_task_becomes_its_own(self):
        for code in range(256):
            shim = self.launch(shell(f"exit {code}"), flags=STAY, recorded=True)
            self.assertEqual(shim.wait(), code)
            self.assertEqual(int(shim.record().split()[-1]), code << 8)

    def test_a_task_ended_by_a_signal_becomes_128_and_the_signal(self):
        for number in [*DEADLY, signal.SIGKILL]:
            for namespace in (False, True):
                program = "import ctypes, os, sys; ctypes.CDLL(None).kill(os.getpid(), int(sys.argv[1])); input()"
                shim = self.launch(python(program, str(number)) if number in (32, 33) else shell(f"kill -{number} $$"),
                                   flags=STAY, recorded=True, namespace=namespace)
                self.assertEqual(shim.wait(), 128 + number)
                self.assertEqual(int(shim.record().split()[-1]) & 0x7F, number)

    def test_a_program_that_is_not_there_gives_127(self):
        for flags in (0, STAY):
            self.refused("EXEC", ENOENT, argv=["/nonexistent"], code=127, flags=flags)
            self.refused("EXEC", ENOTDIR, argv=["/bin/sh/x"], code=127, flags=flags)

    def test_a_program_that_does_not_run_gives_126(self):
        plain = os.path.join(folder, "plain")
        with open(plain, "w") as file:
            file.write("no program")
        for flags in (0, STAY):
            self.refused("EXEC", EACCES, argv=[plain], code=126, flags=flags)
            self.refused("EXEC", EACCES, argv=[folder], code=126, flags=flags)
        os.chmod(plain, 0o755)
        self.refused("EXEC", ENOEXEC, argv=[plain], code=126)

    def test_it_needs_neither_a_report_nor_a_record(self):
        for flags in (0, STAY):
            shim = self.launch(shell("exit 4"), flags=flags, report_fd=-1, record_fd=-1)
            self.assertEqual(shim.wait(), 4)
            self.assertEqual(shim.read_reports(), [])


class Forwarding(InitTest):
    def test_every_catchable_signal_reaches_the_task(self):
        for namespace in (False, True):
            shim = self.launch(python(LISTENER), flags=STAY, namespace=namespace)
            self.assertEqual(shim.read_line(), "ready")
            for number in CATCHABLE:
                shim.signal(number)
                self.assertEqual(shim.read_line(), str(number))

    def test_every_catchable_signal_reaches_a_task_of_another_user(self):
        keep = 1 << CAP_KILL
        shim = self.launch(python(LISTENER), flags=STAY | CAPABILITIES, uid=1000, gid=1000, bounding=keep)
        self.assertEqual(shim.read_line(), "ready")
        for number in CATCHABLE:
            shim.signal(number)
            self.assertEqual(shim.read_line(), str(number))

    def test_the_children_of_a_shell_hear_it_too(self):
        shim = self.launch(shell("sleep 1000 & sleep 1001 & echo $!; wait"), flags=STAY)
        child = int(shim.read_line())
        shim.signal(signal.SIGTERM)
        self.assertEqual(shim.wait(), 143)
        until(lambda: state_of(child) in (None, "Z"))

    def test_a_task_that_left_its_group_hears_it_all_the_same(self):
        program = """
import os, signal, time
read, write = os.pipe()
child = os.fork()
if child == 0: os.setpgid(0, 0); os.write(write, b'x'); time.sleep(1000)
os.read(read, 1); os.setpgid(0, child)
signal.pthread_sigmask(signal.SIG_BLOCK, {15}); print('ready', flush=True); print(signal.sigwait({15}).value, flush=True)
"""
        shim = self.launch(python(program), flags=STAY, namespace=True)
        self.assertEqual(shim.read_line(), "ready")
        shim.signal(signal.SIGTERM)
        self.assertEqual(shim.read_line(), "15")

    def test_the_signals_of_job_control_stop_and_continue_the_task(self):
        for namespace in (False, True):
            shim = self.launch(["/bin/sleep", "1000"], flags=STAY, namespace=namespace)
            self.assertEqual(shim.read_reports(), [RELEASED])
            task = shim.task()
            for number in (signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU):
                shim.signal(number)
                until(lambda: state_of(task) == "T")
                shim.once_serving().signal(signal.SIGCONT)
                until(lambda: state_of(task) == "S")

    def test_22000_signals_do_not_disturb_the_exit_code(self):
        program = LISTENER.split("while")[0] + "import sys; sys.stdin.read(); sys.exit(5)"
        read, write = os.pipe()
        shim = self.launch(python(program), flags=STAY, namespace=True, stdin=read, recorded=True)
        os.close(read)
        self.assertEqual(shim.read_line(), "ready")
        for turn in range(22000):
            shim.signal(CATCHABLE[turn % len(CATCHABLE)])
        os.close(write)
        self.assertEqual(shim.wait(), 5)
        self.assertTrue(shim.record().endswith(" 1280\n"))

    def test_a_signal_that_came_before_the_task_is_not_lost(self):
        shim = self.launch(["/bin/sleep", "1000"], flags=STAY, held=True, namespace=True).once_held()
        shim.signal(signal.SIGTSTP)
        shim.start()
        task = shim.task()
        until(lambda: state_of(task) == "T")


class Reaping(InitTest):
    def orphans(self, count, **more):
        read, write = os.pipe()
        program = """
import os, sys
for _ in range(int(sys.argv[1])):
    if os.fork() == 0:
        if os.fork() == 0: os._exit(0)
        os._exit(0)
    os.wait()
print('done', flush=True); sys.stdin.read(); sys.exit(9)
"""
        shim = self.launch(python(program, str(count)), stdin=read, **more)
        os.close(read)
        return shim, write

    def test_10000_orphans_leave_no_zombie(self):
        shim, write = self.orphans(10000, flags=STAY, namespace=True)
        task = shim.task()
        self.assertEqual(shim.read_line(40), "done")
        until(lambda: children_of(shim.pid) == [task])
        os.close(write)
        self.assertEqual(shim.wait(), 9)

    def test_without_a_namespace_it_adopts_the_orphans(self):
        shim = self.launch(shell("(sleep 1000 & echo $!); sleep 1001"), flags=STAY | SUBREAPER)
        orphan = int(shim.read_line())
        until(lambda: orphan in children_of(shim.pid))
        os.kill(orphan, signal.SIGKILL)
        until(lambda: state_of(orphan) is None)
        self.assertEqual(len(children_of(shim.pid)), 1)

    def test_one_sigchld_can_stand_for_many_children(self):
        shim, write = self.orphans(50, flags=STAY, namespace=True)
        task = shim.task()
        shim.signal(signal.SIGSTOP)
        self.assertEqual(shim.read_line(), "done")
        self.assertEqual(len(children_of(shim.pid)), 51)
        shim.signal(signal.SIGCONT)
        until(lambda: children_of(shim.pid) == [task])
        os.close(write)
        self.assertEqual(shim.wait(), 9)

    def test_stubborn_orphans_do_not_delay_the_end(self):
        for namespace in (False, True):
            shim = self.launch(shell("trap '' TERM HUP; sleep 1000 & exit 3"), flags=STAY | SUBREAPER,
                               namespace=namespace)
            self.assertEqual(shim.wait(2), 3)


class Cleanliness(InitTest):
    LEAKED = (*range(4, 10), *range(13, 40), 500)

    def test_the_task_has_only_the_standard_descriptors(self):
        listing = python("import os; print(*sorted(map(int, os.listdir('/proc/self/fd'))))")
        for more in ({}, {"flags": STAY}, {"recorded": True}, {"flags": STAY, "recorded": True}):
            # The fourth is that of the listing itself.
            self.assertEqual(self.run_task(listing, leaked=self.LEAKED, **more), "0 1 2 3\n")
            shim = self.launch(listing, leaked=self.LEAKED, held=True, **more).start()
            self.assertEqual((shim.read_reports(), shim.output()), ([RELEASED], "0 1 2 3\n"))

    def test_while_held_the_leaked_descriptors_are_closed_already(self):
        shim = self.launch(held=True, recorded=True, leaked=self.LEAKED).once_held()
        kept = {int(name): os.readlink(f"/proc/{shim.pid}/fd/{name}") for name in os.listdir(f"/proc/{shim.pid}/fd")}
        self.assertEqual(sorted(kept), [0, 1, 2, 3, START_FD, RECORD_FD])
        self.assertEqual(kept[3], "anon_inode:[signalfd]")

    def test_a_staying_init_keeps_only_the_record(self):
        for held in (False, True):
            shim = self.launch(["/bin/sleep", "1000"], flags=STAY, recorded=True, leaked=self.LEAKED, held=held)
            if held:
                shim.start()
            shim.read_reports()
            until(lambda: os.listdir(f"/proc/{shim.pid}/fd") == [str(RECORD_FD)])

    def test_a_staying_init_does_not_hold_the_tasks_output_open(self):
        shim = self.launch(shell("echo last; exec >&- 2>&-; exec sleep 1000"), flags=STAY)
        self.assertEqual(shim.output(), "last\n")
        self.assertEqual(len(children_of(shim.pid)), 1)

    def test_standard_descriptors_closed_by_the_caller_do_no_harm(self):
        def prepare():
            os.close(0)
            os.close(2)

        for flags in (0, STAY):
            shim = self.launch(shell("readlink /proc/$$/fd/0 /proc/$$/fd/2; sleep 1000"), flags=flags, held=True,
                               recorded=True, prepare=prepare).once_held().start()
            self.assertEqual(shim.read_reports(), [RELEASED])
            task = shim.task() if flags else shim.pid
            until(lambda: set(os.listdir(f"/proc/{task}/fd")) == {"1"})

    def test_what_the_caller_ignores_or_blocks_does_not_reach_the_task(self):
        def prepare():
            for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
                signal.signal(number, signal.SIG_IGN)
            signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
            os.kill(os.getpid(), signal.SIGWINCH)

        for flags in (0, STAY):
            status = self.task_status(prepare=prepare, flags=flags)
            for field in ("SigBlk", "SigIgn", "SigCgt", "SigPnd", "ShdPnd"):
                self.assertEqual(int(status[field], 16), 0, field)
            shim = self.launch(shell("exit 6"), prepare=prepare, flags=flags)
            self.assertEqual(shim.wait(), 6)

    def test_a_starter_that_goes_away_does_not_take_the_task_along(self):
        for flags in (0, STAY):
            shim = self.launch(shell("sleep 0.02; exit 9"), held=True, flags=flags).once_held()
            shim.signal(signal.SIGSTOP)
            shim.start().report.close()
            shim.signal(signal.SIGCONT)
            self.assertEqual(shim.wait(), 9)

    def test_the_task_is_not_in_the_session_of_the_caller(self):
        for flags in (0, STAY):
            output = self.run_task(python("import os; print(os.getsid(0), os.getpgrp(), os.getpid())"), flags=flags)
            session, group, pid = map(int, output.split())
            self.assertNotEqual(session, os.getsid(0))
            self.assertEqual(group, pid)

    def test_its_name_and_id_show_in_ps(self):
        shim = self.launch(held=True).once_held()
        with open(f"/proc/{shim.pid}/cmdline") as file:
            self.assertEqual(file.read(), "mrun-init\0the-id\0")
        self.assertEqual(status_of(shim.pid)["Name"], "mrun-init")


class Privileges(InitTest):
    def sets(self, status):
        return {name: int(status["Cap" + name], 16) for name in ("Inh", "Prm", "Eff", "Bnd", "Amb")}

    def test_capabilities_are_exactly_those_ordered(self):
        one, two, all_bits = 1 << CAP_NET_BIND, 1 << CAP_NET_BIND | 1 << CAP_KILL, held_capabilities()
        none = dict(effective=0, permitted=0, inheritable=0, ambient=0)
        for flags in (CAPABILITIES, CAPABILITIES | STAY, CAPABILITIES | NO_NEW_PRIVS):
            # For root, execve grants what the bounding and the inheritable set have.
            status = self.task_status(flags=flags, bounding=two, effective=two, permitted=two)
            self.assertEqual(self.sets(status), {"Inh": 0, "Prm": two, "Eff": two, "Bnd": two, "Amb": 0})
            status = self.task_status(flags=flags, bounding=0, **none)
            self.assertEqual(self.sets(status), {"Inh": 0, "Prm": 0, "Eff": 0, "Bnd": 0, "Amb": 0})
            # For others it grants the ambient set.
            user = dict(flags=flags, uid=1000, gid=1000)
            status = self.task_status(**user, bounding=all_bits, effective=two, permitted=two, inheritable=two,
                                      ambient=one)
            self.assertEqual(self.sets(status), {"Inh": two, "Prm": one, "Eff": one, "Bnd": all_bits, "Amb": one})
            status = self.task_status(**user, bounding=two, **none)
            self.assertEqual(self.sets(status), {"Inh": 0, "Prm": 0, "Eff": 0, "Bnd": two, "Amb": 0})

    def test_without_orders_capabilities_stay_as_they_are(self):
        before = self.sets(status_of(os.getpid()))
        self.assertEqual(self.sets(self.task_status(bounding=0)), before)

    def test_capabilities_of_the_caller_do_not_slip_through_the_ambient_set(self):
        def prepare():
            set_capabilities(held_capabilities(), held_capabilities())
            assert libc.prctl(47, 2, CAP_NET_BIND, 0, 0) == 0

        status = self.task_status(prepare=prepare, flags=CAPABILITIES, uid=1000, bounding=held_capabilities(),
                                  inheritable=1 << CAP_NET_BIND, permitted=1 << CAP_NET_BIND)
        self.assertEqual(self.sets(status)["Amb"], 0)
        self.assertEqual(self.sets(status)["Eff"], 0)

    def test_a_capability_that_cannot_be_had_is_an_error(self):
        def without_kill():
            assert libc.prctl(24, CAP_KILL, 0, 0, 0) == 0
            set_capabilities(held_capabilities() & ~(1 << CAP_KILL))

        kill = 1 << CAP_KILL
        self.refused("CAPSET", 1, prepare=without_kill, flags=CAPABILITIES, bounding=kill, permitted=kill)
        self.refused("AMBIENT", 1, CAP_KILL, flags=CAPABILITIES, bounding=kill, permitted=kill, ambient=kill)

    def test_ids_and_groups_are_those_ordered(self):
        for flags in (SETGROUPS, SETGROUPS | STAY):
            status = self.task_status(uid=1001, gid=1002, groups=[5, 70000], flags=flags)
            self.assertEqual(status["Uid"].split(), ["1001"] * 4)
            self.assertEqual(status["Gid"].split(), ["1002"] * 4)
            self.assertEqual(status["Groups"].split(), ["5", "70000"])
        self.assertEqual(self.task_status(prepare=lambda: os.setgroups([7]), flags=SETGROUPS)["Groups"].split(), [])
        self.assertEqual(self.task_status(prepare=lambda: os.setgroups([7]), groups=[5])["Groups"].split(), ["7"])

    def test_ids_that_may_not_be_had_are_an_error(self):
        def as_user():
            os.setresgid(1000, 1000, 1000)
            os.setresuid(1000, 1000, 1000)

        self.refused("SETGROUPS", 1, prepare=as_user, flags=SETGROUPS, uid=1000, gid=1000)
        self.refused("SETGID", 1, prepare=as_user, uid=1000, gid=1001)
        self.refused("SETUID", 1, prepare=as_user, uid=1001, gid=1000)

    def test_no_new_privs_is_set_when_ordered_only(self):
        for stay in (0, STAY):
            self.assertEqual(self.task_status(flags=stay | NO_NEW_PRIVS)["NoNewPrivs"], "1")
            self.assertEqual(self.task_status(flags=stay)["NoNewPrivs"], "0")

    def test_the_seccomp_program_is_in_force(self):
        for flags in (0, NO_NEW_PRIVS, STAY, STAY | NO_NEW_PRIVS):
            program = deny(CALLS["uname"], action=0x00050000 | 55)
            shim = self.launch(python("import os; os.uname()"), flags=flags, program=program,
                               prepare=lambda: os.dup2(1, 2))
            self.assertEqual(shim.read_reports(), [RELEASED])
            self.assertIn("[Errno 55]", shim.output())
            status = self.task_status(flags=flags, program=deny(CALLS["uname"]))
            self.assertEqual((status["Seccomp"], status["Seccomp_filters"]), ("2", "1"))

    def test_with_no_new_privs_the_program_need_not_allow_what_comes_before(self):
        strict = deny(*(CALLS[name] for name in ("setresuid", "chdir", "prctl", "capset")), action=KILL_PROCESS)
        for stay in (0, STAY):
            shim = self.launch(flags=stay | NO_NEW_PRIVS | CAPABILITIES, program=strict)
            self.assertEqual((shim.wait(), shim.read_reports()), (0, [RELEASED]))

    def test_a_program_that_the_kernel_refuses_is_an_error(self):
        for flags in (0, NO_NEW_PRIVS, STAY, STAY | NO_NEW_PRIVS):
            self.refused("SECCOMP", EINVAL, program=[(0xFFFF, 0, 0, 0)], flags=flags)

    def test_the_session_keyring_is_a_new_one(self):
        def join():
            assert libc.syscall(CALLS["keyctl"], 1, b"of-the-caller") > 0
            os.write(1, b"%d\n" % libc.syscall(CALLS["keyctl"], 0, -3, 0))

        for stay in (0, STAY):
            callers, tasks = self.run_task(python(KEYRING_READER), prepare=join, flags=stay | KEYRING).split()
            self.assertNotEqual(callers, tasks)
            self.assertGreater(int(tasks), 0)
            callers, tasks = self.run_task(python(KEYRING_READER), prepare=join, flags=stay).split()
            self.assertEqual(callers, tasks)

    def test_limits_are_set(self):
        limits = [(resource.RLIMIT_NOFILE, 100, 200), (resource.RLIMIT_CORE, 0, 0)]
        program = "import resource as r; print(r.getrlimit(r.RLIMIT_NOFILE), r.getrlimit(r.RLIMIT_CORE))"
        for flags in (0, STAY):
            self.assertEqual(self.run_task(python(program), rlimits=limits, flags=flags), "(100, 200) (0, 0)\n")
            self.refused("RLIMIT", EINVAL, 1, rlimits=[limits[0], (99, 1, 1)], flags=flags)

    def test_the_umask_is_set(self):
        for flags in (0, STAY):
            self.assertEqual(self.run_task(shell("umask"), umask=0o27, flags=flags), "0027\n")

    def test_a_staying_init_keeps_its_own_limits_and_umask(self):
        shim = self.launch(["/bin/sleep", "1000"], flags=STAY, umask=0o77, rlimits=[(resource.RLIMIT_NOFILE, 9, 9)])
        shim.read_reports()
        self.assertNotEqual(status_of(shim.pid)["Umask"], "0077")
        self.assertNotEqual(resource.prlimit(shim.pid, resource.RLIMIT_NOFILE), (9, 9))


class WorkingDirectory(InitTest):
    def test_the_task_begins_there(self):
        for flags in (0, STAY):
            self.assertEqual(self.run_task(["/bin/pwd", "-P"], cwd=folder, flags=flags), folder + "\n")

    def test_a_missing_one_is_an_error(self):
        self.refused("CWD", ENOENT, cwd="/nonexistent")
        self.refused("CWD", ENOTDIR, cwd="/bin/sh")

    def test_it_is_entered_as_the_user_of_the_task(self):
        closed = tempfile.mkdtemp(dir=folder)
        self.refused("CWD", EACCES, cwd=closed, uid=1000, gid=1000)
        self.refused("CWD", EACCES, cwd=closed, uid=1000, gid=1000, flags=CAPABILITIES, bounding=held_capabilities())

    def test_no_descriptor_leads_out(self):
        leaked = tuple(n for n in range(4, 16) if n not in (START_FD, REPORT_FD, RECORD_FD))
        for number in range(3, 16):
            for more in ({"held": True}, {}, {"flags": STAY, "recorded": True}):
                shim = self.launch(["/bin/pwd"], cwd=f"/proc/self/fd/{number}", leaked=leaked, **more)
                if more.get("held"):
                    shim.start()
                (step, error, _), = shim.read_reports()
                self.assertEqual(step, "CWD")
                self.assertIn(error, (ENOENT, ENOTDIR))
                self.assertEqual(shim.wait(), 1)

    def test_a_directory_outside_of_the_root_is_refused(self):
        root = tempfile.mkdtemp(dir=folder)
        self.refused("CWD", EXDEV, 1, cwd=".", prepare=lambda: os.chroot(root))

    def test_a_directory_that_was_removed_is_refused(self):
        gone = tempfile.mkdtemp(dir=folder)

        def prepare():
            os.chdir(gone)
            os.rmdir(gone)

        self.refused("CWD", ENOENT, 1, cwd=".", prepare=prepare)


class Held(InitTest):
    def test_it_starts_when_told(self):
        for flags in (0, STAY):
            for namespace in (False, True):
                shim = self.launch(shell("echo started"), held=True, flags=flags, namespace=namespace).once_held()
                shim.start()
                self.assertEqual(shim.read_reports(), [RELEASED])
                self.assertEqual((shim.output(), shim.wait()), ("started\n", 0))

    def test_a_start_that_came_first_is_found(self):
        shim = self.launch(shell("echo started"), held=True).start()
        self.assertEqual((shim.read_reports(), shim.output()), ([RELEASED], "started\n"))

    def test_probes_and_other_words_leave_it_held(self):
        shim = self.launch(shell("echo started"), held=True).once_held()
        for _ in range(3):
            shim.connect().close()
        for word in (b"X", b"SS", b"s", b"S\0", b"S" * 1000):
            with shim.connect() as connection:
                connection.send(word)
                self.assertEqual(connection.recv(64), b"", word)
        shim.once_held().start()
        self.assertEqual((shim.read_reports(), shim.output()), ([RELEASED], "started\n"))

    def test_once_started_a_connect_is_refused(self):
        for flags in (0, STAY):
            shim = self.launch(["/bin/sleep", "1000"], held=True, flags=flags).once_held().start()
            self.assertEqual(shim.read_reports(), [RELEASED])
            with self.assertRaises(ConnectionRefusedError):
                shim.connect()

    def test_only_one_of_two_starters_wins(self):
        shim = self.launch(shell("echo started"), held=True).once_held()
        shim.signal(signal.SIGSTOP)
        shim.start()
        second = shim.connect()
        self.addCleanup(second.close)
        second.send(b"S")
        shim.signal(signal.SIGCONT)
        self.assertEqual((shim.read_reports(), shim.output()), ([RELEASED], "started\n"))
        with self.assertRaises(ConnectionResetError):
            second.recv(64)

    def test_errors_are_reported_to_the_starter(self):
        for flags in (0, STAY):
            shim = self.launch(["/nonexistent"], held=True, flags=flags, recorded=True).once_held().start()
            self.assertEqual(shim.read_reports(), [RELEASED, ("EXEC", ENOENT, 0)])
            self.assertRegex(shim.record(), r"^finished \d+ 32512\n$")
            self.assertEqual(shim.wait(), 127)

    def test_deadly_signals_end_it(self):
        for number in DEADLY:
            for namespace in (False, True):
                shim = self.launch(held=True, namespace=namespace, recorded=True).once_held()
                shim.signal(number)
                self.assertEqual(shim.wait(), 128 + number)
                self.assertRegex(shim.record(), rf"\Afinished \d+ {number}\n\Z")

    def test_the_other_signals_do_not(self):
        for namespace in (False, True):
            shim = self.launch(shell("echo started"), held=True, namespace=namespace).once_held()
            for number in (signal.SIGCHLD, signal.SIGCONT, signal.SIGWINCH, signal.SIGURG):
                shim.signal(number)
            shim.start()
            self.assertEqual((shim.read_reports(), shim.output()), ([RELEASED], "started\n"))

    def test_sigkill_ends_it(self):
        for namespace in (False, True):
            shim = self.launch(held=True, namespace=namespace).once_held()
            shim.signal(signal.SIGKILL)
            self.assertEqual(shim.wait(), -signal.SIGKILL)

    def test_signals_end_it_while_a_probe_hangs(self):
        shim = self.launch(held=True, recorded=True).once_held()
        self.addCleanup(shim.connect().close)
        shim.once_held().signal(signal.SIGTERM)
        self.assertEqual(shim.wait(), 143)

    def test_the_end_of_an_early_report_tells_that_it_is_held(self):
        shim = self.launch(held=True, reporting=True).once_held()
        self.assertEqual(shim.read_reports(), [])
        shim.once_held()

    def test_it_needs_little_memory_and_no_processor(self):
        program = deny(*range(1000), action=KILL_PROCESS)
        for more in ({}, {"env": ["X" * 100000] * 10, "program": program, "flags": NO_NEW_PRIVS}):
            shim = self.launch(held=True, recorded=True, namespace=True, **more).once_held()
            self.assertLessEqual(private_memory(shim.pid), 32)
            before = status_of(shim.pid)["voluntary_ctxt_switches"]
            time.sleep(0.3)
            self.assertEqual(status_of(shim.pid)["voluntary_ctxt_switches"], before)


class Staying(InitTest):
    def staying(self, argv=("/bin/sleep", "1000"), **more):
        shim = self.launch(argv, **{"flags": STAY, **more})
        self.assertEqual(shim.read_reports(), [RELEASED])
        return shim.once_serving()

    def test_it_can_only_kill(self):
        for namespace in (False, True):
            for more in ({}, {"uid": 1000, "gid": 1000}):
                shim = self.staying(namespace=namespace, **more)
                status = status_of(shim.pid)
                kill = f"{1 << CAP_KILL:016x}"
                wanted = {"CapInh": "0" * 16, "CapPrm": kill, "CapEff": kill, "CapAmb": "0" * 16, "NoNewPrivs": "1",
                          "Seccomp": "2", "Seccomp_filters": "1", "Threads": "1"}
                self.assertEqual({key: status[key] for key in wanted}, wanted)

    def test_it_makes_do_without_the_capability_to_kill(self):
        def as_user():
            os.setresgid(1000, 1000, 1000)
            os.setresuid(1000, 1000, 1000)

        shim = self.staying(prepare=as_user, uid=1000, gid=1000)
        self.assertEqual(status_of(shim.pid)["CapPrm"], "0" * 16)
        shim.signal(signal.SIGTERM)
        self.assertEqual(shim.wait(), 143)

    def test_nobody_without_ptrace_sees_into_it(self):
        shims = [self.staying(), self.launch(held=True).once_held()]
        child = os.fork()
        if child == 0:
            code = 0
            set_capabilities(held_capabilities() & ~(1 << CAP_SYS_PTRACE))
            for shim in shims:
                for name in ("exe", "cwd", "root", "fd/1"):
                    try:
                        os.readlink(f"/proc/{shim.pid}/{name}")
                        code = 1
                    except (PermissionError, FileNotFoundError):
                        pass
            os._exit(code)
        self.assertEqual(os.waitpid(child, 0)[1], 0)

    def test_with_a_subreaper_the_task_dies_with_its_init(self):
        for more in ({}, {"uid": 1000, "gid": 1000}):
            shim = self.staying(flags=STAY | SUBREAPER, **more)
            task = shim.task()
            shim.signal(signal.SIGKILL)
            shim.wait()
            until(lambda: state_of(task) in ("Z", None))

    def test_it_needs_little_memory_and_no_processor(self):
        shim = self.staying(recorded=True, namespace=True, env=["X" * 100000] * 10)
        self.assertLessEqual(private_memory(shim.pid), 32)
        before = status_of(shim.pid)["voluntary_ctxt_switches"]
        time.sleep(0.3)
        self.assertEqual(status_of(shim.pid)["voluntary_ctxt_switches"], before)

    def test_the_record_tells_start_and_end(self):
        before = time.time_ns()
        shim = self.staying(shell("sleep 0.05; exit 3"), recorded=True)
        # Whoever has read the report to its end may rely on the first line.
        self.assertRegex(shim.record(), r"\Astarted \d+\n\Z")
        shim.wait()
        after = time.time_ns()
        self.assertRegex(shim.record(), r"\Astarted \d+\nfinished \d+ 768\n\Z")
        started, finished = (int(line.split()[1]) for line in shim.record().splitlines())
        self.assertTrue(before <= started and started + 50_000_000 <= finished <= after, (before, started, finished))

    def test_a_task_that_never_ran_has_no_start_in_the_record(self):
        for more in ({"argv": ["/nonexistent"], "wanted": 127 << 8}, {"cwd": "/nonexistent", "wanted": 1 << 8}):
            wanted = more.pop("wanted")
            shim = self.launch(flags=STAY, recorded=True, **more)
            shim.read_reports()
            self.assertRegex(shim.record(), rf"\Afinished \d+ {wanted}\n\Z")

    def test_a_record_that_cannot_be_written_does_not_matter(self):
        full = os.open("/dev/full", os.O_WRONLY)
        self.addCleanup(os.close, full)
        shim = self.launch(shell("exit 8"), flags=STAY, record_fd=50, prepare=lambda: os.dup2(full, 50))
        self.assertEqual((shim.read_reports(), shim.wait()), ([RELEASED], 8))


class Terminals(InitTest):
    def on_terminal(self, argv, **more):
        master, slave = pty.openpty()
        self.addCleanup(os.close, master)

        def prepare():
            os.setsid()
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        shim = self.launch(argv, stdin=slave, prepare=prepare, **more)
        os.close(slave)
        return shim, master

    def test_the_task_is_in_the_foreground(self):
        for flags in (0, STAY):
            program = "import os; print(os.tcgetpgrp(0) == os.getpgrp(), os.ctermid(), os.open('/dev/tty', 2) > 2)"
            shim, _ = self.on_terminal(python(program), flags=flags)
            self.assertEqual(shim.output(), "True /dev/tty True\n")

    def test_the_keys_of_the_terminal_reach_the_task_only(self):
        shim, master = self.on_terminal(shell("echo ready; read line"), flags=STAY, namespace=True)
        self.assertEqual(shim.read_line(), "ready")
        os.write(master, b"\x03")
        self.assertEqual(shim.wait(), 130)

    def test_a_terminal_that_goes_away_hangs_up_the_task(self):
        master, slave = pty.openpty()

        def prepare():
            os.setsid()
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        shim = self.launch(["/bin/sleep", "1000"], stdin=slave, prepare=prepare, flags=STAY, namespace=True)
        os.close(slave)
        shim.read_reports()
        os.close(master)
        self.assertEqual(shim.wait(), 129)

    def test_the_terminal_of_the_caller_is_not_taken_over(self):
        master, slave = pty.openpty()
        self.addCleanup(os.close, master)
        for flags in (0, STAY):
            program = "import os\ntry: os.open('/dev/tty', 2)\nexcept OSError as e: print(e.errno)"
            shim = self.launch(python(program), stdin=slave, flags=flags)
            self.assertEqual(shim.output(), "6\n")  # ENXIO
        os.close(slave)


class DamagedOrders(InitTest):
    def damaged(self, block, reported=True, **more):
        shim = self.launch(block=block, **more)
        self.assertEqual(shim.wait(), 1)
        self.assertEqual([step for step, _, _ in shim.read_reports()], ["ORDERS"] if reported else [])

    def whole(self, **fields):
        return orders(["/nonexistent", "one", "two"], env=["A=1"], groups=[1, 2], rlimits=[(7, 100, 100)],
                      program=deny(CALLS["uname"]), **{"report_fd": REPORT_FD, **fields})

    def test_the_undamaged_block_is_accepted(self):
        shim = self.launch(block=self.whole())
        self.assertEqual((shim.wait(), shim.read_reports()), (127, [RELEASED, ("EXEC", ENOENT, 0)]))

    def test_a_header_that_makes_no_sense_is_refused(self):
        size = len(self.whole())
        for fields in ({"magic": 0}, {"size": size - 1}, {"size": size + 1}, {"size": 0}, {"flags": 1 << 7},
                       {"umask": 0o1000}, {"preserved": 1}, {"reserved": 1}, {"start_fd": -2}, {"start_fd": 0},
                       {"record_fd": 3}, {"record_fd": REPORT_FD}, {"start_fd": REPORT_FD}, {"report_fd": 2},
                       {"start_fd": 12, "record_fd": 12}):
            with self.subTest(fields):
                self.damaged(self.whole(**fields), reported=False)

    def test_an_offset_that_leads_nowhere_is_refused(self):
        size = len(self.whole())
        for name in ("executable_offset", "cwd_offset", "argv_offset", "envp_offset", "groups_offset",
                     "rlimits_offset", "seccomp_offset"):
            wide = name.split("_")[0] in ("executable", "cwd", "argv", "envp")
            for offset in (0, 8, 4096 * 1000, size, size + 8, 2**32 - 8, *((2**64 - 8, 2**63) if wide else ())):
                with self.subTest(name, offset=offset):
                    self.damaged(self.whole(**{name: offset}))
        for name in ("argv_offset", "envp_offset", "groups_offset", "rlimits_offset", "seccomp_offset"):
            right = harness.HEADER.unpack_from(self.whole())[harness.FIELDS.index(name)]
            with self.subTest(name, offset="between two places"):
                self.damaged(self.whole(**{name: right + 1}))

    def test_a_count_that_is_too_large_is_refused(self):
        for name, counts in {"group_count": (1000, 2**30, 2**32 - 1), "rlimit_count": (100, 2**28, 2**32 - 1),
                             "seccomp_count": (100, 65536, 2**29, 2**32 - 1)}.items():
            for count in counts:
                with self.subTest(name, count=count):
                    self.damaged(self.whole(**{name: count}))

    def test_a_program_longer_than_the_kernel_can_count_is_refused(self):
        self.damaged(orders(["/bin/true"], program=[(6, 0, 0, 0x7FFF0000)] * 65537, report_fd=REPORT_FD))

    def test_strings_and_tables_without_an_end_are_refused(self):
        block = bytearray(self.whole())
        fields = dict(zip(harness.FIELDS, harness.HEADER.unpack_from(block)))
        for name in ("argv_offset", "envp_offset"):
            # The table moves to the end of the block, and its last entry is no zero.
            short = block + struct.pack("<Q", fields["cwd_offset"])
            place = len(short) - 8
            short[:harness.HEADER.size] = harness.HEADER.pack(*{**fields, name: place, "size": len(short)}.values())
            self.damaged(bytes(short))
        for name in ("executable_offset", "cwd_offset"):
            short = block + b"/bin/true"
            values = {**fields, name: len(block), "size": len(short)}
            short[:harness.HEADER.size] = harness.HEADER.pack(*values.values())
            self.damaged(bytes(short))

    def test_short_blocks_are_refused(self):
        for length in (0, 1, 4, harness.HEADER.size - 1, harness.HEADER.size):
            self.damaged(self.whole()[:length], reported=False)

    def test_no_block_at_all_is_refused(self):
        self.damaged(None, reported=False, prepare=lambda: os.close(3))
        self.damaged(None, reported=False, prepare=lambda: os.dup2(os.pipe()[0], 3))

    def test_descriptors_that_are_not_open_are_refused(self):
        self.damaged(self.whole(record_fd=77))
        self.damaged(self.whole(start_fd=77))

    def test_a_start_descriptor_that_is_no_listener_is_refused(self):
        self.damaged(self.whole(start_fd=RECORD_FD), reported=False, recorded=True)

    def test_no_random_damage_makes_it_crash(self):
        chance = random.Random(20)
        whole = self.whole(flags=CAPABILITIES | SETGROUPS)
        interesting = (0, 1, 7, 8, 0x7F, 0x80, 0xFF)
        for turn in range(3000):
            block = bytearray(whole)
            for _ in range(chance.choice((1, 1, 2, 4, 16))):
                place = chance.randrange(len(block) if turn % 2 else harness.HEADER.size)
                block[place] = chance.choice((*interesting, chance.randrange(256)))
            shim = Shim(binary, folder, block=bytes(block))
            try:
                code = shim.wait()
            finally:
                shim.dispose()
            if not struct.unpack_from("<I", block, 8)[0] & harness.SECCOMP:
                self.assertIn(code, (0, 1, 126, 127), bytes(block).hex())


if __name__ == "__main__":
    unittest.main(verbosity=2)
