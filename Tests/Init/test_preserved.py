"""Descriptors of the caller that are meant for the task."""

import os
import tempfile
import unittest

from case import RELEASED, InitTest, shell
from harness import PRESERVED_FD, STAY, state_of

# What a shell finds above 2. It must not list the folder, for which it would need a descriptor.
SHOW = "n=3; while [ $n -lt 64 ]; do [ -e /proc/self/fd/$n ] && echo $n $(readlink /proc/self/fd/$n); n=$((n + 1)); done"
COUNTS = (1, 2, 6, 7, 8, 20)


class Preserved(InitTest):
    def files(self, count):
        files = [tempfile.NamedTemporaryFile(prefix=f"preserved-{index}-", dir=self.folder) for index in range(count)]
        for file in files:
            self.addCleanup(file.close)
        return [file.fileno() for file in files], "".join(f"{3 + n} {file.name}\n" for n, file in enumerate(files))

    def test_they_reach_the_task_in_their_places_and_nothing_else_does(self):
        for count in COUNTS:
            descriptors, shown = self.files(count)
            for flags in (0, STAY):
                for held in (False, True):
                    with self.subTest(count=count, flags=flags, held=held):
                        shim = self.launch(shell(SHOW), preserved=descriptors, flags=flags, held=held, recorded=True,
                                           leaked=(40, 41, 60))
                        if held:
                            shim.once_held().start()
                        self.assertEqual((shim.read_reports(), shim.output(), shim.wait()), ([RELEASED], shown, 0))

    def test_they_go_along_into_another_namespace(self):
        enclosing = self.launch(["/bin/sleep", "1000"], namespace=True)
        self.assertEqual(enclosing.read_reports(), [RELEASED])
        for count in COUNTS:
            descriptors, shown = self.files(count)
            shim = self.launch(shell(SHOW), preserved=descriptors, enter=enclosing.pidfd)
            task = shim.entered()
            self.assertEqual((shim.wait(), os.waitpid(task, 0)[1]), (0, 0))
            self.assertEqual(shim.output(), shown)

    def test_a_staying_init_lets_go_of_them(self):
        (reader, writer), (stdin, typing) = os.pipe(), os.pipe()
        for descriptor in (reader, stdin, typing):
            self.addCleanup(os.close, descriptor)
        shim = self.launch(shell("exec 3>&-; read line"), preserved=[writer], flags=STAY, stdin=stdin)
        os.close(writer)
        self.assertEqual(shim.read_reports(), [RELEASED])
        self.assertEqual(os.read(reader, 1), b"")
        self.assertIn(state_of(shim.pid), "RS")

    def test_a_gap_is_refused(self):
        descriptors, _ = self.files(3)
        for number in (4, 5, PRESERVED_FD):
            shim = self.launch(preserved=descriptors, prepare=lambda number=number: os.close(number))
            self.assertEqual([step for step, _, _ in shim.read_reports()], ["ORDERS"])
            self.assertEqual(shim.wait(), 1)

    def test_what_fails_is_still_reported(self):
        descriptors, _ = self.files(20)
        for flags in (0, STAY):
            shim = self.launch(["/nonexistent"], preserved=descriptors, flags=flags)
            self.assertEqual([step for step, _, _ in shim.read_reports()], ["RELEASED", "EXEC"])
            self.assertEqual(shim.wait(), 127)


if __name__ == "__main__":
    unittest.main()
