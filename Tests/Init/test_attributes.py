"""What few tasks have: scheduling, memory policy, personality, security labels."""

import os
import resource
import shutil
import struct
import tempfile

import harness
from case import EINVAL, ENOENT, EXDEV, InitTest, KILL_PROCESS, deny, python, set_capabilities, held_capabilities
from harness import (AFFINITY, CALLS, CAPABILITIES, IO_PRIORITY, LABELS, MEMORY_POLICY, NO_NEW_PRIVS, PERSONALITY,
                     PROC_FD, REPORT_FD, SCHEDULER, STAY, orders)

EPERM = 1
SHOW = """
import ctypes, os
call = ctypes.CDLL(None, use_errno=True).syscall
mode, nodes = ctypes.c_int(), (ctypes.c_uint64 * 16)()
call({get_mempolicy}, ctypes.byref(mode), nodes, 1024, 0, 0)
print(call({personality}, 0xFFFFFFFF), call({ioprio_get}, 1, 0), mode.value, nodes[0],
      os.sched_getscheduler(0), os.getpriority(os.PRIO_PROCESS, 0), os.sched_getparam(0).sched_priority,
      sorted(os.sched_getaffinity(0)))
"""
NUMBERS = {"x86_64": {"get_mempolicy": 239, "personality": 135, "ioprio_get": 252},
           "aarch64": {"get_mempolicy": 236, "personality": 92, "ioprio_get": 31}}[os.uname().machine]
BATCH, IDLE, RESET_ON_FORK = 3, 5, 0x40000000


class Attributes(InitTest):
    def show(self, attributes, **more):
        return self.run_task(python(SHOW.format(**NUMBERS)), attributes=attributes, **more).split(None, 7)

    def test_without_any_they_are_as_they_were(self):
        before = self.show(None)
        self.assertEqual(self.show({}), before)
        # What is not given is not read.
        self.assertEqual(self.show({"personality": 8, "io_priority": 0xFFFF, "policy": 99, "memory_mode": 99}), before)

    def test_all_of_them_are_set_for_the_task(self):
        first = min(os.sched_getaffinity(0))
        for flags in (0, STAY, CAPABILITIES, CAPABILITIES | STAY | NO_NEW_PRIVS):
            shown = self.show({"given": PERSONALITY | SCHEDULER | IO_PRIORITY | MEMORY_POLICY | AFFINITY, "personality": 8,
                               "io_priority": 2 << 13 | 6, "memory_mode": 2, "policy": BATCH, "nice": 7},
                              nodes=[1], processors=[1 << first], flags=flags, uid=1000)
            self.assertEqual(shown, ["8", str(2 << 13 | 6), "2", "1", str(BATCH), "7", "0", f"[{first}]\n"])

    def test_what_takes_privileges_works_for_a_task_without_any(self):
        shown = self.show({"given": SCHEDULER | IO_PRIORITY, "policy": 0, "nice": -5, "io_priority": 1 << 13 | 3},
                          flags=CAPABILITIES, uid=1000)
        self.assertEqual((shown[1], shown[5]), (str(1 << 13 | 3), "-5"))

    def test_a_staying_init_is_scheduled_as_before(self):
        shim = self.launch(["/bin/sleep", "1000"], flags=STAY, attributes={"given": SCHEDULER, "policy": IDLE})
        shim.read_reports()
        self.assertEqual(os.sched_getscheduler(shim.pid), 0)
        self.assertEqual([os.sched_getscheduler(pid) for pid in harness.children_of(shim.pid)], [IDLE])

    def test_one_that_cannot_be_had_is_an_error(self):
        def without_nice():
            assert harness.libc.prctl(24, 23, 0, 0, 0) == 0  # drop CAP_SYS_NICE from the bounding set
            set_capabilities(held_capabilities() & ~(1 << 23))
            resource.setrlimit(resource.RLIMIT_NICE, (0, 0))

        for flags in (0, STAY):
            for bit, more in ((PERSONALITY, None), (SCHEDULER, {"policy": 99}), (IO_PRIORITY, {"io_priority": 7 << 13}),
                              (MEMORY_POLICY, {"memory_mode": 99}), (AFFINITY, {})):
                if more is not None:
                    self.refused("ATTRIBUTE", EINVAL, bit, attributes={"given": bit, **more}, flags=flags)
            self.refused("ATTRIBUTE", EINVAL, MEMORY_POLICY, attributes={"given": MEMORY_POLICY, "memory_mode": 2},
                         nodes=[0, 1 << 63], flags=flags)
            self.refused("ATTRIBUTE", EPERM, SCHEDULER, attributes={"given": SCHEDULER, "nice": -5}, prepare=without_nice,
                         flags=flags)

    def test_the_program_need_not_allow_it(self):
        strict = deny(*NUMBERS.values(), action=KILL_PROCESS)
        for flags in (0, NO_NEW_PRIVS):
            shim = self.launch(flags=flags, program=strict, attributes={"given": PERSONALITY, "personality": 8})
            self.assertEqual((shim.wait(), shim.read_reports()), (0, [("RELEASED", 0, 0)]))


class Labels(InitTest):
    """With files in the place of the kernel's: this kernel need not have a security module."""

    def setUp(self):
        super().setUp()
        self.proc = tempfile.mkdtemp(dir=self.folder)
        os.makedirs(os.path.join(self.proc, "self/attr"))
        self.write("")
        self.descriptor = os.open(self.proc, os.O_PATH | os.O_DIRECTORY)
        self.addCleanup(os.close, self.descriptor)

    def path(self, name="self/attr/exec"):
        return os.path.join(self.proc, name)

    def write(self, text, name="self/attr/exec"):
        with open(self.path(name), "w") as file:
            file.write(text)

    def read(self, name="self/attr/exec"):
        with open(self.path(name)) as file:
            return file.read()

    def labelled(self, *labels):
        return {"attributes": {"given": LABELS, "proc_fd": PROC_FD}, "labels": labels, "proc": self.descriptor}

    def test_a_label_is_written_and_found_there(self):
        for flags in (0, STAY, NO_NEW_PRIVS):
            self.write("")
            self.run_task(["/bin/true"], flags=flags, **self.labelled(("self/attr/exec", "a:b:c", "a:b:c")))
            self.assertEqual(self.read(), "a:b:c")

    def test_what_the_kernel_shows_after_the_label_is_no_matter(self):
        for more in ("", "\n", "\0", " (enforce)\n", " (complain)\n"):
            self.write("12345678" + more)
            self.run_task(["/bin/true"], **self.labelled(("self/attr/exec", "profile1", "profile1")))
            self.assertEqual(self.read(), "profile1" + more)

    def test_another_label_there_is_an_error(self):
        for shown in ("profile12", "12345678x", "12345678-"):
            self.write(shown)
            self.refused("LABEL", EXDEV, 0, **self.labelled(("self/attr/exec", "profile1", "profile1")))
        self.write("")
        self.refused("LABEL", EXDEV, 0, **self.labelled(("self/attr/exec", "exec profile", "profile")))
        self.refused("LABEL", EXDEV, 0, **self.labelled(("self/attr/exec", "exec profile", "exec profile and more")))

    def test_every_label_is_written_and_the_one_that_fails_is_told(self):
        os.makedirs(self.path("self/attr/apparmor"))
        self.write("", "self/attr/apparmor/exec")
        two = [("self/attr/exec", "a", "a"), ("self/attr/apparmor/exec", "b", "b")]
        self.run_task(["/bin/true"], **self.labelled(*two))
        self.assertEqual((self.read(), self.read("self/attr/apparmor/exec")), ("a", "b"))
        os.unlink(self.path("self/attr/apparmor/exec"))
        self.refused("LABEL", ENOENT, 1, **self.labelled(*two))

    def test_no_link_leads_out(self):
        outside = os.path.join(self.folder, "outside")
        with open(outside, "w"):
            pass
        shutil.rmtree(self.path("self"))
        os.symlink("1", self.path("self"))
        os.makedirs(self.path("1/attr"))
        os.symlink(outside, self.path("1/attr/exec"))
        self.refused("LABEL", EXDEV, 0, **self.labelled(("self/attr/exec", "a", "a")))
        os.unlink(self.path("1/attr/exec"))
        os.symlink(f"/proc/self/fd/{PROC_FD}", self.path("1/attr/exec"))
        self.assertNotEqual(self.launch(**self.labelled(("self/attr/exec", "a", "a"))).wait(), 0)
        os.unlink(self.path("1/attr/exec"))
        # A link inside is how procfs says "self".
        self.write("", "1/attr/exec")
        self.run_task(["/bin/true"], **self.labelled(("self/attr/exec", "a", "a")))
        self.assertEqual((self.read("1/attr/exec"), os.path.getsize(outside)), ("a", 0))

    def test_a_kernel_without_security_modules_refuses_a_label(self):
        descriptor = os.open("/proc", os.O_PATH | os.O_DIRECTORY)
        self.addCleanup(os.close, descriptor)
        more = self.labelled(("self/attr/exec", "nothing", "nothing"))
        shim = self.launch(**{**more, "proc": descriptor})
        (step, error, _), = shim.read_reports()
        self.assertEqual(step, "LABEL")
        self.assertNotEqual(error, 0)

    def test_the_task_does_not_get_the_procfs(self):
        for flags in (0, STAY):
            output = self.run_task(["/bin/ls", "/proc/self/fd"], flags=flags,
                                   **self.labelled(("self/attr/exec", "a", "a")))
            self.assertEqual(output.split(), ["0", "1", "2", "3"])

    def test_a_staying_init_does_not_keep_it(self):
        shim = self.launch(["/bin/sleep", "1000"], flags=STAY, **self.labelled(("self/attr/exec", "a", "a")))
        shim.read_reports()
        targets = [os.readlink(f"/proc/{shim.pid}/fd/{name}") for name in os.listdir(f"/proc/{shim.pid}/fd")]
        self.assertNotIn(self.proc, targets)


class DamagedAttributes(InitTest):
    def damaged(self, attributes, **more):
        block = orders(["/bin/true"], report_fd=REPORT_FD, attributes=attributes, **more)
        shim = self.launch(block=block)
        self.assertEqual((shim.wait(), shim.read_reports()), (1, [("ORDERS", EINVAL, 0)]), attributes)

    def test_they_are_refused(self):
        label = [("self/attr/exec", "a", "a")]
        for attributes in ({"given": 1 << 6}, {"reserved": 1}, {"given": SCHEDULER, "size": 48}, {"given": SCHEDULER, "size": 64},
                           {"node_words": 1000}, {"node_words": 2**32 - 1}, {"cpu_words": 1000}, {"cpu_words": 2**29},
                           {"node_words": 1, "nodes_offset": 4}, {"cpu_words": 1, "cpus_offset": 2**32 - 8},
                           {"proc_fd": PROC_FD}, {"label_count": 1}, {"given": LABELS},
                           {"given": LABELS, "proc_fd": 3}, {"given": LABELS, "proc_fd": REPORT_FD},
                           {"given": LABELS, "proc_fd": PROC_FD, "label_count": 2**28},
                           {"given": LABELS, "proc_fd": PROC_FD, "labels_offset": 8}):
            with self.subTest(attributes):
                self.damaged(attributes, labels=label if attributes.get("given") == LABELS else ())

    def test_an_offset_that_leads_nowhere_is_refused(self):
        for offset in (4, 8, 2**32, 2**64 - 8):
            block = orders(["/bin/true"], report_fd=REPORT_FD, attributes_offset=offset)
            self.assertEqual(self.launch(block=block).wait(), 1)

    def test_a_label_that_lies_elsewhere_is_refused(self):
        whole = orders(["/bin/true"], report_fd=REPORT_FD, attributes={"given": LABELS, "proc_fd": PROC_FD},
                       labels=[("self/attr/exec", "a", "a")])
        descriptor = os.open("/proc", os.O_PATH | os.O_DIRECTORY)
        self.addCleanup(os.close, descriptor)
        header = dict(zip(harness.FIELDS, harness.HEADER.unpack_from(whole)))
        attributes = dict(zip(harness.ATTRIBUTE_FIELDS,
                              harness.ATTRIBUTES.unpack_from(whole, header["attributes_offset"])))
        for place in range(3):
            for value in (0, 8, len(whole), 2**63):
                block = bytearray(whole)
                struct.pack_into("<Q", block, attributes["labels_offset"] + 8 * place, value)
                shim = self.launch(block=bytes(block), proc=descriptor)
                self.assertEqual((shim.wait(), shim.read_reports()), (1, [("ORDERS", EINVAL, 0)]))
