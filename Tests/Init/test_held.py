"""Created, not started."""

import os
import resource
import signal
import time

from case import (CAP_KILL, CAP_NET_BIND, CAP_SETGID, CAP_SETPCAP, CAP_SETUID, CAP_SYS_ADMIN, CAP_SYS_RESOURCE,
                  DEADLY, ENOENT, KILL_PROCESS, RELEASED, InitTest, deny, held_capabilities, set_capabilities, sets,
                  shell)
from harness import (CALLS, CAPABILITIES, CLONE_NEWUSER, NO_NEW_PRIVS, RECORD_FD, REPORT_FD, START_FD, STAY, libc, private_memory,
                     status_of)
from tracing import be_traced, stops

HELD = ("HELD", 0, 0)


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

    def test_a_silent_probe_does_not_keep_the_others_waiting(self):
        for flags in (0, STAY):
            shim = self.launch(shell("echo started"), held=True, flags=flags).once_held()
            silent, began = shim.connect(), time.monotonic()
            self.addCleanup(silent.close)
            shim.start()
            self.assertEqual((shim.read_reports(), shim.output()), ([RELEASED], "started\n"))
            waited = time.monotonic() - began
            self.assertTrue(0.9 < waited < 5, waited)
            self.assertEqual(silent.recv(64), b"")

    def test_a_probe_may_take_its_time(self):
        shim = self.launch(shell("echo started"), held=True).once_held()
        shim.report = shim.connect()
        time.sleep(0.4)
        shim.report.send(b"S")
        self.assertEqual((shim.read_reports(), shim.output()), ([RELEASED], "started\n"))

    def test_stops_do_not_prolong_the_patience(self):
        shim = self.launch(held=True).once_held()
        silent, began = shim.connect(), time.monotonic()
        self.addCleanup(silent.close)
        os.set_blocking(silent.fileno(), False)
        while time.monotonic() - began < 5:
            shim.signal(signal.SIGSTOP)
            time.sleep(0.05)
            shim.signal(signal.SIGCONT)
            time.sleep(0.05)
            try:
                self.assertEqual(silent.recv(64), b"")
                break
            except BlockingIOError:
                pass
        self.assertLess(time.monotonic() - began, 3)

    TARGET = 1 << CAP_NET_BIND
    ALWAYS = 1 << CAP_SETUID | 1 << CAP_SETGID | 1 << CAP_SETPCAP

    def test_it_has_only_what_it_needs(self):
        limits, program = [(resource.RLIMIT_CORE, 0, 0)], deny(CALLS["uname"])
        for flags, needed, more in (
                (0, 0, {}), (NO_NEW_PRIVS, 0, {"program": program}), (STAY, 1 << CAP_KILL, {}),
                (0, 1 << CAP_SYS_RESOURCE, {"rlimits": limits}), (0, 1 << CAP_SYS_ADMIN, {"program": program}),
                (STAY | NO_NEW_PRIVS, 1 << CAP_KILL | 1 << CAP_SYS_RESOURCE, {"rlimits": limits, "uid": 1000})):
            for held_sets in ({}, {"inheritable": self.TARGET, "ambient": self.TARGET}):
                shim = self.launch(held=True, reporting=True, namespace=True, flags=CAPABILITIES | flags,
                                   bounding=self.TARGET, permitted=self.TARGET, effective=self.TARGET,
                                   prepare=self.full_ambient_set, **held_sets, **more)
                self.assertEqual(shim.read_reports(), [HELD])
                status = status_of(shim.pid)
                have = (self.TARGET | self.ALWAYS | needed) & held_capabilities()
                self.assertEqual(sets(status), {"Inh": 0, "Prm": have, "Eff": have, "Bnd": self.TARGET, "Amb": 0})
                self.assertEqual(status["NoNewPrivs"], "1" if flags & NO_NEW_PRIVS else "0")
                shim.report.close()
                shim.start()
                self.assertEqual((shim.read_reports(), shim.wait()), ([HELD, RELEASED], 0))

    @staticmethod
    def full_ambient_set():
        set_capabilities(held_capabilities(), held_capabilities())
        assert libc.prctl(47, 2, CAP_NET_BIND, 0, 0) == 0
        assert libc.prctl(47, 2, CAP_SYS_ADMIN, 0, 0) == 0

    def test_it_can_raise_limits_only_if_there_are_any(self):
        def with_all_capabilities():  # this machine may keep some from root, but not from the root of a user namespace
            assert libc.unshare(CLONE_NEWUSER) == 0
            with open("/proc/self/uid_map", "w") as ids:
                ids.write("0 0 1")

        for limits in ([], [(resource.RLIMIT_CORE, 0, 0)]):
            shim = self.launch(held=True, reporting=True, prepare=with_all_capabilities, flags=CAPABILITIES,
                               rlimits=limits)
            self.assertEqual(shim.read_reports(), [HELD])
            have = self.ALWAYS | (1 << CAP_SYS_RESOURCE if limits else 0)
            self.assertEqual(sets(status_of(shim.pid)), {"Inh": 0, "Prm": have, "Eff": have, "Bnd": 0, "Amb": 0})

    def test_without_orders_it_keeps_its_capabilities(self):
        shim = self.launch(held=True).once_held()
        self.assertEqual(sets(status_of(shim.pid)), sets(status_of(os.getpid())))

    def test_what_cannot_be_given_up_is_reported_before_it_is_held(self):
        def without_setpcap():
            assert libc.prctl(24, CAP_SETPCAP, 0, 0, 0) == 0
            set_capabilities(held_capabilities() & ~(1 << CAP_SETPCAP))

        shim = self.refused("BOUNDING", 1, 1, held=True, reporting=True, recorded=True, prepare=without_setpcap,
                            flags=CAPABILITIES, bounding=1)
        self.assertRegex(shim.record(), r"\Afinished \d+ 256\n\Z")

    def test_an_early_report_tells_that_it_is_held(self):
        shim = self.launch(held=True, reporting=True, recorded=True, namespace=True, leaked=range(14, 40),
                           prepare=be_traced, flags=CAPABILITIES | NO_NEW_PRIVS, bounding=self.TARGET,
                           permitted=self.TARGET)
        calls = stops(shim)
        # The call that ends it is the last one before it waits: nothing is left to be done.
        for _, entry in calls:
            if entry and entry[0] == CALLS["close"] and entry[1][0] == REPORT_FD:
                break
        status, have = status_of(shim.pid), self.TARGET | self.ALWAYS
        self.assertEqual(sets(status), {"Inh": 0, "Prm": have, "Eff": have, "Bnd": self.TARGET, "Amb": 0})
        self.assertEqual(status["NoNewPrivs"], "1")
        self.assertEqual(sorted(map(int, os.listdir(f"/proc/{shim.pid}/fd"))),
                         [0, 1, 2, 3, START_FD, REPORT_FD, RECORD_FD])
        self.assertEqual(os.readlink(f"/proc/{shim.pid}/fd/3"), "anon_inode:[signalfd]")
        self.assertEqual(next(entry for _, entry in calls if entry)[0], CALLS["ppoll"])
        calls.close()
        self.assertEqual(shim.read_reports(), [HELD])
        shim.report.close()
        shim.start()
        self.assertEqual((shim.read_reports(), shim.wait()), ([HELD, RELEASED], 0))

    def test_it_needs_little_memory_and_no_processor(self):
        program = deny(*range(1000), action=KILL_PROCESS)
        for more in ({}, {"env": ["X" * 100000] * 10, "program": program, "flags": NO_NEW_PRIVS}):
            shim = self.launch(held=True, recorded=True, namespace=True, **more).once_held()
            self.assertLessEqual(private_memory(shim.pid), 32)
            before = status_of(shim.pid)["voluntary_ctxt_switches"]
            time.sleep(0.3)
            self.assertEqual(status_of(shim.pid)["voluntary_ctxt_switches"], before)
