"""Who the task is and what it may do."""

import os
import resource
import tempfile

from case import (CAP_DAC_OVERRIDE, CAP_KILL, CAP_NET_BIND, CAP_SETGID, CAP_SETPCAP, CAP_SETUID, EACCES, EINVAL,
                  KEYRING_READER, KILL_PROCESS, RELEASED, InitTest, deny, held_capabilities, python,
                  set_capabilities, sets, shell)
from harness import CALLS, CAPABILITIES, KEYRING, NO_NEW_PRIVS, SETGROUPS, STAY, libc, status_of
from tracing import be_traced, stops


class Privileges(InitTest):
    def test_capabilities_are_exactly_those_ordered(self):
        one, two, all_bits = 1 << CAP_NET_BIND, 1 << CAP_NET_BIND | 1 << CAP_KILL, held_capabilities()
        none = dict(effective=0, permitted=0, inheritable=0, ambient=0)
        for flags in (CAPABILITIES, CAPABILITIES | STAY, CAPABILITIES | NO_NEW_PRIVS):
            # For root, execve grants what the bounding and the inheritable set have.
            status = self.task_status(flags=flags, bounding=two, effective=two, permitted=two)
            self.assertEqual(sets(status), {"Inh": 0, "Prm": two, "Eff": two, "Bnd": two, "Amb": 0})
            status = self.task_status(flags=flags, bounding=0, **none)
            self.assertEqual(sets(status), {"Inh": 0, "Prm": 0, "Eff": 0, "Bnd": 0, "Amb": 0})
            # For others it grants the ambient set.
            user = dict(flags=flags, uid=1000, gid=1000)
            status = self.task_status(**user, bounding=all_bits, effective=two, permitted=two, inheritable=two,
                                      ambient=one)
            self.assertEqual(sets(status), {"Inh": two, "Prm": one, "Eff": one, "Bnd": all_bits, "Amb": one})
            status = self.task_status(**user, bounding=two, **none)
            self.assertEqual(sets(status), {"Inh": 0, "Prm": 0, "Eff": 0, "Bnd": two, "Amb": 0})

    def test_without_orders_capabilities_stay_as_they_are(self):
        before = sets(status_of(os.getpid()))
        self.assertEqual(sets(self.task_status(bounding=0)), before)

    def test_capabilities_of_the_caller_do_not_slip_through_the_ambient_set(self):
        def prepare():
            set_capabilities(held_capabilities(), held_capabilities())
            assert libc.prctl(47, 2, CAP_NET_BIND, 0, 0) == 0

        one = 1 << CAP_NET_BIND
        for uid in (0, 1000):
            status = self.task_status(prepare=prepare, flags=CAPABILITIES, uid=uid, bounding=held_capabilities(),
                                      inheritable=one, permitted=one)
            self.assertEqual(sets(status)["Amb"], 0)

    def test_the_effective_set_is_not_the_permitted_one(self):
        closed, override = tempfile.mkdtemp(dir=self.folder), 1 << CAP_DAC_OVERRIDE
        user = dict(argv=["/bin/true"], cwd=closed, uid=1000, flags=CAPABILITIES, bounding=override,
                    permitted=override)
        self.run_task(**user, effective=override)
        self.refused("CWD", EACCES, **user, effective=0)

    def test_more_may_be_inheritable_than_permitted(self):
        one, two = 1 << CAP_NET_BIND, 1 << CAP_NET_BIND | 1 << CAP_KILL
        for uid in (0, 1000):
            for stay in (0, STAY):
                status = self.task_status(flags=CAPABILITIES | stay, uid=uid, gid=uid, bounding=two, permitted=one,
                                          inheritable=two)
                self.assertEqual(sets(status)["Inh"], two)
                self.refused("CAPSET", 1, flags=CAPABILITIES | stay, uid=uid, gid=uid, bounding=one, permitted=one,
                             inheritable=two)

    def test_what_only_the_way_to_the_task_takes_is_there_and_goes(self):
        # As another user, with groups, limits and a program, and no capability at all.
        for flags in (0, STAY, NO_NEW_PRIVS, STAY | NO_NEW_PRIVS):
            status = self.task_status(flags=CAPABILITIES | SETGROUPS | flags, uid=1001, gid=1002, groups=[5],
                                      rlimits=[(resource.RLIMIT_NOFILE, 100, 200)], program=deny(CALLS["uname"]))
            self.assertEqual(set(sets(status).values()), {0})
            self.assertEqual((status["Groups"].split(), status["Seccomp_filters"]), (["5"], "1"))

    def test_nobody_on_the_way_has_more_than_ordered_or_needed(self):
        target = 1 << CAP_NET_BIND
        most = target | 1 << CAP_SETUID | 1 << CAP_SETGID | 1 << CAP_SETPCAP | 1 << CAP_KILL
        for namespace in (False, True):
            shim = self.launch(prepare=be_traced, namespace=namespace, flags=CAPABILITIES | NO_NEW_PRIVS | STAY,
                               bounding=target, permitted=target, effective=target)
            pids = set()
            for pid, _ in stops(shim):
                pids.add(pid)
                if pid != shim.pid:
                    have = sets(status_of(pid))
                    self.assertEqual(((have["Prm"] | have["Eff"]) & ~most, have["Bnd"]), (0, target))
            self.assertEqual((len(pids), shim.code), (2, 0))

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

    def test_a_program_that_forbids_to_leave_does_not_keep_it_running(self):
        for flags in (0, NO_NEW_PRIVS):
            shim = self.launch(flags=flags, program=deny(CALLS["exit_group"], CALLS["execve"]))
            self.assertLess(shim.wait(), 0)
            shim = self.launch(flags=flags | STAY, program=deny(CALLS["exit_group"], CALLS["execve"]))
            self.assertGreater(shim.wait(), 128)

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
