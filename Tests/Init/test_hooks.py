"""Hooks that run in the container, before the task."""

import os
import signal
import time

import harness
from case import ENOENT, RELEASED, InitTest, deny, python, shell
from harness import CALLS, CAPABILITIES, NO_NEW_PRIVS, SETGROUPS, STAY

ECANCELED = 125


def hook(program, env=(), timeout=0):
    return shell(program), list(env), timeout


class Hooks(InitTest):
    def path(self, name):
        return os.path.join(self.folder, f"{name}-{time.monotonic_ns()}")

    def failed(self, how, hooks, error=ECANCELED, index=0, argv=("/bin/true",), **more):
        """Runs a task whose hook must fail; what is told of it."""
        shim = self.launch(argv, hooks=hooks, **more)
        self.assertEqual(shim.read_reports(), [("HOOK", error, index)])
        self.assertEqual(shim.wait(), 1)
        self.assertEqual(shim.hook_end.how, how)
        return shim.hook_end

    def test_they_run_one_after_the_other_and_before_the_task_however_it_starts(self):
        for more in ({}, {"flags": STAY}, {"namespace": True}, {"flags": STAY, "namespace": True}):
            with self.subTest(more):
                log = self.path("log")
                hooks = [hook(f"sleep 0.1; echo {n} >>{log}") for n in range(3)]
                self.assertEqual(self.run_task(shell(f"echo task >>{log}; cat {log}"), hooks=hooks, **more),
                                 "0\n1\n2\ntask\n")

    def test_a_held_init_runs_them_when_it_is_started(self):
        log = self.path("log")
        shim = self.launch(shell(f"cat {log}"), held=True, hooks=[hook(f"echo hook >>{log}")])
        time.sleep(0.2)
        self.assertFalse(os.path.exists(log))
        shim.start()
        self.assertEqual(shim.read_reports(), [RELEASED])
        self.assertEqual((shim.output(), shim.wait()), ("hook\n", 0))

    def test_what_they_are_called_with_is_exact(self):
        seen = self.path("seen")
        program = f"import os, sys; open({seen!r}, 'w').write(repr((sys.argv[1:], dict(os.environb))))"
        words = python(program, "", "a b", "\u00e9")
        self.run_task(["/bin/true"], hooks=[(words, ["A=1", "B=x=y", "LC_ALL=C"], 0)])
        with open(seen) as file:
            self.assertEqual(eval(file.read()), (["", "a b", "\u00e9"], {b"A": b"1", b"B": b"x=y", b"LC_ALL": b"C"}))

    def test_each_finds_the_whole_state_on_its_standard_input_or_leaves_it(self):
        state = '{"pid": ', ', "a": "' + "x" * 300000 + '"}'
        copies = [self.path("state"), self.path("state")]
        hooks = [hook(f"cat >{copies[0]}"), hook("exec <&-"), hook("echo x >&0 || exit 0; exit 1"), hook(f"cat >{copies[1]}")]
        for more in ({}, {"flags": STAY}):
            shim = self.launch(hooks=hooks, state=state, **more)
            self.assertEqual((shim.read_reports(), shim.wait()), ([RELEASED], 0))
            for copy in copies:
                with open(copy) as file:
                    self.assertEqual(file.read(), f"{state[0]}{shim.pid}{state[1]}")

    def test_the_pid_is_that_of_their_own_namespace(self):
        copy = self.path("state")
        self.run_task(["/bin/true"], hooks=[hook(f"cat >{copy}")], state=("<", ">"), namespace=True)
        with open(copy) as file:
            self.assertEqual(file.read(), "<1>")

    def test_they_get_no_descriptor_signal_umask_or_session_of_the_callers(self):
        seen = self.path("seen")
        program = f"""import os
own = sorted(os.listdir("/proc/self/fd"))[:-1]
lines = [line for line in open("/proc/self/status") if line.startswith(("SigBlk", "SigIgn"))]
mask = os.umask(0)
open({seen!r}, "w").write(repr((own, [int(line.split()[1], 16) & ~(1 << 12 | 1 << 24) for line in lines], mask,
    os.getsid(0) == os.getpid())))"""
        for more in ({}, {"flags": STAY, "recorded": True}, {"held": True, "recorded": True}):
            shim = self.launch(["/bin/true"], hooks=[(python(program), [], 0)], umask=0o77, **more)
            if shim.report is None:
                shim.start()
            self.assertEqual((shim.read_reports(), shim.wait()), ([RELEASED], 0))
            with open(seen) as file:
                self.assertEqual(eval(file.read()), (["0", "1", "2"], [0, 0], 0o22, True))

    def test_they_run_as_the_task(self):
        seen = self.path("seen")
        open(seen, "w").close()
        os.chmod(seen, 0o666)
        for flags in (CAPABILITIES | SETGROUPS, CAPABILITIES | SETGROUPS | NO_NEW_PRIVS):
            status = self.task_status(
                flags=flags, uid=1000, gid=1001, groups=[5, 6], permitted=1 << 5, effective=1 << 5, bounding=3 << 5,
                inheritable=1 << 5, ambient=1 << 5, program=deny(CALLS["uname"]), rlimits=[(7, 77, 78)], cwd="/usr",
                hooks=[hook(f"cat /proc/self/status /proc/self/limits >{seen}; pwd >>{seen}")])
            hooks = status_of_text(seen)
            for name in ("Uid", "Gid", "Groups", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp"):
                self.assertEqual(hooks[name], status[name], name)
            self.assertEqual(hooks["Uid"].split()[0], "1000")
            with open(seen) as file:
                text = file.read()
            self.assertRegex(text, r"Max open files +77 +78")
            self.assertTrue(text.endswith("/usr\n"))

    def test_a_filter_that_forbids_what_runs_them_does_not_stop_them(self):
        program = deny(CALLS["ppoll"], CALLS["rt_sigtimedwait"])
        for flags in (0, NO_NEW_PRIVS):
            self.run_task(["/bin/true"], flags=flags, program=program, hooks=[hook("exit 0")])

    def test_a_failing_one_ends_the_start_with_its_status_and_its_last_words(self):
        ran = self.path("ran")
        for more in ({}, {"flags": STAY}, {"namespace": True}):
            end = self.failed("ENDED", [hook("exit 0"), hook("echo out; echo err >&2; exit 7"), hook(f"touch {ran}")],
                              index=1, argv=["/bin/touch", ran], **more)
            self.assertEqual((end.status, end.out, end.err, end.cut), (7 << 8, b"out\n", b"err\n", 0))
        self.assertEqual(self.failed("ENDED", [hook("kill -9 $$")]).status, 9)
        self.assertFalse(os.path.exists(ran))

    def test_a_start_that_a_hook_ended_is_recorded(self):
        shim = self.launch(["/bin/true"], flags=STAY, recorded=True, hooks=[hook("exit 1")])
        self.assertEqual((shim.read_reports(), shim.wait()), ([("HOOK", ECANCELED, 0)], 1))
        with open(shim.record_path) as file:
            (line,) = file.read().splitlines()
        self.assertRegex(line, "^finished [0-9]+ 256$")

    def test_of_long_output_the_end_is_told(self):
        end = self.failed("ENDED", [hook("seq 300000; seq 200 >&2; exit 1")])
        self.assertEqual((len(end.out), end.out[-7:], end.cut), (1024, b"300000\n", 1))
        self.assertEqual(end.err.split(), [b"%d" % n for n in range(1, 201)])
        end = self.failed("ENDED", [hook("printf %01024d 7; printf %01025d 7 >&2; exit 1")])
        self.assertEqual((len(end.out), len(end.err), end.cut), (1024, 1024, 2))

    def test_one_that_cannot_be_executed_is_told_with_the_error(self):
        self.assertEqual(self.failed("NOT_EXECUTED", [(["/no/such"], [], 0)], error=ENOENT).out, b"")

    def test_what_fails_on_the_way_to_it_is_told_as_of_the_task(self):
        shim = self.launch(hooks=[hook("exit 0")], cwd="/no/such")
        self.assertEqual(shim.read_reports()[0], ("CWD", ENOENT, 0))
        self.assertEqual(shim.wait(), 1)

    def test_one_that_takes_too_long_is_killed_with_its_group(self):
        pids = self.path("pids")
        for more in ({}, {"flags": STAY}, {"namespace": True}):
            begin = time.monotonic()
            end = self.failed("TIMED_OUT", [hook(f"trap '' TERM HUP; echo $$ >{pids}; sleep 1000 & sleep 1000 & echo on; wait",
                                                 timeout=1)], **more)
            self.assertEqual(end.out, b"on\n")
            self.assertTrue(1 <= time.monotonic() - begin < 8)

    def test_one_that_takes_too_long_is_killed_though_it_is_another_user(self):
        self.failed("TIMED_OUT", [hook("sleep 1000; :", timeout=1)], flags=CAPABILITIES | SETGROUPS, uid=1000, gid=1000)

    def test_one_that_writes_without_end_is_killed_in_time(self):
        end = self.failed("TIMED_OUT", [hook("yes; :", timeout=1)])
        self.assertEqual((len(end.out), end.cut), (1024, 1))

    def test_those_that_are_in_time_are_not_killed(self):
        self.assertEqual(self.run_task(shell("echo task"), hooks=[hook("sleep 0.3", timeout=20)] * 3), "task\n")

    def test_what_one_leaves_behind_is_not_waited_for(self):
        begin = time.monotonic()
        self.run_task(["/bin/true"], hooks=[hook("setsid sleep 30 & exit 0", timeout=20)])
        self.assertLess(time.monotonic() - begin, 10)

    def test_as_pid_1_it_leaves_no_dead_processes_to_the_task(self):
        program = hook("for n in 1 2 3; do (setsid sh -c 'exit 0' &) ; done; sleep 0.3")
        output = self.run_task(shell("cat /proc/[0-9]*/stat | grep -c ' Z 1 ' || :"), namespace=True, hooks=[program])
        self.assertEqual(output, "0\n")

    def test_it_ends_with_its_init(self):
        pids = self.path("pids")
        shim = self.launch(["/bin/true"], hooks=[hook(f"echo $$ >{pids}; sleep 1000; :")])
        harness.until(lambda: os.path.exists(pids) and os.path.getsize(pids))
        os.kill(shim.pid, signal.SIGKILL)
        shim.wait()
        with open(pids) as file:
            pid = int(file.read())
        harness.until(lambda: harness.state_of(pid) in (None, "Z"))


def status_of_text(path):
    with open(path) as file:
        return dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
