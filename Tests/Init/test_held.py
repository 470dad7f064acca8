"""Created, not started."""

import signal
import time

from case import DEADLY, ENOENT, KILL_PROCESS, RELEASED, InitTest, deny, shell
from harness import NO_NEW_PRIVS, STAY, private_memory, status_of


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
