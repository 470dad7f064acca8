"""Looks at a started mrun-init, and at all that it forks, at every system call on the way to the task."""

import ctypes
import os
import signal
import struct

from harness import libc

TRACEME, SYSCALL, DETACH, SETOPTIONS, GETEVENTMSG, GET_SYSCALL_INFO = 0, 24, 17, 0x4200, 0x4201, 0x420E
SYSGOOD, FORK, VFORK, CLONE, EXEC, EXITKILL = 1, 2, 4, 8, 16, 1 << 20
EVENTS_OF_FORK, EVENT_EXEC, WAIT_ALL = (1, 2, 3), 4, 0x40000000
INFO = struct.Struct("<B3xIQQ7Q")  # struct ptrace_syscall_info, as it is at the entry of a call

_ptrace = libc.ptrace
_ptrace.argtypes, _ptrace.restype = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p], ctypes.c_long


def ptrace(request, pid, address=0, data=0):
    result = _ptrace(request, pid, address, data)
    if result < 0:
        raise OSError(ctypes.get_errno(), f"ptrace {request}")
    return result


def be_traced():
    """For `prepare`: the coming exec stops."""
    ptrace(TRACEME, 0)


def entry(pid):
    """The number and the arguments of the call that begins, or None at any other stop."""
    buffer = ctypes.create_string_buffer(INFO.size)
    if ptrace(GET_SYSCALL_INFO, pid, INFO.size, ctypes.addressof(buffer)) < INFO.size:
        return None
    operation, _, _, _, number, *arguments = INFO.unpack(buffer)
    return (number, arguments) if operation == 1 else None


def new_child(pid):
    message = ctypes.c_ulong()
    ptrace(GETEVENTMSG, pid, 0, ctypes.addressof(message))
    return message.value


def stops(shim):
    """(pid, entry) at every stop of everybody, until he executes the task or ends.

    Who breaks off while one process is left lets it go; others end with the thread that traces them.
    """
    _, status = os.waitpid(shim.pid, 0)
    assert os.WIFSTOPPED(status) and os.WSTOPSIG(status) == signal.SIGTRAP, hex(status)
    ptrace(SETOPTIONS, shim.pid, 0, SYSGOOD | FORK | VFORK | CLONE | EXEC | EXITKILL)
    ptrace(SYSCALL, shim.pid)
    known, newborn = {shim.pid}, set()
    while known:
        pid, status = os.waitpid(-1, WAIT_ALL)
        if not os.WIFSTOPPED(status):
            known.discard(pid)
            if pid == shim.pid:
                shim.code = os.waitstatus_to_exitcode(status)
            continue
        event, number = status >> 16, os.WSTOPSIG(status)
        if event == EVENT_EXEC:
            known.discard(pid)
            ptrace(DETACH, pid)
            continue
        if event in EVENTS_OF_FORK:
            child = new_child(pid)
            # One of the two stops comes first: this one, or the child's own.
            newborn ^= {child}
            known.add(child)
        is_first = number == signal.SIGSTOP and event == 0 and (pid in newborn or pid not in known)
        if is_first:
            newborn ^= {pid}
            known.add(pid)
        is_call = number == signal.SIGTRAP | 0x80
        try:
            yield pid, entry(pid) if is_call else None
        except GeneratorExit:
            if known == {pid}:
                ptrace(DETACH, pid)
            raise
        ptrace(SYSCALL, pid, 0, 0 if is_first or is_call or event else number)
