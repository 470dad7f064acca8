"""Born in the pid namespace of a container that runs already."""

import os
import time

from case import InitTest, python, shell
from harness import STAY, status_of, until


class Entering(InitTest):
    def container(self, **more):
        shim = self.launch(["/bin/sleep", "1000"], flags=STAY, namespace=True, **more)
        shim.read_reports()
        return shim

    def test_the_task_is_born_there_as_a_child_of_the_caller(self):
        container = self.container()
        shim = self.launch(shell("echo $$ $PPID; exit 7"), enter=container.pidfd)
        task = shim.entered()
        self.assertEqual(shim.wait(), 0)
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(task, 0)[1]), 7)
        self.assertEqual(shim.output(), "3 0\n")  # 1 is the container's init, 2 its task
