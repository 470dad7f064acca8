"""Orders that are damaged."""

import os
import random
import struct

import harness
from case import ENOENT, RELEASED, InitTest, deny
from harness import CALLS, CAPABILITIES, RECORD_FD, REPORT_FD, SETGROUPS, STAY, SUBREAPER, orders


HOOK = (["/bin/true", "a"], ["B=2"], 3)


class DamagedOrders(InitTest):
    def damaged(self, block, reported=True, **more):
        shim = self.launch(block=block, **more)
        self.assertEqual(shim.wait(), 1)
        self.assertEqual([step for step, _, _ in shim.read_reports()], ["ORDERS"] if reported else [])

    def whole(self, **fields):
        return orders(["/nonexistent", "one", "two"], env=["A=1"], groups=[1, 2], rlimits=[(7, 100, 100)],
                      program=deny(CALLS["uname"]), **{"hooks": [HOOK], "report_fd": REPORT_FD, **fields})

    def test_the_undamaged_block_is_accepted(self):
        shim = self.launch(block=self.whole())
        self.assertEqual((shim.wait(), shim.read_reports()), (127, [RELEASED, ("EXEC", ENOENT, 0)]))

    def test_a_header_that_makes_no_sense_is_refused(self):
        size = len(self.whole())
        for fields in ({"magic": 0}, {"size": size - 1}, {"size": size + 1}, {"size": 0}, {"flags": 1 << 8},
                       {"umask": 0o1000}, {"reserved": 1}, {"preserved": 1}, {"preserved_fd": 14},
                       {"preserved": 1, "preserved_fd": 4}, {"preserved": 8, "preserved_fd": 14},
                       {"preserved": 2**31, "preserved_fd": 14}, {"preserved": 2**32 - 1, "preserved_fd": 14},
                       {"preserved": 1, "preserved_fd": REPORT_FD}, {"preserved": 1, "preserved_fd": -2},
                       {"enter_fd": 0}, {"start_fd": -2}, {"start_fd": 0},
                       {"record_fd": 3}, {"record_fd": REPORT_FD}, {"start_fd": REPORT_FD}, {"report_fd": 2},
                       {"start_fd": 12, "record_fd": 12}, {"enter_fd": -2}, {"enter_fd": 3},
                       {"enter_fd": REPORT_FD}, {"enter_fd": 12, "record_fd": 12}, {"enter_fd": 12, "start_fd": 12}):
            with self.subTest(fields):
                self.damaged(self.whole(**fields), reported=False)

    def test_an_offset_that_leads_nowhere_is_refused(self):
        size = len(self.whole())
        for name in ("executable_offset", "cwd_offset", "argv_offset", "envp_offset", "groups_offset",
                     "rlimits_offset", "seccomp_offset", "hooks_offset", "hook_state_offset",
                     "hook_rest_offset"):
            wide = name.split("_")[0] in ("executable", "cwd", "argv", "envp", "hook")
            for offset in (0, 8, 4096 * 1000, size, size + 8, 2**32 - 8, *((2**64 - 8, 2**63) if wide else ())):
                with self.subTest(name, offset=offset):
                    self.damaged(self.whole(**{name: offset}))
        for name in ("argv_offset", "envp_offset", "groups_offset", "rlimits_offset", "seccomp_offset", "hooks_offset"):
            right = harness.HEADER.unpack_from(self.whole())[harness.FIELDS.index(name)]
            with self.subTest(name, offset="between two places"):
                self.damaged(self.whole(**{name: right + 1}))

    def test_a_count_that_is_too_large_is_refused(self):
        for name, counts in {"group_count": (1000, 2**30, 2**32 - 1), "rlimit_count": (100, 2**28, 2**32 - 1),
                             "seccomp_count": (100, 65536, 2**29, 2**32 - 1), "hook_count": (100, 2**27, 2**32 - 1)}.items():
            for count in counts:
                with self.subTest(name, count=count):
                    self.damaged(self.whole(**{name: count}))

    def test_a_program_longer_than_the_kernel_can_count_is_refused(self):
        self.damaged(orders(["/bin/true"], program=[(6, 0, 0, 0x7FFF0000)] * 65537, report_fd=REPORT_FD))

    def test_strings_and_tables_without_an_end_are_refused(self):
        block = bytearray(self.whole())
        fields = dict(zip(harness.FIELDS, harness.HEADER.unpack_from(block)))
        for name in ("argv_offset", "envp_offset"):
            # The table moves to the end of the block, and its last entry is no zero.
            short = block + struct.pack("<Q", fields["cwd_offset"])
            place = len(short) - 8
            short[:harness.HEADER.size] = harness.HEADER.pack(*{**fields, name: place, "size": len(short)}.values())
            self.damaged(bytes(short))
        for name in ("executable_offset", "cwd_offset"):
            short = block + b"/bin/true"
            values = {**fields, name: len(block), "size": len(short)}
            short[:harness.HEADER.size] = harness.HEADER.pack(*values.values())
            self.damaged(bytes(short))

    def test_a_string_of_a_table_that_lies_elsewhere_is_refused(self):
        block = self.whole()
        fields = dict(zip(harness.FIELDS, harness.HEADER.unpack_from(block)))
        for name in ("argv_offset", "envp_offset"):
            for place in (1, 8, len(block), len(block) + 4096, 2**63, 2**64 - 1):
                changed = bytearray(block)
                struct.pack_into("<Q", changed, fields[name], place)
                self.damaged(bytes(changed))

    def test_a_hook_that_lies_elsewhere_is_refused(self):
        block = self.whole()
        start = dict(zip(harness.FIELDS, harness.HEADER.unpack_from(block)))["hooks_offset"]
        for member in (0, 8, 16):
            for place in (0, 1, 8, len(block), len(block) + 4096, 2**63, 2**64 - 1):
                changed = bytearray(block)
                struct.pack_into("<Q", changed, start + member, place)
                self.damaged(bytes(changed))

    def test_short_blocks_are_refused(self):
        for length in (0, 1, 4, harness.HEADER.size - 1, harness.HEADER.size):
            self.damaged(self.whole()[:length], reported=False)

    def test_no_block_at_all_is_refused(self):
        self.damaged(None, reported=False, prepare=lambda: os.close(3))
        self.damaged(None, reported=False, prepare=lambda: os.dup2(os.pipe()[0], 3))

    def test_descriptors_that_are_not_open_are_refused(self):
        self.damaged(self.whole(record_fd=77))
        self.damaged(self.whole(start_fd=77))
        self.damaged(self.whole(enter_fd=77))
        self.damaged(self.whole(preserved=1, preserved_fd=77))

    def test_a_start_descriptor_that_is_no_listener_is_refused(self):
        # Held as far as it knew; then it ends.
        shim = self.launch(block=self.whole(start_fd=RECORD_FD), recorded=True)
        self.assertEqual((shim.wait(), shim.read_reports()), (1, [("HELD", 0, 0)]))

    def test_no_random_damage_makes_it_crash(self):
        chance, whole = random.Random(20), self.whole(flags=CAPABILITIES | SETGROUPS, report_fd=-1)
        for turn in range(4000):
            block = bytearray(whole)
            for _ in range(chance.choice((1, 1, 2, 4, 16))):
                place = chance.randrange(len(block) if turn % 2 else harness.HEADER.size)
                block[place] = chance.choice((0, 1, 7, 8, 0x7F, 0x80, 0xFF, chance.randrange(256)))
            message = harness.sealed(block)
            pid = os.posix_spawn(f"/proc/{os.getpid()}/fd/{self.binary}", ["mrun-init"], {},
                                 file_actions=[(os.POSIX_SPAWN_DUP2, message, 3)])
            pidfd = os.pidfd_open(pid)
            code = harness.ended(pid, pidfd)
            os.close(pidfd)
            os.close(message)
            # A damaged seccomp program is still the task's own: it may end whoever loads it.
            if not block[8] & harness.SECCOMP:
                self.assertIn(code, (0, 1, 126, 127), bytes(block).hex())
