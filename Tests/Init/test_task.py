"""From the orders to the task: how it starts, what it may do, what it must not inherit."""

import os
import signal
import tempfile

from case import (DEADLY, EACCES, ENOENT, ENOEXEC, ENOTDIR, EXDEV, RELEASED, InitTest, held_capabilities,
                  python, shell)
from harness import CAPABILITIES, RECORD_FD, REPORT_FD, START_FD, STAY, children_of, status_of, until


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
        plain = os.path.join(self.folder, "plain")
        with open(plain, "w") as file:
            file.write("no program")
        for flags in (0, STAY):
            self.refused("EXEC", EACCES, argv=[plain], code=126, flags=flags)
            self.refused("EXEC", EACCES, argv=[self.folder], code=126, flags=flags)
        os.chmod(plain, 0o755)
        self.refused("EXEC", ENOEXEC, argv=[plain], code=126)

    def test_it_needs_neither_a_report_nor_a_record(self):
        for flags in (0, STAY):
            shim = self.launch(shell("exit 4"), flags=flags, report_fd=-1, record_fd=-1)
            self.assertEqual(shim.wait(), 4)
            self.assertEqual(shim.read_reports(), [])


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

    def test_a_broken_pipe_for_the_report_does_not_take_the_task_along(self):
        def prepare():
            read, write = os.pipe()
            os.dup2(write, 50)
            os.close(read)

        for flags in (0, STAY):
            shim = self.launch(shell("exit 9"), flags=flags, report_fd=50, prepare=prepare)
            self.assertEqual(shim.wait(), 9)

    def test_the_task_is_not_in_the_session_of_the_caller(self):
        for flags in (0, STAY):
            output = self.run_task(python("import os; print(os.getsid(0), os.getpgrp(), os.getpid())"), flags=flags)
            session, group, pid = map(int, output.split())
            self.assertNotEqual(session, os.getsid(0))
            self.assertEqual(group, pid)

    def test_a_session_that_cannot_be_left_is_an_error(self):
        for flags in (0, STAY):
            self.refused("SESSION", 1, prepare=lambda: os.setpgid(0, 0), flags=flags)

    def test_its_name_and_id_show_in_ps(self):
        shim = self.launch(held=True).once_held()
        with open(f"/proc/{shim.pid}/cmdline") as file:
            self.assertEqual(file.read(), "mrun-init\0the-id\0")
        self.assertEqual(status_of(shim.pid)["Name"], "mrun-init")


class WorkingDirectory(InitTest):
    def test_the_task_begins_there(self):
        for flags in (0, STAY):
            self.assertEqual(self.run_task(["/bin/pwd", "-P"], cwd=self.folder, flags=flags), self.folder + "\n")

    def test_a_missing_one_is_an_error(self):
        self.refused("CWD", ENOENT, cwd="/nonexistent")
        self.refused("CWD", ENOTDIR, cwd="/bin/sh")

    def test_it_is_entered_as_the_user_of_the_task(self):
        closed = tempfile.mkdtemp(dir=self.folder)
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
        root = tempfile.mkdtemp(dir=self.folder)
        self.refused("CWD", EXDEV, 1, cwd=".", prepare=lambda: os.chroot(root))

    def test_a_directory_that_was_removed_is_refused(self):
        gone = tempfile.mkdtemp(dir=self.folder)

        def prepare():
            os.chdir(gone)
            os.rmdir(gone)

        self.refused("CWD", ENOENT, 1, cwd=".", prepare=prepare)
