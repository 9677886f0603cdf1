"""The hostile program by which a level is judged: what it comes to is what the level is worth on this machine."""

from __future__ import annotations

ATTEMPTS = (
    "read /etc/passwd",
    "open a socket",
    "start a process",
    "signal its parent",
    "change a file outside",
)
"""What the probe tries, and must not be able to do."""

PROBE = '''
import os, socket, time

def attempts(bait):
    """Whether each attempt was "held" or "broke" through."""
    found = {}
    for name, attempt in TRIED.items():
        try:
            attempt(bait)
            found[name] = "broke"
        except (OSError, RuntimeError):
            found[name] = "held"
    return found

def read_passwd(_):
    with open("/etc/passwd") as file:
        file.read()

def open_socket(_):
    socket.socket(socket.AF_INET, socket.SOCK_STREAM).close()

def start_process(_):
    if os.fork() == 0:
        os._exit(0)

def signal_parent(_):
    os.kill(os.getppid(), 0)

def change_outside(bait):
    tries = (lambda: os.chmod(bait, 0o600), lambda: os.utime(bait, (0, 0)), lambda: os.truncate(bait, 0),
             lambda: open(bait, "w").close(), lambda: os.unlink(bait))
    before = looks(bait)
    for attempt in tries:
        try:
            attempt()
        except OSError:
            continue
        if looks(bait) != before:  # what was pretended has changed nothing
            return
    raise OSError

def looks(bait):
    try:
        found = os.stat(bait)
    except OSError:
        return None
    return found.st_mode, found.st_mtime_ns, found.st_size

TRIED = {
    "read /etc/passwd": read_passwd,
    "open a socket": open_socket,
    "start a process": start_process,
    "signal its parent": signal_parent,
    "change a file outside": change_outside,
}
'''
