"""manager.py BAILIWICKD SETTINGS WATCHDOG_SECONDS NAME=ADDRESS...: the part of a service manager that the daemon sees (sd_notify(3),
sd_listen_fds(3), sd_watchdog_enabled(3)), for tests without one. It opens the sockets once, and keeps them open from one start of the
daemon to the next. A line on standard input is a command, a line on standard output its answer:

  start            starts the daemon; `READY …` with its status, or `EXIT …`
  wait TEXT SEC    the next message with that text, or `none`
  count TEXT SEC   how many messages with that text come in that time
  signal NUMBER    sends the daemon a signal
  stall NAME       stops the thread of that name, as a hung disk would; `resume NAME` lets it go on
  threads          the names of the daemon's threads
  stop             SIGTERM; `EXIT …`
"""
import ctypes
import os
import select
import signal
import socket
import subprocess
import sys
import time

binary, settings, watchdog, *names = sys.argv[1:]
notify_path = settings + ".notify"
if os.path.exists(notify_path):
    os.unlink(notify_path)
notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
notify.bind(notify_path)
sockets = []
for name in names:
    purpose, address = name.split("=", 1)
    if address.startswith("/"):
        opened = socket.socket(socket.AF_UNIX)
        opened.bind(address)
    else:
        host, port = address.rsplit(":", 1)
        opened = socket.socket(socket.AF_INET6 if "[" in host else socket.AF_INET)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind((host.strip("[]"), int(port)))
    opened.listen(1024)
    sockets.append((purpose, opened))
child = None
messages = []
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
PTRACE_DETACH, PTRACE_SEIZE, PTRACE_INTERRUPT = 17, 0x4206, 0x4207


def start():
    global child
    descriptors = [opened.fileno() for _, opened in sockets]
    # The descriptors are to be 3, 4, …: they are copied far up first, so that none overwrites another.
    copies = [os.dup2(descriptor, 200 + index) for index, descriptor in enumerate(descriptors)]
    environment = dict(os.environ, NOTIFY_SOCKET=notify_path)
    if float(watchdog):
        environment["WATCHDOG_USEC"] = str(int(float(watchdog) * 1_000_000))
    shell = "".join(f"exec {3 + index}<&{copy} {copy}<&-; " for index, copy in enumerate(copies))
    # Close what was inherited beside them, then become the daemon: its process id is the shell's.
    shell += (f"LISTEN_PID=$$ LISTEN_FDS={len(copies)} LISTEN_FDNAMES={':'.join(purpose for purpose, _ in sockets)} " if copies else "")
    shell += 'exec "$0" --config "$1"'
    output = open(settings + ".out", "ab")
    child = subprocess.Popen(["/bin/bash", "-c", shell, binary, settings], env=environment, pass_fds=copies, stdout=output, stderr=output, stdin=subprocess.DEVNULL)
    for copy in copies:
        os.close(copy)


def receive(seconds):
    """One message, or None when none came in time."""
    if messages:
        return messages.pop(0)
    if select.select([notify], [], [], max(0, seconds))[0]:
        return notify.recv(65536).decode().replace("\n", " ")
    return None


def wait(text, seconds):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        message = receive(min(0.1, until - time.monotonic()))
        if message and text in message:
            return message
        if message is None and child.poll() is not None:
            return None
    return None


def threads():
    found = {}
    for task in os.listdir(f"/proc/{child.pid}/task"):
        with open(f"/proc/{child.pid}/task/{task}/comm") as comm:
            found[comm.read().strip()] = int(task)
    return found


def ptrace(request, task):
    if libc.ptrace(request, task, None, None) != 0:
        raise OSError(ctypes.get_errno(), f"ptrace {request}")


def answer(line):
    command, *arguments = line.split()
    if command == "start":
        start()
        ready = wait("READY=1", 30)
        return ready or f"EXIT {child.wait(10)}"
    if command == "wait":
        return wait(" ".join(arguments[:-1]), float(arguments[-1])) or "none"
    if command == "count":
        until = time.monotonic() + float(arguments[-1])
        count = 0
        while time.monotonic() < until:
            message = receive(until - time.monotonic())
            count += message is not None and arguments[0] in message
        return str(count)
    if command == "signal":
        child.send_signal(int(arguments[0]))
        return "sent"
    if command == "threads":
        return " ".join(sorted(threads()))
    if command == "stall":
        task = threads()[arguments[0]]
        ptrace(PTRACE_SEIZE, task)
        ptrace(PTRACE_INTERRUPT, task)
        os.waitpid(task, 0x40000000)  # __WALL
        return "stalled"
    if command == "resume":
        ptrace(PTRACE_DETACH, threads()[arguments[0]])
        return "resumed"
    if command == "stop":
        child.send_signal(signal.SIGTERM)
        return f"EXIT {child.wait(60)}"
    return "unknown command"


try:
    for line in sys.stdin:
        print(answer(line), flush=True)
finally:
    if child and child.poll() is None:
        child.kill()
        child.wait()
