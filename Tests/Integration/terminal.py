#!/usr/bin/env python3
"""The other end of a terminal, for the tests.

    terminal.py drive STEP... -- COMMAND...    runs COMMAND on a new terminal of 30 rows and 100 columns
    terminal.py receive SOCKET STEP...         takes a terminal from a console socket and uses it
    terminal.py pidfd SOCKET                   takes a pidfd; prints the payload and the pid that it means
    terminal.py notify SOCKET COUNT [PREFIX]   prints COUNT datagrams

A step is one of `expect TEXT`, `send TEXT` (with backslash escapes), `resize ROWS COLUMNS`, `signal NUMBER` (to the command),
`modes` (prints whether the terminal is raw), `close` (of the terminal), `sleep SECONDS`, and `end`: wait for the end of the
output. Everything that came over the terminal goes to standard output. Nothing waits for longer than 20 seconds.
"""

import array
import codecs
import fcntl
import os
import select
import signal
import socket
import struct
import sys
import termios
import time

PATIENCE = 20


def fail(text):
    sys.stdout.flush()
    sys.exit(f"terminal.py: {text}")


class Terminal:
    def __init__(self, master, pid=None):
        self.master, self.pid, self.seen, self.at = master, pid, b"", 0

    def more(self, seconds):
        """Reads what comes next; False at the end."""
        if not select.select([self.master], [], [], max(0, seconds))[0]:
            fail(f"nothing more came after {self.seen[-500:]!r}")
        try:
            piece = os.read(self.master, 65536)
        except OSError:
            return False
        self.seen += piece
        return bool(piece)

    def expect(self, text):
        wanted, end = codecs.escape_decode(text.encode())[0], time.monotonic() + PATIENCE
        while wanted not in self.seen[self.at:]:
            if not self.more(end - time.monotonic()):
                fail(f"the terminal ended without {wanted!r} after {self.seen[-500:]!r}")
        self.at = self.seen.index(wanted, self.at) + len(wanted)

    def send(self, text):
        data = codecs.escape_decode(text.encode())[0]
        while data:
            data = data[os.write(self.master, data):]

    def resize(self, rows, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("4H", int(rows), int(columns), 0, 0))

    def signal(self, number):
        os.kill(self.pid, int(number))

    def modes(self):
        print("raw" if not termios.tcgetattr(self.master)[3] & termios.ICANON else "cooked")

    def close(self):
        os.close(self.master)
        self.master = -1

    def sleep(self, seconds):
        time.sleep(float(seconds))

    def end(self):
        end = time.monotonic() + PATIENCE
        while self.more(end - time.monotonic()):
            pass

    def follow(self, steps):
        counts = {"expect": 1, "send": 1, "resize": 2, "signal": 1, "sleep": 1}
        while steps:
            name, steps = steps[0], steps[1:]
            count = counts.get(name, 0)
            getattr(self, name)(*steps[:count])
            steps = steps[count:]

    def show(self):
        sys.stdout.flush()
        os.write(1, self.seen)


def drive(arguments):
    at = arguments.index("--")
    steps, command = arguments[:at], arguments[at + 1:]
    master, slave = os.openpty()
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("4H", 30, 100, 0, 0))
    before = termios.tcgetattr(master)
    pid = os.fork()
    if pid == 0:
        os.setsid()
        fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
        for number in range(3):
            os.dup2(slave, number)
        os.closerange(3, 100)
        os.execvp(command[0], command)
    terminal = Terminal(master, pid)
    terminal.follow(steps)
    # The slave stays open here, so that its modes can be asked for at the end, and the output never ends by itself.
    end = time.monotonic() + PATIENCE
    while True:
        done, status = os.waitpid(pid, os.WNOHANG)
        if terminal.master >= 0:
            while select.select([master], [], [], 0.02)[0] and terminal.more(1):
                pass
        else:
            time.sleep(0.02)
        if done:
            break
        if time.monotonic() > end:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            terminal.show()
            fail("the command did not end")
    terminal.show()
    code = os.waitstatus_to_exitcode(status)
    restored = "" if terminal.master < 0 else "restored" if termios.tcgetattr(master) == before else "changed"
    print(f"\nstatus {code} {restored}")


def listen(path):
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    # A path of any length.
    folder = os.open(os.path.dirname(path) or ".", os.O_PATH | os.O_DIRECTORY)
    listener.bind(f"/proc/self/fd/{folder}/{os.path.basename(path)}")
    listener.listen(1)
    listener.settimeout(PATIENCE)
    connection, _ = listener.accept()
    connection.settimeout(PATIENCE)
    return connection


def take(connection):
    """The payload and the descriptors of the one message there must be."""
    payload, control, _, _ = connection.recvmsg(4096, socket.CMSG_SPACE(4 * 16))
    descriptors = array.array("i")
    for level, kind, data in control:
        assert (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS)
        descriptors.frombytes(data)
    return payload, list(descriptors)


def receive(path, *steps):
    connection = listen(path)
    payload, descriptors = take(connection)
    if connection.recv(1):
        fail("there was a second message")
    print(f"payload {payload.decode()!r} descriptors {len(descriptors)}")
    if not descriptors:
        fail("no terminal came")
    rows, columns = struct.unpack("4H", fcntl.ioctl(descriptors[0], termios.TIOCGWINSZ, b"\0" * 8))[:2]
    print(f"size {rows} {columns}")
    terminal = Terminal(descriptors[0])
    terminal.follow(list(steps))
    terminal.show()


def pidfd(path):
    connection = listen(path)
    payload, descriptors = take(connection)
    with open(f"/proc/self/fdinfo/{descriptors[0]}") as file:
        pid = next(line.split()[1] for line in file if line.startswith("Pid:"))
    print(payload.decode(), len(descriptors), pid)


def notify(path, count, prefix=""):
    """Prints datagrams; the descriptors that come along are closed, as a service manager does."""
    receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    receiver.bind("\0" + path[1:] if path.startswith("@") else path)
    receiver.settimeout(PATIENCE)
    for _ in range(int(count)):
        payload, descriptors = take(receiver)
        for descriptor in descriptors:
            os.close(descriptor)
        print(prefix + payload.decode(), flush=True)


if __name__ == "__main__":
    commands = {"drive": lambda *words: drive(list(words)), "receive": receive, "pidfd": pidfd, "notify": notify}
    commands[sys.argv[1]](*sys.argv[2:])
