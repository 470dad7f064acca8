"""The staying init: signals, orphans, the record, its own limits, terminals."""

import fcntl
import os
import pty
import signal
import termios
import time

from case import (CAP_KILL, CAP_SYS_PTRACE, CATCHABLE, LISTENER, RELEASED, InitTest, held_capabilities,
                  python, set_capabilities, shell)
from harness import CAPABILITIES, STAY, SUBREAPER, children_of, private_memory, state_of, status_of, until


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
    def orphans(self, hundreds, **more):
        """A task that makes them, says so, and stays until its input ends."""
        read, write = os.pipe()
        many = "$(seq 100)"
        program = f"for _ in $(seq {hundreds}); do (for _ in {many}; do : & done); done; echo done; read _; exit 9"
        shim = self.launch(shell(program), stdin=read, **more)
        os.close(read)
        return shim, write

    def test_10000_orphans_leave_no_zombie(self):
        shim, write = self.orphans(100, flags=STAY, namespace=True)
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
        shim = self.launch(shell("read _; (for _ in $(seq 50); do : & done); echo done; read _; exit 9"),
                           stdin=(ends := os.pipe())[0], flags=STAY, namespace=True).once_serving()
        os.close(ends[0])
        write, task = ends[1], shim.task()
        shim.signal(signal.SIGSTOP)
        os.write(write, b"\n")
        self.assertEqual(shim.read_line(), "done")
        until(lambda: len(children_of(shim.pid)) == 51)
        shim.signal(signal.SIGCONT)
        until(lambda: children_of(shim.pid) == [task])
        os.close(write)
        self.assertEqual(shim.wait(), 9)

    def test_stubborn_orphans_do_not_delay_the_end(self):
        for namespace in (False, True):
            shim = self.launch(shell("trap '' TERM HUP; sleep 1000 & exit 3"), flags=STAY | SUBREAPER,
                               namespace=namespace)
            self.assertEqual(shim.wait(2), 3)


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
        shim = self.launch(shell("sleep 0.05; exit 3"), flags=STAY, recorded=True)
        self.assertEqual(shim.read_reports(), [RELEASED])
        # Whoever has read the report to its end may rely on the first line.
        self.assertRegex(shim.record(), r"\Astarted \d+\n\Z")
        shim.wait()
        after = time.time_ns()
        self.assertRegex(shim.record(), r"\Astarted \d+\nfinished \d+ 768\n\Z")
        started, finished = (int(line.split()[1]) for line in shim.record().splitlines())
        self.assertTrue(before <= started and started <= finished <= after, (before, started, finished))

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
