"""
What a worker is known by in a ledger, and whether its process exists.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path

from voicepush import clock

#: The tokens of the workers in this process that have claimed someone and not left,
#: whichever of its event loops they are in.
at_work: set[str] = set()


def process_of(token: str) -> str:
    """
    The process that *token* names, in words.
    """
    host, pid, *_ = token.rsplit(":", 3)
    return f"process {pid} on {host}"


def new_token() -> str:
    """
    What a worker in this process is known by in a ledger: host, process id, when the
    process was started, and something random.
    """
    pid = os.getpid()
    began = f"{_started(pid)}-{_namespace()}"
    return f"{socket.gethostname()}:{pid}:{began}:{clock.random_hex(8)}"


def is_gone(token: str) -> bool:
    """
    Whether the process of *token* ran on this machine and does not any more.
    """
    host, pid, began, _ = token.rsplit(":", 3)
    started, _, namespace = began.partition("-")
    # A container has process numbers of its own, as another machine has.
    if (host, namespace) != (socket.gethostname(), _namespace()):
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass
    now = _started(int(pid))
    # The number may have been given to another process since.
    return bool(int(started)) and bool(now) and int(started) != now


def may_wake(token: str | None) -> bool:
    """
    Whether a worker that claimed by *token* may still send what it has claimed: one
    that is at work in this process, or in another that exists, or on another machine.
    """
    if not token or is_gone(token):
        return False
    ours = new_token()
    is_here = token.rsplit(":", 1)[0] == ours.rsplit(":", 1)[0]
    return token in at_work if is_here else True


def _namespace() -> str:
    """
    Which numbers of processes are meant; empty where that is unknown.
    """
    try:
        return str(os.stat("/proc/self/ns/pid").st_ino)  # noqa: PTH116 -- no file
    except OSError:
        return ""


def _started(pid: int) -> int:
    """
    When the process was started, in ticks since the machine was; 0 if that is unknown.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        return int(stat.rpartition(")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return 0
