"""Born in the pid namespace of a container that runs already."""

import fcntl
import os
import pty
import resource
import signal
import termios

from case import (CAP_KILL, CAP_NET_BIND, CAP_SETGID, CAP_SETPCAP, CAP_SETUID, CAP_SYS_ADMIN, CAP_SYS_RESOURCE, EINVAL,
                  ENOENT, KEYRING_READER, RELEASED, InitTest, deny, held_capabilities, python, set_capabilities, sets,
                  shell)
from harness import (BORN, CALLS, CAPABILITIES, CLONE_NEWPID, KEYRING, NO_NEW_PRIVS, RECORD_FD, REPORT_FD, SETGROUPS, STAY,
                     SUBREAPER, children_of, libc, state_of, status_of, until)
from tracing import be_traced, stops

EPERM, ESRCH, ENOMEM = 1, 3, 12


class Entering(InitTest):
    def setUp(self):
        super().setUp()
        self.container = self.launch(["/bin/sleep", "1000"], flags=STAY, namespace=True)
        self.container.read_reports()
        self.shims = {self.container.pid}

    def enter(self, argv, **more):
        shim = self.launch(argv, **{"enter": self.container.pidfd, **more})
        self.shims.add(shim.pid)
        self.addCleanup(self.bury_tasks)
        return shim

    def bury_tasks(self):
        """A container cannot end before those who made the tasks that entered it have waited for them."""
        for pid in set(children_of(os.getpid())) - self.shims:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)

    def run_inside(self, argv, **more):
        """Runs a task that must start; its output."""
        shim = self.enter(argv, **more)
        task = shim.entered()
        output = shim.output()
        self.assertEqual((shim.wait(), os.waitpid(task, 0)), (0, (task, 0)), output)
        return output

    def status_inside(self, **more):
        lines = self.run_inside(["/bin/cat", "/proc/self/status"], **more).splitlines()
        return dict(line.split(":\t", 1) for line in lines if ":\t" in line)

    def namespace(self):
        descriptor = os.open(f"/proc/{self.container.pid}/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
        self.addCleanup(os.close, descriptor)
        return descriptor

    def not_entered(self, error, detail, **more):
        shim = self.refused("ENTER", error, detail, recorded=True, **more)
        self.assertRegex(shim.record(), r"\Afinished \d+ 256\n\Z")
        self.assertEqual(shim.reports, [("ENTER", error, detail)])

    def test_the_task_is_born_there_as_a_child_of_the_caller(self):
        for enter in (self.container.pidfd, self.namespace()):
            shim = self.enter(shell("echo $$ $PPID; read _; exit 7"), enter=enter, stdin=(ends := os.pipe())[0])
            os.close(ends[0])
            self.assertEqual(shim.wait(), 0)
            (task,) = set(children_of(os.getpid())) - self.shims
            # 1 is the container's init, 2 its task.
            self.assertRegex(shim.read_line(), r"\A[3-9] 0\Z")
            self.assertEqual(os.readlink(f"/proc/{task}/ns/pid"), os.readlink(f"/proc/{self.container.pid}/ns/pid"))
            self.assertEqual(shim.entered(), task)
            os.close(ends[1])
            self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(task, 0)[1]), 7)

    def test_the_task_dies_with_the_container(self):
        task = self.enter(["/bin/sleep", "1000"]).entered()
        self.container.signal(signal.SIGKILL)
        self.assertEqual(os.waitpid(task, 0), (task, signal.SIGKILL))

    def test_it_leads_a_session_of_its_own(self):
        self.assertEqual(self.run_inside(python("import os; print({os.getsid(0), os.getpgrp()} == {os.getpid()})")),
                         "True\n")

    def test_it_has_only_the_standard_descriptors(self):
        leaked = (*range(4, 10), *range(14, 40), 500)
        shim = self.enter(["/bin/sleep", "1000"], leaked=leaked, recorded=True)
        self.assertEqual(sorted(os.listdir(f"/proc/{shim.entered()}/fd")), ["0", "1", "2"])

    def test_it_is_who_was_ordered(self):
        shim = self.enter(["/bin/sleep", "1000"], uid=1001, gid=1002, groups=[5, 70000], umask=0o27,
                          flags=SETGROUPS | NO_NEW_PRIVS, rlimits=[(resource.RLIMIT_NOFILE, 100, 200)],
                          program=deny(CALLS["uname"]))
        task = shim.entered()
        status = status_of(task)
        self.assertEqual((status["Uid"].split(), status["Gid"].split()), (["1001"] * 4, ["1002"] * 4))
        self.assertEqual((status["Groups"].split(), status["Umask"]), (["5", "70000"], "0027"))
        self.assertEqual((status["NoNewPrivs"], status["Seccomp_filters"]), ("1", "1"))
        with open(f"/proc/{task}/limits") as limits:
            self.assertRegex(limits.read(), r"Max open files +100 +200 ")
        for field in ("SigBlk", "SigIgn", "SigCgt", "SigPnd", "ShdPnd"):
            self.assertEqual(int(status[field], 16), 0, field)

    def test_its_session_keyring_is_a_new_one(self):
        tests = self.run_inside(python(KEYRING_READER))
        self.assertNotEqual(self.run_inside(python(KEYRING_READER), flags=KEYRING), tests)

    def test_its_capabilities_are_exactly_those_ordered(self):
        two = 1 << CAP_NET_BIND | 1 << CAP_KILL
        for more in ({}, {"rlimits": [(resource.RLIMIT_CORE, 0, 0)], "program": deny(CALLS["uname"])}):
            for flags in (CAPABILITIES, CAPABILITIES | NO_NEW_PRIVS):
                task = self.enter(["/bin/sleep", "1000"], flags=flags, bounding=two, effective=two, permitted=two,
                                  **more).entered()
                self.assertEqual(sets(status_of(task)), {"Inh": 0, "Prm": two, "Eff": two, "Bnd": two, "Amb": 0})
                task = self.enter(["/bin/sleep", "1000"], flags=flags, bounding=two, effective=two, permitted=two,
                                  inheritable=two, ambient=two, uid=1000, gid=1000, **more).entered()
                self.assertEqual(sets(status_of(task)), dict.fromkeys(("Inh", "Prm", "Eff", "Bnd", "Amb"), two))
        task = self.enter(["/bin/sleep", "1000"]).entered()
        self.assertEqual(sets(status_of(task)), sets(status_of(os.getpid())))

    def test_nobody_in_the_namespace_ever_has_more(self):
        target, always = 1 << CAP_NET_BIND, 1 << CAP_SETUID | 1 << CAP_SETGID | 1 << CAP_SETPCAP
        limits, program = [(resource.RLIMIT_CORE, 0, 0)], deny(CALLS["uname"])
        for flags, needed, more in ((0, 0, {}), (0, 1 << CAP_SYS_RESOURCE, {"rlimits": limits}),
                                    (0, 1 << CAP_SYS_ADMIN, {"program": program}),
                                    (NO_NEW_PRIVS, 0, {"program": program, "uid": 1000, "inheritable": target})):
            shim = self.enter(["/bin/true"], prepare=be_traced, flags=CAPABILITIES | flags, bounding=target,
                              permitted=target, effective=target, recorded=True, **more)
            pids, seen = set(), 0
            for pid, _ in stops(shim):
                status = status_of(pid)
                pids.add(pid)
                if pid == shim.pid:
                    self.assertEqual(len(status["NSpid"].split()), len(status_of(os.getpid())["NSpid"].split()))
                    continue
                # From the first moment: afterwards this process, as a subreaper, would inherit it in any case.
                self.assertEqual(int(status["PPid"]), os.getpid())
                have = sets(status)
                self.assertEqual((have["Prm"] | have["Eff"]) & ~(target | always | needed), 0)
                self.assertEqual((have["Bnd"], have["Amb"]), (target, 0))
                self.assertIn(have["Inh"], (0, more.get("inheritable", 0)))
                self.assertEqual(status["NoNewPrivs"], "1" if flags else "0")
                # Nor anything that leads out.
                self.assertLessEqual(set(map(int, os.listdir(f"/proc/{pid}/fd"))), {0, 1, 2, REPORT_FD, RECORD_FD})
                seen += 1
            self.assertEqual(len(pids), 2)
            self.assertGreater(seen, 10)
            self.assertEqual(shim.code, 0)

    def test_a_terminal_goes_along(self):
        program = "import os; print(os.tcgetpgrp(0) == os.getpgrp(), os.open('/dev/tty', 2) > 2); input(); print('end')"
        for _ in range(10):
            master, slave = pty.openpty()
            self.addCleanup(os.close, master)

            def prepare():
                os.setsid()
                fcntl.ioctl(0, termios.TIOCSCTTY, 0)

            shim = self.enter(python(program), stdin=slave, prepare=prepare)
            os.close(slave)
            task = shim.entered()
            self.assertEqual((shim.wait(), shim.read_line()), (0, "True True"))
            os.write(master, b"line\n")
            self.assertEqual((shim.output(), os.waitpid(task, 0)[1]), ("end\n", 0))

    def test_the_terminal_of_the_caller_is_not_taken_over(self):
        master, slave = pty.openpty()
        self.addCleanup(os.close, master)
        program = "import os\ntry: os.open('/dev/tty', 2)\nexcept OSError as e: print(e.errno)"
        self.assertEqual(self.run_inside(python(program), stdin=slave), "6\n")  # ENXIO
        os.close(slave)

    def test_a_task_that_does_not_start_ends_with_the_usual_code(self):
        shim = self.enter(["/nonexistent"], recorded=True)
        self.assertEqual(sorted(shim.read_reports(), key=str)[1:], [("EXEC", ENOENT, 0), RELEASED])
        (entered,) = [detail for step, _, detail in shim.reports if step == "ENTERED"]
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(entered, 0)[1]), 127)
        self.assertEqual(shim.wait(), 0)
        self.assertRegex(shim.record(), r"\Afinished \d+ 32512\n\Z")

    def test_who_only_enters_writes_no_record(self):
        shim = self.enter(["/bin/true"], recorded=True)
        shim.entered()
        self.assertEqual((shim.wait(), shim.record()), (0, ""))

    def born(self, argv, **more):
        """One whose children are born there already, as the caller has arranged it."""
        path = f"/proc/{self.container.pid}/ns/pid"

        def prepare():
            assert libc.setns(os.open(path, os.O_RDONLY | os.O_CLOEXEC), CLONE_NEWPID) == 0

        flags = BORN | more.pop("flags", 0)
        return self.enter(argv, enter=None, prepare=prepare, flags=flags, **more)

    def test_who_is_told_so_is_born_without_entering(self):
        shim = self.born(shell("echo $$; exit 7"))
        task = shim.entered()
        self.assertRegex(shim.output(), r"\A[3-9]\n\Z")
        self.assertEqual((shim.wait(), os.waitstatus_to_exitcode(os.waitpid(task, 0)[1])), (0, 7))

    def test_one_that_was_born_there_can_be_held(self):
        for launch in (self.enter, self.born):
            shim = launch(shell("echo $$ started; exit 7"), held=True)
            until(lambda: state_of(shim.pid) == "Z")
            (task,) = set(children_of(os.getpid())) - self.shims
            self.assertEqual(os.readlink(f"/proc/{task}/ns/pid"), os.readlink(f"/proc/{self.container.pid}/ns/pid"))
            with open(f"/proc/{task}/comm") as comm:
                self.assertEqual(comm.read(), "mrun-init\n")
            shim.start()
            self.assertEqual(shim.read_reports(), [RELEASED])
            self.assertRegex(shim.output(), r"\A[3-9] started\n\Z")
            self.assertEqual((shim.wait(), os.waitstatus_to_exitcode(os.waitpid(task, 0)[1])), (0, 7))

    def test_one_that_was_born_there_can_stay(self):
        shim = self.born(shell("sleep 1000 & exit 7"), flags=STAY | SUBREAPER, recorded=True)
        stayed = shim.entered()
        self.assertEqual((shim.wait(), os.waitstatus_to_exitcode(os.waitpid(stayed, 0)[1])), (0, 7))
        self.assertRegex(shim.record(), r"\Astarted \d+\nfinished \d+ 1792\n\Z")

    def test_it_needs_no_report(self):
        shim = self.enter(shell("echo ran"), report_fd=-1)
        self.assertEqual((shim.output(), shim.wait()), ("ran\n", 0))

    def test_what_leads_to_no_namespace_is_an_error(self):
        null = os.open("/dev/null", os.O_RDONLY)
        self.addCleanup(os.close, null)
        self.not_entered(EINVAL, 0, enter=null)
        network = os.open("/proc/self/ns/net", os.O_RDONLY)
        self.addCleanup(os.close, network)
        self.not_entered(EINVAL, 0, enter=network)

    def test_a_container_that_has_ended_is_an_error(self):
        namespace = self.namespace()
        self.container.signal(signal.SIGKILL)
        self.container.wait()
        self.not_entered(ESRCH, 0, enter=self.container.pidfd)
        self.not_entered(ENOMEM, 1, enter=namespace)

    def test_without_the_right_it_is_an_error(self):
        def prepare():
            assert libc.prctl(24, CAP_SYS_ADMIN, 0, 0, 0) == 0
            set_capabilities(held_capabilities() & ~(1 << CAP_SYS_ADMIN))

        self.not_entered(EPERM, 0, enter=self.namespace(), prepare=prepare)

    def test_nobody_enters_from_another_namespace(self):
        self.not_entered(EINVAL, 0, enter=self.namespace(), namespace=True)
